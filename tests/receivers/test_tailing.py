"""Following files: what is a line, what is a file, rotation in every way, restarts at every moment, limits."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline import backups
from sightline.backups import hold_journal
from sightline.config import FilesSettings, IngestSettings
from sightline.errors import EnvironmentTrouble, UserError
from sightline.journal import CLOSED, LOADED, OPEN, JournalWriter, recover
from sightline.receivers import tailing
from sightline.receivers.followed import header_of, last_event
from sightline.receivers.inputs import FilesInput, read_inputs
from sightline.receivers.rotation import first_names
from sightline.receivers.tailing import KIND, Tailer
from sightline.segments import read_frames

from .clients import needs, path_of

LONG_AGO = time.time() - 3600


class Rig:
    """A tailer without a thread, a journal, and what is in it."""

    def __init__(self, folder, tokens, *inputs, **settings):
        self.folder, self.tokens, self.inputs = folder, tokens, inputs
        self.settings = FilesSettings(**{"quiet_ms": 0.0, "scan_s": 0.0, "partial_line_s": 3600.0} | settings)
        self.told = []
        self.frames = {}
        self.tailer = None
        self.start()

    def start(self):
        """Begin, as after a kill: nothing of before was closed or noted."""
        if self.tailer is not None:
            self.writer._lock_file.close()
            for file in self.tailer._files:
                file.hold(None)
        self.writer = JournalWriter(self.folder / "journal", IngestSettings(group_commit_ms=0, segment_max_age_s=3600))
        self.tailer = Tailer(
            self.writer, self.tokens, self.inputs, self.settings, self.folder, lambda why, n: self.told.append((why, n))
        )
        self.tailer._read_positions()
        return self

    def look(self):
        """Look until there is nothing more to be seen; gives the texts that are new."""
        before = {self.place(one) for one in self.collect()}
        for _ in range(3):
            self.tailer._scan_at = 0.0
            while self.tailer.round(time.monotonic()):
                pass
        return sorted(one[1] for one in self.collect() if self.place(one) not in before)

    @staticmethod
    def place(frame):
        return frame[0]["position"]["id"], frame[0]["position"]["n"]

    def load(self):
        """What the engine's process does with closed segments."""
        self.collect()
        self.writer.rotate()
        recover(self.folder / "journal")
        end = time.monotonic() + 20
        while list(self.folder.glob(f"journal/*/*{OPEN}")):
            assert time.monotonic() < end
            time.sleep(0.001)
        for path in self.folder.glob(f"journal/*/*{CLOSED}"):
            path.rename(path.with_suffix(LOADED))

    def collect(self):
        """Every frame that was ever in the journal: its head and its text."""
        for suffix in (OPEN, CLOSED, LOADED):
            for path in self.folder.glob(f"journal/*/*-{KIND}{suffix}"):
                data = path.read_bytes()
                for frame in read_frames(path):
                    head, _, text = data[frame.body_offset : frame.end].partition(b"\n")
                    self.frames[path.parent.name, path.stem, frame.offset] = (json.loads(head), text)
        return sorted(self.frames.values(), key=self.place)

    def text(self):
        """All that was stored."""
        return b"".join(text for _, text in self.collect())

    def lines(self):
        return sorted(self.text().split(b"\n"))[1:]


@pytest.fixture
def rig(tmp_path, tokens):
    made = []

    def make(*inputs, **settings):
        inputs = inputs or (FilesInput((str(tmp_path / "logs" / "*.log*"),), host="h"),)
        made.append(Rig(tmp_path, tokens, *inputs, **settings))
        return made[-1]

    (tmp_path / "logs").mkdir()
    yield make
    for one in made:
        for file in one.tailer._files:
            file.hold(None)
        one.writer.close()


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


def lines(first, last):
    return b"".join(b"2026-11-26 10:00:00 line %06d of a text that is long enough\n" % n for n in range(first, last))


def add(path, data):
    with path.open("ab") as file:
        file.write(data)


# ---- lines


