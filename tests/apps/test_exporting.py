"""What is exported reads back as it was: whatever texts people keep, edited or not, once or again and again."""

import json
import shutil

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sightline.apps.checking import Report
from sightline.apps.contents import read_contents
from sightline.apps.exporting import export_catalog, file_name, files_of
from sightline.apps.importing import import_contents
from sightline.apps.own_conf import print_stanzas, with_own_names, with_own_settings
from sightline.catalog import Catalog
from sightline.catalog.conf import read_conf
from sightline.errors import UserError


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A catalog's folder that was opened once, to be copied: making the tables takes most of a second."""
    folder = tmp_path_factory.mktemp("empty")
    Catalog(folder).close()
    return folder


@pytest.fixture
def fresh(empty, tmp_path):
    """Makes empty catalogs."""
    opened = []

    def make():
        folder = tmp_path / f"data-{len(opened)}"
        shutil.copytree(empty, folder)
        opened.append(Catalog(folder))
        return opened[-1]

    yield make
    for catalog in opened:
        catalog.close()


def bring_back(path, catalog):
    outcome = import_contents(read_contents(path), Report(), catalog)
    assert outcome.skipped == [] and outcome.problems == []
    return outcome


def everything(catalog):
    """All that an export must keep, as plain values."""
    return {
        "searches": {
            r.name: (r.app, r.search, r.description, r.earliest, r.latest, r.cron, r.realtime_schedule, r.enabled)
            for r in catalog.searches.list()
        },
        "alerts": {
            r.name: (r.app, r.search, r.description, r.earliest, r.latest, r.cron, r.realtime_schedule, r.enabled, r.condition,
                     r.throttle_s, r.throttle_fields, r.severity, r.actions)
            for r in catalog.alerts.list()
        },
        "macros": {
            (m.name, m.argument_count): (m.app, m.arguments, m.definition, m.validation, m.errormsg, m.iseval)
            for m in catalog.macros.list()
        },
        "stanzas": {
            (kind, r.app, r.name): r.settings for kind, store in catalog.stanzas.items() for r in store.list()
        },
        "lookups": {x["name"]: catalog.lookups.read_bytes(x["name"]) for x in catalog.lookups.list()},
        "rows": {name: catalog.collections.read(name).to_pylist() for name in catalog.stanzas["collections"].merged()},
        "models": {m.name: (m.app, m.definition) for m in catalog.data_models.list()},
        "dashboards": {(d.app, d.view): (d.title, d.description, d.definition) for d in catalog.dashboards.own()},
        "indexes": {i.name: i.datatype for i in catalog.indexes.list()},
    }  # fmt: skip


def fill(catalog):
    catalog.searches.create(
        name="by host", search="index=web\n| stats count by host \\\n| head 3", earliest="-1h", app="shop"
    )
    catalog.searches.create(name="odd", search=' index=web "a\\b" \\', description="two\nlines ", enabled=False, app="shop")
    catalog.searches.create(name="default", search="index=web", cron="0 * * * *", realtime_schedule=False)
    catalog.alerts.create(
        name="odd",
        search="index=web",
        cron="*/5 * * * * *",
        condition={"kind": "rows", "relation": "drops by", "quantity": "20%"},
        throttle_s=90.5,
        throttle_fields=["a, b", "c"],
        severity="fatal",
        actions=[{"kind": "webhook", "url": "http://one/"}, {"kind": "webhook", "url": "http://two/"}],
        app="shop",
    )
    catalog.alerts.create(
        name="always", search="x", cron="0 0 * * *", condition={"kind": "always"},
        actions=[{"kind": "apprise", "url": "json://host"}],
    )  # fmt: skip
    catalog.macros.save(
        "near", " abs($a$-$b$) ", ["a", "b"], validation="isnum($a$)", errormsg="no", iseval=True, app="shop"
    )
    catalog.macros.save("nothing", "")
    catalog.stanzas["props"].put("default", {"KV_MODE": "json"}, app="shop")
    catalog.stanzas["props"].put("source::/var/log/[x]*", {"EXTRACT-a": "(?<a>\\d+) \\", "# odd": " spaces "}, app="shop")
    catalog.stanzas["eventtypes"].put("sale", {"search": "kind=order"})
    catalog.stanzas["collections"].put("stock", {"field.left": "number"})
    rows = pa.table({"_key": ["1", "2"], "left": [1.5, None], "tags": [["a", "b"], []], "ok": [True, False]})
    catalog.collections.update("stock", lambda _: rows)
    catalog.lookups.write_bytes("cities.csv", b'city,"a b"\r\nAsti,1\r\n')
    catalog.indexes.create("shop")
    catalog.indexes.create("numbers", "metric")
    dataset = {"objectName": "Order", "parentName": "BaseEvent", "fields": [], "calculations": [], "constraints": []}
    catalog.data_models.save({"modelName": "Sales", "displayName": "Sales", "objects": [dataset]}, app="shop")
    for _ in range(2):
        catalog.dashboards.create("Orders / day", {"panels": [{"search": "index=web", "options": {"min": 0}}]}, "of a day")


