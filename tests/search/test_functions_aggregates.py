"""Aggregates against their definitions, a row per case."""

from __future__ import annotations

import math
import random

import pyarrow as pa
import pytest

from sightline.errors import SearchError
from sightline.search import registry
from sightline.search.functions import AggregateInput, find_aggregate
from sightline.search.planner import values as v

registry.load()

INTS = [3, None, 1, 1, 10]
FLOATS = [2.5, None, -1.0, 2.5]
WORDS = ["b", None, "a", "b", "C"]
MIXED = ["10", "9", None, "x", "a"]
NUMERIC_TEXT = ["10", "9", None, "007"]
LISTS = [["a", "b"], [], ["a"], ["c", "1", "20"]]
NONE = [None, None]


def column(values: list) -> pa.Table:
    type = pa.list_(pa.string()) if any(isinstance(x, list) for x in values) else None
    if all(x is None for x in values):
        type = pa.float64()
    times = [1000.0 + 60 * k for k in range(len(values))]
    return pa.table({"x": pa.array(values, type), "_time": times})


CASES = [
    ("count", INTS, 4), ("c", WORDS, 4), ("count", LISTS, 6), ("count", NONE, 0),
    ("dc", INTS, 3), ("distinct_count", WORDS, 3), ("dc", LISTS, 5), ("dc", NONE, 0), ("dc", MIXED, 4),
    ("estdc", INTS, 3), ("estdc_error", INTS, 0.0), ("estdc_error", NONE, None),
    ("sum", INTS, 15), ("sum", FLOATS, 4.0), ("sum", MIXED, 19.0), ("sum", LISTS, 21.0), ("sum", WORDS, None),
    ("sum", NONE, None),
    ("sumsq", INTS, 111.0), ("sumsq", LISTS, 401.0), ("sumsq", NONE, None),
    ("avg", INTS, 3.75), ("mean", MIXED, 9.5), ("avg", LISTS, 10.5), ("avg", WORDS, None), ("avg", NONE, None),
    ("min", INTS, 1), ("max", INTS, 10), ("min", FLOATS, -1.0), ("max", FLOATS, 2.5),
    ("min", WORDS, "C"), ("max", WORDS, "b"), ("min", MIXED, "9"), ("max", MIXED, "x"),
    ("max", NUMERIC_TEXT, "10"), ("min", NUMERIC_TEXT, "007"), ("min", LISTS, "1"), ("max", LISTS, "c"),
    ("max", [["9"], ["10"]], "10"), ("min", NONE, None), ("max", NONE, None),
    ("range", INTS, 9), ("range", FLOATS, 3.5), ("range", WORDS, None), ("range", NUMERIC_TEXT, 3.0),
    ("mode", INTS, 1), ("mode", WORDS, "b"), ("mode", [2, 1], 1), ("mode", LISTS, "a"), ("mode", NONE, None),
    ("median", INTS, 3), ("median", FLOATS, 2.5), ("median", WORDS, None), ("median", LISTS, 20.0),
    ("perc100", INTS, 10), ("perc0", INTS, 1), ("p75", INTS, 3), ("exactperc75", INTS, 3), ("upperperc75.1", INTS, 10),
    ("perc50", NUMERIC_TEXT, 9.0), ("perc50", NONE, None),
    ("stdev", [2, 4, 4, 4, 5, 5, 7, 9], math.sqrt(32 / 7)), ("stdevp", [2, 4, 4, 4, 5, 5, 7, 9], 2.0),
    ("var", [2, 4, 4, 4, 5, 5, 7, 9], 32 / 7), ("varp", [2, 4, 4, 4, 5, 5, 7, 9], 4.0),
    ("stdev", [5], 0.0), ("var", [5], 0.0), ("stdevp", [5], 0.0), ("stdev", NONE, None), ("var", WORDS, None),
    ("values", WORDS, ["C", "a", "b"]), ("values", INTS, ["1", "10", "3"]), ("values", LISTS, ["1", "20", "a", "b", "c"]),
    ("values", NONE, None), ("values", MIXED, ["10", "9", "a", "x"]),
    ("list", WORDS, ["b", "a", "b", "C"]), ("list", INTS, ["3", "1", "1", "10"]),
    ("list", LISTS, ["a", "b", "a", "c", "1", "20"]),
    ("list", NONE, None),
    ("first", INTS, 3), ("last", INTS, 10), ("first", [None, "q"], "q"), ("last", ["q", None], "q"),
    ("first", LISTS, ["a", "b"]),
    ("last", NONE, None),
    ("earliest", INTS, 3), ("latest", INTS, 10), ("latest", [1, None], 1), ("latest", LISTS, ["c", "1", "20"]),
    ("earliest", NONE, None),
    ("earliest_time", [None, 5, 6], 1060.0), ("latest_time", [5, 6, None], 1060.0), ("latest_time", NONE, None),
    ("rate", [0, 30, 120], 1.0), ("rate", [5], None), ("rate", NUMERIC_TEXT, (7 - 10) / 180), ("rate", NONE, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "wanted"), CASES, ids=lambda x: str(x)[:40])
