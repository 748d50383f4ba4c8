"""`sightline sourcetype`: trying, checking and listing rules without a server."""

import gzip
import json

import pytest
from typer.testing import CliRunner

from sightline.cli.commands import app
from sightline.errors import EnvironmentTrouble, UserError

LOG = (
    "2026-01-02 10:11:12,123 ERROR card=4111111111111111\n\tat x\n2026-01-02 10:11:13,000 DEBUG GET /health\n"
    "2026-01-02 10:11:14,000 INFO fine\n"
)
RULES = """
sourcetypes:
  shop:
    like: log4j
    mask: {match: '\\d{12}(\\d{4})', with: 'XXXX-\\1'}
    drop: {name: health, match: 'GET /health'}
"""


def run(*arguments):
    done = CliRunner().invoke(app, ["sourcetype", *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture
def data(tmp_path):
    (tmp_path / "sourcetypes.yml").write_text(RULES)
    (tmp_path / "shop.log.gz").write_bytes(gzip.compress(LOG.encode()))
    return tmp_path


def test_a_file_is_tried_under_the_rules_of_the_data_directory(data):
    done = run("try", data / "shop.log.gz", "--sourcetype", "shop", "--data", data, "--limit", "2")
    assert done.exit_code == 0
    for piece in (
        "shop  rule: sourcetypes.yml, line 4",
        "1  2026-01-02T10:11:12.123000Z  from '2026-01-02 10:11:12,123'  index=main  error",
        "masked  2026-01-02 10:11:12,123 ERROR card=XXXX-1111",
        'refused: dropped by rule "health" of sourcetype "shop"',
        "and 1 more events",
        "3 events: 1 of several lines, 1 masked, 1 not stored",
    ):
        assert piece in done.stdout
    assert "4111" not in done.stdout


def test_json_has_everything_and_the_ending_says_the_sourcetype(data):
    file = data / "a.csv"
    file.write_text("a,b\n1,x\n")
    found = json.loads(run("try", file, "--json", "--data", data).stdout)
    assert (found["sourcetype"], found["rule"], found["counts"]["events"]) == ("csv", "built in", 1)
    assert found["events"][0]["fields"] == {"a": 1, "b": "x"}
    assert found["events"][0]["source"] == str(file)


def test_a_file_of_rules_is_checked_by_the_engine_too(data, tmp_path):
    assert "1 sourcetypes have rules of their own" in run("check", "--data", data).stderr
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("sourcetypes:\n  a:\n    drop: 'x{2,1}'\n")
    with pytest.raises(
        UserError, match=r"wrong.yml, line 3: sourcetypes.a.drop: the pattern is not a regular expression of RE2"
    ):
        run("check", "--rules", wrong)
    with pytest.raises(EnvironmentTrouble, match="nothing.yml is not there"):
        run("check", "--rules", tmp_path / "nothing.yml")
    with pytest.raises(EnvironmentTrouble, match="nothing.log cannot be read"):
        run("try", tmp_path / "nothing.log", "--data", data)


def test_the_list_says_where_rules_come_from(data):
    listed = run("list", "--data", data).stdout.splitlines()
    assert [line.split()[:4] for line in listed if line.startswith("shop ")] == [["shop", "sourcetypes.yml,", "line", "4"]]
    assert any(line.startswith("access_combined ") and "built in" in line for line in listed)
