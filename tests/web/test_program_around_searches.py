"""What a search asks of the program around it: REST paths, jobs, alerts, mail. With the rights of who searches."""

from __future__ import annotations

import http.server
import json
import threading
import time
from types import SimpleNamespace

import pyarrow as pa
import pytest
from letterbox import mail_server

from sightline.errors import SightlineError
from sightline.web.splunk.resources import resource_paths

NOW = 1_760_000_000.0


@pytest.fixture(scope="module", autouse=True)
def data(parts):
    parts.catalog.indexes.ensure("around", "event")
    table = {"_time": [NOW, NOW + 1, NOW + 2], "host": ["a", "b", "b"], "status": [200, 500, 404]}
    parts.store.append_events("around", pa.table(table))
    parts.catalog.searches.create(name="Errors", search="index=around status>=400 | stats count by host", owner="ada")
    parts.catalog.searches.create(
        name="Nightly", search="index=around | stats count", cron="0 3 * * *", owner="bob", app="ops"
    )
    parts.catalog.alerts.create(
        name="Broken",
        search="index=around status>=500",
        cron="*/5 * * * *",
        owner="ada",
        severity="critical",
        actions=[{"kind": "webhook", "url": "https://hooks.example.com/secret-path?key=secret"}],
    )
    parts.catalog.macros.save("twice", "$x$*2", ["x"])
    parts.catalog.lookups.write_bytes("teams.csv", b"host,team\na,red\n")
    parts.catalog.stanzas["transforms"].put("teams", {"filename": "teams.csv"})
    parts.catalog.stanzas["transforms"].put("people", {"external_type": "kvstore"})
    parts.catalog.tokens.create("hec", "collector", owner="ada")
    parts.catalog.dashboards.create("Overview", {"panels": [{"search": "index=around"}]}, "", "ada")


def rows(parts, text, user="ada", **options):
    return parts.engine.run(text, user=user, **options).table.to_pylist()


def refusal(parts, text, user="ada"):
    with pytest.raises(SightlineError) as caught:
        parts.engine.run(text, user=user)
    return str(caught.value)


# ---- rest


def test_the_server_tells_about_itself(parts):
    (info,) = rows(parts, "| rest /services/server/info")
    assert info["version"] and info["serverName"] and info["health_info"] == "green"
    assert info["server_roles"] == ["indexer", "search_head"] and info["splunk_server"] == "local"


def test_saved_searches_and_alerts_have_splunks_names(parts):
    found = {
        row["title"]: row
        for row in rows(parts, "| rest /servicesNS/-/-/saved/searches splunk_server=local count=0 timeout=5")
    }
    assert set(found) == {"Errors", "Nightly", "Broken"}
    nightly = found["Nightly"]
    assert (nightly["cron_schedule"], nightly["is_scheduled"], nightly["disabled"]) == ("0 3 * * *", 1, 0)
    assert (nightly["eai:acl.owner"], nightly["eai:acl.app"], nightly["author"]) == ("bob", "ops", "bob")
    assert nightly["next_scheduled_time"].endswith("T03:00:00+00:00") and nightly["updated"]
    assert found["Errors"]["is_scheduled"] == 0 and found["Errors"]["next_scheduled_time"] == ""
    broken = found["Broken"]
    assert (broken["alert_comparator"], broken["alert_threshold"], broken["alert.severity"]) == ("greater than", "0", 5)
    assert broken["actions"] == "webhook"
    assert "secret" not in json.dumps(broken)


def test_one_entry_is_named_in_the_path(parts):
    (row,) = rows(parts, "| rest /services/saved/searches/Errors")
    assert row["search"].startswith("index=around")
    assert 'rest: "saved/searches" has no entry "Nothing"' in refusal(parts, "| rest /services/saved/searches/Nothing")


def test_arguments_choose_entries(parts):
    assert len(rows(parts, "| rest /services/saved/searches count=1")) == 1
    assert [r["title"] for r in rows(parts, '| rest /services/saved/searches search="title=errors"')] == ["Errors"]
    by_title = rows(parts, "| rest /services/saved/searches?sort_key=title&sort_dir=desc f=title")
    assert [r["title"] for r in by_title] == ["Nightly", "Errors", "Broken"]
    assert set(by_title[0]) == {"title", "id", "splunk_server"}
    assert [r["title"] for r in rows(parts, "| rest /services/saved/searches offset=1 sort_key=title")] == [
        "Errors",
        "Nightly",
    ]


