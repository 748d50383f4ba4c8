"""Promoted fields: what gets a column, and that a record is the same record wherever its fields are kept."""

import json
import re

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from sightline.search.planner.sources import json_field
from sightline.store.promotion import MIN_SAMPLE_ROWS, object_text


def sample_of(index, records):
    texts = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return pa.table({"index": pa.array([index] * len(texts), pa.string()), "object": pa.array(texts, pa.string())})


def insert(store, index, records):
    rows = sample_of(index, records)
    select = "SELECT `index`, now64(6, 'UTC') AS `_time`, object AS fields FROM Python(rows)"
    return store.insert_rows("events", (["index", "_time", "fields"], select), indexes=[index], tables={"rows": rows})


def fields_of(store, index):
    """Every field of every record, read as a search reads them."""
    paths = store.json_paths("events", [index])
    read = {path: found[1] for path, types in paths.items() if (found := json_field("fields", path, types))}
    listed = ", ".join(f"{sql} AS f{number}" for number, sql in enumerate(read.values()))
    rows = store.query(f"SELECT {listed or 1} FROM sightline.events WHERE index = '{index}'")
    if not read:
        return [{} for _ in range(rows.num_rows)]
    columns = [column.to_pylist() for column in rows.columns]
    names = list(read)
    return [{n: v for n, v in zip(names, row, strict=True) if v not in (None, [])} for row in zip(*columns, strict=True)]


def test_what_most_records_have_gets_a_column_of_its_type(store):
    records = [
        {"status": 200, "took": 1 if n % 2 else 0.5, "ok": True, "service": f"s{n % 3}", "id": f"id-{n}", "tags": ["a", "b"],
         "http": {"route": f"/r{n % 2}", "code": n}, "odd": [1], **({"rare": 1} if n < 10 else {})}
        for n in range(MIN_SAMPLE_ROWS)
    ]  # fmt: skip
    insert(store, "main", records)
    columns = {one.column: one.type for one in store.promoted.of("events")}
    assert columns == {
        "status:Int64": "Nullable(Int64)",
        "took:Float64": "Nullable(Float64)",
        "ok:Bool": "Nullable(Bool)",
        "service:String": "LowCardinality(Nullable(String))",
        "id:String": "Nullable(String)",
        "tags:Array": "Array(String)",
        "http.route:String": "LowCardinality(Nullable(String))",
        "http.code:Int64": "Nullable(Int64)",
    }
    kept = store.query("SELECT DISTINCT arrayJoin(JSONAllPaths(fields)) AS p FROM sightline.events")["p"].to_pylist()
    assert sorted(kept) == ["odd", "rare"]
    assert store.json_paths("events", ["other"]) == {}
    assert fields_of(store, "main")[20]["http.code"] == 20


def test_texts_that_repeat_a_little_are_kept_as_a_dictionary(store):
    insert(store, "main", [{"page": f"/p{n * 7 % 130}", "request": f"r{n}"} for n in range(MIN_SAMPLE_ROWS)])
    types = {one.column: one.type for one in store.promoted.of("events")}
    assert types == {"page:String": "LowCardinality(Nullable(String))", "request:String": "Nullable(String)"}


def test_whole_numbers_survive_their_compression(store):
    numbers = [0, 1, -1, (1 << 63) - 1, -(1 << 63), 1 << 53, 255, 256, None]
    given = [{"n": numbers[n % len(numbers)]} for n in range(MIN_SAMPLE_ROWS)]
    insert(store, "main", given)
    column = store.query("SELECT compression_codec AS c FROM system.columns WHERE table = 'events' AND name = 'n:Int64'")
    assert column["c"].to_pylist() == ["CODEC(T64, LZ4)"]
    stored = store.query("SELECT `n:Int64` AS n FROM sightline.events WHERE index = 'main'")["n"].to_pylist()
    assert sorted(stored, key=str) == sorted((one["n"] for one in given), key=str)


def test_few_records_and_records_of_the_program_itself_get_none(store):
    insert(store, "main", [{"a": 1}] * (MIN_SAMPLE_ROWS - 1))
    insert(store, "_internal", [{"a": 1}] * MIN_SAMPLE_ROWS)
    assert store.promoted.of("events") == ()


def test_a_value_of_another_type_keeps_its_type(store):
    store.promoted.learn("events", sample_of("main", [{"a": 1, "b": "x"}] * 10), min_rows=1)
    insert(store, "main", [{"a": 1, "b": "y"}, {"a": "007", "b": 5}, {"a": True}, {"a": None}, {"a": 2**64 - 1}, {"a": [1]}])
    rows = store.query(
        "SELECT `a:Int64` AS a, `b:String` AS b, toJSONString(fields) AS rest FROM sightline.events"
    ).to_pylist()
    assert rows == [
        {"a": 1, "b": "y", "rest": "{}"},
        {"a": None, "b": None, "rest": '{"a":"007","b":5}'},
        {"a": None, "b": None, "rest": '{"a":true}'},
        {"a": None, "b": None, "rest": "{}"},
        {"a": None, "b": None, "rest": '{"a":18446744073709551615}'},
        {"a": None, "b": None, "rest": '{"a":[1]}'},
    ]


