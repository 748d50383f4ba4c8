"""Stanzas of props, transforms, event types, tags and collections, the rows of collections, and macros with validation."""

import subprocess
import sys
import threading

import pyarrow as pa
import pytest

from sightline.catalog import Catalog
from sightline.catalog.collections import joined, with_keys
from sightline.catalog.knowledge import CatalogKnowledge, macro_of_stanza
from sightline.errors import NotFound, UserError


@pytest.fixture
def catalog(tmp_path):
    opened = Catalog(tmp_path)
    yield opened
    opened.close()


def test_a_stanza_is_kept_replaced_and_removed(catalog):
    props = catalog.stanzas["props"]
    props.put("access", {"EXTRACT-a": "(?<a>x)", "KV_MODE": "none"})
    props.put("access", {"EXTRACT-a": "(?<a>y)"})
    assert props.get("access").settings == {"EXTRACT-a": "(?<a>y)"}
    props.delete("access")
    with pytest.raises(NotFound, match='no stanza "access" in props'):
        props.get("access")


def test_apps_are_merged_and_what_people_define_here_wins(catalog):
    props = catalog.stanzas["props"]
    props.put("default", {"KV_MODE": "none"}, app="a_app")
    props.put("access", {"EVAL-x": "1", "EVAL-y": "1", "EVAL-z": "1"}, app="a_app")
    props.put("access", {"EVAL-x": "2", "EVAL-y": "2"}, app="z_app")
    props.put("access", {"EVAL-x": "3"})
    # The default of props is a stanza for every event; that of another kind fills in what its app's stanzas do not say.
    assert props.merged() == {"default": {"KV_MODE": "none"}, "access": {"EVAL-x": "3", "EVAL-y": "2", "EVAL-z": "1"}}
    catalog.stanzas["eventtypes"].put("default", {"priority": "3"}, app="a_app")
    catalog.stanzas["eventtypes"].put("errors", {"search": "error"}, app="a_app")
    assert catalog.stanzas["eventtypes"].merged() == {"errors": {"priority": "3", "search": "error"}}
    assert [row.app for row in props.list()] == ["a_app", "a_app", "search", "z_app"]
    assert [row.name for row in props.list("z_app")] == ["access"]


def test_a_disabled_stanza_is_kept_and_not_seen(catalog):
    catalog.stanzas["eventtypes"].put("errors", {"search": "error", "disabled": "1"})
    knowledge = CatalogKnowledge(catalog)
    assert knowledge.stanzas("eventtypes") == {}
    catalog.stanzas["eventtypes"].put("errors", {"search": "error", "disabled": "false"})
    assert list(knowledge.stanzas("eventtypes")) == ["errors"]


def test_another_process_changes_stanzas_and_the_search_sees_it(catalog, tmp_path):
    knowledge = CatalogKnowledge(catalog)
    assert knowledge.stanzas("tags") == {}
    other = Catalog(tmp_path)
    other.stanzas["tags"].put("host=web%201", {"production": "enabled"})
    other.close()
    assert knowledge.stanzas("tags") == {"host=web%201": {"production": "enabled"}}


def test_what_is_kept_in_memory_is_read_again_after_any_commit(catalog, tmp_path):
    knowledge = CatalogKnowledge(catalog)
    assert knowledge.index_datatype("late") is None and knowledge.macro("late", 0) is None
    assert knowledge.indexes() == knowledge.indexes()
    program = (
        "import sys; from pathlib import Path; from sightline.catalog import Catalog; c = Catalog(Path(sys.argv[1]));"
        "c.indexes.create('late'); c.macros.save_stanza('late', {'definition': 'status=500'});"
        "c.stanzas['props'].put('late', {'EXTRACT-a': '(?<a>x)'})"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60)
    assert knowledge.index_datatype("late") == "event" and knowledge.macro("late", 0).definition == "status=500"
    assert "late" in knowledge.stanzas("props")
    catalog.macros.save_stanza("late", {"definition": "status=404"})
    catalog.indexes.delete("late")
    assert knowledge.macro("late", 0).definition == "status=404" and "late" not in knowledge.indexes()


def test_the_answer_about_indexes_is_the_callers_own(catalog):
    knowledge = CatalogKnowledge(catalog)
    knowledge.indexes().clear()
    assert "main" in knowledge.indexes()


def test_several_stanzas_are_kept_all_or_none(catalog):
    with pytest.raises(UserError, match="wants a search"):
        catalog.stanzas["eventtypes"].put_all({"good": {"search": "x"}, "bad": {"search": " "}})
    assert catalog.stanzas["eventtypes"].list() == []


