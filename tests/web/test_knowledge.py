"""What is configured for searches, over the API: kept, used by a search, changed, removed, and refused with a reason."""

import time

import pyarrow as pa
import pytest

API = "/api/v1"
NOW = 1_760_000_000.0


@pytest.fixture(scope="module", autouse=True)
def data(parts):
    parts.catalog.indexes.ensure("web", "event")
    parts.store.append_events(
        "web",
        pa.table({"_time": [NOW, NOW + 1], "sourcetype": ["access"] * 2, "_raw": ["GET /cart by ann", "GET /pay by bob"]}),
    )


def rows(client, text):
    job = client.post(f"{API}/search/jobs", json={"search": text})
    assert job.status_code == 201, job.text
    path = f"{API}/search/jobs/{job.json()['sid']}"
    end = time.monotonic() + 20
    while (job := client.get(path).json())["state"] not in ("done", "failed"):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert job["state"] == "done", job
    page = client.get(f"{path}/results?count=1000").json()
    names = [field["name"] for field in page["fields"]]
    return [dict(zip(names, row, strict=True)) for row in page["rows"]]


def put(client, path, **settings):
    return client.put(f"{API}/{path}", json={"settings": settings})


def message(answer):
    return answer.json()["error"]["message"]


def test_an_extraction_is_kept_and_used(ada):
    assert put(ada, "props/access", **{"EXTRACT-who": "by (?<who>\\w+)$"}).status_code == 200
    assert rows(ada, "index=web who=bob | table who") == [{"who": "bob"}]
    listed = ada.get(f"{API}/props").json()
    assert [(x["name"], x["app"], x["owner"]) for x in listed] == [("access", "search", "ada")]
    assert ada.get(f"{API}/props/access").json()["settings"] == {"EXTRACT-who": "by (?<who>\\w+)$"}
    assert ada.delete(f"{API}/props/access").status_code == 200
    assert ada.get(f"{API}/props/access").status_code == 404
    assert rows(ada, "index=web who=bob | table who") == []


def test_a_name_may_hold_slashes_and_stars(ada):
    assert put(ada, "props/source::/var/log/...%2Fa*.log", **{"EVAL-x": "1"}).status_code == 200
    assert [x["name"] for x in ada.get(f"{API}/props").json()] == ["source::/var/log/.../a*.log"]
    assert ada.delete(f"{API}/props/source::/var/log/.../a*.log").status_code == 200


def test_event_types_and_tags_are_kept_and_used(ada):
    assert put(ada, "event-types/pay", search="sourcetype=access pay").status_code == 200
    assert put(ada, "tags/eventtype=pay", money="enabled").status_code == 200
    assert rows(ada, "index=web tag=money | stats count") == [{"count": 1}]
    assert rows(ada, "index=web | stats count by eventtype") == [{"eventtype": "pay", "count": 1}]
    assert ada.delete(f"{API}/tags/eventtype=pay").status_code == 200
    assert ada.delete(f"{API}/event-types/pay").status_code == 200


def test_a_collection_and_its_records(ada):
    path = f"{API}/collections/people"
    assert put(ada, "collections/people", **{"field.age": "number"}).status_code == 200
    saved = ada.post(f"{path}/records", json=[{"_key": "a", "name": "ann", "age": 30}, {"name": "bob", "tags": ["x", "y"]}])
    assert saved.status_code == 201 and saved.json()["keys"][0] == "a" and len(saved.json()["keys"][1]) == 24
    assert ada.get(f"{path}/records/a").json() == {"_key": "a", "name": "ann", "age": 30.0}
    assert ada.get(f"{path}/records?skip=1").json()[0]["tags"] == ["x", "y"]
    assert ada.post(f"{path}/records", json=[{"_key": "a", "name": "anna", "home": {"city": "x"}}]).status_code == 201
    assert ada.get(f"{path}/records/a").json() == {"_key": "a", "name": "anna", "home": '{"city": "x"}'}
    assert put(ada, "transforms/people_lookup", external_type="kvstore", collection="people").status_code == 200
    assert rows(ada, "| inputlookup people_lookup | sort name | table name") == [{"name": "anna"}, {"name": "bob"}]
    assert ada.delete(f"{path}/records/a").status_code == 200
    assert ada.delete(f"{path}/records/a").status_code == 404
    assert len(ada.get(f"{path}/records").json()) == 1
    assert ada.delete(f"{path}/records").status_code == 200
    assert ada.get(f"{path}/records").json() == []
    assert ada.get(f"{API}/collections/peeple/records").status_code == 404
    assert ada.delete(path).status_code == 200
    assert ada.get(f"{path}/records").status_code == 404
    assert ada.delete(f"{API}/transforms/people_lookup").status_code == 200


