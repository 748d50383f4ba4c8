"""An app on its way into the catalog: what is brought, what is told, and that doing it again changes nothing."""

import pytest
from appfiles import write_files

from sightline.apps.checking import Report
from sightline.apps.contents import read_contents
from sightline.apps.importing import import_contents
from sightline.apps.moving import bring
from sightline.apps.trial import Verdict
from sightline.catalog import Catalog
from sightline.errors import UserError

APP = {
    "default/app.conf": "[package]\nid = corner_shop\n",
    "default/macros.conf": """
        [shop]
        definition = index=shop

        [above(2)]
        args = field, least
        definition = $field$>=$least$
        validation = isnum($least$)
        errormsg = least is no number

        [nothing]
        definition =

        [wrong(2)]
        args = one
        definition = x
        """,
    "default/props.conf": "[orders]\nEXTRACT-city = city is (?<city>\\w+)\n",
    "default/transforms.conf": "[cities]\nfilename = cities.csv\n\n[bad]\nmax_matches = none\n",
    "default/eventtypes.conf": "[sale]\nsearch = kind=order\n",
    "default/tags.conf": "[eventtype=sale]\nmoney = enabled\n",
    "default/collections.conf": "[stock]\nfield.left = number\n",
    "default/indexes.conf": "[shop]\nhomePath = x\n\n[shop_numbers]\ndatatype = metric\n\n[volume:hot]\npath = /x\n",
    "default/data/models/Sales.json": """
        {"displayName": "Sales", "objects": [{"objectName": "Order", "displayName": "Order", "parentName": "BaseEvent",
         "fields": [], "calculations": [], "constraints": [{"search": "index=shop", "owner": "Order"}]}]}
        """,
    "lookups/cities.csv": "city,region\nAsti,Piemonte\n",
    "default/savedsearches.conf": """
        [by city]
        search = `shop` | stats count by city
        dispatch.earliest_time = -1d

        [every hour]
        search = `shop` | stats count
        cron_schedule = 7 * * * *
        enableSched = 1
        action.email = 1
        action.email.to = ops@example.org

        [many failures]
        description = too many
        search = `shop` status=failed
        cron_schedule = */5 * * * *
        enableSched = 1
        dispatch.earliest_time = rt-5m
        dispatch.latest_time = rt
        counttype = number of events
        relation = greater than
        quantity = 10
        alert.suppress = 1
        alert.suppress.period = 2h
        alert.suppress.fields = host, city
        alert.severity = 5
        action.webhook = 1
        action.webhook.param.url = https://example.org/hook
        action.script = 1

        [kept for later]
        search = `shop` | stats count by city
        cron_schedule = 0 3 * * *
        enableSched = 1
        action.summary_index = 1
        action.summary_index._name = shop_daily
        action.summary_index.what = cities

        [never]
        search = `shop` | holtwinters
        """,
    "default/data/ui/views/overview.xml": """
        <form>
          <label>Orders</label>
          <fieldset><input type="dropdown" token="city"><label>City</label><default>Asti</default></input></fieldset>
          <row>
            <panel>
              <title>Cities</title>
              <chart>
                <search><query>`shop` city=$city$ | timechart count</query><earliest>-2d</earliest></search>
                <option name="charting.chart">area</option>
                <option name="charting.chart.stackMode">stacked</option>
                <drilldown><link>x</link></drilldown>
              </chart>
            </panel>
            <panel depends="$x$">
              <single><search><query>`shop` | stats count</query></search><option name="unit">orders</option></single>
              <html><p>text</p></html>
            </panel>
          </row>
          <row>
            <panel><table><search><query>`shop` | head 5</query></search><fields>city, "unit price"</fields></table></panel>
            <panel><map><search><query>`shop` user=$who$ | stats count by city</query></search></map></panel>
            <panel><table><search><query>| makeresults | eval who="$who$" | outputlookup seen.csv</query></search></table></panel>
          </row>
        </form>
        """,
}


@pytest.fixture
def catalog(tmp_path):
    found = Catalog(tmp_path / "data")
    yield found
    found.close()


