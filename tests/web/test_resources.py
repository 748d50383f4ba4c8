"""Every resource of the API over a real store: made, read, changed, removed, and refused where it makes no sense."""

import io
import time

import pyarrow as pa
import pyarrow.csv
import pytest

from sightline.watch.upkeep import Upkeep

API = "/api/v1"
NOW = 1_760_000_000.0


@pytest.fixture(scope="module", autouse=True)
def data(parts):
    parts.catalog.indexes.ensure("web", "event")
    parts.store.append_events(
        "web",
        pa.table(
            {
                "_time": [NOW + i for i in range(6)],
                "host": ["web-1", "web-2"] * 3,
                "status": [200, 500, 200, 200, 404, 200],
                "user": ["ann", None, "bea", "ann", "cid", "ann"],
            }
        ),
    )


def run(client, text, **more):
    job = client.post(f"{API}/search/jobs", json={"search": text, **more})
    assert job.status_code == 201, job.text
    end = time.monotonic() + 20
    while True:
        job = client.get(f"{API}/search/jobs/{job.json()['sid']}")
        if job.json()["state"] in ("done", "failed", "cancelled"):
            return job.json()
        assert time.monotonic() < end
        time.sleep(0.02)


def rows(client, text, **more):
    job = run(client, text, **more)
    assert job["state"] == "done", job
    page = client.get(f"{API}/search/jobs/{job['sid']}/results?count=1000").json()
    names = [field["name"] for field in page["fields"]]
    return [dict(zip(names, row, strict=True)) for row in page["rows"]]


def test_a_search_runs_and_its_rows_are_paged_and_sorted(ada):
    job = run(ada, "index=web | stats count by status")
    assert (job["state"], job["kind"], job["result_count"]) == ("done", "table", 3)
    results = f"{API}/search/jobs/{job['sid']}/results"
    page = ada.get(f"{results}?count=2&sort=count&desc=1").json()
    assert page["fields"] == [{"name": "status", "type": "number"}, {"name": "count", "type": "number"}]
    assert page["rows"][0] == [200, 4] and page["total"] == 3 and page["partial"] is False
    assert len(ada.get(f"{results}?offset=2&count=2&sort=count&desc=1").json()["rows"]) == 1
    assert job["sid"] in [j["sid"] for j in ada.get(f"{API}/search/jobs").json()]


def test_events_have_a_timeline_and_fields(ada):
    job = run(ada, "index=web", earliest=NOW, latest=NOW + 10)
    assert (job["kind"], job["event_count"]) == ("events", 6)
    timeline = ada.get(f"{API}/search/jobs/{job['sid']}/timeline?by=status").json()
    assert sum(bucket["count"] for bucket in timeline["buckets"]) == 6
    assert sum(bucket["by"].get("200", 0) for bucket in timeline["buckets"]) == 4
    fields = {f["name"]: f for f in ada.get(f"{API}/search/jobs/{job['sid']}/fields").json()}
    assert fields["user"]["count"] == 5 and fields["user"]["top"][0] == {"value": "ann", "count": 3}
    assert len(rows(ada, "index=web", max_count=2)) == 2


def test_a_search_that_is_wrong_says_where(ada):
    answer = ada.post(f"{API}/search/jobs", json={"search": "index=web\n| stast count"})
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["kind"] == "search" and error["hint"] == 'did you mean "stats"?'
    assert (error["position"]["line"], error["position"]["column"]) == (2, 3)
    checked = ada.post(f"{API}/search/check", json={"search": "index=web | stast count"}).json()["diagnostics"]
    assert checked[0]["start"] == 12 and checked[0]["end"] == 17
    assert ada.post(f"{API}/search/check", json={"search": "index=web | stats count"}).json()["diagnostics"] == []
    # A function is known before the search runs, in what the aggregates of other commands calculate with as well.
    for text, start, end, message in (
        ("index=web | eval x=if(n>1, roundd(n, 2), 0)", 27, 33, 'eval: there is no function "roundd"'),
        ("index=web | stats sum(eval(lenn(user)))", 27, 31, 'stats: there is no function "lenn"'),
        ("index=web | append [search index=web | where like(user)]", 45, 55, "where: like takes 2 arguments, got 1"),
    ):
        (found,) = ada.post(f"{API}/search/check", json={"search": text}).json()["diagnostics"]
        assert (found["start"], found["end"], found["message"]) == (start, end, message)
    for text in ("index=web | chart eval(round(p95(n), 1)) AS x by host", "index=web | eval x=" + "+".join(["n"] * 2000)):
        assert ada.post(f"{API}/search/check", json={"search": text}).json()["diagnostics"] == []
    late = ada.post(f"{API}/search/jobs", json={"search": "index=web", "earliest": "yesterdayish"})
    assert late.status_code == 400