def test_lines_are_stored_when_they_are_whole(rig, logs):
    add(logs / "a.log", b"one\ntwo")
    found = rig()
    assert found.look() == [b"one\n"]
    add(logs / "a.log", b" and a half\nthree\n")
    assert found.look() == [b"two and a half\nthree\n"]
    assert found.look() == []
    head, _ = found.collect()[0]
    assert (head["host"], head["source"], head["sourcetype"]) == ("h", str(logs / "a.log"), "log") and "fields" not in head


def test_a_last_line_without_an_end_is_taken_after_a_while(rig, logs):
    add(logs / "a.log", b"one\ntwo")
    assert rig(partial_line_s=0.0).look() == [b"one\ntwo"]


def test_the_last_event_waits_until_the_file_rests(rig, logs):
    found = rig(quiet_ms=3_600_000.0)
    first, second = b"2026-11-26 10:00:00 failed\n", b"2026-11-26 10:00:01 Traceback:\n  File x\n"
    add(logs / "a.log", first + second)
    assert found.look() == [first]
    add(logs / "a.log", b"ValueError: y\n")
    assert found.look() == []
    add(logs / "a.log", b"2026-11-26 10:00:02 next\n")
    assert found.look() == [second + b"ValueError: y\n"]
    found.settings = found.tailer._settings = FilesSettings(quiet_ms=0.0)
    assert found.look() == [b"2026-11-26 10:00:02 next\n"]


def test_an_event_that_does_not_end_is_not_held_for_ever(rig, logs):
    found = rig(quiet_ms=3_600_000.0, hold_ms=0.0)
    add(logs / "a.log", b"2026-11-26 10:00:01 Traceback:\n  File x\n")
    assert found.look() == [b"2026-11-26 10:00:01 Traceback:\n  File x\n"]


def test_a_line_without_an_end_is_bounded_and_letters_stay_whole(rig, logs):
    found = rig(max_line_bytes=1_000_000)
    text = b"x" + "ä".encode() * 1_100_000
    add(logs / "a.log", text)
    pieces = found.look()
    assert [len(piece) for piece in sorted(pieces, key=len)] == [999_999, 1_000_000]
    assert all(piece.decode() for piece in pieces)
    # What is under the limit waits for its end.
    add(logs / "a.log", b"\n")
    found.look()
    assert found.text() == text + b"\n"


def test_octets_that_are_no_text_stay_as_they_are_and_binary_files_are_left_alone(rig, logs, caplog):
    add(logs / "a.log", b"caf\xe9 \xff\n")
    add(logs / "b.log", b"\0\1\2 no text\n")
    found = rig()
    assert found.look() == [b"caf\xe9 \xff\n"]
    assert "b.log is not read: it is no text" in caplog.text


EVENTS = st.lists(
    st.sampled_from(
        [b"2026-11-26 10:00:00 a\n", b"  indented\n", b"plain\n", b"\n", b'{"a": 1}\n', b"Nov  2 10:00:00 h x: y\n"]
    ),
    max_size=30,
)


@given(EVENTS)
def test_the_last_event_begins_at_a_line_and_what_is_before_it_is_whole(found):
    text = b"".join(found)
    place = last_event(text) if text else 0
    assert 0 <= place < max(1, len(text)) and (place == 0 or text[place - 1 : place] == b"\n")
    if place:
        assert text[place : place + 1] not in (b" ", b"\n")


# ---- files


def test_folders_globs_exclusions_and_two_names_of_one_file(rig, logs):
    (logs / "deep" / "er").mkdir(parents=True)
    for name in ("a.log", "deep/b.txt", "deep/er/c", "deep/d.tmp", "deep/.hidden"):
        add(logs / name, name.encode() + b"\n")
    os.link(logs / "a.log", logs / "z-link.log")
    os.symlink(logs / "a.log", logs / "s-link.log")
    found = rig(FilesInput((str(logs),), exclude=("*.tmp",), sourcetype="s", fields={"team": "risk"}))
    assert found.look() == [b"a.log\n", b"deep/b.txt\n", b"deep/er/c\n"]
    assert found.collect()[0][0]["fields"] == {"team": "risk"}