def test_a_whole_catalog_goes_out_and_comes_back(fresh, tmp_path):
    catalog = fresh()
    fill(catalog)
    before = everything(catalog)
    export_catalog(catalog, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["search", "shop"]
    outcome = bring_back(tmp_path / "out", catalog)
    assert all(count.created == count.updated == 0 for count in outcome.counts.values())
    assert everything(catalog) == before
    other = fresh()
    bring_back(tmp_path / "out", other)
    assert everything(other) == before
    assert files_of(other)[0] == files_of(catalog)[0]


def test_files_can_be_edited_and_objects_added(fresh, tmp_path):
    catalog = fresh()
    catalog.searches.create(name="by host", search="index=web | stats count by host")
    catalog.macros.save("web", "index=web")
    export_catalog(catalog, tmp_path / "out")
    conf = tmp_path / "out" / "default" / "savedsearches.conf"
    assert conf.read_text() == "[by host]\nsearch = index=web | stats count by host\n"
    conf.write_text(conf.read_text() + "description = by machine\n\n[new]\nsearch = `web` | head 1\n")
    (tmp_path / "out" / "lookups").mkdir()
    (tmp_path / "out" / "lookups" / "t.csv").write_text("a\n1\n")
    outcome = bring_back(tmp_path / "out", catalog)
    assert (outcome.counts["saved searches"].created, outcome.counts["saved searches"].updated) == (1, 1)
    assert catalog.searches.find("by host").description == "by machine" and catalog.searches.find("new") is not None
    assert [x["name"] for x in catalog.lookups.list()] == ["t.csv"]


def test_an_export_replaces_an_earlier_one_and_nothing_else(fresh, tmp_path):
    catalog, out = fresh(), tmp_path / "out"
    catalog.macros.save("a", "x")
    catalog.lookups.write_bytes("t.csv", b"a\n1\n")
    export_catalog(catalog, out)
    (out / "README.md").write_text("mine")
    catalog.lookups.delete("t.csv")
    catalog.macros.save("b", "y", app="shop")
    export_catalog(catalog, out)
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == [
        "README.md",
        "search/default/app.conf",
        "search/default/macros.conf",
        "shop/default/app.conf",
        "shop/default/macros.conf",
    ]
    elsewhere = tmp_path / "full"
    elsewhere.mkdir()
    (elsewhere / "default").mkdir()
    (elsewhere / "default" / "app.conf").write_text("[launcher]\n")
    with pytest.raises(UserError, match="holds something else"):
        export_catalog(catalog, elsewhere)
    with pytest.raises(UserError, match="is not a folder"):
        export_catalog(catalog, out / "README.md")


def test_one_app_alone(fresh, tmp_path):
    catalog = fresh()
    catalog.macros.save("a", "x", app="shop")
    catalog.macros.save("b", "y", app="store")
    assert export_catalog(catalog, tmp_path / "out", "store") == {"macros": 1}
    assert (tmp_path / "out" / "default" / "macros.conf").read_text() == "[b]\ndefinition = y\n"
    with pytest.raises(UserError, match='app "shelf", apps: shop, store'):
        export_catalog(catalog, tmp_path / "out", "shelf")


def test_dashboards_are_json(fresh, tmp_path):
    catalog = fresh()
    catalog.dashboards.put("shop", "a/../b", "Title", {"panels": [{"search": "x"}]})
    export_catalog(catalog, tmp_path / "out")
    (file,) = (tmp_path / "out" / "default" / "data" / "ui" / "views").iterdir()
    shown = json.loads(file.read_text())
    assert (shown["view"], shown["title"]) == ("a/../b", "Title")
    assert bring_back(tmp_path / "out", catalog).counts["dashboards"].unchanged == 1


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
AWKWARD = st.one_of(
    TEXT, st.sampled_from(["", " ", "\\", "a\\", "\\\n", "a\n b", "\n", "# x", "[x]", "x = y", "\r", "a\r\nb"])
)
NAME = st.one_of(TEXT, st.sampled_from(["default", "[a]", "a]", "sightline 1", "#a", ";", "a=b", "\ufeffa"])).filter(
    lambda text: text.strip() != ""
)


@given(st.lists(st.tuples(NAME, st.dictionaries(NAME, AWKWARD, max_size=3)), max_size=4, unique_by=lambda pair: pair[0]))
@settings(max_examples=400, deadline=None)
def test_configuration_files_lose_nothing(stanzas):
    found = read_conf(print_stanzas(stanzas, default_is_a_name=True))
    assert found.problems == []
    told = []
    tell = lambda *what: told.append(what)  # noqa: E731
    assert with_own_names(with_own_settings(found.stanzas, tell), tell) == dict(stanzas) and told == []


SEARCH = AWKWARD.filter(lambda text: text.strip() != "")
CRON = st.sampled_from(["", "*/5 * * * *", "0 3 * * 1"])
CONDITION = st.one_of(
    st.just({"kind": "always"}),
    st.builds(lambda text: {"kind": "search", "search": text}, SEARCH),
    st.builds(
        lambda relation, quantity: {"kind": "rows", "relation": relation, "quantity": quantity},
        st.sampled_from(["greater than", "drops by"]),
        st.one_of(st.integers(0, 9).map(float), st.floats(0.001, 1e6).map(lambda x: round(x, 3))),
    ),
)
SAVED = st.fixed_dictionaries(
    {
        "name": NAME, "search": SEARCH, "description": AWKWARD, "earliest": AWKWARD, "latest": AWKWARD, "cron": CRON,
        "enabled": st.booleans(), "realtime_schedule": st.booleans(), "app": st.sampled_from(["search", "shop"]),
    }
)  # fmt: skip
ALERT = st.fixed_dictionaries(
    {
        "name": NAME, "search": SEARCH, "cron": CRON.filter(bool), "condition": CONDITION, "throttle_s": st.floats(0, 1e6),
        "throttle_fields": st.lists(AWKWARD, max_size=2), "severity": st.sampled_from(["debug", "fatal"]),
        "actions": st.lists(st.one_of(
            st.sampled_from([{"kind": "webhook", "url": "http://h/"}, {"kind": "apprise", "url": "x://y"}]),
            st.fixed_dictionaries({
                "kind": st.just("email"), "to": st.just("a@b"), "subject": AWKWARD, "message": AWKWARD,
                "results": st.sampled_from(["none", "both"]), "max_rows": st.integers(1, 10_000),
            }),
        )),
        "app": st.sampled_from(["search", "shop"]),
    }
)  # fmt: skip
MACRO = st.tuples(
    st.from_regex(r"[a-z]{1,3}", fullmatch=True), AWKWARD, st.lists(st.sampled_from(["a", "b"]), unique=True), AWKWARD
)


@given(st.lists(SAVED, max_size=3), st.lists(ALERT, max_size=3), st.lists(MACRO, max_size=3), AWKWARD)
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # Every example opens two catalogs; shrinking takes minutes.
)
def test_export_then_import_changes_nothing(empty, tmp_path_factory, searches, alerts, macros, cell):
    folder = tmp_path_factory.mktemp("round")
    opened = []
    for number in range(2):
        shutil.copytree(empty, folder / str(number))
        opened.append(Catalog(folder / str(number)))
    first, second = opened
    try:
        for values in {values["name"].strip(): values for values in searches}.values():
            first.searches.create(**values)
        for values in {values["name"].strip(): values for values in alerts}.values():
            first.alerts.create(**values)
        for name, definition, arguments, validation in macros:
            first.macros.save(name, definition, arguments, validation=validation)
        first.stanzas["props"].put("web", {"EVAL-x": cell if cell.strip() else "1"})
        before = everything(first)
        export_catalog(first, folder / "out")
        outcome = bring_back(folder / "out", first)
        assert everything(first) == before
        assert all(count.created == count.updated == 0 for count in outcome.counts.values())
        bring_back(folder / "out", second)
        assert everything(first) == before == everything(second)
    finally:
        for catalog in opened:
            catalog.close()
        shutil.rmtree(folder)


@given(TEXT)
def test_file_names_stay_in_their_folder(name):
    written = file_name(name)
    assert written.strip() and "/" not in written and "\0" not in written and written not in (".", "..")