def runs(contents, *not_these):
    """A report that says of every search that it runs, but for those named."""
    verdicts = [
        Verdict(s.name, "unknown_command" if s.name in not_these else "runs", [], s.app, s.kind, s.file)
        for s in contents.searches()
    ]
    for verdict in verdicts:
        if verdict.state != "runs":
            verdict.reasons = ['there is no command "holtwinters"']
    return Report(verdicts)


def counts_of(outcome):
    return {
        kind: (count.created, count.updated, count.unchanged, count.skipped)
        for kind, count in outcome.counts.items()
        if any(vars(count).values())
    }


def notes_of(outcome, name):
    return [(note.element, note.text) for note in outcome.notes if note.name == name]


def test_an_app_with_everything_is_brought_and_again_changes_nothing(catalog, app):
    contents = read_contents(app(APP))
    outcome = import_contents(contents, runs(contents, "never"), catalog, owner="ada")
    assert counts_of(outcome) == {
        "indexes": (2, 0, 0, 0),
        "macros": (3, 0, 0, 1),
        "lookups": (1, 0, 0, 0),
        "props": (1, 0, 0, 0),
        "transforms": (1, 0, 0, 1),
        "eventtypes": (1, 0, 0, 0),
        "tags": (1, 0, 0, 0),
        "collections": (1, 0, 0, 0),
        "data models": (1, 0, 0, 0),
        "saved searches": (2, 0, 0, 1),
        "alerts": (2, 0, 0, 0),
        "dashboards": (1, 0, 0, 0),
    }
    assert {(note.kind, note.name) for note in outcome.skipped} == {
        ("macros", "wrong(2)"),
        ("transforms", "bad"),
        ("saved searches", "never"),
    }
    again = import_contents(contents, runs(contents, "never"), catalog, owner="bob")
    assert all(created == updated == 0 for created, updated, _, _ in counts_of(again).values())
    assert sum(unchanged for _, _, unchanged, _ in counts_of(again).values()) == sum(
        created for created, _, _, _ in counts_of(outcome).values()
    )


def test_macros_lookups_stanzas_and_models_keep_their_app(catalog, app):
    contents = read_contents(app(APP))
    import_contents(contents, runs(contents), catalog)
    macro = catalog.macros.find("above", 2)
    assert (macro.app, macro.arguments, macro.validation, macro.errormsg) == (
        "corner_shop",
        ["field", "least"],
        "isnum($least$)",
        "least is no number",
    )
    assert catalog.macros.find("nothing", 0).definition == ""
    assert catalog.lookups.read_bytes("cities.csv") == b"city,region\nAsti,Piemonte\n"
    assert catalog.stanzas["props"].get("orders", "corner_shop").settings == {"EXTRACT-city": "city is (?<city>\\w+)"}
    assert catalog.stanzas["tags"].get("eventtype=sale", "corner_shop").settings == {"money": "enabled"}
    assert catalog.data_models.find("Sales").app == "corner_shop"
    assert (catalog.indexes.datatype("shop"), catalog.indexes.datatype("shop_numbers")) == ("event", "metric")
    assert catalog.indexes.datatype("volume:hot") is None


def test_schedules_and_alerts(catalog, app):
    contents = read_contents(app(APP))
    outcome = import_contents(contents, runs(contents), catalog, owner="ada")
    plain = catalog.searches.find("by city")
    assert (plain.search, plain.earliest, plain.cron, plain.app, plain.owner) == (
        "`shop` | stats count by city",
        "-1d",
        "",
        "corner_shop",
        "ada",
    )
    hourly = catalog.alerts.find("every hour")
    assert (hourly.cron, hourly.condition) == ("7 * * * *", {"kind": "always"})
    assert [(action["kind"], action["to"]) for action in hourly.actions] == [("email", "ops@example.org")]
    assert notes_of(outcome, "every hour") == []
    alert = catalog.alerts.find("many failures")
    assert (alert.earliest, alert.latest, alert.description, alert.severity) == ("-5m", "", "too many", "critical")
    assert alert.condition == {"kind": "rows", "relation": "greater than", "quantity": 10.0}
    assert (alert.throttle_s, alert.throttle_fields) == (7200.0, ["host", "city"])
    assert alert.actions == [{"kind": "webhook", "url": "https://example.org/hook"}]
    assert [text for _, text in notes_of(outcome, "many failures")] == [
        "its real-time window (rt-5m) is searched once a run",
        "its real-time window (rt) is searched once a run",
        "its action script is left out: there is no such action here",
    ]
    kept = catalog.searches.find("kept for later")
    assert kept.search.endswith('\n| collect index=shop_daily marker="what=cities"')