def test_a_search_that_fails_while_it_runs_says_why(ada):
    job = run(ada, "| inputlookup nothing_of_this_name")
    assert job["state"] == "failed" and job["messages"][0]["severity"] == "error"


def test_a_job_belongs_to_its_user(ada, bob):
    sid = run(ada, "index=web | head 1")["sid"]
    assert bob.get(f"{API}/search/jobs/{sid}").status_code == 403
    assert sid not in [j["sid"] for j in bob.get(f"{API}/search/jobs").json()]
    assert ada.delete(f"{API}/search/jobs/{sid}").status_code == 200


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "arrow"])
def test_rows_are_exported_in_every_form(ada, form):
    text = "index=web | stats count values(user) as users by status | sort status"
    sid = run(ada, text)["sid"]
    answer = ada.get(f"{API}/search/jobs/{sid}/export?format={form}")
    assert answer.status_code == 200 and f".{form}" in answer.headers["Content-Disposition"]
    if form == "csv":
        table = pyarrow.csv.read_csv(
            io.BytesIO(answer.content), parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True)
        )
        found = table.select(["status", "count"]).to_pylist()
        assert table.column("users")[0].as_py() == "ann\nbea"
    elif form == "arrow":
        found = pa.ipc.open_stream(answer.content).read_all().select(["status", "count"]).to_pylist()
    else:
        lines = answer.json() if form == "json" else [__import__("json").loads(x) for x in answer.text.splitlines()]
        assert lines[0]["users"] == ["ann", "bea"]
        found = [{"status": row["status"], "count": row["count"]} for row in lines]
    assert found == [{"status": 200, "count": 4}, {"status": 404, "count": 1}, {"status": 500, "count": 1}]


@pytest.mark.parametrize(("form", "empty"), [("csv", '"status"\n'), ("json", "[]\n"), ("jsonl", "")])
def test_no_rows_are_exported_too(ada, form, empty):
    sid = run(ada, "index=web status=999 | table status")["sid"]
    answer = ada.get(f"{API}/search/jobs/{sid}/export?format={form}")
    assert answer.text.replace("status\n", '"status"\n').replace('""', '"') == empty


def test_formats_are_shown_beside_the_values(ada):
    text = 'index=web | stats count sum(eval(status*2)) as total by host | fieldformat total=tostring(total, "commas")'
    sid = run(ada, text)["sid"]
    results = f"{API}/search/jobs/{sid}/results"
    page = ada.get(results).json()
    assert [field["name"] for field in page["fields"]] == ["host", "count", "total"]
    assert page["rows"] == [["web-1", 3, 1608], ["web-2", 3, 1800]]
    assert page["display"] == {"total": ["1,608", "1,800"]}
    assert ada.get(f"{results}?sort=total&desc=1&count=1").json()["display"] == {"total": ["1,800"]}
    assert "total" in [field["name"] for field in ada.get(f"{API}/search/jobs/{sid}/fields").json()]
    export = f"{API}/search/jobs/{sid}/export?format=json"
    assert [row["total"] for row in ada.get(export).json()] == [1608, 1800]
    assert [row["total"] for row in ada.get(f"{export}&display=true").json()] == ["1,608", "1,800"]
    assert ada.get(f"{API}/search/jobs/{run(ada, 'index=web')['sid']}/results").json()["display"] == {}


