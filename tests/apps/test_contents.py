"""What is found at a path: apps with their layers merged, dashboards with whole searches, packs and lists."""

import json
import tarfile

import pytest
from appfiles import write_files

from sightline.apps.contents import read_contents, text_of
from sightline.errors import UserError

DASHBOARD = """
    <form refresh="30s">
      <label>Orders</label>
      <search id="orders"><query>index=shop kind=order city=$city$ | fields city amount</query><earliest>-7d</earliest></search>
      <fieldset>
        <input type="dropdown" token="city"><default>Asti</default><choice value="Asti">Asti</choice></input>
        <input type="multiselect" token="states">
          <valuePrefix>state="</valuePrefix><valueSuffix>"</valueSuffix><delimiter> OR </delimiter>
          <default>paid,open</default>
        </input>
        <input type="time" token="span"><default><earliest>-4h</earliest><latest>now</latest></default></input>
      </fieldset>
      <row>
        <panel>
          <title>By city</title>
          <chart><search base="orders"><query>| stats sum(amount) by city</query></search></chart>
          <table><title>All</title><search><query>index=shop ($states$) | table state amount</query></search></table>
        </panel>
      </row>
      <row><panel ref="notes"/></row>
    </form>
    """


def searches_of(path):
    contents = read_contents(path)
    return {s.name: s for s in contents.searches()}, [(p.file, p.text) for p in contents.problems]


def test_local_wins_over_default_key_by_key(app):
    path = app(
        {
            "default/savedsearches.conf": """
                [default]
                dispatch.earliest_time = -1h

                [slow orders]
                search = index=shop duration>10 \\
                | stats count by city
                cron_schedule = 0 * * * *

                [no text]
                disabled = 1
                """,
            "local/savedsearches.conf": "[slow orders]\ndispatch.latest_time = now\n",
            "default/app.conf": "[package]\nid = corner_shop\n",
        }
    )
    (found,) = read_contents(path).apps
    assert (found.name, found.root) == ("corner_shop", "")
    searches, problems = searches_of(path)
    assert problems == [] and list(searches) == ["slow orders"]
    search = searches["slow orders"]
    assert search.text == "index=shop duration>10 \n| stats count by city"
    assert (search.earliest, search.latest, search.app, search.kind) == ("-1h", "now", "corner_shop", "saved")


def test_several_apps_in_one_folder_and_in_an_archive(app, tmp_path):
    for name in ("one", "two"):
        app({"default/macros.conf": f"[m]\ndefinition = {name}\n", "lookups/t.csv": "a,b\n1,2\n"}, f"apps/{name}")
    assert [(a.name, a.root, list(a.lookups)) for a in read_contents(tmp_path / "apps").apps] == [
        ("one", "one", ["t.csv"]),
        ("two", "two", ["t.csv"]),
    ]
    with tarfile.open(tmp_path / "one.spl", "w:gz") as archive:
        archive.add(tmp_path / "apps" / "one", "one")
    (packed,) = read_contents(tmp_path / "one.spl").apps
    assert (packed.name, packed.stanzas["macros"], packed.lookups["t.csv"]()) == (
        "one",
        {"m": {"definition": "one"}},
        b"a,b\n1,2\n",
    )


def test_a_single_file_and_loose_files_are_an_app_of_their_folder(app):
    path = app({"savedsearches.conf": "[a]\nsearch = index=x\n", "macros.conf": "[m]\ndefinition = y\n"}, "loose")
    assert read_contents(path).apps[0].name == "loose"
    assert list(searches_of(path / "savedsearches.conf")[0]) == ["a"]


def test_dashboards_give_whole_searches_and_first_values_of_tokens(app):
    path = app(
        {
            "default/data/ui/views/orders.xml": DASHBOARD,
            "default/data/ui/panels/notes.xml": "<panel><table><search><query>index=notes</query></search></table></panel>",
        }
    )
    searches, problems = searches_of(path)
    assert problems == []
    by_city = searches["orders: row 1, panel 1, chart"]
    assert by_city.text == "index=shop kind=order city=$city$ | fields city amount | stats sum(amount) by city"
    assert (by_city.earliest, by_city.kind) == ("-7d", "dashboard")
    assert by_city.tokens == {
        "city": "Asti",
        "states": 'state="paid" OR state="open"',
        "span.earliest": "-4h",
        "span.latest": "now",
    }
    assert searches["orders: All"].text == "index=shop ($states$) | table state amount"
    assert searches["orders: row 1, panel 1, table"].text == "index=notes"


def test_older_dashboards_and_those_of_dashboard_studio(app):
    studio = {
        "title": "Stock",
        "dataSources": {
            "all": {"type": "ds.search", "options": {"query": "index=shop kind=stock"}},
            "few": {"type": "ds.chain", "options": {"extend": "all", "query": "| where left<3"}},
        },
        "visualizations": {"v": {"type": "splunk.table", "title": "Few left", "dataSources": {"primary": "few"}}},
        "layout": {"structure": [{"item": "v", "position": {"x": 0, "y": 0, "w": 10, "h": 10}}]},
    }
    path = app(
        {
            "default/data/ui/views/old.xml": """
                <form>
                  <searchTemplate>index=shop | stats count by city</searchTemplate>
                  <row>
                    <chart><searchPostProcess>where count>1</searchPostProcess></chart>
                    <table><searchString>index=old</searchString><earliestTime>-1d</earliestTime></table>
                    <event><searchName>kept</searchName></event>
                  </row>
                </form>
                """,
            "default/data/ui/views/new.xml": f'<dashboard version="2"><definition><![CDATA[{json.dumps(studio)}]]></definition></dashboard>',
        }
    )
    searches, problems = searches_of(path)
    assert problems == []
    assert {name: s.text for name, s in searches.items()} == {
        "new: Few left": "index=shop kind=stock | where left<3",
        "old: row 1, panel 1, chart": "index=shop | stats count by city | where count>1",
        "old: row 1, panel 1, table": "index=old",
        "old: row 1, panel 1, event": '| savedsearch "kept"',
        "new: search all": "index=shop kind=stock",
    }