def test_an_object_leaves_a_record_whole_or_not_at_all(store):
    store.promoted.learn("events", sample_of("main", [{"h": {"a": 1, "b": {"c": 2}}}] * 10), min_rows=1)
    records = [
        {"h": {"a": 1, "b": {"c": 2}}},
        {"h": {"a": 1}},
        {"h": {"a": 1, "z": 3}},
        {"h": {"b": {"c": 2, "y": 1}}},
        {"h": 7},
    ]
    insert(store, "main", records)
    rest = store.query("SELECT toJSONString(fields) AS f FROM sightline.events")["f"].to_pylist()
    assert rest == ["{}", "{}", '{"h":{"a":1,"z":3}}', '{"h":{"b":{"c":2,"y":1}}}', '{"h":7}']
    got = fields_of(store, "main")
    assert got[0] == {"h.a": 1, "h.b.c": 2} and got[2] == {"h.a": 1, "h.z": 3} and got[4] == {"h": 7}


def test_a_name_with_dots_and_an_object_are_one_field(store):
    store.promoted.learn("events", sample_of("main", [{"a.b": 1}] * 5 + [{"a": {"b": 2}}] * 5), min_rows=1)
    insert(store, "main", [{"a.b": 1}, {"a": {"b": 2}}])
    assert [one["a.b"] for one in fields_of(store, "main")] == [1, 2]
    assert len(store.promoted.of("events")) == 1


def test_the_first_of_two_equal_names_counts(store):
    store.promoted.learn("events", sample_of("main", [{"a": 1}]), min_rows=1)
    insert(store, "main", ['{"a":1,"a":2,"b":3}', '{"a":"x","a":2}', '{"":1,"a":5}'])
    assert [one.get("a") for one in fields_of(store, "main")] == ["1", "x", "5"]


def test_a_column_is_an_index_s_own_until_the_index_is_deleted(store):
    store.promoted.learn("events", sample_of("one", [{"a": 1}]), min_rows=1)
    insert(store, "one", [{"a": 1}])
    insert(store, "two", [{"a": 2}])
    assert store.json_paths("events", ["one"]) == {"a": frozenset({"column:Int64"})}
    assert store.json_paths("events", ["two"]) == {"a": frozenset({"Int64"})}
    assert store.json_paths("events") == {"a": frozenset({"Int64", "column:Int64"})}
    store.delete_index("one")
    assert store.json_paths("events", ["one"]) == {}
    assert store.promoted.learn("events", sample_of("two", [{"a": 1}]), min_rows=1)
    assert store.promoted.of("events", ["two"])[0].column == "a:Int64"


def test_no_more_columns_than_allowed(store):
    records = [{f"f{n}": n for n in range(400)}]
    store.promoted.learn("events", sample_of("main", records), min_rows=1)
    assert len(store.promoted.of("events")) == 150
    insert(store, "main", records)
    assert fields_of(store, "main") == [{f"f{n}": n for n in range(400)}]


def test_a_damaged_object_is_refused_as_before(store):
    store.promoted.learn("events", sample_of("main", [{"a": 1}]), min_rows=1)
    with pytest.raises(Exception, match="JSON"):
        insert(store, "main", ['{"a":1'])


NAMES = st.sampled_from(["a", "b", "a.b", "it's", "c`d", "e-f", "", "ü", "x y"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([2**53 + 1, 2**63, -(2**63), 0.5, 1.0, 1e300]),
    st.sampled_from(["", "x", "007", "1", "true", 'q"\\', "\u00e9\n"]), st.lists(st.sampled_from(["p", "q", ""]), max_size=2),
    st.lists(st.one_of(st.none(), st.integers(0, 3), st.text("ab", max_size=1)), max_size=2),
)  # fmt: skip
RECORDS = st.lists(
    st.dictionaries(NAMES, st.one_of(SCALARS, st.dictionaries(NAMES, SCALARS, max_size=3)), max_size=5),
    min_size=1,
    max_size=6,
)


@limits(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, known=RECORDS)
def test_records_are_the_same_wherever_their_fields_are(store, records, known):
    store.delete_index("plain")
    store.delete_index("split")
    store.promoted.learn("events", sample_of("split", known), min_rows=1)
    # Which of two equal paths counts is not promised.
    records = [{k: v for k, v in one.items() if k != "a.b" or not isinstance(one.get("a"), dict)} for one in records]
    texts = [orjson.dumps(record).decode() for record in records]
    insert(store, "plain", texts)
    insert(store, "split", texts)
    assert as_text(fields_of(store, "split")) == as_text(fields_of(store, "plain"))
    whole = object_text("fields", store.json_paths("events", ["split"]))
    rows = store.query(f"SELECT {whole} AS o FROM sightline.events WHERE index = 'split'")["o"].to_pylist()
    assert all(isinstance(json.loads(row), dict) for row in rows)


def as_text(records):
    """Values as searches compare them: a field of several types in an index is text."""

    def text(value):
        if isinstance(value, list):
            # One value and a list of one value are the same to a search.
            return text(value[0]) if len(value) == 1 else [text(item) for item in value]
        # A field that has floats somewhere is a field of floats, and one that has texts is text.
        number = isinstance(value, str) and re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?", value)
        return f"{float(value):g}" if number or isinstance(value, float | int) else str(value)

    return [{name: text(value) for name, value in record.items()} for record in records]