@pytest.mark.parametrize(
    ("kind", "name", "settings", "message"),
    [
        ("props", " a", {}, "wants a name of one line"),
        ("props", "source::", {}, "a pattern is wanted"),
        ("props", "a", {"priority": "high"}, 'priority wants a whole number of 0 or more, got "high"'),
        ("props", "a", {"EXTRACT": "x"}, 'EXTRACT wants a name after "-"'),
        ("props", "a", {"EXTRACT-a": " "}, "EXTRACT-a is empty"),
        ("props", "a", {"x=y": "1"}, 'without "="'),
        ("transforms", "a", {"max_matches": "0"}, "max_matches wants a whole number of 1 or more"),
        ("transforms", "a", {"case_sensitive_match": "maybe"}, 'wants true or false, got "maybe"'),
        ("eventtypes", "a", {}, "wants a search"),
        ("tags", "host", {}, r"wants? a stanza \[field=value\]"),
        ("tags", "host=a", {"x": "perhaps"}, "wants enabled or disabled"),
        ("collections", "a b", {}, "a collection name wants"),
        ("collections", "a", {"field.x": "decimal"}, "wants one of string, number"),
    ],
)
def test_a_stanza_of_the_wrong_shape_is_refused(catalog, kind, name, settings, message):
    with pytest.raises(UserError, match=message):
        catalog.stanzas[kind].put(name, settings)


def test_rows_of_a_collection_have_keys_and_a_known_key_replaces(catalog):
    catalog.stanzas["collections"].put("people", {"field.age": "number"})
    knowledge = CatalogKnowledge(catalog)
    assert knowledge.collection("people").num_rows == 0
    assert knowledge.collection("strangers") is None
    rows = pa.table({"name": ["a", "b"], "age": ["1", "2"], "_key": ["k1", None]})
    knowledge.update_collection("people", lambda _: rows)
    kept = knowledge.collection("people")
    assert kept.column_names == ["_key", "name", "age"]
    assert kept.column("age").to_pylist() == [1.0, 2.0]
    assert len(kept.column("_key")[1].as_py()) == 24
    catalog.collections.upsert("people", pa.table({"_key": ["k1"], "name": ["c"], "age": [3]}))
    rows = {row["_key"]: row["name"] for row in catalog.collections.read("people").to_pylist()}
    assert rows["k1"] == "c" and sorted(rows.values()) == ["b", "c"]
    assert catalog.collections.remove("people", ["k1", "k9"]) == 1
    assert catalog.collections.read("people").column("name").to_pylist() == ["b"]


def test_enforced_types_refuse_and_others_keep_the_text(catalog):
    table = pa.table({"age": ["1", "old"]})
    assert catalog.collections.update("loose", lambda _: table, {"field.age": "number"}).column("age").to_pylist() == [
        "1",
        "old",
    ]
    with pytest.raises(UserError, match='field "age" wants number'):
        catalog.collections.update("strict", lambda _: table, {"field.age": "number", "enforceTypes": "true"})
    assert catalog.collections.read("strict").num_rows == 0


def test_of_rows_with_the_same_key_the_last_stays_in_its_place():
    table = with_keys(pa.table({"_key": ["a", "b", "a"], "v": [1, 2, 3]}))
    assert table.to_pylist() == [{"_key": "b", "v": 2}, {"_key": "a", "v": 3}]


def test_columns_of_different_types_are_joined():
    first = pa.table({"_key": ["a"], "v": [1], "w": ["x"]})
    second = pa.table({"_key": ["b", "c"], "v": ["one", None], "w": [["p", "q"], None]})
    assert joined(first, second).to_pylist() == [
        {"_key": "a", "v": "1", "w": ["x"]},
        {"_key": "b", "v": "one", "w": ["p", "q"]},
        {"_key": "c", "v": None, "w": None},
    ]


def test_rows_that_are_added_at_once_are_all_there(catalog):
    threads = [threading.Thread(target=catalog.collections.upsert, args=("many", pa.table({"v": [n]}))) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(catalog.collections.read("many").column("v").to_pylist()) == list(range(8))


@pytest.mark.parametrize("name", ["../up", "a/b", "", "a b"])
def test_a_collection_name_cannot_leave_the_folder(catalog, name):
    with pytest.raises(UserError, match="a collection name wants"):
        catalog.collections.read(name)


def test_a_macro_stanza_becomes_a_macro(catalog):
    name, text = macro_of_stanza("both(2)", {"args": "a, b", "definition": "$a$ $b$", "iseval": "1", "errormsg": "no"})
    assert (name, text.arguments, text.iseval, text.errormsg) == ("both", ("a", "b"), True, "no")
    catalog.macros.save_stanza("both(2)", {"args": "a,b", "definition": "$a$ OR $b$", "validation": "isnotnull(a)"})
    catalog.macros.save_stanza("both", {"definition": "x OR y"}, app="other")
    knowledge = CatalogKnowledge(catalog)
    assert knowledge.macro_argument_counts("both") == [0, 2]
    assert knowledge.macro("both", 2).validation == "isnotnull(a)"
    with pytest.raises(UserError, match="tells 1 arguments, args lists 2"):
        macro_of_stanza("both(1)", {"args": "a,b"})