def test_what_is_kept_has_paths(parts):
    indexes = {row["title"]: row for row in rows(parts, "| rest /services/data/indexes")}
    assert indexes["around"]["totalEventCount"] == 3 and indexes["around"]["currentDBSizeMB"] > 0
    assert indexes["metrics"]["datatype"] == "metric"
    assert "teams.csv" in [row["title"] for row in rows(parts, "| rest /servicesNS/-/search/data/lookup-table-files")]
    defined = {row["title"]: row for row in rows(parts, "| rest /services/data/transforms/lookups")}
    assert (defined["teams"]["type"], defined["people"]["type"], defined["people"]["collection"]) == (
        "file",
        "kvstore",
        "people",
    )
    for path in ("admin/macros", "configs/conf-macros"):
        macro = next(row for row in rows(parts, f"| rest /services/{path}") if row["title"] == "twice(1)")
        assert (macro["definition"], macro["args"], macro["iseval"]) == ("$x$*2", "x", 0)
    views = rows(parts, "| rest /services/data/ui/views | search label=Overview")
    assert json.loads(views[0]["eai:data"])["panels"][0]["search"] == "index=around"
    assert rows(parts, "| rest /services/messages") == []
    assert {"search", "ops"} <= {row["title"] for row in rows(parts, "| rest /services/apps/local")}
    assert {row["title"] for row in rows(parts, "| rest /services/authorization/roles")} == {"admin", "user"}


def test_jobs_are_listed_for_their_owner(parts):
    job = parts.jobs.wait(parts.jobs.create("index=around | head 1", user="bob").sid)
    (mine,) = [row for row in rows(parts, "| rest /services/search/jobs", "bob") if row["sid"] == job.sid]
    assert (mine["dispatchState"], mine["isDone"], mine["resultCount"], mine["author"]) == ("DONE", 1, 1, "bob")
    other = parts.jobs.wait(parts.jobs.create("index=around | head 1", user="ada").sid)
    assert other.sid not in [row["sid"] for row in rows(parts, "| rest /services/search/jobs", "bob")]
    assert {job.sid, other.sid} <= {row["sid"] for row in rows(parts, "| rest /services/search/jobs")}


def test_rights_are_those_of_who_searches(parts):
    assert {row["title"] for row in rows(parts, "| rest /services/authentication/users")} == {"ada", "bob"}
    assert [row["title"] for row in rows(parts, "| rest /services/authentication/users", "bob")] == ["bob"]
    (context,) = rows(parts, "| rest /services/authentication/current-context", "bob")
    assert (context["username"], context["roles"]) == ("bob", "user") and "search" in context["capabilities"]
    assert [r["title"] for r in rows(parts, "| rest /services/data/inputs/http")] == ["http://collector"]
    assert 'is for administrators, "bob" has the role "user"' in refusal(parts, "| rest /services/data/inputs/http", "bob")


def test_no_secret_is_ever_told(parts):
    secrets = [user.password_hash for user in parts.catalog.accounts.list()]
    secrets += [token.secret_hash for token in parts.catalog.tokens.list()]
    for path in resource_paths():
        told = json.dumps(rows(parts, f"| rest /services/{path}"), default=str)
        assert not any(secret and secret in told for secret in secrets), path


def test_our_own_paths_give_their_rows(parts):
    assert {row["name"] for row in rows(parts, "| rest /api/v1/saved-searches")} == {"Errors", "Nightly"}
    assert [row["name"] for row in rows(parts, "| rest /api/v1/users count=1")] == ["ada"]
    assert 'this wants an administrator, "bob" has the role "user"' in refusal(parts, "| rest /api/v1/users", "bob")
    (me,) = rows(parts, "| rest /api/v1/auth/me", "bob")
    assert me == {"username": "bob", "role": "user"}
    (status,) = rows(parts, "| rest /api/v1/status")
    assert status["memory.engine_bytes"] > 0
    assert 'there is no path "/api/v1/nothing"' in refusal(parts, "| rest /api/v1/nothing")