def test_start_at_the_end_leaves_out_what_was_there_at_the_first_time_only(rig, logs):
    add(logs / "a.log", lines(0, 50))
    found = rig(FilesInput((str(logs / "*.log"),), start="end"))
    assert found.look() == []
    add(logs / "a.log", lines(50, 52))
    add(logs / "b.log", b"new\n")
    assert found.look() == [lines(50, 52), b"new\n"]
    found.tailer._note()
    add(logs / "c.log", b"while away\n")
    assert found.start().look() == [b"while away\n"]


def test_no_more_files_than_the_limit_and_that_is_told(rig, logs):
    for n in range(4):
        add(logs / f"{n}.log", b"%d\n" % n)
    found = rig(max_files=2)
    assert found.look() == [b"0\n", b"1\n"]
    assert found.told == [("more than 2 files", 1)] * 2
    # There is room when others are gone.
    for name in ("0.log", "1.log"):
        (logs / name).unlink()
    for file in found.tailer._files:
        file.grown_at = -3600.0
    assert found.look() == [b"2\n", b"3\n"]


def test_thousands_of_files_with_few_of_them_open(rig, logs):
    for n in range(2000):
        add(logs / f"{n}.log", b"first of %d\n" % n)
    found = rig(max_open_files=10)
    assert len(found.look()) == 2000
    assert sum(file.content is not None for file in found.tailer._files) <= 10
    for n in range(0, 2000, 100):
        add(logs / f"{n}.log", b"second of %d\n" % n)
    assert len(found.look()) == 20
    found.tailer._note()
    assert found.start().look() == []


def test_an_index_that_is_not_defined_keeps_the_files_waiting(rig, logs, tokens):
    add(logs / "a.log", b"x\n")
    found = rig(FilesInput((str(logs / "*.log"),), index="later"))
    assert found.look() == []
    tokens.datatypes["later"] = "event"
    assert found.look() == [b"x\n"]


def test_a_full_journal_makes_the_files_wait(rig, logs):
    add(logs / "a.log", b"x\n")
    found = rig()
    found.writer._settings = IngestSettings(journal_max_bytes=0)
    found.writer._usage_due_at = 0.0
    assert found.look() == []
    found.writer._settings = IngestSettings()
    found.writer._usage_due_at = found.tailer._full_until = 0.0
    assert found.look() == [b"x\n"]


# ---- rotation


def test_a_renamed_file_is_read_to_its_end(rig, logs):
    found = rig(FilesInput((str(logs / "a.log"),)))
    add(logs / "a.log", lines(0, 10))
    found.look()
    add(logs / "a.log", lines(10, 12))
    (logs / "a.log").rename(logs / "a.log.1")
    add(logs / "a.log", lines(20, 22))
    found.look()
    # The program has not yet noticed that its file has another name.
    add(logs / "a.log.1", lines(12, 14))
    found.look()
    assert found.lines() == (lines(0, 14) + lines(20, 22)).split(b"\n")[:-1]


def test_a_file_renamed_while_nobody_looked_is_found_under_its_new_name(rig, logs):
    found = rig(FilesInput((str(logs / "a.log"),)))
    add(logs / "a.log", lines(0, 10))
    found.look()
    found.tailer._note()
    add(logs / "a.log", lines(10, 12))
    (logs / "a.log").rename(logs / "old-name")
    add(logs / "a.log", lines(20, 22))
    found.start().look()
    assert found.lines() == (lines(0, 12) + lines(20, 22)).split(b"\n")[:-1]


@pytest.mark.parametrize("seen", ["copy first", "copy and cut at once", "while away"])
@pytest.mark.parametrize("pattern", ["*.log*", "a.log"])
def test_a_copy_is_read_from_where_the_emptied_file_was_left(rig, logs, seen, pattern):
    found = rig(FilesInput((str(logs / pattern),)))
    add(logs / "a.log", lines(0, 40))
    found.look()
    found.tailer._note()
    add(logs / "a.log", lines(40, 45))
    shutil.copyfile(logs / "a.log", logs / "a.log.1")
    if seen == "copy first":
        assert found.look() == [lines(40, 45)]
    os.truncate(logs / "a.log", 0)
    add(logs / "a.log", lines(50, 52))
    os.utime(logs / "a.log.1", (LONG_AGO, LONG_AGO))
    (found.start() if seen == "while away" else found).look()
    add(logs / "a.log", lines(52, 53))
    found.look()
    assert found.lines() == (lines(0, 45) + lines(50, 53)).split(b"\n")[:-1]


