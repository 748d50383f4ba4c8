"""The command line: results on standard output, everything else on standard error, and the exit status says how it went."""

import json
import subprocess
import sys

import pyarrow as pa
import pytest

from sightline import cli
from sightline.datadir import DataDirectory


@pytest.fixture
def run(monkeypatch, capfdbinary, tmp_path):
    """Runs a command line in this process: (status, standard output, standard error)."""
    monkeypatch.delenv("SIGHTLINE_DATA", raising=False)
    monkeypatch.setenv("SIGHTLINE_DATA", str(tmp_path / "data"))

    def call(*arguments, stdin=""):
        import io

        monkeypatch.setattr(sys, "argv", ["sightline", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code or 0
        out, err = capfdbinary.readouterr()
        call.raw = out
        return status, out.decode(errors="replace"), err.decode()

    return call


def test_a_token_is_printed_alone_and_before_the_first_start(run):
    status, out, err = run("token", "create", "--kind", "hec", "--name", "collector", "--index", "web")
    assert status == 0 and len(out.strip().split("-")) == 5 and out.count("\n") == 1 and err == ""
    status, out, _ = run("token", "list")
    assert "collector  hec" in out and "web" in out
    assert run("token", "revoke", "collector")[0] == 0
    status, _, err = run("token", "revoke", "collector")
    assert (status, err) == (2, 'error: no token "collector"\n')


def test_bad_usage_is_2(run):
    assert run("token", "create", "--kind", "ssh", "--name", "x")[0] == 2
    assert run("nonsense")[0] == 2
    assert run("search")[0] == 2
    assert run("search", "x", "--format", "xml")[0] == 2
    assert run("load", "/no/such/file", "--index", "web")[0] == 2


def test_users_and_their_links(run):
    assert run("user", "create", "ada", "--role", "admin", stdin="a long password\n")[0] == 0
    status, out, _ = run("user", "list")
    assert "ada   admin  set" in out
    status, out, _ = run("user", "link", "ada")
    assert out.startswith("http://127.0.0.1:8000/login?code=")
    assert run("user", "passwd", "ada", stdin="short\n")[0] == 2
    status, _, err = run("user", "link", "bob")
    assert (status, err) == (2, 'error: no user "bob"\n')
    assert run("user", "delete", "ada")[0] == 2, "the last administrator stays"


def test_indexes(run):
    assert run("index", "create", "my_model_metrics", "--datatype", "metric")[0] == 0
    assert "my_model_metrics  metric" in run("index", "list")[1]
    status, _, err = run("index", "create", "Web")
    assert status == 2 and "lower case" in err


def test_a_search_runs_offline_in_every_form(run):
    text = '| makeresults count=2 | streamstats count as n | eval word="w".n | table n word missing'
    status, out, err = run("search", text)
    assert status == 0 and out.splitlines()[0].split() == ["n", "word", "missing"]
    assert out.splitlines()[1].split() == ["1", "w1"] and err == ""
    rows = [json.loads(line) for line in run("search", text, "--format", "jsonl")[1].splitlines()]
    assert rows == [{"n": 1, "word": "w1"}, {"n": 2, "word": "w2"}]
    assert json.loads(run("search", text, "--format", "json")[1]) == rows
    assert run("search", text, "--format", "csv")[1].splitlines()[1].replace('"', "") == "1,w1,"
    run("search", text, "--format", "arrow")
    assert pa.ipc.open_stream(run.raw).read_all().column("n").to_pylist() == [1, 2]


def test_a_search_that_fails_is_1_and_shows_where(run):
    status, out, err = run("search", "index=main | stast count")
    assert (status, out) == (1, "")
    assert 'there is no command "stast"' in err and "at 1:14" in err
    assert "             ^^^^^" in err and 'hint: did you mean "stats"?' in err
    assert run("explain", "index=main | stast count")[0] == 1


def test_explain_shows_the_stages(run):
    status, out, _ = run("explain", "index=main | stats count")
    assert status == 0 and out.startswith("--- text\nindex=main | stats count\n") and "--- sql\n" in out


def test_a_held_directory_says_so(run, tmp_path):
    holder = DataDirectory(tmp_path / "data")
    holder.lock()
    status, _, err = run("search", "index=main")
    assert status == 2 and "is held by another program" in err and "hint: give --url and --token" in err
    status, _, err = run("serve")
    assert status == 2 and "is held by another program" in err
    assert run("token", "list")[0] == 0, "the catalog may be read beside a server"
    holder.unlock()


def test_where_to_search_is_said_once(run):
    status, _, err = run("search", "x", "--data", "d", "--url", "http://127.0.0.1:9")
    assert status == 2 and "--data and --url exclude each other" in err
    status, _, err = run("search", "x", "--url", "http://127.0.0.1:9")
    assert status == 2 and "--url wants --token too" in err
    status, _, err = run("search", "x", "--url", "http://127.0.0.1:9", "--token", "t")
    assert status == 1 and "no answer from http://127.0.0.1:9" in err


def test_a_newer_directory_is_refused(run, tmp_path):
    DataDirectory(tmp_path / "data")
    (tmp_path / "data" / "VERSION").write_text("7\n")
    status, _, err = run("search", "index=main")
    assert status == 2 and "is version 7" in err


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.csv", "when,word,n\n2026-01-02T03:04:05Z,one,1\n2026-01-02T03:04:06Z,two,2\n", ["--time-field", "when"]),
        ("a.jsonl", '{"_time":1767323045,"word":"one","n":1}\n{"_time":1767323046,"word":"two","n":2}\n', []),
    ],
)
def test_files_are_loaded_offline(run, tmp_path, name, content, options):
    (tmp_path / name).write_text(content)
    status, out, err = run("load", str(tmp_path / name), "--index", "things", "--sourcetype", "s", *options)
    assert (status, out) == (0, "") and "loaded 2 events into things" in err
    text = "index=things sourcetype=s | sort n | table _time word n"
    rows = [json.loads(line) for line in run("search", text, "--format", "jsonl")[1].splitlines()]
    assert rows == [{"_time": 1767323045, "word": "one", "n": 1}, {"_time": 1767323046, "word": "two", "n": 2}]


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    command = (
        f"{sys.executable} -m sightline search '| makeresults count=200000' --format csv --data {tmp_path / 'd'} | head -1"
    )
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert done.stdout.strip().strip('"') == "_time" and "Traceback" not in done.stderr