def test_a_job_says_what_to_mark(ada):
    job = run(ada, 'index=web (ann OR "b c*") NOT cid | highlight "web-1", ann | iconify host, user')
    assert job["presentation"] == {"marks": ["ann", "b c", "web-1"], "icons": ["host", "user"]}


def test_an_unknown_form_is_refused(ada):
    sid = run(ada, "index=web | head 1")["sid"]
    answer = ada.get(f"{API}/search/jobs/{sid}/export?format=xml")
    assert answer.status_code == 400 and "wanted one of: csv, json, jsonl, arrow" in answer.json()["error"]["message"]


def test_explain_shows_the_stages(ada):
    stages = ada.post(f"{API}/search/explain", json={"search": "index=web | stats count"}).json()["stages"]
    names = [stage["name"] for stage in stages]
    assert names[0] == "text" and "sql" in names


def test_the_registry_and_completion_know_what_exists(ada):
    registry = ada.get(f"{API}/search/registry").json()
    assert {"stats", "fit", "mstats"} <= {c["name"] for c in registry["commands"]}
    assert all(c["summary"] for c in registry["commands"])
    kinds = {f["kind"] for f in registry["functions"]}
    assert kinds == {"eval", "aggregate"}
    assert "RandomForestClassifier" in {a["name"] for a in registry["algorithms"]}
    assert "confusion_matrix" in {s["name"] for s in registry["scorers"]}


def suggested(asked, search: str, **more) -> list[str]:
    answer = asked.post(f"{API}/search/suggest", json={"search": search, **more})
    assert answer.status_code == 200, answer.text
    return [option["label"] for option in answer.json()["options"]]


def test_suggestions_know_what_is_stored(ada):
    assert "web" in suggested(ada, "index=")
    assert "user" in suggested(ada, "index=web us")
    assert suggested(ada, "index=web us | stats count", cursor=12)[0] == "user"
    assert suggested(ada, "index=web | stats count as n | where n") == ["n"] + [
        name for name in suggested(ada, "index=web | stats count as n | where n") if name != "n"
    ]
    values = suggested(ada, "index=web user=")
    assert values and values == suggested(ada, 'index=web user="')
    assert "RandomForestClassifier" in suggested(ada, "index=web | fit Rand")
    assert "user" in suggested(ada, "index=web | rex field=us")
    assert "/services/saved/searches" in suggested(ada, "| rest /services/sav")
    assert run(ada, "index=web")["sid"] in suggested(ada, "| loadjob ")


def test_a_search_is_laid_out_and_its_times_are_told(ada):
    text = "index=web ``` all ```|stats count by user"
    assert ada.post(f"{API}/search/format", json={"search": text}).json()["search"] == (
        "index=web ``` all ```\n| stats count by user"
    )
    broken = ada.post(f"{API}/search/format", json={"search": 'index="web'})
    assert broken.status_code == 400 and broken.json()["error"]["position"]["start"] == 6
    checked = ada.post(f"{API}/search/check", json={"search": "index=web earliest=-1d@d latest=@d"}).json()
    first, second = checked["times"]
    assert second["time"] - first["time"] == 86400 and checked["diagnostics"] == []


def test_the_history_has_ones_own_searches_once(ada):
    text = "index=web | stats count as of_the_history"
    for _ in range(2):
        run(ada, text)

    def mine() -> list[dict]:
        return [past for past in ada.get(f"{API}/search/history").json() if past["search"] == text]

    end = time.monotonic() + 20
    while not (mine() and mine()[0]["runs"] == 2):
        assert time.monotonic() < end, ada.get(f"{API}/search/history").json()[:3]
        time.sleep(0.2)
    assert len(mine()) == 1


def test_dashboards(ada):
    bundled = ada.get(f"{API}/dashboards").json()
    assert {"Model health", "Services"} <= {d["title"] for d in bundled}
    made = ada.post(
        f"{API}/dashboards",
        json={"title": "mine", "definition": {"panels": [{"search": "index=web", "chart": "line"}]}},
    ).json()
    path = f"{API}/dashboards/{made['id']}"
    assert made["owner"] == "ada" and made["definition"]["panels"][0]["w"] == 12
    assert ada.put(path, json={"title": "ours"}).json()["title"] == "ours"
    assert ada.get(path).json()["definition"] == made["definition"]
    bad = ada.put(path, json={"definition": {"panels": [{"search": "x", "chart": "donut"}]}})
    assert bad.status_code == 400 and "donut" in bad.json()["error"]["message"]
    assert ada.delete(path).status_code == 200 and ada.get(path).status_code == 404