@needs("logrotate")
@pytest.mark.parametrize("pattern", ["app.log", "app*.log*"])
@pytest.mark.parametrize(
    "options",
    [
        ("create",),
        ("create", "compress"),
        ("copytruncate",),
        ("copytruncate", "compress"),
        ("create", "dateext", "extension .log"),
    ],
)
def test_logrotate(rig, logs, tmp_path, options, pattern):
    logs.chmod(0o755)
    found, config = rig(FilesInput((str(logs / pattern),))), tmp_path / "logrotate.conf"
    for turn in range(4):
        add(logs / "app.log", lines(100 * turn, 100 * turn + 40))
        found.look()
        # What comes last is still to be read when the file is rotated.
        add(logs / "app.log", lines(100 * turn + 40, 100 * turn + 41))
        # Names of dates would be the same on one day.
        dated = (f"dateformat -{turn}",) if "dateext" in options else ()
        rules = "\n".join(("rotate 20", "missingok", *options, *dated))
        config.write_text(f"{logs / 'app.log'} {{\n{rules}\n}}\n")
        config.chmod(0o644)
        command = [path_of("logrotate"), "-f", "-s", str(tmp_path / "state"), str(config)]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        if turn % 2:
            found.look()
        else:
            # The file is there again, and as long as before, at the next look.
            add(logs / "app.log", lines(100 * turn + 60, 100 * turn + 100))
    found.look()
    for path in logs.iterdir():
        os.utime(path, (LONG_AGO, LONG_AGO))
    found.look()
    found.tailer._note()
    assert found.start().look() == []
    wanted = [
        lines(100 * turn, 100 * turn + 41) + (b"" if turn % 2 else lines(100 * turn + 60, 100 * turn + 100))
        for turn in range(4)
    ]
    assert found.lines() == b"".join(wanted).split(b"\n")[:-1]


@pytest.mark.parametrize("count", [5, 10, 30])
def test_an_emptied_file_that_grew_again_is_noticed(rig, logs, count):
    found = rig()
    add(logs / "a.log", lines(0, 10))
    found.look()
    (logs / "a.log").write_bytes(lines(100, 100 + count))
    assert found.look() == [lines(100, 100 + count)]


@pytest.mark.parametrize("packed", [False, True])
def test_a_copy_of_a_file_that_goes_on_is_no_second_file(rig, logs, packed):
    found = rig()
    add(logs / "a.log", lines(0, 40))
    found.look()
    copy = logs / ("a.log.bak.gz" if packed else "a.log.bak")
    copy.write_bytes(gzip.compress(lines(0, 40)) if packed else lines(0, 40))
    assert found.look() == []
    os.utime(copy, (LONG_AGO, LONG_AGO))
    assert found.look() == []
    add(logs / "a.log", lines(40, 80))
    assert found.look() == [lines(40, 80)]
    (logs / "a.log").write_bytes(lines(100, 110))
    assert found.look() == [lines(100, 110)]
    assert found.start().look() == []


@pytest.mark.parametrize("pattern", ["*.log*", "a.log"])
@pytest.mark.parametrize("away", [False, True])
def test_a_packed_file_is_read_from_where_it_was_left(rig, logs, pattern, away):
    found = rig(FilesInput((str(logs / pattern),)))
    add(logs / "a.log", lines(0, 40))
    found.look()
    found.tailer._note()
    add(logs / "a.log", lines(40, 45))
    if not away:
        found.look()
    (logs / "a.log.1.gz").write_bytes(gzip.compress(lines(0, 45)))
    os.utime(logs / "a.log.1.gz", (LONG_AGO, LONG_AGO))
    (logs / "a.log").unlink()
    add(logs / "a.log", lines(60, 62))
    (found.start() if away else found).look()
    assert found.lines() == (lines(0, 45) + lines(60, 62)).split(b"\n")[:-1]
    found.tailer._note()
    assert found.start().look() == []