@pytest.mark.parametrize(
    ("settings", "condition"),
    [
        ("counttype = always", {"kind": "always"}),
        ("counttype = custom\nalert_condition = search x>5", {"kind": "search", "search": "search x>5"}),
        (
            "counttype = number of hosts\nrelation = less than\nquantity = 3",
            {"kind": "search", "search": "stats dc(host) AS found | where found<3"},
        ),
        (
            "counttype = number of events\nrelation = rises by\nquantity = 20%",
            {"kind": "rows", "relation": "rises by", "quantity": "20%"},
        ),
        ("alert_type = number of events\nalert_comparator = equal to\nalert_threshold = 0",
         {"kind": "rows", "relation": "equal to", "quantity": 0.0}),
        ("alert.track = 1", {"kind": "always"}),
        ("counttype = number of events\nrelation = odd\nquantity = x", {"kind": "rows", "relation": "greater than", "quantity": 0}),
    ],
)  # fmt: skip
def test_conditions(catalog, app, settings, condition):
    text = f"[a]\nsearch = index=x\nenableSched = 1\ncron_schedule = * * * * *\naction.webhook = 1\naction.webhook.param.url = http://h/\n{settings}\n"
    contents = read_contents(app({"default/savedsearches.conf": text}))
    import_contents(contents, runs(contents), catalog)
    assert catalog.alerts.find("a").condition == condition


def test_a_search_that_becomes_an_alert_is_not_kept_twice(catalog, app):
    stanza = "[a]\nsearch = index=x\nenableSched = 1\ncron_schedule = * * * * *\n"
    first = read_contents(app({"default/savedsearches.conf": stanza}))
    import_contents(first, runs(first), catalog)
    second = read_contents(app({"default/savedsearches.conf": stanza + "alert.track = 1\n"}))
    outcome = import_contents(second, runs(second), catalog)
    assert catalog.searches.find("a") is None and catalog.alerts.find("a") is not None
    assert notes_of(outcome, "a") == [("", "it was kept as a saved search before")]


def test_what_others_have_is_not_overwritten(catalog, app):
    catalog.macros.save("shop", "index=mine")
    catalog.searches.create(name="by city", search="index=mine")
    contents = read_contents(app(APP))
    outcome = import_contents(contents, runs(contents), catalog)
    assert catalog.macros.find("shop", 0).definition == "index=mine"
    assert any(note.name == "shop" and 'defined by "search"' in note.text for note in outcome.skipped)
    assert catalog.searches.find("by city").search == "index=mine"
    assert catalog.searches.find("corner_shop: by city").search == "`shop` | stats count by city"
    again = import_contents(contents, runs(contents), catalog)
    assert again.counts["saved searches"].created == 0


def test_a_changed_app_updates(catalog, app):
    first = read_contents(app(APP))
    import_contents(first, runs(first), catalog)
    changed = dict(APP)
    changed["lookups/cities.csv"] = "city,region\nAlba,Piemonte\n"
    changed["default/macros.conf"] = "[shop]\ndefinition = index=shop kind=order\n"
    changed["default/data/ui/views/overview.xml"] = APP["default/data/ui/views/overview.xml"].replace("Orders", "All orders")
    second = read_contents(app(changed))
    counts = counts_of(import_contents(second, runs(second), catalog))
    assert counts["lookups"] == counts["macros"] == counts["dashboards"] == (0, 1, 0, 0)
    assert len([d for d in catalog.dashboards.list() if d.app == "corner_shop"]) == 1


