"""The scheduler with a search that is played: what runs when, what is told, what is kept."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from letterbox import mail_server

from sightline.catalog import Catalog
from sightline.config import WatchSettings
from sightline.errors import SearchError, UserError
from sightline.watch.internal_log import InternalLog, as_table
from sightline.watch.notify import Notice
from sightline.watch.scheduler import RunOutcome, Scheduler, alert_search

START = 1_700_000_000 // 3600 * 3600.0


class Receiver:
    """A real HTTP server that answers with the statuses it is given, then with 200."""

    def __init__(self, statuses=()):
        self.statuses, self.requests = list(statuses), []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?key=secret"


class World:
    """A catalog, a clock that is moved, a search that answers what it is told, and the scheduler on them."""

    def __init__(self, folder, **settings):
        self.now = START
        self.catalog = Catalog(folder, lambda: self.now)
        self.asked, self.tables = [], []
        self.answer = RunOutcome("sid-1", 0, [])
        self.log = InternalLog(lambda index, table: self.tables.append((index, table)), lambda: self.now)
        settings = WatchSettings(**{"delivery_backoff_s": 0.01, "delivery_attempts": 3} | settings)
        self.scheduler = Scheduler(
            self.catalog,
            self.run,
            self.log,
            settings,
            lambda: self.now,
            lambda text, outcome: f"http://here/search?sid={outcome.sid}",
            "http://here",
        )

    def run(self, request):
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(request) if callable(self.answer) else self.answer

    def at(self, seconds):
        self.now = START + seconds
        self.scheduler.look(self.now)
        self.settle()

    def settle(self):
        wait_until(lambda: not self.scheduler._running)

    def events(self, sourcetype):
        self.log.flush()
        rows = [row for _, table in self.tables for row in table.to_pylist()]
        return [json.loads(row["_raw"]) for row in rows if row["sourcetype"] == sourcetype]

    def close(self):
        self.scheduler.close()
        self.log.close()
        self.catalog.close()


def wait_until(claim, timeout_s=10.0):
    end = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_saved_search_runs_at_its_time_and_is_recorded(world):
    world.catalog.searches.create(name="train", search="| makeresults", earliest="-1h", cron="* * * * *", owner="ada")
    world.answer = RunOutcome("sid-7", 3, [], run_time_s=0.25, scanned_rows=9, messages=["rows were dropped"])
    world.at(59)
    assert world.asked == []
    world.at(61)
    world.at(62)
    request = world.asked[0]
    assert len(world.asked) == 1 and request.now == START + 60 and request.earliest == "-1h"
    event = world.events("sightline:scheduler")[0]
    assert event["savedsearch_name"] == "train" and event["status"] == "success" and event["sid"] == "sid-7"
    assert event["run_time_s"] == 0.25 and event["result_count"] == 3 and event["warnings"] == "rows were dropped"


def test_a_failed_run_is_recorded_and_the_next_one_comes(world):
    world.catalog.searches.create(name="train", search="| nonsense", cron="* * * * *")
    world.answer = SearchError('unknown command "nonsense"')
    world.at(60)
    world.answer = RuntimeError("broken")
    world.at(120)
    events = world.events("sightline:scheduler")
    assert [e["status"] for e in events] == ["failed", "failed"]
    assert events[0]["error"] == 'unknown command "nonsense"' and events[1]["error"] == "bug: RuntimeError: broken"


def test_a_search_never_runs_twice_at_once(world):
    row = world.catalog.searches.create(name="slow", search="x", cron="* * * * *")
    begun, go_on = threading.Event(), threading.Event()

    def slow(_):
        begun.set()
        go_on.wait(10)
        return RunOutcome("s")

    world.answer = slow
    world.now = START + 60
    world.scheduler.look(world.now)
    assert begun.wait(5)
    world.now = START + 120
    world.scheduler.look(world.now)
    with pytest.raises(UserError, match='"slow" is running already'):
        world.scheduler.run_now("search", row.id)
    go_on.set()
    world.settle()
    world.at(180)
    assert [r.now - START for r in world.asked] == [60, 180]
    skipped = [e for e in world.events("sightline:scheduler") if e["status"] == "skipped"]
    assert [(e["skipped_runs"], e["reason"]) for e in skipped] == [(1, "the last run was still going")]


def test_after_a_time_down_a_continuous_schedule_catches_up_in_order(world):
    world.catalog.searches.create(name="a", search="x", cron="* * * * *", realtime_schedule=False)
    for _ in range(4):
        world.at(200)
    assert [r.now - START for r in world.asked] == [60, 120, 180]


def test_after_a_time_down_a_realtime_schedule_says_what_it_skipped(world):
    world.catalog.searches.create(name="a", search="x", cron="*/10 * * * *")
    world.at(4000)
    assert world.asked == []
    assert world.events("sightline:scheduler")[0]["reason"] == "its time was missed"
    world.at(4200)
    assert [r.now - START for r in world.asked] == [4200]


def test_disabled_and_unscheduled_searches_rest(world):
    world.catalog.searches.create(name="a", search="x", cron="* * * * *", enabled=False)
    world.catalog.searches.create(name="b", search="x")
    world.at(600)
    assert world.asked == []


def test_an_alert_fires_a_webhook_with_the_first_row(world, receiver):
    alert = world.catalog.alerts.create(
        name="worse", search="index=a", cron="* * * * *", actions=[{"kind": "webhook", "url": receiver.url}]
    )
    world.answer = RunOutcome("sid-9", 2, [{"accuracy": 0.5, "n": 3.0, "gone": None}, {"accuracy": 0.6}])
    world.at(60)
    wait_until(lambda: receiver.requests and len(world.catalog.alerts.history(alert.id)) == 2)
    path, headers, body = receiver.requests[0]
    assert path == "/hook?key=secret" and headers["Content-Type"] == "application/json"
    assert body == {
        "sid": "sid-9",
        "search_name": "worse",
        "app": "search",
        "owner": "admin",
        "results_link": "http://here/search?sid=sid-9",
        "result": {"accuracy": "0.5", "n": "3"},
    }
    delivery, fired = world.catalog.alerts.history(alert.id)
    assert (fired.event, fired.result) == ("fired", {"accuracy": "0.5", "n": "3"})
    assert delivery.event == "delivery" and "HTTP 200 after 1 attempt" in delivery.detail
    assert "secret" not in delivery.detail
    kept = world.catalog.alerts.get(alert.id)
    assert (kept.state, kept.last_run) == ("firing", START + 60)
    assert [e["event"] for e in world.events("sightline:alert")] == ["fired", "delivery"]
    world.answer = RunOutcome("sid-10", 0, [])
    world.at(120)
    assert world.catalog.alerts.get(alert.id).state == "ok"
    assert world.catalog.alerts.history(alert.id)[0].event == "cleared"


@pytest.mark.parametrize(
    ("statuses", "tries", "ending"),
    [([503, 429], 3, "delivered: "), ([500, 500, 500], 3, "not delivered: "), ([404], 1, "not delivered: ")],
)
def test_deliveries_are_tried_again_where_that_helps(world, receiver, statuses, tries, ending):
    receiver.statuses = statuses
    alert = world.catalog.alerts.create(
        name="worse", search="x", cron="* * * * *", actions=[{"kind": "webhook", "url": receiver.url}]
    )
    world.answer = RunOutcome("s", 1, [{"a": 1}])
    world.at(60)
    wait_until(lambda: world.catalog.alerts.history(alert.id)[0].event == "delivery")
    detail = world.catalog.alerts.history(alert.id)[0].detail
    assert len(receiver.requests) == tries and detail.startswith(ending) and f"after {tries} attempt" in detail


def test_a_notice_that_a_stop_interrupted_is_sent_at_the_next_start(tmp_path, receiver):
    receiver.statuses = [503] * 3
    first = World(tmp_path)
    alert = first.catalog.alerts.create(
        name="worse", search="x", cron="* * * * *", actions=[{"kind": "webhook", "url": receiver.url}]
    )
    first.scheduler._notifier._settings = WatchSettings(delivery_backoff_s=30.0)
    first.answer = RunOutcome("s", 1, [{"a": 1.0}])
    first.at(60)
    wait_until(lambda: receiver.requests)
    first.close()
    assert len(first.catalog.alerts.pending()) == 1
    receiver.statuses = []
    second = World(tmp_path)
    # Before the next run is due: that one has nothing to do with it.
    second.now = START + 90
    second.scheduler.start()
    wait_until(lambda: [h.event for h in second.catalog.alerts.history(alert.id)] == ["delivery", "fired"])
    assert receiver.requests[-1][2] == receiver.requests[0][2] and second.catalog.alerts.pending() == []
    second.close()


def test_a_notice_that_waited_too_long_is_given_up(tmp_path, receiver):
    world = World(tmp_path)
    alert = world.catalog.alerts.create(name="a", search="x", cron="0 0 1 1 *")
    action = {"kind": "webhook", "url": receiver.url}
    notice = Notice(alert.id, action, "s", "a", "search", "ada", "http://here", "warning", "1 row", {})
    world.catalog.alerts.add_pending(alert.id, notice.as_dict())
    world.now += 2 * 3600
    world.scheduler.start()
    assert "older than 3600 s" in world.catalog.alerts.history(alert.id)[0].detail and receiver.requests == []
    world.close()


def test_a_receiver_that_is_not_there_is_told(world):
    alert = world.catalog.alerts.create(
        name="a", search="x", cron="* * * * *", actions=[{"kind": "webhook", "url": "http://127.0.0.1:9/"}]
    )
    world.answer = RunOutcome("s", 1, [{}])
    world.at(60)
    wait_until(lambda: world.catalog.alerts.history(alert.id)[0].event == "delivery")
    assert "not delivered: webhook http://127.0.0.1:9/" in world.catalog.alerts.history(alert.id)[0].detail


@pytest.fixture
def post(tmp_path):
    """A world whose mail goes to a real mail server."""
    with mail_server() as server:
        world = World(tmp_path, mail_server=server.address, mail_from="watch@example.org")
        yield world, server
        world.close()


def emailed(world, search="index=web", throttle_fields=(), **options):
    """An alert that sends mail, and has found two rows by now; gives how its delivery ended."""
    action = {"kind": "email", "to": "ops@example.org"} | options
    alert = world.catalog.alerts.create(
        name="worse", search=search, cron="* * * * *", throttle_s=3600.0, throttle_fields=list(throttle_fields), actions=[action]
    )  # fmt: skip
    rows = [{"host": "a", "n": 3.0, "gone": None}, {"host": "b", "n": 0.5, "gone": None}]
    world.answer = RunOutcome("sid-9", 2, rows, run_time_s=0.25)
    world.at(world.now - START + 60)
    wanted = 2 if throttle_fields else 1
    ends = lambda: [h.detail for h in world.catalog.alerts.history(alert.id) if h.event == "delivery"]  # noqa: E731
    wait_until(lambda: len(ends()) == wanted)
    return ends()[0]


def test_an_alert_sends_a_letter_with_its_tokens_filled(post):
    world, server = post
    detail = emailed(
        world,
        to="ops@example.org; $result.host$@example.org",
        cc="boss@example.org",
        bcc="log@example.org",
        subject="$name$ on $result.host$",
        message="$job.resultCount$ rows in $job.runDuration$ s,\nsid $job.sid$, none of $result.nothing$, $unknown$ stays",
        priority="high",
        include=["results_link", "view_link", "search", "trigger", "trigger_time"],
    )
    recipients, letter = server.letters.pop()
    everybody = ["ops@example.org", "a@example.org", "boss@example.org", "log@example.org"]
    assert recipients == everybody and detail.startswith(f"delivered: email: sent to {', '.join(everybody)} by 127.0.0.1:")
    assert (letter["From"], letter["Cc"], letter["X-Priority"]) == ("watch@example.org", "boss@example.org", "2")
    assert letter["Subject"] == "worse on a" and letter["Bcc"] is None
    assert letter.get_body(("plain",)).get_content().splitlines() == [
        "2 rows in 0.25 s,",
        "sid sid-9, none of , $unknown$ stays",
        "",
        "Results: http://here/search?sid=sid-9",
        "Alert: http://here/alerts/1",
        "Search: index=web",
        "Condition: 2 rows, wanted greater than 0",
        "Time: November 14, 2023 22:01:00 UTC",
    ]
    shown = letter.get_body(("html",)).get_content()
    assert "2 rows in 0.25 s,<br>sid" in shown and '<a href="http://here/alerts/1">' in shown
    assert list(letter.iter_attachments()) == []


@pytest.mark.parametrize(
    ("results", "text", "attached"),
    [
        ("inline", "host  n\na     3\nb     0.5\n", None),
        ("attached", "", "host,n\na,3\nb,0.5\n"),
        ("both", "host  n\na     3\nb     0.5\n", "host,n\na,3\nb,0.5\n"),
    ],
)
def test_a_letter_carries_the_rows_as_it_is_told(post, results, text, attached):
    world, server = post
    emailed(world, results=results, content_type="plain", include=[])
    letter = server.letters.pop()[1]
    body = letter.get_body(("plain",)).get_content()
    assert body.split("\n", 2)[2] == text if text else body == "worse found 2 rows.\n"
    assert [part.get_content() for part in letter.iter_attachments()] == ([attached] if attached else [])


def test_a_letter_has_no_more_rows_than_it_is_allowed(post):
    world, server = post
    emailed(world, results="inline", format="csv", max_rows=1, content_type="plain", include=[])
    assert server.letters.pop()[1].get_body(("plain",)).get_content().endswith("\n\nhost,n\na,3\n\n")
    assert world.asked[0].max_rows == 1000
    world.catalog.alerts.update(1, actions=[{"kind": "email", "to": "a@example.org", "results": "inline"}])
    world.at(120)
    assert world.asked[1].max_rows == 10_000


def test_letters_that_fields_tell_apart_carry_their_own_rows(post):
    world, server = post
    emailed(world, throttle_fields=["host"], subject="$result.host$", results="attached")
    found = {letter["Subject"]: next(letter.iter_attachments()).get_content() for _, letter in server.letters}
    assert found == {"a": "host,n\na,3\n", "b": "host,n\nb,0.5\n"}


def test_a_busy_mail_server_is_asked_again_and_a_refusal_is_final(post):
    world, server = post
    server.busy = 2
    assert "after 3 attempts" in emailed(world) and len(server.letters) == 1
    world.catalog.alerts.delete(1)
    detail = emailed(world, to="refused@example.org")
    assert detail.startswith("not delivered: email: ") and "did not take the message" in detail and "1 attempt" in detail
    world.catalog.alerts.delete(1)
    detail = emailed(world, to="a@example.org, refused@example.org")
    assert "refused: refused@example.org after 1 attempt" in detail and len(server.letters) == 2


def test_a_letter_that_a_stop_interrupted_is_sent_with_its_rows_at_the_next_start(tmp_path):
    first = World(tmp_path, mail_server="127.0.0.1:9", delivery_backoff_s=30.0)
    action = {"kind": "email", "to": "a@example.org", "subject": "from $name$", "results": "attached"}
    alert = first.catalog.alerts.create(name="worse", search="x", cron="* * * * *", actions=[action])
    first.answer = RunOutcome("s", 1, [{"a": 1.0}])
    first.at(60)
    wait_until(lambda: first.catalog.alerts.pending())
    first.close()
    with mail_server() as server:
        second = World(tmp_path, mail_server=server.address)
        second.now = START + 90
        second.scheduler.start()
        wait_until(lambda: [h.event for h in second.catalog.alerts.history(alert.id)] == ["delivery", "fired"])
        letter = server.letters.pop()[1]
        assert (letter["Subject"], next(letter.iter_attachments()).get_content()) == ("from worse", "a\n1\n")
        second.close()


def test_without_a_mail_server_the_history_says_what_to_do(world):
    detail = emailed(world)
    assert detail.startswith("not delivered: email: no mail server is set; set mail_server =") and "1 attempt" in detail


def test_what_a_token_stands_for_may_be_no_address(post):
    world, server = post
    assert 'an address wants a @, got "3"' in emailed(world, to="$result.n$") and server.letters == []
    world.catalog.alerts.delete(1)
    assert "to is wanted" in emailed(world, to="$result.nothing$")


def test_an_alert_whose_search_fails_is_in_error_and_recovers(world):
    alert = world.catalog.alerts.create(name="a", search="x", cron="* * * * *")
    world.answer = SearchError("no such index")
    world.at(60)
    kept = world.catalog.alerts.get(alert.id)
    assert (kept.state, kept.last_error) == ("error", "no such index")
    world.answer = RunOutcome("s", 0)
    world.at(120)
    kept = world.catalog.alerts.get(alert.id)
    assert (kept.state, kept.last_error) == ("ok", "")


def test_a_search_condition_is_run_behind_the_search(world):
    alert = world.catalog.alerts.create(
        name="a",
        search="index=x ```note```",
        cron="* * * * *",
        condition={"kind": "search", "search": "| where accuracy < 0.8"},
    )
    assert alert_search(alert) == "index=x ```note```\n| where accuracy < 0.8"


def test_internal_events_keep_their_types_and_mixed_ones_become_text():
    events = [
        {"_time": 1.0, "sourcetype": "s", "fields": {"n": 1, "x": 1, "m": 1, "o": {"a": 1}}},
        {"_time": 2.0, "sourcetype": "s", "fields": {"n": 2, "x": 0.5, "m": "t"}},
    ]
    table = as_table(events)
    assert table.column("n").to_pylist() == [1, 2] and table.column("x").to_pylist() == [1.0, 0.5]
    assert table.column("m").to_pylist() == ["1", "t"] and table.column("o").to_pylist() == ['{"a":1}', None]


def test_the_internal_log_goes_on_when_the_store_refuses():
    kept, fail = [], [True]

    def append(index, table):
        if fail[0]:
            raise OSError("disk full")
        kept.extend(table.to_pylist())

    log = InternalLog(append, lambda: 1.0)
    log.record("sightline:log", message="first")
    log.flush()
    fail[0] = False
    log.record("sightline:log", message="second")
    log.close()
    assert [r["message"] for r in kept] == ["second", "events of the internal log were lost"] and kept[1]["count"] == 1