def test_a_packed_file_that_is_new_is_read_once_it_rests(rig, logs):
    found = rig()
    (logs / "old.log.gz").write_bytes(gzip.compress(lines(0, 30_000) + b"no end"))
    assert found.look() == []
    os.utime(logs / "old.log.gz", (LONG_AGO, LONG_AGO))
    found.look()
    assert found.text() == lines(0, 30_000) + b"no end"
    (logs / "broken.log.gz").write_bytes(gzip.compress(lines(0, 50))[:-30])
    os.utime(logs / "broken.log.gz", (LONG_AGO, LONG_AGO))
    found.look()
    found.tailer._note()
    assert found.start().look() == []


def test_an_inode_that_is_used_again_is_another_file(rig, logs):
    found = rig()
    add(logs / "a.log", lines(0, 10))
    found.look()
    (file,) = found.tailer._files
    found.tailer._note()
    position = json.loads((found.folder / tailing.POSITIONS).read_bytes())
    (logs / "a.log").unlink()
    add(logs / "a.log", lines(50, 60))
    # Whether the system gives the same inode is its own affair: say that it did.
    about = os.stat(logs / "a.log")
    position["positions"][0] |= {"at": [about.st_dev, about.st_ino], "n": file.n + 1}
    (found.folder / tailing.POSITIONS).write_text(json.dumps(position))
    assert found.start().look() == [lines(50, 60)]


def test_files_with_the_same_first_line_are_not_one(rig, logs):
    header = b"time,user,amount\n"
    (logs / "a.log.1").write_bytes(header + b"1,ann,3\n")
    (logs / "a.log").write_bytes(header)
    found = rig()
    found.look()
    for name in ("a.log", "a.log.1"):
        os.utime(logs / name, (LONG_AGO, LONG_AGO))
    found.look()
    add(logs / "a.log", b"2,bob,4\n")
    found.look()
    assert found.lines() == sorted([header[:-1]] * 2 + [b"1,ann,3", b"2,bob,4"])


@pytest.mark.parametrize(
    "path",
    [
        "/x/app.log.1",
        "/x/app.log-20260131",
        "/x/app.log.2.gz",
        "/x/app-20260131.log",
        "/x/app.log.2026-01-31_10",
        "/x/app.log~",
    ],
)
def test_names_that_rotation_gives(path):
    assert "/x/app.log" in list(first_names(path))


# ---- restarts


def test_what_was_stored_is_not_stored_again_whenever_it_was_killed(rig, logs):
    found = rig()
    add(logs / "a.log", lines(0, 10))
    found.look()
    # Nothing was noted, the segment is open.
    assert found.start().look() == []
    add(logs / "a.log", lines(10, 12))
    found.look()
    # It was loaded meanwhile.
    found.load()
    assert found.start().look() == []
    add(logs / "a.log", lines(12, 14))
    found.look()
    found.tailer._note()
    # The loaded ones are let go of, and the file has what they said.
    assert not list(found.folder.glob(f"journal/*/*{LOADED}"))
    assert found.start().look() == []
    assert found.text() == lines(0, 14)


def test_a_torn_end_of_the_journal_is_read_again_from_the_file(rig, logs):
    found = rig()
    add(logs / "a.log", lines(0, 10))
    found.look()
    add(logs / "a.log", lines(10, 20))
    found.look()
    (segment,) = found.folder.glob(f"journal/*/*{OPEN}")
    os.truncate(segment, segment.stat().st_size - 5)
    found.frames.clear()
    assert found.collect() and found.start().look() == [lines(10, 20)]


def test_positions_that_cannot_be_noted_keep_what_was_loaded(rig, logs):
    found = rig()
    add(logs / "a.log", lines(0, 10))
    found.look()
    found.load()
    blocker = (found.folder / tailing.POSITIONS).with_suffix(".new")
    blocker.mkdir(parents=True)
    found.tailer._note()
    assert list(found.folder.glob(f"journal/*/*{LOADED}"))
    assert found.start().look() == []
    blocker.rmdir()
    found.tailer._note()
    assert not list(found.folder.glob(f"journal/*/*{LOADED}")) and found.start().look() == []