def test_bundled_dashboards_hold_searches_that_can_be_read(ada, parts):
    for dashboard in ada.get(f"{API}/dashboards").json():
        for panel in dashboard["definition"]["panels"]:
            parts.engine.verify(panel["search"])


def test_saved_searches_and_their_runs(ada, parts):
    made = ada.post(
        f"{API}/saved-searches", json={"name": "errors", "search": "index=web status=500", "cron": "*/5 * * * *"}
    ).json()
    path = f"{API}/saved-searches/{made['id']}"
    assert made["next_run"] > parts.clock() and made["last_scheduled"] is None
    outcome = ada.post(f"{path}/run").json()
    assert (outcome["result_count"], outcome["error"]) == (1, "")
    parts.log.flush()
    runs = ada.get(f"{path}/runs").json()
    assert [(r["status"], r["sid"], r["trigger"]) for r in runs] == [("success", outcome["sid"], "hand")]
    events = rows(ada, "index=_internal sourcetype=sightline:scheduler savedsearch_name=errors | table status run_time_s")
    assert events[0]["status"] == "success" and events[0]["run_time_s"] > 0
    audited = rows(ada, f'index=_internal sourcetype=sightline:audit sid="{outcome["sid"]}" | table action search')
    assert audited == [{"action": "search", "search": "index=web status=500"}]
    assert ada.put(path, json={"enabled": False}).json()["next_run"] is None
    bad = ada.put(path, json={"search": "index=web | stast"})
    assert bad.status_code == 400 and bad.json()["error"]["kind"] == "search"
    assert ada.delete(path).status_code == 200


def test_alerts_fire_and_clear_and_keep_their_history(ada, parts):
    made = ada.post(
        f"{API}/alerts",
        json={
            "name": "many errors",
            "search": "index=web | stats count(eval(status>=$floor$)) as n".replace("$floor$", "400"),
            "cron": "0 0 1 1 *",
            "condition": {"kind": "search", "search": "where n > 1"},
        },
    )
    assert made.status_code == 201, made.text
    path = f"{API}/alerts/{made.json()['id']}"
    fired = ada.post(f"{path}/run").json()["alert"]
    assert (fired["state"], fired["last_error"]) == ("firing", "") and fired["since"]
    history = ada.get(f"{path}/history").json()
    assert (history[0]["event"], history[0]["result"]) == ("fired", {"n": "2"})
    ada.put(path, json={"condition": {"kind": "search", "search": "where n > 100"}})
    assert ada.post(f"{path}/run").json()["alert"]["state"] == "ok"
    ada.put(path, json={"search": "| inputlookup nothing_of_this_name"})
    failed = ada.post(f"{path}/run").json()["alert"]
    assert failed["state"] == "error" and failed["last_error"]
    assert [h["event"] for h in ada.get(f"{path}/history").json()] == ["error", "cleared", "fired"]
    bad = ada.post(
        f"{API}/alerts",
        json={"name": "x", "search": "index=web", "cron": "* * * * *", "condition": {"kind": "search", "search": "wher"}},
    )
    assert bad.status_code == 400 and "x" not in [a["name"] for a in ada.get(f"{API}/alerts").json()]
    assert ada.delete(path).status_code == 200


def test_lookups_and_macros_are_used_by_searches(ada):
    assert ada.post(f"{API}/lookups/codes.csv", content=b"code,word\n200,fine\n500,bad\n").status_code == 201
    assert [x["name"] for x in ada.get(f"{API}/lookups").json()] == ["codes.csv"]
    assert "200,fine" in ada.get(f"{API}/lookups/codes.csv").text.replace('"', "")
    assert rows(ada, "| inputlookup codes.csv | where code=500") == [{"code": 500, "word": "bad"}]
    macro = ada.post(f"{API}/macros", json={"name": "of", "definition": "index=web status=$s$", "arguments": ["s"]}).json()
    assert rows(ada, "`of(200)` | stats count") == [{"count": 4}]
    assert ada.delete(f"{API}/macros/{macro['id']}").status_code == 200
    assert ada.delete(f"{API}/lookups/codes.csv").status_code == 200
    assert ada.get(f"{API}/lookups/codes.csv").status_code == 404


