"""The page in a real browser against a real server: what a person does with it, step by step."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from .conftest import ALERT, AXE, MISSION, login_link

EVENTS = "/search?q=" + quote("index=main") + "&earliest=-1h"
PLACES = ("/search", EVENTS, "/dashboards", "/dashboards/1", "/traces", "/alerts", "/models", "/models/usermodel", "/status")


def wait_done(page) -> None:
    """Waits for the line of truth to say that the search is done."""
    page.locator(".truth-line[data-state=done]").wait_for()


def type_search(page, text: str) -> None:
    """Replaces the text of the editor, as pasting does."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def parameters(page) -> dict[str, str]:
    """What the address holds."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_login_link_works_once(chromium, server):
    link = login_link(server)
    context = chromium.new_context()
    page = context.new_page()
    page.goto(link)
    page.wait_for_url("**/search*")
    page.get_by_role("button", name="User admin").wait_for()
    context.close()
    again = chromium.new_context()
    page = again.new_page()
    page.goto(link)
    page.get_by_role("alert").get_by_text("was used already").wait_for()
    again.close()


def test_one_persons_session_lets_nobody_else_in(server, signed_in):
    answer = httpx.get(f"{server.url}/api/v1/auth/me", trust_env=False)
    assert answer.status_code == 401, answer.text


def test_login_with_a_password_returns_to_the_page_that_was_asked_for(chromium, server):
    from sightline.catalog import Catalog

    catalog = Catalog(server.data)
    catalog.accounts.create("browser-test", "user", "a long password")
    catalog.close()
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{server.url}/status")
    page.get_by_label("User name").fill("browser-test")
    page.get_by_label("Password").fill("a wrong password")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("alert").get_by_text("the name or the password is wrong").wait_for()
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Status").wait_for()
    context.close()


def test_the_mission_runs_in_the_editor_as_it_is_pasted(open_page, shop):
    page = open_page("/search?earliest=-1h")
    type_search(page, MISSION)
    page.keyboard.press("Control+Enter")
    wait_done(page)
    page.get_by_role("button", name="Table", exact=True).click()
    table = page.get_by_role("table", name="Results")
    table.wait_for()
    assert table.get_by_role("columnheader").all_inner_texts() == ["_time", "metric_name", "operation", "_value"]
    shown = " ".join(table.get_by_role("row").all_inner_texts())
    assert "mlops.username.confusion_matrix." in shown and "mlops.username.feature_importance" in shown
    # The pasted no-break spaces are still in the address: a copied link runs the same text.
    assert parameters(page)["q"] == MISSION.strip()


def test_model_health_shows_the_numbers_of_the_confusion_matrix(open_page, server, shop):
    rows = server.search(
        '| mstats latest(_value) AS value WHERE index=my_model_metrics metric_name="mlops.username.confusion_matrix.*"'
        " BY metric_name operation"
    )
    expected = sorted(int(row["value"]) for row in rows)
    assert len(expected) == 9
    page = open_page("/dashboards")
    page.get_by_role("link", name="Model health").click()
    heat = page.get_by_role("table", name="What is taken for what?")
    heat.scroll_into_view_if_needed()
    assert sorted(int(n.replace(",", "")) for n in heat.locator(".heat-value").all_inner_texts()) == expected
    assert heat.locator("tbody th").all_inner_texts() == ["ana", "bo", "cy"]
    heat.locator("tbody td").first.hover()
    assert re.search(r'of \d+ "ana" were predicted right', page.locator(".heat-note").first.inner_text())


def test_an_alert_is_seen_firing_with_its_history(open_page, shop):
    page = open_page("/alerts")
    row = page.get_by_role("row").filter(has_text=ALERT)
    assert "firing" in row.inner_text()
    assert page.locator(".rail-count").inner_text() != "0"
    row.get_by_role("link", name=ALERT).click()
    page.get_by_role("heading", name="History").wait_for()
    history = page.locator("table.history tbody tr")
    history.first.wait_for()
    assert "fired" in " ".join(history.all_inner_texts())
    assert page.locator(".alert-lane .firing").count() == 1


def test_an_alert_is_made_from_a_search(open_page, server, shop):
    page = open_page("/search?q=" + quote("index=main severity=error"))
    wait_done(page)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("menuitem", name="Create alert").click()
    page.get_by_label("Name", exact=True).fill("errors in main")
    page.get_by_label("Schedule (cron)").fill("not a schedule")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("dialog").get_by_role("alert").wait_for()
    page.get_by_label("Schedule (cron)").fill("*/10 * * * *")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="errors in main").wait_for()
    with server.client() as client:
        made = next(a for a in client.get("/api/v1/alerts").json() if a["name"] == "errors in main")
        assert made["search"] == "index=main severity=error" and made["cron"] == "*/10 * * * *"
        client.delete(f"/api/v1/alerts/{made['id']}")


def test_an_alert_sends_an_email_and_says_what_keeps_it_back(open_page, server, shop):
    page = open_page("/alerts?new=1")
    page.get_by_label("Name", exact=True).fill("mail me")
    page.get_by_label("The alert's search in SPL").fill("| makeresults")
    page.get_by_label("Sends an e-mail").check()
    email = page.get_by_role("group", name="E-mail")
    email.get_by_label("To", exact=True).fill("nobody")
    page.get_by_role("button", name="Create").click()
    assert 'an address wants a @, got "nobody"' in page.get_by_role("dialog").get_by_role("alert").inner_text()
    email.get_by_label("To", exact=True).fill("ops@example.org")
    email.get_by_label("Subject").fill("It is $name$")
    email.get_by_role("combobox", name="Rows").select_option("attached")
    email.get_by_label("At most").fill("5")
    email.get_by_label("condition").check()
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="mail me").wait_for()
    page.get_by_text("email ops@example.org").wait_for()
    with server.client() as client:
        made = next(a for a in client.get("/api/v1/alerts").json() if a["name"] == "mail me")
        (kept,) = made["actions"]
        assert (kept["to"], kept["subject"], kept["results"], kept["max_rows"]) == (
            "ops@example.org", "It is $name$", "attached", 5
        )  # fmt: skip
        assert kept["include"] == ["results_link", "view_link", "trigger"]
        page.get_by_role("button", name="Run now").click()
        page.get_by_role("cell", name="not delivered: email: no mail server is set").wait_for()
        page.get_by_role("button", name="Edit").click()
        assert page.get_by_role("group", name="E-mail").get_by_label("At most").input_value() == "5"
        page.get_by_label("Sends an e-mail").uncheck()
        page.get_by_role("button", name="Save").click()
        page.get_by_text("nobody", exact=True).wait_for()
        client.delete(f"/api/v1/alerts/{made['id']}")


def test_a_trace_opens_as_a_waterfall_that_the_keyboard_walks(open_page, shop):
    page = open_page("/traces?errors=1&service=shop-model")
    page.get_by_role("link", name="POST /recommend").first.click()
    tree = page.get_by_role("tree", name="Spans")
    tree.wait_for()
    assert shop.failed_trace_id in page.url
    items = tree.get_by_role("treeitem")
    names = items.all_inner_texts()
    assert "shop-gateway POST /recommend" in names[0].replace("\n", " ")
    assert any("SELECT readings" in n and "×6" in n for n in names), names
    assert sum("root cause" in n for n in names) == 1
    items.first.click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    detail = page.get_by_role("complementary")
    assert "shop-model" in detail.inner_text() and "input contains NaN" in detail.inner_text()
    detail.get_by_role("tab", name="Events").click()
    assert "exception.type" in detail.inner_text() and "ValueError" in detail.inner_text()
    page.keyboard.press("Shift+Tab")
    tree.focus()
    page.keyboard.press("ArrowLeft")
    assert tree.locator("[role=treeitem]").count() < len(names)
    # The link holds the span that was selected.
    selected = parameters(page)["span"]
    page.reload()
    page.get_by_role("complementary").get_by_text(selected).wait_for()


def test_events_expand_filter_and_share_by_their_address(open_page, shop):
    page = open_page(EVENTS)
    wait_done(page)
    line = page.locator(".event-line", has_text="recommendation failed")
    line.click()
    page.get_by_role("link", name="Open trace").wait_for()
    event = parameters(page)["event"]
    page.reload()
    assert "recommendation failed" in page.locator(".event-line.open").inner_text()
    page.get_by_role("button", name="Add severity to the search").click()
    page.wait_for_url("**severity%3Derror**")
    wait_done(page)
    assert "event" not in parameters(page)
    # The line may still tell of the search before; its rows leave when the new ones are there.
    page.locator(".event-line:not(.sev-error)").first.wait_for(state="detached")
    assert page.locator(".event-line").count() == page.locator(".event-line.sev-error").count() > 0
    page.go_back()
    wait_done(page)
    assert parameters(page)["q"] == "index=main" and parameters(page)["event"] == event


def test_the_field_list_groups_and_the_timeline_zooms(open_page, shop):
    page = open_page(EVENTS)
    wait_done(page)
    page.get_by_role("region", name="Fields").get_by_role("button", name=re.compile("^.*severity")).first.click()
    page.locator(".field-value-text", has_text="info").wait_for()
    box = page.locator(".timeline-plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile(r"earliest=\d+"))
    chosen = parameters(page)
    assert 600 < float(chosen["latest"]) - float(chosen["earliest"]) < 1200
    page.go_back()
    wait_done(page)
    page.get_by_role("button", name="Group by").click()
    page.get_by_role("columnheader", name="count").wait_for()
    assert parameters(page)["q"].endswith("| stats count by severity\n| sort - count")


def test_a_wrong_search_is_underlined_and_explained(open_page, shop):
    page = open_page("/search")
    type_search(page, "index=main | stat count")
    page.locator(".cm-lintRange-error").wait_for()
    page.keyboard.press("Control+Enter")
    alert = page.get_by_role("alert").first
    alert.wait_for()
    assert "stats" in alert.inner_text() and "^^^^" in alert.inner_text()


def test_completion_offers_commands_and_values(open_page, shop):
    page = open_page("/search")
    page.locator(".cm-content").click()
    page.keyboard.type("index=")
    page.locator(".cm-completionLabel", has_text="my_latest_data").wait_for()
    page.keyboard.type("main | timec")
    page.locator(".cm-completionLabel", has_text=re.compile("^timechart$")).wait_for()
    page.keyboard.press("Tab")
    assert "index=main | timechart" in page.locator(".cm-content").inner_text()


def test_the_editor_helps_where_the_cursor_is(open_page, shop):
    page = open_page("/search")
    page.locator(".cm-content").click()
    page.keyboard.type("index=main earliest=-4h@h | stats count by severity | where ")
    page.locator(".cm-completionLabel", has_text=re.compile("^count$")).wait_for()
    page.keyboard.press("Escape")
    # What a time modifier stands for is written behind it.
    page.locator(".cm-moment", has_text=":00:00").wait_for()
    page.keyboard.type("round(")
    page.locator(".cm-help", has_text="round(<number>").wait_for()
    page.keyboard.type('1) > 0 AND severity="err')
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    assert page.locator(".cm-matchingBracket").count() == 2
    page.locator(".cm-line span", has_text="stats").first.hover()
    page.locator(".cm-help", has_text="Aggregates over all rows").wait_for()


def test_a_search_is_formatted_by_key_and_explained_beside_its_results(open_page, shop):
    page = open_page("/search?earliest=-1h")
    type_search(page, "index=main   ``` mine ```|stats count by severity|sort - count")
    page.keyboard.press("Control+\\")
    page.locator(".cm-line").nth(2).wait_for()
    lines = page.locator(".cm-line").all_inner_texts()
    assert lines == ["index=main ``` mine ```", "| stats count by severity", "| sort - count"]
    page.keyboard.press("Control+Enter")
    wait_done(page)
    page.get_by_role("button", name="Plan", exact=True).click()
    plan = page.get_by_role("complementary", name="Plan")
    plan.get_by_text("FROM sightline.events").wait_for()
    assert page.get_by_role("table", name="Results").is_visible()
    # The plan follows the text that is being edited.
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" | head 3")
    plan.get_by_text("LIMIT 3").wait_for()


def test_the_history_is_narrowed_by_words_and_runs_again(open_page, shop):
    page = open_page("/search?earliest=-1h")
    for text in ("index=main | stats count as first_of_two", "index=main | stats count as second_of_two"):
        type_search(page, text)
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**" + text.split()[-1] + "**")
        wait_done(page)
    page.get_by_role("button", name="Search history").click()
    page.keyboard.type("first two")
    items = page.locator(".past .menu-item")
    items.filter(has_text="second").first.wait_for(state="detached")
    assert "first_of_two" in items.first.inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**first_of_two**")


def test_a_chart_is_chosen_and_saved_to_a_dashboard(open_page, server, shop):
    page = open_page("/search?earliest=-1h&q=" + quote("index=my_latest_data | timechart count by user"))
    wait_done(page)
    page.locator(".chart canvas").wait_for()
    assert page.locator(".legend").inner_text().split() == ["ana", "bo", "cy"]
    page.get_by_role("button", name="Save").click()
    page.get_by_role("menuitem", name="Save to dashboard").click()
    page.get_by_label("Panel title").fill("How many bottles?")
    page.get_by_label("Title of the new dashboard").fill("Bottles")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Bottles", exact=True).wait_for()
    page.get_by_role("region", name="How many bottles?").locator("canvas").wait_for()
    with server.client() as client:
        made = next(d for d in client.get("/api/v1/dashboards").json() if d["title"] == "Bottles")
        assert made["definition"]["panels"][0]["chart"] == "line"
        client.delete(f"/api/v1/dashboards/{made['id']}")


INPUTS = [
    {"token": "user", "label": "User", "search": "index=my_latest_data | stats count by user | fields user", "earliest": "-24h"},
    {"token": "part", "label": "Part", "kind": "checkbox", "choices": [{"value": "train"}, {"value": "test"}],
     "default": ["train", "test"], "value_prefix": 'partition="', "value_suffix": '"', "delimiter": " OR ",
     "prefix": "(", "suffix": ")"},
    {"token": "word", "label": "Word", "kind": "text", "default": "*"},
    {"token": "when", "label": "When", "kind": "time", "default": {"earliest": "-24h", "latest": "now"}},
]  # fmt: skip


@pytest.fixture
def with_inputs(server, shop):
    """The path of a dashboard with inputs, three panels of which name some."""
    ranged = {"earliest": "$when.earliest$", "latest": "$when.latest$", "chart": "single", "w": 8}
    panels = [
        {"id": "of", "title": "Bottles of $user$", "search": "index=my_latest_data user=$user|s$ $word$ | stats count", "x": 0, "y": 0},
        {"id": "in", "title": "In parts", "search": "index=my_latest_data $part$ | stats count", "x": 8, "y": 0},
        {"id": "all", "title": "All", "search": "index=my_latest_data | stats count", "x": 16, "y": 0},
    ]  # fmt: skip
    definition = {"earliest": "-24h", "inputs": INPUTS, "panels": [panel | ranged for panel in panels]}
    with server.client() as client:
        made = client.post("/api/v1/dashboards", json={"title": "Chosen", "definition": definition})
        assert made.status_code == 201, made.text
        yield f"/dashboards/{made.json()['id']}"
        client.delete(f"/api/v1/dashboards/{made.json()['id']}")


def single(page, title: str) -> str:
    value = page.get_by_role("region", name=title).locator(".panel-body:not(.stale) .big-value")
    value.wait_for()
    return value.inner_text()


def test_inputs_of_a_dashboard_choose_what_its_panels_search(open_page, server, with_inputs):
    page = open_page(with_inputs)
    assert single(page, "In parts") == single(page, "All") == "178"
    page.get_by_role("region", name="Bottles of $user$").get_by_text("Waits for a value of User").wait_for()
    asked = []
    page.on("request", lambda r: asked.append(r.post_data_json["search"]) if r.url.endswith("/search/jobs") else None)
    page.get_by_role("combobox", name="User").select_option("bo")
    assert single(page, "Bottles of bo") == "71" and parameters(page)["form.user"] == "bo"
    assert asked == ['index=my_latest_data user="bo" * | stats count']
    page.get_by_label("train").uncheck()
    page.wait_for_url("**form.part=test**")
    expect = page.get_by_role("region", name="In parts").locator(".big-value")
    expect.filter(has_text="60").wait_for()
    assert asked[1:] == ['index=my_latest_data (partition="test") | stats count']
    page.get_by_label("Word").fill("hills | delete")
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text='the value "hills | delete" of "Word" would change the commands').wait_for()
    page.get_by_label("Word").fill("hills")
    page.keyboard.press("Enter")
    shown = single(page, "Bottles of bo")
    again = open_page(page.url.removeprefix(server.url))
    assert single(again, "Bottles of bo") == shown != "71" and single(again, "In parts") == "60"
    assert again.get_by_role("combobox", name="User").input_value() == "bo"
    again.get_by_role("button", name="When: Last 24 hours").click()
    again.get_by_role("menuitemradio", name="Yesterday").click()
    again.wait_for_url("**form.when.earliest=-1d%40d**")


def test_an_input_is_made_and_changed_by_hand(open_page, server, with_inputs):
    page = open_page(f"{with_inputs}?edit=1")
    page.get_by_role("button", name="Input", exact=True).click()
    form = page.get_by_role("dialog")
    form.get_by_label("Label", exact=True).fill("Region")
    form.get_by_label("Token").fill("user")
    form.get_by_role("alert").filter(has_text="is another input's").wait_for()
    form.get_by_label("Token").fill("region")
    form.get_by_label("Holds").select_option("link")
    assert form.get_by_role("button", name="Done").is_disabled()
    for number, value in enumerate(("hills", "coast"), 1):
        form.get_by_role("button", name="Choice", exact=True).click()
        form.get_by_label(f"Value {number}").fill(value)
    form.get_by_label("Takes the first choice").check()
    form.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Actions for Region").click()
    page.get_by_role("menuitem", name="Move left").click()
    page.get_by_role("button", name="Actions for Word").click()
    page.get_by_role("menuitem", name="Remove").click()
    page.get_by_role("button", name="Title, refresh, JSON").click()
    page.get_by_label("counts once a button is pressed").check()
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Edit").wait_for()
    page.get_by_role("group", name="Region").get_by_role("button", name="coast").click()
    page.get_by_role("combobox", name="User").select_option("bo")
    page.get_by_role("button", name="coast", pressed=True).wait_for()
    page.get_by_role("button", name="When: Last 24 hours").click()
    page.get_by_role("dialog").get_by_label("From").fill("-2d")
    page.keyboard.press("Enter")
    assert "form.region" not in parameters(page)
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**form.region=coast**")
    assert single(page, "Bottles of bo")
    assert (parameters(page)["form.user"], parameters(page)["form.when.earliest"]) == ("bo", "-2d")
    with server.client() as client:
        kept = client.get(f"/api/v1{with_inputs}").json()["definition"]["inputs"]
    assert [i["token"] for i in kept] == ["user", "part", "region", "when"]
    assert kept[2]["choices"] == [{"value": "hills", "label": "hills"}, {"value": "coast", "label": "coast"}]


def test_a_model_page_shows_importance_versions_and_confusion(open_page, shop):
    page = open_page("/models")
    page.get_by_role("link", name="usermodel").click()
    page.get_by_role("heading", name="What does it rest on?").wait_for()
    page.get_by_role("table", name="What does it take for what?").wait_for()
    versions = page.locator("section", has=page.get_by_role("heading", name="Versions"))
    assert "RandomForestClassifier" in versions.inner_text()


def test_the_status_page_balances_the_ledger(open_page, shop):
    page = open_page("/status")
    page.get_by_role("heading", name="Received and stored").wait_for()
    body = page.locator("#content").inner_text()
    assert "my_latest_data" in body and "engine" in body
    assert "missing" not in body and "too many" not in body


@pytest.mark.parametrize("width", [1440, 400])
def test_the_status_page_shows_what_was_refused_and_what_is_kept(open_page, shop, server, width):
    answer = httpx.post(f"http://127.0.0.1:{server.hec_port}/services/collector", content='{"event":"x"}')
    assert answer.status_code == 401
    server.wait_for(
        'index=_internal sourcetype=sightline:ledger reason="Token is required" | stats count',
        lambda rows: rows[0]["count"] > 0,
    )
    page = open_page("/status", width=width)

    def section(heading):
        found = page.locator("section", has=page.get_by_role("heading", name=heading, exact=True))
        found.wait_for()
        return found.inner_text()

    assert "Token is required" in section("Refused, cut and folded")
    assert "Nothing is set aside" in section("Quarantine") or "request" in section("Quarantine")
    assert "that come with the program" in section("Rules for sourcetypes")
    indexes = section("Indexes")
    assert re.search(r"30\sd", indexes) and "for ever" in indexes and "Limits" in indexes
    assert "sightline backup" in section("Last backup") or "made" in section("Last backup")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_palette_and_the_keyboard_lead_everywhere(open_page, shop):
    page = open_page("/status")
    page.get_by_role("heading", name="Status").wait_for()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill("usermodel")
    group = page.locator(".palette-group", has_text=re.compile(r"^Models?$"))
    page.get_by_role("option").filter(has=group, has_text="usermodel").first.click()
    page.wait_for_url("**/models/usermodel*")
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/traces*")


def test_the_time_range_is_typed_and_refused_in_words(open_page, shop):
    page = open_page(EVENTS)
    wait_done(page)
    page.get_by_role("button", name="Time range").click()
    page.get_by_label("From").fill("-4h@x")
    assert '"-4h@x" is not a time' in page.locator(".range-note").inner_text()
    assert page.get_by_role("button", name="Apply").is_disabled()
    page.get_by_label("From").fill("-4h@h")
    page.keyboard.press("Enter")
    page.wait_for_url("**earliest=-4h%40h**")
    wait_done(page)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing(open_page, shop, with_inputs, theme):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (npm ci in ui/)")
    page = open_page("/search", theme=theme)
    found = {}
    for path in (*PLACES, f"/traces/{shop.failed_trace_id}", "/alerts?new=1", with_inputs, f"{with_inputs}?edit=1"):
        page.goto(urlsplit(page.url)._replace(path="", query="").geturl() + path)
        page.wait_for_load_state("networkidle")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        violations = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
        if violations:
            found[path] = [(v["id"], v["nodes"][0]["html"][:200]) for v in violations]
    assert found == {}, json.dumps(found, indent=1)


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_no_page_is_wider_than_the_screen(open_page, shop, with_inputs, width):
    page = open_page("/search", width=width)
    for path in (*PLACES, f"/traces/{shop.failed_trace_id}", with_inputs):
        page.goto(urlsplit(page.url)._replace(path="", query="").geturl() + path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        content = page.evaluate(
            "(() => { const c = document.querySelector('#content'); return [c.scrollWidth, c.clientWidth]; })()"
        )
        assert content[0] <= content[1], path