@pytest.mark.parametrize("noted_meanwhile", [False, True])
def test_a_backup_knows_how_far_its_lines_go(rig, logs, tmp_path, tokens, monkeypatch, noted_meanwhile):
    found = rig()
    add(logs / "a.log", lines(0, 10))
    found.look()
    found.tailer._note()
    add(logs / "a.log", lines(10, 12))
    found.look()
    found.load()
    add(logs / "a.log", lines(12, 14))
    found.look()
    if noted_meanwhile:
        hold, told = backups._hold, []

        def note_between(path, target):
            if path.suffix == LOADED and not told:
                told.append(path)
                found.tailer._note()
            hold(path, target)

        monkeypatch.setattr(backups, "_hold", note_between)
    hold_journal(tmp_path, tmp_path / "backup")
    restored = Rig(tmp_path / "backup", tokens, *found.inputs)
    add(logs / "a.log", lines(14, 15))
    assert restored.look() == [lines(14, 15)]
    for file in restored.tailer._files:
        file.hold(None)
    restored.writer.close()


def test_damaged_positions_are_an_error_and_not_a_beginning_from_nothing(rig, logs):
    found = rig()
    add(logs / "a.log", b"x\n")
    found.look()
    found.tailer._note()
    (found.folder / tailing.POSITIONS).write_text("{")
    with pytest.raises(EnvironmentTrouble, match="cannot be read"):
        found.start()


def test_positions_of_an_input_that_went_away_wait_for_it(rig, logs):
    found = rig()
    add(logs / "a.log", b"x\n")
    found.look()
    (own,) = found.inputs
    found.inputs = ()
    found.start().look()
    found.tailer._note()
    found.inputs = (own,)
    assert found.start().look() == []


def test_positions_of_files_that_are_gone_are_forgotten_in_the_end(rig, logs):
    found = rig(forget_s=0.0)
    add(logs / "a.log", b"x\n")
    found.look()
    (logs / "a.log").unlink()
    for file in found.tailer._files:
        file.grown_at = -3600.0
    found.look()
    found.tailer._note()
    assert found.tailer._files == []


# ---- the file inputs.yml


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not valid YAML"),
        ("[1]", "wants a mapping with: files, journals"),
        ("file: []", "file is not known, wanted only: files, journals"),
        ("files: [{}]", r"files\[0\] wants paths"),
        ("files: [{paths: [x.log]}]", r'files\[0\].paths wants whole paths, got "x.log"'),
        ("files: [{paths: [/x], start: now}]", r'files\[0\].start wants beginning or end, got "now"'),
        ("files: [{paths: [/x], path: 1}]", "path is not known"),
        ("files: [{paths: [/x], fields: {a: [1]}}]", "fields wants names with texts"),
        ("files: [{paths: [/x]}, {paths: [/x]}]", "files names the same twice: /x"),
        ("journals: [{directory: x}]", r'journals\[0\].directory wants a whole path, got "x"'),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path, text, message):
    (tmp_path / "inputs.yml").write_text(text)
    with pytest.raises(UserError, match=message):
        read_inputs(tmp_path / "inputs.yml")


@pytest.mark.parametrize(
    ("beginning", "header"),
    [
        (b"name,qty\n1,2\n", "name,qty"),
        (b"#Software: x\n#Fields: a b\n1 2\n", "#Software: x\n#Fields: a b"),
        (b"2026-01-02 03:04:05 a, b\n", ""),
        (b"one line\ntwo, lines\n", ""),
        (b"name,qty without an end", ""),
        (b"", ""),
    ],
)
def test_lines_that_may_name_columns(beginning, header):
    assert header_of(beginning) == header


def test_later_pieces_of_a_file_know_the_names_of_its_columns(rig, logs):
    file = logs / "a.log"
    file.write_text("name,qty\nBarolo,1\n")
    one = rig()
    one.look()
    with file.open("a") as more:
        more.write("Barbera,2\n")
    one.look()
    assert [(described.get("header"), text) for described, text in one.collect()] == [
        (None, b"name,qty\nBarolo,1\n"),
        ("name,qty", b"Barbera,2\n"),
    ]