def test_tokens_show_their_secret_once(ada):
    made = ada.post(f"{API}/tokens", json={"kind": "hec", "name": "collector", "indexes": ["web"]}).json()
    assert made["token"] and made["default_index"] == "web"
    listed = ada.get(f"{API}/tokens").json()
    assert made["token"] not in str(listed) and "collector" in [t["name"] for t in listed]
    assert ada.put(f"{API}/tokens/{made['id']}", json={"disabled": True}).json()["disabled"] is True
    assert ada.delete(f"{API}/tokens/{made['id']}").status_code == 200
    assert ada.delete(f"{API}/tokens/{made['id']}").status_code == 404


def test_a_token_of_a_receiver_learns_from_the_ledger_when_it_was_used(ada, parts):
    made = ada.post(f"{API}/tokens", json={"kind": "hec", "name": "used"}).json()
    row = {"_time": [NOW], "sourcetype": ["sightline:ledger"], "token": ["used"], "received": [1], "stored": [1]}
    parts.store.append_events("_internal", pa.table(row))
    upkeep = Upkeep(parts.catalog, parts.store, parts.jobs)
    upkeep.once()
    upkeep.once()
    listed = {t["name"]: t for t in ada.get(f"{API}/tokens").json()}
    assert made["last_used"] is None and listed["used"]["last_used"] == NOW


def test_users(ada):
    assert ada.post(f"{API}/users", json={"name": "eve", "password": "a long password"}).status_code == 201
    assert "eve" in [u["name"] for u in ada.get(f"{API}/users").json()]
    assert ada.post(f"{API}/users/eve/link").json()["path"].startswith("/login?code=")
    assert ada.put(f"{API}/users/eve/password", json={"password": "short"}).status_code == 400
    assert ada.delete(f"{API}/users/eve").status_code == 200


def test_indexes_and_status(ada):
    assert ada.post(f"{API}/indexes", json={"name": "numbers", "datatype": "metric"}).status_code == 201
    found = {i["name"]: i for i in ada.get(f"{API}/indexes").json()}
    assert found["web"]["rows"] == 6 and found["web"]["earliest"] == NOW and found["numbers"]["rows"] == 0
    status = ada.get(f"{API}/status").json()
    assert status["version"] and status["uptime_s"] > 0 and status["memory"]["process_bytes"] > 0
    assert status["disk"]["free_bytes"] > 0 and "web" in [i["name"] for i in status["indexes"]]


def test_models(ada):
    job = run(
        ada,
        '| makeresults count=40 | streamstats count as n | eval x=n, y=if(n>20, "b", "a")'
        " | fit LogisticRegression y from x into app:tiny",
    )
    assert job["state"] == "done", job
    model = ada.get(f"{API}/models").json()[0]
    assert (model["name"], model["algorithm"], model["target"], model["rows"]) == ("tiny", "LogisticRegression", "y", 40)
    assert "fit LogisticRegression" in model["training_search"]
    detail = ada.get(f"{API}/models/tiny").json()
    assert [v["version"] for v in detail["versions"]] == [1]
    assert "coefficient" in [f["name"] for f in ada.get(f"{API}/models/tiny/summary").json()["fields"]]
    assert ada.delete(f"{API}/models/tiny").status_code == 200
    assert ada.get(f"{API}/models/tiny").status_code == 404


def test_traces_answer_over_http(ada):
    assert ada.get(f"{API}/traces?earliest=-1h&latest=now").json() == {"traces": [], "truncated": False}
    assert ada.get(f"{API}/traces?earliest=now&latest=-1h").status_code == 400
    assert ada.get(f"{API}/traces/abcdef").status_code == 404
    assert ada.get(f"{API}/services").json() == {"services": [], "edges": []}
