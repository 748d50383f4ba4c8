"""`check`, `import` and `export` on the command line, on a data directory and against a server."""

import json
import sys

import pytest

from sightline import cli
from sightline.catalog import Catalog

APP = {
    "default/macros.conf": "[shop]\ndefinition = index=shop\n",
    "default/savedsearches.conf": """
        [by city]
        search = `shop` | stats count by city
        [late]
        search = `shop` | lookup prices.csv item | sort - price
        [never]
        search = `shop` | holtwinters
        """,
    "default/data/ui/views/broken.xml": "<dashboard><row>",
    "default/tags.conf": b"\0",
}


@pytest.fixture
def run(monkeypatch, capfd, tmp_path):
    """Runs a command line in this process: (status, standard output, standard error)."""
    for name in ("SIGHTLINE_DATA", "SIGHTLINE_URL", "SIGHTLINE_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["sightline", *map(str, arguments)])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code or 0
        out, err = capfd.readouterr()
        return status, out, err

    return call


def test_check_prints_a_report_or_json(run, app, tmp_path):
    path = app(APP)
    status, out, _ = run("check", path)
    assert status == 0
    lines = out.split("\n")
    assert "runs     by city" in lines
    assert any(line.startswith("needs    late: needs lookup prices.csv") for line in lines)
    assert 'unknown  never: there is no command "holtwinters"' in lines
    assert any(line.startswith("not read default/tags.conf: is not text") for line in lines)
    assert [line.split() for line in lines if line.startswith("holtwinters")] == [["holtwinters", "1", "0", "1"]]
    assert "indexes that are read and not there yet: shop" in lines
    assert any(line.startswith("3 searches: 1 run (33.3%), 1 need something") for line in lines)
    status, out, _ = run("check", path, "--json")
    assert status == 0 and json.loads(out) == {
        "summary": {"total": 3, "runs": 1, "needs": 1, "unknown_command": 1, "refused": 0},
        "searches": [
            {"name": "by city", "state": "runs", "reasons": []},
            {
                "name": "late",
                "state": "needs",
                "reasons": ["needs lookup prices.csv", "sort keeps all rows (Splunk: 10,000)"],
            },
            {"name": "never", "state": "unknown_command", "reasons": ['there is no command "holtwinters"']},
        ],
    }
    assert run("check", tmp_path / "absent")[0] == 2


def test_check_gives_the_share_without_faulty_searches(run, app):
    conf = "[good]\nsearch = index=shop\n[faulty]\nsearch = index=shop | eval a=1 b\n[here]\nsearch = x | script python y\n"
    status, out, _ = run("check", app({"default/savedsearches.conf": conf}))
    lines = out.split("\n")
    assert status == 0
    assert 'faulty   faulty: Splunk refuses this as well: eval: wanted "," or the end, got "b"' in lines
    assert "3 searches: 1 run (33.3%), 2 are refused (66.7%), 1 of them by Splunk as well" in lines
    assert lines[-2] == (
        "33.3% of all run, or need only something that they name; without those that Splunk refuses as well and those with "
        "unknown commands, 50.0% of 2"
    )


def test_import_and_export_on_a_data_directory(run, app, tmp_path):
    path, data = app(APP), tmp_path / "data"
    status, out, _ = run("import", path, "--data", data, "--dry-run", "--app", "corner")
    assert status == 0 and "would be" in out
    catalog = Catalog(data)
    assert catalog.macros.list() == []
    status, out, _ = run("import", path, "--data", data, "--app", "corner")
    assert status == 0
    assert 'left out saved searches never: there is no command "holtwinters"' in out.split("\n")
    assert [line.split() for line in out.split("\n") if line.startswith("macros")] == [["macros", "1"]]
    assert catalog.searches.find("by city").app == "corner"
    catalog.close()
    status, _, err = run("export", tmp_path / "out", "--data", data)
    assert status == 0 and "wrote 1 macros, 2 saved searches and alerts to" in err
    assert (tmp_path / "out" / "default" / "macros.conf").read_text() == "[shop]\ndefinition = index=shop\n"
    status, _, err = run("export", tmp_path / "out", "--data", data, "--app", "absent")
    assert status == 2 and 'nothing of an app "absent"' in err


def test_import_and_export_with_a_server(run, app, tmp_path, server):
    path = app(APP, "corner_store")
    asked = ("--url", server.url, "--token", server.token)
    status, out, _ = run("import", path, *asked)
    assert status == 0 and any(line.split() == ["macros", "1"] for line in out.split("\n"))
    assert "not read default/tags.conf: is not text" in out
    status, _, err = run("export", tmp_path / "out", "--app", "corner_store", *asked)
    assert status == 0 and "files to" in err
    assert (tmp_path / "out" / "default" / "macros.conf").read_text() == "[shop]\ndefinition = index=shop\n"
    assert run("import", path, "--url", server.url)[0] == 2