def test_aggregate(calculate, name, given, wanted):
    (found,) = calculate.aggregate(name, column(given))
    assert found == (pytest.approx(wanted) if isinstance(wanted, float) else wanted)
    assert type(found) is type(wanted)


def test_count_without_a_field_counts_rows(calculate):
    assert calculate.aggregate("count", column(INTS), None) == [5]


def test_count_of_a_condition_counts_where_it_is_true(calculate):
    assert calculate.aggregate("count", column(INTS), "x>1") == [2]


@pytest.mark.parametrize(
    "name", sorted(n for n, e in registry.AGGREGATES.items() if not n.startswith("per_") and not e.parameterised)
)
def test_a_field_that_no_row_has(calculate, name):
    (found,) = calculate.aggregate(name, column([1, 2]), "nosuch")
    if name == "sparkline":
        assert found[0] == "##__SPARKLINE__##"
    else:
        assert found == (0 if name in ("count", "c", "dc", "distinct_count", "estdc") else None)


@pytest.mark.parametrize("name", ["count", "sum", "values", "list", "max", "perc90", "first", "mode", "stdev", "dc"])
def test_no_rows(calculate, name):
    assert calculate.aggregate(name, column([1, "x"][:1]).slice(1)) == [0 if name in ("count", "dc") else None]


def test_groups_do_not_mix(calculate):
    table = pa.table({"x": [1, 2, 3, 4], "g": ["b", "a", "b", "a"]})
    assert calculate.aggregate("sum", table, by="g") == [6, 4]
    assert calculate.aggregate("list", table, by="g") == [["2", "4"], ["1", "3"]]


def test_percentiles_are_nearest_rank(calculate):
    """Against the definition: of n numbers in ascending order the one at position ceil(p / 100 * n)."""
    draw = random.Random(7)
    for size in (1, 2, 3, 7, 10, 99, 100, 101, 1000):
        numbers = [draw.randint(-1000, 1000) for _ in range(size)]
        ordered = sorted(numbers)
        for percent in ("1", "5", "10", "25", "50", "90", "95", "99", "99.9", "100"):
            rank = max(math.ceil(round(float(percent) * size / 100, 9)), 1)
            assert calculate.aggregate(f"perc{percent}", column(numbers)) == [ordered[rank - 1]], (size, percent)


def test_per_unit_of_time(calculate):
    table = column([30, 30])
    assert calculate.aggregate("per_second", table, span_s=60.0) == [1.0]
    assert calculate.aggregate("per_minute", table, span_s=60.0) == [60.0]
    assert calculate.aggregate("per_hour", table, span_s=3600.0) == [60.0]
    assert calculate.aggregate("per_day", table, span_s=86400.0) == [60.0]
    with pytest.raises(SearchError, match="buckets of time"):
        calculate.aggregate("per_second", table)


MARK = "##__SPARKLINE__##"
TIMED = pa.table({"_time": [0.0, 10.0, 70.0, 190.0, 200.0], "x": [1.0, 3.0, None, 5.0, 7.0]})