def test_an_unknown_path_is_refused_with_the_known_ones(parts):
    told = refusal(parts, "| rest /services/saved/searchs")
    assert 'rest: there is no path "/services/saved/searchs"; paths: /services/admin/alert_actions' in told


# ---- jobs and saved searches


def test_a_run_that_goes_on_is_passed_over_or_waited_for(parts):
    slow = "| makeresults count=40000000 | eval n=len(sha512(random())) | stats sum(n) AS n"
    job = parts.jobs.create(slow, user="ada", label="search: Slow")
    assert 'there is no saved search "Slow"' in refusal(parts, '| loadjob savedsearch="Slow"')
    assert not job.finished.is_set(), "the run must go on meanwhile"
    assert rows(parts, '| loadjob savedsearch="Slow" ignore_running=false') == [{"n": 40_000_000 * 128}]
    assert rows(parts, '| loadjob savedsearch="Slow" ignore_running=true') == [{"n": 40_000_000 * 128}]


def test_a_job_is_loaded_by_its_sid(parts):
    job = parts.jobs.wait(parts.jobs.create("index=around | stats count by host", user="ada").sid)
    assert rows(parts, f"| loadjob {job.sid} | where count>1") == [{"host": "b", "count": 2}]
    assert "there is no search job" in refusal(parts, f"| loadjob {job.sid}", "bob")
    assert "there is no search job" in refusal(parts, "| loadjob 1.1")
    assert "made a table of its events" in refusal(parts, f"| loadjob {job.sid} events=true")
    assert rows(parts, f"| tstats sum(count) from sid={job.sid}") == [{"sum(count)": 3}]


def test_the_last_run_of_a_saved_search_is_loaded(parts):
    search = parts.catalog.searches.find("Errors")
    assert 'saved search "Errors" has 0 finished runs' in refusal(parts, '| loadjob savedsearch="ada:search:Errors"')
    parts.scheduler.run_now("search", search.id).result(30)
    first = rows(parts, '| loadjob savedsearch="ada:search:Errors"')
    assert first == [{"host": "b", "count": 2}]
    # Without an owner or an app, those of whoever; the name alone will do.
    for spelling in (":Errors", "::Errors", "-:-:Errors", "Errors"):
        assert rows(parts, f'| loadjob savedsearch="{spelling}"') == first
    parts.store.append_events("around", pa.table({"_time": [NOW + 3], "host": ["c"], "status": [503]}))
    parts.scheduler.run_now("search", search.id).result(30)
    assert len(rows(parts, '| loadjob savedsearch="ada:search:Errors"')) == 2
    assert rows(parts, '| loadjob savedsearch="ada:search:Errors" artifact_offset=1') == first
    assert rows(parts, '| loadjob savedsearch="Errors" job_delegate=ada artifact_offset=1') == first
    assert "finished runs that are kept, wanted number" in refusal(parts, '| loadjob savedsearch="bob:search:Errors"')
    assert 'there is no saved search "Error"' in refusal(parts, '| loadjob savedsearch="ada:search:Error"')


def test_a_scheduled_run_is_kept_for_two_periods(parts):
    search = parts.catalog.searches.find("Nightly")
    outcome = parts.scheduler.run_now("search", search.id).result(30)
    assert parts.jobs.get(outcome.sid).ttl_s == pytest.approx(2 * 86400, abs=2 * 86400 - 1)
    assert parts.jobs.get(outcome.sid).ttl_s > parts.settings.search.job_ttl_s


def test_a_saved_search_runs_with_values(parts):
    parts.catalog.searches.create(name="Of host", search="index=around host=$host$ | stats count", earliest="0")
    assert rows(parts, '| savedsearch "Of host" host=b') == [{"count": 2}]


def test_csv_files_stay_in_their_folder(parts):
    rows(parts, "index=around | stats count | outputcsv counts")
    assert (parts.directory.path / "csv" / "counts.csv").read_text().startswith('"count"')
    assert rows(parts, "| inputcsv counts.csv | where count>0 | stats count") == [{"count": 1}]
    for name in ("../x.csv", "/tmp/x.csv", "a/../../x.csv", ".hidden"):
        assert "a name wants letters, digits and _ . -" in refusal(parts, f'index=around | stats count | outputcsv "{name}"')
        assert "a name wants letters, digits and _ . -" in refusal(parts, f'| inputcsv "{name}"')


