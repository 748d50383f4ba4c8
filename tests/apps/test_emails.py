"""The e-mails of an app's saved searches: what comes along, what is told, and that an export says the same."""

import pytest

from sightline.apps.checking import Report
from sightline.apps.contents import read_contents
from sightline.apps.exporting import export_catalog
from sightline.apps.importing import import_contents
from sightline.apps.moving import bring
from sightline.catalog import Catalog
from sightline.catalog.actions import EMAIL

HEAD = "search = index=web\nenableSched = 1\ncron_schedule = */5 * * * *\n"


@pytest.fixture
def catalog(tmp_path):
    found = Catalog(tmp_path / "data")
    yield found
    found.close()


def brought(app, catalog, settings):
    """The action of an alert with these settings of its e-mail, and what was told."""
    lines = "".join(f"{line.strip()}\n" for line in settings.strip().splitlines())
    contents = read_contents(app({"default/savedsearches.conf": f"[a]\n{HEAD}{lines}"}))
    outcome = import_contents(contents, Report(), catalog)
    alert = catalog.alerts.find("a")
    return alert and alert.actions, [note.text for note in outcome.notes]


def test_every_option_comes_along(app, catalog):
    actions, told = brought(
        app,
        catalog,
        """
        actions = email
        alert.track = 1
        action.email.to = ops@example.org, boss@example.org
        action.email.cc = c@example.org
        action.email.bcc = d@example.org
        action.email.from = splunk@example.org
        action.email.subject = Errors on $result.host$
        action.email.subject.report = not this one
        action.email.message.alert = $job.resultCount$ errors
        action.email.message.report = not this one
        action.email.footer.text = the shop
        action.email.priority = 1
        action.email.format = csv
        action.email.content_type = plain
        action.email.sendresults = 1
        action.email.inline = 1
        action.email.sendcsv = 1
        action.email.maxresults = 50
        action.email.include.results_link = 0
        action.email.include.search = 1
        action.email.include.trigger_time = 1
        action.email.reportServerEnabled = 0
        action.email.useNSSubject = 1
        """,
    )
    assert told == []
    assert actions == [
        {
            "kind": "email",
            "to": "ops@example.org, boss@example.org",
            "cc": "c@example.org",
            "bcc": "d@example.org",
            "from": "splunk@example.org",
            "subject": "Errors on $result.host$",
            "message": "$job.resultCount$ errors",
            "footer": "the shop",
            "priority": "highest",
            "content_type": "plain",
            "results": "both",
            "format": "csv",
            "max_rows": 50,
            "include": ["view_link", "search", "trigger_time"],
        }
    ]


def test_what_is_not_said_has_defaults(app, catalog):
    assert brought(app, catalog, "action.email = 1\naction.email.to = a@example.org") == (
        [EMAIL | {"to": "a@example.org"}],
        [],
    )


@pytest.mark.parametrize(
    ("settings", "changed", "told"),
    [
        ("sendresults = 1", {"results": "attached"}, []),
        ("sendcsv = 1", {"results": "attached"}, []),
        ("inline = 1", {"results": "none"}, []),
        ("sendresults = 1\naction.email.inline = 1", {"results": "inline"}, []),
        ("message.report = R\naction.email.message.alert = A", {"message": "R"}, []),
        ("format = plain", {"content_type": "plain"}, []),
        ("priority = low", {"priority": "low"}, []),
        ("priority = $result.priority$", {"priority": "$result.priority$"}, []),
        ("priority = 9", {}, ['the priority "9" of its e-mail is not known']),
        ("format = cards", {}, ['the format "cards" of its e-mail is not known; rows stand in a table']),
        ("sendpdf = 1", {}, ["its e-mail goes without the PDF or picture"]),
        ("maxresults = 50000", {}, ["its e-mail has at most 10,000 rows, not 50,000"]),
        ("mailserver = mx.example.org", {}, ["its mail server mx.example.org is not used: the settings name one for all"]),
        ("preprocess_results = head 3", {}, ["settings of its e-mail without meaning here: preprocess_results"]),
    ],
)
def test_single_settings(app, catalog, settings, changed, told):
    lines = f"action.email = 1\naction.email.to = a@example.org\naction.email.{settings}"
    assert brought(app, catalog, lines) == ([EMAIL | {"to": "a@example.org"} | changed], told)


def test_an_email_to_nobody_is_told(app, catalog):
    actions, told = brought(app, catalog, "alert.track = 1\naction.email = 1\naction.email.to = nobody")
    assert actions == [] and told == ['its action email is left out: an address wants a @, got "nobody"']
    actions, told = brought(app, catalog, "alert.track = 1\naction.email = 1")
    assert told == ["its action email is left out: an email action wants an address in to, cc or bcc, got none"]


def test_a_missing_mail_server_is_told(app, catalog, tmp_path):
    path = app({"default/savedsearches.conf": f"[a]\n{HEAD}action.email = 1\naction.email.to = a@example.org\n"})
    told = [note.text for note in bring(path, tmp_path / "data", catalog).notes]
    assert told == ['its e-mails are not sent: no mail server is set (mail_server = "host:port" in [watch])']
    (tmp_path / "data" / "sightline.toml").write_text('[watch]\nmail_server = "127.0.0.1:25"\n')
    assert bring(path, tmp_path / "data", catalog).notes == []


@pytest.mark.parametrize(
    ("actions", "own"),
    [
        ([{"to": "a@b", "results": "both", "priority": "lowest", "max_rows": 7, "include": []}], False),
        ([{"to": "a@b", "message": "two\nlines", "subject": "$name$"}], False),
        ([{"bcc": "a@b", "message": " around "}], True),
        ([{"to": "a@b"}, {"cc": "c@d", "include": ["trigger", "search"]}], True),
    ],
)
def test_an_export_says_what_the_action_says(catalog, tmp_path, actions, own):
    catalog.alerts.create(name="a", search="x", cron="* * * * *", actions=[{"kind": "email"} | a for a in actions])
    before = catalog.alerts.find("a").actions
    export_catalog(catalog, tmp_path / "out")
    text = (tmp_path / "out" / "default" / "savedsearches.conf").read_text()
    assert "action.email.sendresults" in text and ("sightline.actions" in text) == own
    catalog.alerts.delete(1)
    import_contents(read_contents(tmp_path / "out"), Report(), catalog)
    assert catalog.alerts.find("a").actions == before