def test_a_removed_collection_leaves_no_rows(ada):
    put(ada, "collections/gone")
    ada.post(f"{API}/collections/gone/records", json=[{"a": 1}])
    ada.delete(f"{API}/collections/gone")
    put(ada, "collections/gone")
    assert ada.get(f"{API}/collections/gone/records").json() == []
    ada.delete(f"{API}/collections/gone")


@pytest.mark.parametrize(
    ("path", "settings", "said"),
    [
        ("props/x", {"EXTRACT-a": "(?<a>["}, '[x]: EXTRACT-a: "(?<a>[" is not a regular expression'),
        ("props/x", {"EXTRACT-a": "abc"}, '[x]: EXTRACT-a: "abc" has no named group'),
        ("props/x", {"REPORT-a": "nowhere"}, "[x]: REPORT-a: there is no transform [nowhere]"),
        ("props/x", {"EVAL-a": "if(x>"}, "[x]: EVAL-a: "),
        ("props/x", {"EVAL-a": "nosuch(x)"}, '[x]: EVAL-a: there is no function "nosuch"'),
        ("props/x", {"EVAL-a": "x>1"}, "[x]: EVAL-a: a condition cannot be a field"),
        ("props/x", {"FIELDALIAS-a": "b c"}, "[x]: FIELDALIAS-a: wanted field AS field"),
        ("props/x", {"LOOKUP-a": "nowhere b OUTPUT c"}, '[x]: LOOKUP-a: there is no lookup "nowhere"'),
        ("props/x", {"KV_MODE": "yaml"}, "[x]: KV_MODE: wanted one of auto, auto_escaped"),
        ("props/x", {"priority": "high"}, "priority wants a whole number"),
        ("transforms/x", {"REGEX": "a(b", "FORMAT": "x::$1"}, "[x]: REGEX: "),
        ("transforms/x", {"REGEX": "a(b)", "FORMAT": "x::$2"}, 'FORMAT names group 2, but "a(b)" has 1'),
        ("transforms/x", {"DELIMS": '","'}, "DELIMS wants FIELDS"),
        ("transforms/x", {"filename": "a.csv", "match_type": "WILD(b)"}, "match_type wants WILDCARD(field)"),
        ("transforms/x", {"filename": "a.csv", "filter": "a >"}, "[x]: filter: "),
        ("transforms/x", {"max_matches": "many"}, "max_matches wants a whole number"),
        ("event-types/x", {"search": "a | head 1"}, "conditions are wanted, got a pipe"),
        ("event-types/x", {"search": "a [search b]"}, "conditions are wanted, got a subsearch"),
        ("event-types/x", {"search": "eventtype=x"}, 'event type "x" refers to itself: x -> x'),
        ("event-types/x", {"search": " "}, "wants a search, got an empty one"),
        ("tags/x", {"a": "enabled"}, "tags want a stanza [field=value]"),
        ("collections/x", {"field.a": "decimal"}, "wants one of string, number"),
    ],
)
def test_what_a_search_could_not_use_is_refused(ada, path, settings, said):
    answer = put(ada, path, **settings)
    assert answer.status_code == 400 and said in message(answer), answer.text
    assert ada.get(f"{API}/{path}").status_code == 404


def test_a_macro_is_checked(ada):
    body = {"name": "over", "definition": "ms>$n$", "arguments": ["n"], "validation": "isnum(n)", "errormsg": "no number"}
    made = ada.post(f"{API}/macros", json=body)
    assert made.status_code == 201 and made.json()["validation"] == "isnum(n)"
    checked = ada.post(f"{API}/search/check", json={"search": "index=web `over(x)`"}).json()["diagnostics"]
    assert (checked[0]["message"], checked[0]["start"], checked[0]["end"]) == ("no number", 10, 19)
    bad = ada.post(f"{API}/macros", json=body | {"validation": "isnum(n"})
    assert bad.status_code == 400 and 'macro "over": validation: ' in message(bad)
    assert ada.post(f"{API}/macros", json=body | {"definition": "$n$ +", "iseval": True}).status_code == 400
    ada.delete(f"{API}/macros/{made.json()['id']}")


def test_what_belongs_to_somebody_else_is_for_administrators(ada, bob):
    assert put(bob, "props/mine", **{"EVAL-a": "1"}).status_code == 200
    assert put(ada, "props/hers", **{"EVAL-a": "1"}).status_code == 200
    assert put(bob, "props/hers", **{"EVAL-a": "2"}).status_code == 403
    assert bob.delete(f"{API}/props/hers").status_code == 403
    # An administrator may; what he changes stays its owner's.
    assert put(ada, "props/mine", **{"EVAL-a": "2"}).json()["owner"] == "bob"
    assert ada.delete(f"{API}/props/mine").status_code == 200
    assert ada.delete(f"{API}/props/hers").status_code == 200


def test_nobody_gets_in_without_signing_in(anybody):
    for path in ("props", "transforms", "event-types", "tags", "collections", "collections/x/records"):
        assert anybody.get(f"{API}/{path}").status_code == 401