# ---- messages


@pytest.fixture
def receiver():
    """A server that keeps what is posted to it."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(404 if self.path == "/refuse" else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SimpleNamespace(got=got, url=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def test_sendalert_posts_the_first_row(parts, receiver):
    shown = "index=around status<=500 | sort - status | table host status"
    where = f'param.url="{receiver.url}/h"'
    assert len(rows(parts, f"{shown} | sendalert webhook {where} results_link=http://link results_path=/none")) == 3
    (body,) = receiver.got
    assert body["result"] == {"host": "b", "status": "500"}
    assert (body["owner"], body["results_link"], body["search_name"]) == ("ada", "http://link", "search")


def test_sendalert_fails_when_the_receiver_refuses(parts, receiver):
    told = refusal(parts, f'index=around | head 1 | sendalert webhook param.url="{receiver.url}/refuse"')
    assert "was not delivered" in told and "HTTP 404" in told


def test_sendalert_names_what_it_does_not_know(parts):
    assert 'there is no alert action "page", wanted one of: webhook, apprise, logevent, email' in refusal(
        parts, "index=around | sendalert page param.url=x"
    )
    assert 'webhook has no parameter "uri", wanted one of: url' in refusal(
        parts, "index=around | sendalert webhook param.uri=x"
    )
    assert "webhook: param.url is wanted" in refusal(parts, "index=around | sendalert webhook")


def test_sendalert_writes_an_event(parts):
    rows(
        parts,
        'index=around host=a | sendalert logevent param.index=main param.event="host $result.host$ has $result.status$"',
    )
    assert rows(parts, 'index=main "has 200" | table _raw source') == [{"_raw": "host a has 200", "source": "alert"}]


@pytest.fixture
def mail():
    with mail_server() as server:
        yield server


def sent(parts, mail, options, search="index=around host=b | table host status"):
    rows(parts, f'{search} | sendemail server="127.0.0.1:{mail.server_address[1]}" {options}')
    deadline = time.monotonic() + 5
    while not mail.letters and time.monotonic() < deadline:
        time.sleep(0.01)
    return mail.letters.pop()


def test_without_a_mail_server_there_is_a_clear_error(parts):
    assert "sendemail: no mail server is set" in refusal(parts, 'index=around | sendemail to="x@example.com"')
    assert "only administrators may name another mail server" in refusal(
        parts, 'index=around | sendemail to="x@example.com" server="127.0.0.1:1"', "bob"
    )
    assert 'an address wants a @, got "nobody"' in refusal(parts, "index=around | sendemail to=nobody")


def test_a_letter_without_results(parts, mail):
    recipients, letter = sent(
        parts, mail, 'to="a@example.com;b@example.com" cc=c@example.com bcc=d@example.com subject="Host $result.host$" '
        'message="Look at it" from=me@example.com priority=highest',
    )  # fmt: skip
    assert recipients == ["a@example.com", "b@example.com", "c@example.com", "d@example.com"]
    assert (letter["To"], letter["Cc"], letter["From"]) == (
        "a@example.com, b@example.com",
        "c@example.com",
        "me@example.com",
    )
    assert letter["Bcc"] is None and letter["X-Priority"] == "1" and letter["Subject"] == "Host b"
    assert letter.get_body(("plain",)).get_content() == "Look at it\n"
    assert "<p>Look at it</p>" in letter.get_body(("html",)).get_content()
    assert list(letter.iter_attachments()) == []


def test_results_are_attached_or_written_into_the_text(parts, mail):
    _, letter = sent(parts, mail, "to=a@example.com sendresults=true")
    (attachment,) = letter.iter_attachments()
    assert attachment.get_filename() == "results.csv"
    assert attachment.get_content() == "host,status\nb,404\nb,500\n"
    _, letter = sent(parts, mail, "to=a@example.com sendresults=true inline=true")
    assert letter.get_body(("plain",)).get_content() == "Search results.\n\nhost  status\nb     404\nb     500\n"
    assert "<td>b</td><td>404</td>" in letter.get_body(("html",)).get_content()
    assert list(letter.iter_attachments()) == []
    _, letter = sent(
        parts, mail, "to=a@example.com sendresults=t inline=t format=csv content_type=plain maxinputs=1 sendcsv=t"
    )
    assert letter.get_body(("plain",)).get_content() == "Search results.\n\nhost,status\nb,404\n\n"
    assert letter.get_body(("html",)) is None and len(list(letter.iter_attachments())) == 1
    _, letter = sent(
        parts, mail, "to=a@example.com sendresults=t inline=t format=raw", 'index=around host=a | eval _raw="the text"'
    )
    assert "Search results.\n\nthe text\n" in letter.get_body(("plain",)).get_content()


def test_a_refused_letter_is_an_error_or_gracefully_a_warning(parts, mail):
    port = mail.server_address[1]
    text = f'index=around | stats count | sendemail server="127.0.0.1:{port}" to=refused@example.com'
    assert "did not take the message" in refusal(parts, text)
    found = parts.engine.run(text + " graceful=true", user="ada")
    assert found.table.num_rows == 1
    assert any("the message was not sent" in message.text for message in found.messages)


def test_sendalert_sends_mail(parts, mail):
    port = mail.server_address[1]
    rows(
        parts,
        f'index=around host=a | sendalert email param.server="127.0.0.1:{port}" param.to=a@example.com param.subject=hi',
    )
    assert mail.letters[0][1]["Subject"] == "hi"


def test_a_letter_with_every_option(parts, mail):
    port = mail.server_address[1]
    rows(
        parts,
        f'index=around host=b | table host status | sendemail server="127.0.0.1:{port}" to=a@example.com cc=c@example.com bcc=d@example.com from=me@example.com subject="All of it" message="Above" footer="Below" priority=low format=csv inline=t sendresults=t sendcsv=t content_type=plain maxinputs=1 results_link="https://example.com/job"',
    )
    recipients, letter = mail.letters.pop()
    assert recipients == ["a@example.com", "c@example.com", "d@example.com"]
    assert (letter["From"], letter["Subject"], letter["X-Priority"]) == ("me@example.com", "All of it", "4")
    text = letter.get_body(("plain",)).get_content()
    places = [text.index(part) for part in ("Above", "host,status\nb,404", "Below")]
    assert places == sorted(places) and "https://example.com/job" in text and "500" not in text
    assert letter.get_body(("html",)) is None and len(list(letter.iter_attachments())) == 1


def test_what_has_no_meaning_here_does_not_keep_a_letter_back(parts, mail):
    port = mail.server_address[1]
    text = f'index=around host=a | sendemail server="127.0.0.1:{port}" to=a@example.com message.report="From a report" maxtime=1m width_sort_columns=f use_ssl=f use_tls=f pdfview=x paperorientation=landscape papersize=a4 sendpdf=t'
    found = parts.engine.run(text, user="ada")
    assert any("PDF is not made" in message.text for message in found.messages)
    assert "From a report" in mail.letters.pop()[1].get_body(("plain",)).get_content()
    rows(parts, f'index=around host=a | sendemail server="127.0.0.1:{port}" to=a@example.com message.alert="From an alert"')
    assert "From an alert" in mail.letters.pop()[1].get_body(("plain",)).get_content()


def test_one_server_answers_rest(parts):
    (found,) = rows(parts, "| rest /services/server/info splunk_server_group=any strict=t")
    assert found == rows(parts, "| rest /services/server/info")[0]


def test_rest_tells_of_an_alerts_email(parts):
    action = {"kind": "email", "to": "ops@example.org", "results": "inline", "priority": "high"}
    made = parts.catalog.alerts.create(name="Mailed", search="index=around", cron="0 0 1 1 *", owner="ada", actions=[action])
    (found,) = rows(parts, '| rest /services/saved/searches search="Mailed" | search title=Mailed')
    assert (found["actions"], found["action.email"], found["action.email.to"]) == ("email", 1, "ops@example.org")
    assert (found["action.email.inline"], found["action.email.priority"]) == ("1", "2")
    parts.catalog.alerts.delete(made.id)