def test_packs_of_detections_with_their_macros_and_lookups(tmp_path):
    path = write_files(
        tmp_path / "pack",
        {
            "detections/web/many_errors.yml": """
                name: Many errors - by host
                search: '`shop_web` status>=500 | stats count by host | `many_errors___by_host_filter`'
                """,
            "macros/shop_web.yml": "name: shop_web\ndefinition: sourcetype=web\n",
            "macros/near.yml": "name: near\narguments: [field, far]\ndefinition: abs($field$) < $far$\n",
            "lookups/cities.yml": "name: cities\nfilename: cities.csv\nmatch_type: WILDCARD(city)\ncase_sensitive_match: false\n",
            "lookups/cities.csv": "city,region\nAsti,Piemonte\n",
            "stories/a.yml": "name: a story\nnarrative: nothing to search\n",
        },
    )
    (found,) = read_contents(path).apps
    assert found.stanzas["macros"] == {
        "many_errors___by_host_filter": {"definition": "search *"},
        "near(2)": {"definition": "abs($field$) < $far$", "args": "field, far"},
        "shop_web": {"definition": "sourcetype=web"},
    }
    assert found.stanzas["transforms"] == {
        "cities": {"filename": "cities.csv", "match_type": "WILDCARD(city)", "case_sensitive_match": "false"}
    }
    assert [(s.name, s.kind, s.app) for s in found.packed] == [("Many errors - by host", "pack", "pack")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("all.jsonl", '{"name": "a", "search": "index=x"}\n\n{"title": "b", "spl": "index=y"}\n'),
        ("all.json", '[{"name": "a", "search": "index=x"}, {"id": "b", "query": "index=y"}]'),
        ("all.json", '{"searches": [{"name": "a", "search": "index=x"}, {"label": "b", "search": "index=y"}]}'),
        ("all.json", '{"result": {"title": "a", "search": "index=x"}}\n{"result": {"title": "b", "search": "index=y"}}'),
        ("all.csv", 'title,search\na,index=x\nb,"index=y"\n'),
        ("odd name", '{"name": "a", "search": "index=x"}\n{"name": "b", "search": "index=y"}'),
    ],
)
def test_lists_of_searches(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    searches, problems = searches_of(path)
    assert ({n: s.text for n, s in searches.items()}, problems) == ({"a": "index=x", "b": "index=y"}, [])


def test_a_search_in_a_file_of_its_own(tmp_path):
    (tmp_path / "late.spl").write_text("index=x | head 3")
    assert searches_of(tmp_path / "late.spl")[0]["late"].text == "index=x | head 3"


def test_bad_files_are_told_and_the_others_read(app):
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    path = app(
        {
            "default/savedsearches.conf": "[good]\nsearch = index=x\n[broken\nsearch = index=y\nnonsense\n",
            "default/macros.conf": b"\0\0binary",
            "default/data/ui/views/broken.xml": "<dashboard><row><panel><table>",
            "default/data/ui/views/none.xml": "<dashboard",
            "default/data/ui/views/deep.xml": "<dashboard>" + "<row>" * 5000,
            "default/data/ui/views/bomb.xml": f'<!DOCTYPE d [<!ENTITY e0 "x">{entities}]><dashboard><label>&e11;</label></dashboard>',
            "default/data/ui/views/page.xml": '<view template="p.html"/>',
            "default/data/models/m.json": "[1",
            "detections/deep.yml": "name: d\nsearch: x\nmore: " + "[" * 20000,
            "detections/bad.yml": "name: d\nsearch: 'x\n",
            "detections/good.yml": "name: fine\nsearch: index=z\n",
            "list.jsonl": '{"name": "one", "search": "index=1"}\nnot json\n' + "[" * 100_000,
        }
    )
    searches, problems = searches_of(path)
    assert set(searches) == {"good", "fine", "one"}
    told = {file.rpartition("/")[2] for file, _ in problems}
    assert told >= {"savedsearches.conf", "macros.conf", "page.xml", "m.json", "deep.yml", "bad.yml", "list.jsonl"}
    assert sum(file.endswith("savedsearches.conf") for file, _ in problems) == 2


def test_entities_are_not_resolved(app, tmp_path):
    (tmp_path / "secret").write_text("secret")
    path = app(
        {
            "default/data/ui/views/x.xml": f"""
                <!DOCTYPE d [<!ENTITY s SYSTEM "file://{tmp_path / "secret"}">]>
                <dashboard><label>&s;</label><row><table><searchString>index=&s;x</searchString></table></row></dashboard>
                """
        }
    )
    contents = read_contents(path)
    assert "secret" not in contents.apps[0].views["x"].label
    assert all("secret" not in s.text for s in contents.searches())


def test_texts_of_old_encodings():
    assert text_of("é".encode("utf-16")) == "é"
    assert text_of(b"\xef\xbb\xbfx") == "x"
    assert text_of(b"caf\xe9") == "café"
    with pytest.raises(UserError, match="not text"):
        text_of(b"a\0b")


def test_nothing_at_a_path(tmp_path):
    with pytest.raises(UserError, match="nothing at"):
        read_contents(tmp_path / "absent")
    assert read_contents(tmp_path).apps == []
