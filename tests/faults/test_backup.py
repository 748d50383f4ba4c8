"""Backup under load and restore elsewhere: every record that was acknowledged before, once; searches and models as before."""

import json
import re
import subprocess
import sys
import time

import pytest

from sightline.backups import BackupFolder, Source
from sightline.errors import NotFound, UserError
from sightline.store.loading import is_empty

from .sending import Sender, compare


def sightline(*arguments, expect=0):
    done = subprocess.run(
        [sys.executable, "-m", "sightline", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == expect, done.stderr
    return done.stdout + done.stderr


def until(claim, timeout_s=60):
    end = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.05)


def all_texts(server, claim=lambda texts: True):
    rows = server.wait_for(
        "index=main number | fields _raw",
        lambda rows: claim([row["_raw"] for row in rows]),
        max_count=1_000_000,
        timeout_s=120,
    )
    return [row["_raw"] for row in rows]


def test_a_backup_under_load_restores_every_acknowledged_record_once(servers, tmp_path):
    first = servers("first")
    first.search("| makeresults count=40 | streamstats count as x | eval y=2*x | fit LinearRegression y from x into lines")
    with first.client() as client:
        client.post("/api/v1/saved-searches", json={"name": "kept", "search": "index=main | stats count"}).raise_for_status()
    senders = [Sender(f"http://127.0.0.1:{first.otlp_http_port}", name) for name in ("a", "b")]
    for sender in senders:
        sender.start()
    until(lambda: all(len(sender.acknowledged) > 500 for sender in senders))
    known = {sender.label: set(sender.acknowledged) for sender in senders}
    told = sightline("backup", tmp_path / "backups", "--data", first.data, "--verify")
    assert "every checksum matches" in told
    during = {sender.label: len(sender.acknowledged) for sender in senders}
    until(lambda: all(len(sender.acknowledged) > during[sender.label] + 200 for sender in senders))
    for sender in senders:
        sender.stop()
    first.stop()

    assert [p.name for p in (first.data / "engine").glob("shadow")] == []
    second = servers("second", started=False)
    sightline("restore", tmp_path / "backups", "--data", second.data, expect=2)
    # The tokens are those of the first server, hashed as they were.
    sightline("restore", tmp_path / "backups", "--data", second.data, "--force")
    second.tokens = first.tokens
    # Hard links of a backup that was killed would keep the disk of parts that are long gone.
    left = second.data / "engine" / "shadow" / "frozen"
    left.mkdir(parents=True)
    (left / "part").touch()
    second.start()
    assert not left.exists()
    second.wait_for("index=main | stats count", lambda rows: is_empty(second.data / "journal"), timeout_s=180)
    stored = compare(all_texts(second), senders, known)
    assert stored < sum(len(sender.acknowledged) for sender in senders)
    ledger = [row for row in second.client().get("/api/v1/status").json()["ledger"] if row["source"] == "otlp:logs"]
    assert sum(row["stored"] for row in ledger) == sum(row["received"] for row in ledger) == stored
    (row,) = second.search("| makeresults | eval x=50 | apply lines")
    assert round(row["predicted(y)"]) == 100
    with second.client() as client:
        assert "kept" in [one["name"] for one in client.get("/api/v1/saved-searches").json()]


def test_a_second_backup_copies_what_is_new(tmp_path):
    data, backups = tmp_path / "data", tmp_path / "backups"
    write = '| makeresults count={} | streamstats count as n | eval _raw="{} ".n | collect index=main'
    sightline("search", write.format(1000, "old"), "--data", data)
    sightline("backup", backups, "--data", data)
    sightline("search", write.format(10, "new"), "--data", data)
    told = sightline("backup", backups, "--data", data, "--keep", 5)
    whole, copied = (int(number.replace(",", "")) for number in re.findall(r"([\d,]+)(?: bytes|\s+of them)", told))
    assert copied < whole
    folder = BackupFolder(backups)
    older, newer = folder.snapshots()
    for name, count in ((older, 1000), (newer, 1010)):
        sightline("restore", backups, "--snapshot", name, "--data", tmp_path / name)
        rows = sightline("search", "index=main | stats count", "--data", tmp_path / name, "--format", "jsonl")
        assert json.loads(rows.splitlines()[0])["count"] == count
    folder.keep_newest(1)
    assert folder.snapshots() == [newer]
    folder.verify(folder.read(), lambda *_: None)


# -- the folder alone


def add(folder, data, *names):
    return folder.add([Source(name, data / name, steady=True) for name in names], {}, "0", lambda *_: None).snapshot


@pytest.fixture
def backup(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("VERSION", "one", "two"):
        (data / name).write_text(f"1{name}")
    folder = BackupFolder(tmp_path / "backups")
    return folder, data, add(folder, data, "VERSION", "one", "two")


def test_damage_is_named_and_changes_nothing(backup, tmp_path):
    folder, _, snapshot = backup
    target = tmp_path / "target"
    target.mkdir()
    (target / "precious").write_text("old")
    path = folder.path / "objects" / snapshot.files["two"]["sha256"][:2] / snapshot.files["two"]["sha256"]
    path.write_text("1twO")
    with pytest.raises(UserError, match='"two" of the backup .* is damaged'):
        folder.verify(snapshot, lambda *_: None)
    with pytest.raises(UserError, match="is damaged"):
        folder.restore(snapshot, target, force=True, progress=lambda *_: None)
    assert (target / "precious").read_text() == "old"
    path.unlink()
    with pytest.raises(UserError, match="is missing"):
        folder.verify(snapshot, lambda *_: None)


def test_a_restore_wants_an_empty_directory(backup, tmp_path):
    folder, _, snapshot = backup
    target = tmp_path / "target"
    target.mkdir()
    (target / "precious").write_text("old")
    with pytest.raises(UserError, match="is not empty: it holds precious"):
        folder.restore(snapshot, target, force=False, progress=lambda *_: None)
    folder.restore(snapshot, target, force=True, progress=lambda *_: None)
    assert sorted(path.name for path in target.iterdir()) == ["VERSION", "one", "two"]


def test_an_interrupted_backup_is_none_and_leaves_the_last_one_whole(backup, tmp_path):
    folder, data, snapshot = backup
    (data / "three").write_text("3")

    def ends(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.add([Source("three", data / "three")], {}, "0", ends)
    assert folder.snapshots() == [snapshot.name]
    folder.verify(folder.read(), lambda *_: None)


def test_lists_that_cannot_be_trusted_are_refused(backup, tmp_path):
    folder, data, snapshot = backup
    path = folder.path / "snapshots" / f"{snapshot.name}.json"
    path.write_text(path.read_text().replace('"one"', '"../../one"'))
    with pytest.raises(UserError, match="is damaged"):
        folder.read()
    with pytest.raises(NotFound, match="holds no whole backup"):
        BackupFolder(tmp_path / "nothing").read()