def test_a_dashboard_is_converted_panel_by_panel(catalog, app):
    contents = read_contents(app(APP))
    outcome = import_contents(contents, runs(contents), catalog)
    dashboard = catalog.dashboards.find("corner_shop", "overview")
    assert (dashboard.title, dashboard.definition["earliest"]) == ("Orders", "-24h")
    chart, single, table, geo = dashboard.definition["panels"]
    assert chart | {"id": ""} == {
        "id": "",
        "title": "Cities",
        "search": "`shop` city=Asti | timechart count",
        "chart": "area",
        "options": {"stacked": True},
        "earliest": "-2d",
        "x": 0,
        "y": 0,
        "w": 12,
        "h": 8,
    }
    assert (single["chart"], single["unit"], single["x"], single["w"]) == ("single", "orders", 12, 12)
    assert table["search"] == '`shop` | head 5\n| table city "unit price"' and table["y"] == 8
    assert (geo["chart"], geo["search"]) == ("table", "`shop` user=* | stats count by city")
    assert notes_of(outcome, "overview") == [
        ("", 'the input "City" (dropdown) holds "Asti" and cannot be changed'),
        ("row 1, panel 1, chart", "its drilldown is left out"),
        ("row 1, panel 2, single", "it is always shown, not only while a token is set"),
        ("row 1, panel 2, html", "the text is left out"),
        ("row 2, panel 2, map", "the tokens $who$ have no first value and were filled to fit"),
        ("row 2, panel 2, map", "a map is shown as a table"),
        ("row 2, panel 3, table", "it writes once its tokens are filled in, and is left out"),
    ]


def test_a_dashboard_in_real_time_is_searched_once(catalog, app):
    view = """
        <dashboard><row><panel>
          <table><search><query>index=shop</query><earliest>rt-5m</earliest><latest>rt</latest></search></table>
        </panel></row></dashboard>
        """
    contents = read_contents(app({"default/app.conf": APP["default/app.conf"], "default/data/ui/views/live.xml": view}))
    outcome = import_contents(contents, runs(contents), catalog)
    (panel,) = catalog.dashboards.find("corner_shop", "live").definition["panels"]
    assert panel["earliest"] == "-5m" and not panel.get("latest")
    assert notes_of(outcome, "live") == [
        ("row 1, panel 1, table", "its real-time window (rt-5m) is searched once a run"),
        ("row 1, panel 1, table", "its real-time window (rt) is searched once a run"),
    ]


def test_packs_become_saved_searches(catalog, tmp_path):
    path = write_files(
        tmp_path / "pack",
        {"detections/a.yml": "name: Many errors\nsearch: '`web` | stats count | `many_errors_filter`'\n"},
    )
    contents = read_contents(path)
    outcome = import_contents(contents, runs(contents), catalog, app_name="detections")
    assert catalog.searches.find("Many errors").app == "detections"
    assert catalog.macros.find("many_errors_filter", 0).definition == "search *"
    assert counts_of(outcome) == {"macros": (1, 0, 0, 0), "saved searches": (1, 0, 0, 0)}


def test_a_dry_run_tells_the_same_and_keeps_nothing(catalog, app, tmp_path):
    path = app(APP)
    told = bring(path, tmp_path / "data", catalog, dry_run=True)
    assert catalog.macros.list() == [] and catalog.lookups.list() == []
    done = bring(path, tmp_path / "data", catalog)
    assert told.as_json() == done.as_json()
    assert [note.text for note in done.skipped if note.name == "never"] == ['there is no command "holtwinters"']
    assert type(done).from_json(done.as_json()) == done


def test_names_of_apps_are_checked(catalog, app, tmp_path):
    with pytest.raises(UserError, match="app name"):
        bring(app(APP), tmp_path / "data", catalog, app_name="../up")
    odd = read_contents(app({"default/macros.conf": "[m]\ndefinition = x\n"}, "a;b"))
    import_contents(odd, runs(odd), catalog)
    assert catalog.macros.find("m", 0).app == "a_b"