@pytest.mark.parametrize(
    ("function", "argument", "wanted"),
    [
        ("count", None, ["2", "1", "0", "2"]), ("count", "x", ["2", "0", "0", "2"]), ("sum", "x", ["4", "0", "0", "12"]),
        ("avg", "x", ["2", "0", "0", "6"]), ("min", "x", ["1", "0", "0", "5"]), ("max", "x", ["3", "0", "0", "7"]),
        ("range", "x", ["2", "0", "0", "2"]), ("dc", "x", ["2", "0", "0", "2"]), ("varp", "x", ["1", "0", "0", "1"]),
        ("var", "x", ["2", "0", "0", "2"]), ("stdevp", "x", ["1", "0", "0", "1"]), ("sumsq", "x", ["10", "0", "0", "74"]),
    ],
)  # fmt: skip
def test_sparkline(calculate, function, argument, wanted):
    assert calculate.aggregate("sparkline", TIMED, argument, extra=(function, "1m")) == [[MARK, *wanted]]


def test_sparkline_covers_the_range_of_the_search(calculate):
    found = calculate.aggregate("sparkline", TIMED, None, extra=("count", "1m"), earliest=-60.0, latest=300.0)
    assert found == [[MARK, "0", "2", "1", "0", "2", "0"]]
    found = calculate.aggregate("sparkline", TIMED, None, extra=("count",), earliest=0.0, latest=6000.0)
    assert len(found[0]) == 101


def test_sparkline_errors(calculate):
    with pytest.raises(SearchError, match='cannot draw "perc95"'):
        calculate.aggregate("sparkline", TIMED, "x", extra=("perc95", "1m"))
    with pytest.raises(SearchError, match="needs rows with _time"):
        calculate.aggregate("sparkline", pa.table({"x": [1]}), None, extra=("count",))


def test_every_aggregate_call_can_be_a_window_function(calculate):
    """What eventstats and streamstats do: each engine aggregate replaced by the same one over a frame."""
    context = calculate.context()
    relation = context.relation_of(TIMED)
    relation, position = relation.position_key()
    frame = "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW"
    for name in registry.AGGREGATES:
        entry, parameter = find_aggregate(name + "90" if registry.AGGREGATES[name].parameterised else name)
        given = AggregateInput(position, relation.field("_time"), parameter, ("avg", "1m"), 60.0)
        calls: list = []

        def change(call, calls=calls):
            calls.append(call)
            return v.Column(call.type, f"window_{len(calls)}")

        value = v.map_aggregates(entry.lower(relation.field("x"), given), change)
        overs = [(f"w{k}", v.Over(c.type, c, (), ((position, False),), frame)) for k, c in enumerate(calls)]
        windowed, columns = relation.windowed(overs)
        renamed = dict(zip((f"window_{k + 1}" for k in range(len(calls))), columns, strict=True))
        shown = windowed.with_field("result", substitute(value, renamed)).settled()
        assert context.table_of(shown, ["result"]).num_rows == TIMED.num_rows, name


def substitute(value, columns):
    import dataclasses

    if isinstance(value, v.Column):
        return columns.get(value.id, value)
    if isinstance(value, v.Call):
        return dataclasses.replace(value, arguments=tuple(substitute(a, columns) for a in value.arguments))
    if isinstance(value, v.Lambda):
        return dataclasses.replace(value, body=substitute(value.body, columns))
    return value


@pytest.mark.parametrize(
    ("name", "message"),
    [("nosuch", 'there is no aggregate "nosuch"'), ("perc", 'there is no aggregate "perc"'),
     ("perc101", "between 0 and 100"), ("averg", "avg")],
)  # fmt: skip
def test_unknown_aggregates(name, message):
    registry.load()
    with pytest.raises(SearchError) as caught:
        find_aggregate(name)
    assert message in f"{caught.value} {caught.value.hint}"


def test_every_aggregate_has_a_reference_entry():
    registry.load()
    for name, entry in registry.AGGREGATES.items():
        described = entry.describe()
        assert described["summary"].endswith("."), name
        assert described["syntax"], name
        assert described["example"], name
