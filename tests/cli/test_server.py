"""The server as real processes: two of them, each may be killed, and together they end well."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from sightline.client import Client
from sightline.errors import EnvironmentTrouble, SearchError, UserError


def wait_until(claim, timeout_s=40.0):
    end = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def cli(server, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "sightline", *arguments], capture_output=True, text=True, timeout=60, **options
    )


def send_event(server, **fields):
    answer = httpx.post(
        f"http://127.0.0.1:{server.hec_port}/services/collector/event",
        headers={"Authorization": f"Splunk {server.tokens['hec']}"},
        content=json.dumps({"event": fields}),
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text


def test_what_is_sent_is_found(server):
    send_event(server, marker="found-by-search", n=7)
    rows = server.wait_for("index=main marker=found-by-search | table marker n", lambda rows: rows)
    assert rows == [{"marker": "found-by-search", "n": 7}]


def test_the_client_searches_loads_and_explains(server, tmp_path):
    (tmp_path / "things.csv").write_text("word,n\none,1\ntwo,2\n")
    with Client(server.url, server.token) as client:
        sent = []
        assert client.load(tmp_path / "things.csv", index="client_things", on_progress=sent.append) == 2
        assert sent[-1] == (tmp_path / "things.csv").stat().st_size
        table = client.search("index=client_things | stats sum(n) as n")
        assert table.to_pylist() == [{"n": 3}]
        assert client.search("| makeresults count=30000 | streamstats count as n | table n").num_rows == 30_000
        assert client.search("index=client_things word=three | table word").num_rows == 0
        assert "sql" in [stage["name"] for stage in client.explain("index=client_things")]
        with pytest.raises(SearchError) as wrong:
            client.search("index=client_things | stast")
        assert wrong.value.span.start == 22 and wrong.value.hint == 'did you mean "stats"?'
        with pytest.raises(SearchError, match="nothing_here"):
            client.search("| inputlookup nothing_here")
    with pytest.raises(UserError, match="API token is not known"):
        Client(server.url, "wrong").search("index=main")
    with pytest.raises(EnvironmentTrouble, match="no answer from"):
        Client("http://127.0.0.1:9", "x").search("index=main")


def test_the_command_line_asks_the_server(server, tmp_path):
    (tmp_path / "lines.txt").write_text("first line\nsecond line\n")
    where = ["--url", server.url, "--token", server.token]
    loaded = cli(server, "load", str(tmp_path / "lines.txt"), "--index", "cli_lines", *where)
    assert loaded.returncode == 0 and loaded.stdout == "" and "loaded 2 events into cli_lines" in loaded.stderr
    found = cli(server, "search", "index=cli_lines second | table _raw", "--format", "jsonl", *where)
    assert (found.returncode, json.loads(found.stdout)) == (0, {"_raw": "second line"})
    failed = cli(server, "search", "index=cli_lines | stast", *where)
    assert failed.returncode == 1 and failed.stdout == "" and "^^^^^" in failed.stderr
    explained = cli(server, "explain", "index=cli_lines", *where)
    assert explained.returncode == 0 and "--- sql" in explained.stdout
    held = cli(server, "search", "index=cli_lines", "--data", str(server.data))
    assert held.returncode == 2 and "is held by another program" in held.stderr
    second = cli(server, "serve", "--data", str(server.data))
    assert second.returncode == 2 and "is held by another program" in second.stderr


def test_the_port_in_use_is_named(server, tmp_path):
    done = cli(server, "serve", "--data", str(tmp_path / "d"), "--http", f"127.0.0.1:{server.http_port}")
    assert done.returncode == 1 and f"port {server.http_port} on 127.0.0.1 cannot be used for --http" in done.stderr


def test_the_login_link_signs_in_once_through_the_front(server):
    link = cli(server, "user", "link", "admin", "--data", str(server.data)).stdout.strip()
    assert link.startswith(f"{server.url}/login?code=")
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False) as browser:
        code = link.partition("code=")[2]
        assert browser.post("/auth/link", json={"code": code}).json()["username"] == "admin"
        assert browser.get("/auth/me").json() == {"username": "admin", "role": "admin"}
        assert browser.post("/auth/link", json={"code": code}).status_code == 401


def test_the_status_counts_what_was_received(server):
    send_event(server, marker="counted")

    def stored():
        with server.client() as client:
            status = client.get("/api/v1/status").json()
        assert {p["name"]: p["running"] for p in status["processes"]} == {"engine": True, "front": True}
        rows = [row for row in status["ledger"] if row["source"].startswith("hec")]
        # Other tests may have sent some of their own, and had some refused.
        sent = [row for row in rows if row["token"] == "test hec"]
        adds_up = all(r["received"] == r["stored"] + r["refused"] + r["waiting"] for r in rows)
        return adds_up and sent and all(r["stored"] for r in sent)

    wait_until(stored)


def test_a_killed_engine_loses_nothing_and_comes_back(new_server):
    new_server.start()
    engine = new_server.pid("engine")
    send_event(new_server, n=1)
    os.kill(engine, signal.SIGKILL)
    for n in range(2, 6):
        send_event(new_server, n=n)
    answer = httpx.get(f"{new_server.url}/api/v1/health", trust_env=False)
    assert answer.status_code in (200, 503) and (answer.status_code == 200 or "error" in answer.json())
    wait_until(lambda: new_server.pid("engine") != engine)
    new_server.wait_ready()
    new_server.wait_for("index=main | stats count", lambda rows: rows[0]["count"] == 5)
    assert [r["n"] for r in new_server.search("index=main | sort n | table n")] == [1, 2, 3, 4, 5]
    assert "the engine process was ended by SIGKILL" in new_server.log
    assert new_server.stop() == 0


def test_a_killed_front_comes_back_and_what_it_acknowledged_is_there(new_server):
    new_server.start()
    front = new_server.pid("front")
    for n in range(3):
        send_event(new_server, n=n)
    os.kill(front, signal.SIGKILL)
    wait_until(lambda: new_server.pid("front") != front)
    new_server.wait_ready()
    send_event(new_server, n=3)
    new_server.wait_for("index=main | stats count", lambda rows: rows[0]["count"] == 4)


def test_a_killed_supervisor_takes_its_children_along_and_the_data_stay(new_server):
    new_server.start()
    send_event(new_server, n=1)
    children = [new_server.pid("engine"), new_server.pid("front")]
    new_server.process.kill()
    new_server.process.wait()

    def gone(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
        return True

    wait_until(lambda: all(gone(pid) for pid in children))
    done = cli(new_server, "search", "index=main | table n", "--format", "jsonl", "--data", str(new_server.data))
    assert (done.returncode, done.stdout.strip()) == (0, '{"n":1}'), done.stderr
    new_server.start()
    assert new_server.search("index=main | table n") == [{"n": 1}]


def test_ctrl_c_ends_it_cleanly(new_server):
    new_server.start()
    assert "open http://127.0.0.1" in new_server.log and "/login?code=" in new_server.log
    new_server.process.send_signal(signal.SIGINT)
    assert new_server.process.wait(40) == 0
    assert "Traceback" not in new_server.log and new_server.log.rstrip().endswith("stopped")
    assert list((new_server.data / "run").glob("*.pid")) == []
    new_server.process = None
