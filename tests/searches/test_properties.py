"""Claims about all searches: printing loses nothing, nothing but a SearchError with a place leaves the parser, and the
commands that count agree with plain Python and pandas on random rows."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from script import Answer
from world import NOW, World

from sightline.errors import SearchError
from sightline.search.registry import COMMANDS, read_command
from sightline.search.syntax.tree import Pipeline

quick = settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
many = settings(quick, max_examples=400)
# Every example is stored and searched, so that making a failing one smaller takes minutes; it is small as it is.
on_rows = settings(quick, phases=(Phase.explicit, Phase.generate))

# ---- searches written at random -------------------------------------------------------------------------------------

names = st.sampled_from(["a", "b", "host", "status", "gpu.temp", "x-y", "_time", "größe", '"the name"'])
plain_names = st.sampled_from(["a", "b", "host", "status", "x_1", "_time"])
eval_names = st.sampled_from(["a", "b", "host", "x_1", "_time", "'gpu.temp'", "'the name'"])
words = st.sampled_from(["error", "web-1", "10.0.0.1", "a*", "*", "/api/x", '"two words"', '"say \\"hi\\""', "200", "-5"])
numbers = st.sampled_from(["0", "1", "2.5", "1000", ".5"])
texts = st.sampled_from(['"x"', '""', '"a b"', '"say \\"hi\\""', '"c:\\\\d"', '"(?<n>\\d+)"', '"été"', '"a | b"', '"[x]"'])
operators = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
spans = st.sampled_from(["1h", "5m", "1d", "1mon", "10s"])


def _expression() -> st.SearchStrategy[str]:
    leaf = st.one_of(eval_names, numbers, texts)

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.builds("{} {} {}".format, inner, st.sampled_from(["+", "-", "*", "/", "%", "."]), inner),
            st.builds("({})".format, inner),
            st.builds("-{}".format, inner),
            st.builds("if({} {} {}, {}, {})".format, inner, operators, inner, inner, inner),
            st.builds("coalesce({}, {})".format, inner, inner),
            st.builds("round({}, 1)".format, inner),
            st.builds("case({}>{}, {}, true(), {})".format, inner, inner, inner, inner),
        )

    return st.recursive(leaf, grow, max_leaves=6)


expressions = _expression()
conditions = st.recursive(
    st.one_of(
        st.builds("{} {} {}".format, expressions, operators, expressions),
        st.builds("isnull({})".format, eval_names),
        st.builds("{} IN (1, {})".format, eval_names, texts),
        st.builds("{} LIKE {}".format, eval_names, texts),
    ),
    lambda inner: st.one_of(
        st.builds("NOT {}".format, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR", "XOR"]), inner),
        st.builds("{} {} {}".format, inner, st.sampled_from(["AND", "OR", "and", "or"]), inner),
    ),
    max_leaves=4,
)
terms = st.recursive(
    st.one_of(
        words,
        st.builds("{}{}{}".format, names, operators, words),
        st.builds("{} IN ({}, {})".format, names, words, words),
    ),
    lambda inner: st.one_of(
        st.builds("NOT {}".format, inner),
        st.builds("({})".format, inner),
        st.builds("{} OR {}".format, inner, inner),
        st.builds("{} {}".format, inner, inner),
    ),
    max_leaves=5,
)
aggregates = st.one_of(
    st.sampled_from(["count", "count AS n", "dc(a)", "values(a) AS v", "sum(a) avg(b)", "perc95(a)"]),
    st.builds("count(eval({})) AS n".format, conditions),
    st.builds("max({}) AS {}".format, plain_names, names),
)
by = st.one_of(st.just(""), st.builds(" BY {}".format, names), st.builds(" BY {} {}".format, names, names))
commands = st.one_of(
    st.builds("search {}".format, terms),
    st.builds("where {}".format, conditions),
    st.builds("eval {}={}".format, names, expressions),
    st.builds("eval a={}, b={}".format, expressions, expressions),
    st.builds("fields {}{}".format, st.sampled_from(["", "- ", "+ "]), names),
    st.builds("table {} {}".format, plain_names, st.sampled_from(["", "a*", "*"])),
    st.builds("rename {} AS {}".format, names, names),
    st.builds("sort {}{}{}".format, st.sampled_from(["", "5 ", "0 "]), st.sampled_from(["", "- ", "+"]), names),
    st.builds("head {}".format, st.integers(0, 20)),
    st.builds("head ({})".format, conditions),
    st.builds("tail {}".format, st.integers(0, 20)),
    st.builds("dedup {}{}".format, st.sampled_from(["", "2 "]), names),
    st.builds("stats {}{}".format, aggregates, by),
    st.builds("eventstats {}{}".format, aggregates, by),
    st.builds("streamstats {}{}{}".format, st.sampled_from(["", "window=3 ", "current=f "]), aggregates, by),
    st.builds("timechart span={} {}".format, spans, st.sampled_from(["count", "count BY host", "avg(a) BY host"])),
    st.builds("chart {} OVER host BY {}".format, st.sampled_from(["count", "avg(a)"]), plain_names),
    st.builds("{} {}{}".format, st.sampled_from(["top", "rare"]), st.sampled_from(["", "limit=3 "]), names),
    st.builds("bin {} span={}".format, plain_names, st.one_of(spans, numbers)),
    st.builds("rex field=a {}".format, st.sampled_from(['"(?<n>\\d+)"', '"user=(?<u>[^ ]+)"'])),
    st.builds("fillnull value={} a b".format, st.sampled_from(["0", "none", '"two words"'])),
    st.sampled_from(["untable a b c", "xyseries a b c", "makeresults", "append [ | makeresults count=2 ]"]),
    st.builds("appendpipe [ stats {} ]".format, aggregates),
)
searches = st.builds(" | ".join, st.lists(commands, min_size=1, max_size=5)).map("index=t | {}".format)


def read_all(pipeline: Pipeline) -> list[Any]:
    """The commands of a pipeline as comparable values, without the places where things were written."""
    return [comparable(read_command(stage)) for stage in pipeline.stages]


def comparable(thing: Any) -> Any:
    if isinstance(thing, Pipeline):
        return read_all(thing)
    if dataclasses.is_dataclass(thing):
        parts = [comparable(getattr(thing, f.name)) for f in dataclasses.fields(thing) if f.compare]
        return (type(thing).__name__, *parts)
    if isinstance(thing, list | tuple):
        return [comparable(item) for item in thing]
    if isinstance(thing, dict):
        return {key: comparable(value) for key, value in thing.items()}
    return thing


@many
@given(searches)
def test_a_printed_search_reads_back_as_the_same(world: World, text: str) -> None:
    try:
        first = read_all(world.engine.read(text)[1])
        printed = world.engine.print(text)
    except SearchError:
        return
    assert world.engine.print(printed) == printed
    assert read_all(world.engine.read(printed)[1]) == first


@quick
@given(st.lists(searches, min_size=20, max_size=20))
def test_most_of_these_searches_are_searches(world: World, texts: list[str]) -> None:
    good = 0
    for text in texts:
        try:
            read_all(world.engine.read(text)[1])
            good += 1
        except SearchError:
            pass
    assert good > len(texts) // 2, texts


# ---- no text makes the reader fail in another way than a SearchError with a place -----------------------------------

fragments = st.one_of(
    st.sampled_from(
        [
            *("|", "||", "[", "]", "(", ")", '"', "'", "`", "```", "\\", '\\"', ",", "=", "!=", "<", ">", "*", "-", "+"),
            *("AS", "BY", "OVER", "AND", "OR", "NOT", "IN", "LIKE", "XOR", "span=", "limit=", "value=", "index=t", "$x$"),
            *("eval(", "count(", "case(", "if(", "stats count", "1h@h", "-1d@d+2h", "earliest=", "latest=", "{a}", "{}"),
            *("\n", "\t", "\u00a0", "\u200b", "\ufeff", "“", "”", "‘", "’", "\x00", "é", "日本", "🙂", "ﬁ", "İ", "\u2028"),
            *(
                "0",
                "-1",
                "1e999",
                "99999999999999999999",
                "0x1F",
                ".",
                "..",
                "a.b",
                "a-b",
                "<<FIELD>>",
                "s/a/b/g",
                "(?<n>x)",
            ),
        ]
    ),
    st.sampled_from(sorted(["stats", "eval", "search", "where", "rex", "timechart", "fit", "mstats", "lookup", "return"])),
    st.text(max_size=3),
    commands,
)
nonsense = st.builds(
    lambda parts, gaps: "".join(part + gap for part, gap in zip(parts, gaps, strict=False)),
    st.lists(fragments, max_size=12),
    st.lists(st.sampled_from([" ", "", " | "]), min_size=12, max_size=12),
)


def read_commands(pipeline: Pipeline) -> None:
    for stage in pipeline.stages:
        read_command(stage)
        for inner, _ in stage.subsearches.values():
            read_commands(inner)


def check_text(world: World, text: str) -> None:
    try:
        read_commands(world.engine.read(text)[1])
    except SearchError as error:
        assert error.span is not None, f"no place: {error}"
        assert 0 <= error.span.start <= len(text), (error.span, len(text))
        assert error.span.end >= error.span.start
        error.render(text)
    diagnostics = world.engine.check(text)
    assert len(diagnostics) <= 1


@many
@given(nonsense)
def test_nonsense_is_refused_with_a_place(world: World, text: str) -> None:
    check_text(world, text)


@many
@given(searches, st.integers(0, 10_000), st.integers(0, 10_000), fragments)
def test_a_search_with_a_part_cut_out_and_one_put_in(world: World, text: str, at: int, size: int, put: str) -> None:
    start = at % (len(text) + 1)
    check_text(world, text[:start] + put + text[start + size % 8 :])


@pytest.mark.parametrize("name", sorted(["stats", "eval", "fit", "mstats", "rex", "lookup", "head", "sort", "bin", "table"]))
def test_a_command_with_odd_arguments(world: World, name: str) -> None:
    for arguments in (
        "",
        '"',
        "(",
        ")",
        "[",
        "=",
        "a=",
        "=a",
        ",",
        ",,",
        "*",
        "-",
        "- -",
        "by",
        "as",
        "by by",
        "a as",
        '""',
        "''",
    ):
        check_text(world, f"index=t | {name} {arguments}")


def test_every_registered_command_without_arguments(world: World) -> None:
    for name in COMMANDS:
        check_text(world, f"index=t | {name}")
        check_text(world, f"| {name}")


def test_very_long_and_very_deep_texts(world: World) -> None:
    check_text(world, "(" * 5000)
    check_text(world, "index=t | eval x=" + "(" * 3000 + "1" + ")" * 3000)
    check_text(world, "index=t | eval x=" + "-" * 5000 + "1")
    check_text(world, "index=t | eval x=1" + "+1" * 5000)
    check_text(world, "index=t " + "OR a=1 " * 3000)
    check_text(world, "NOT " * 5000 + "a")
    check_text(world, "[" * 200)
    check_text(world, "index=t" + " | head 1" * 2000)


# ---- random rows ----------------------------------------------------------------------------------------------------

groups = st.sampled_from([None, "a", "b", "B", "7", 7])
measures = st.one_of(
    st.none(), st.integers(-20, 20), st.sampled_from([0.5, -2.25, 1e6]), st.sampled_from(["3", "2.5", "-4"])
)
mixed = st.one_of(measures, st.sampled_from(["x", "10a", "Zed"]))
several = st.one_of(st.none(), st.lists(st.sampled_from(["r", "g", "7"]), min_size=1, max_size=3))
rows = st.lists(
    st.fixed_dictionaries({"k": groups, "j": st.sampled_from([None, "p", "q"]), "x": measures, "y": mixed, "m": several}),
    min_size=1,
    max_size=14,
)


def load(world: World, given_rows: list[dict[str, Any]], times: list[float] | None = None) -> None:
    """Rows become events of index r, newest first, numbered by n."""
    world.clear()
    stored = [
        {**row, "n": number, "_time": times[number] if times else NOW - 1 - number} for number, row in enumerate(given_rows)
    ]
    world.add_events("r", stored, shuffle=random.Random(len(given_rows)))


def ask(world: World, text: str) -> list[dict[str, Any]]:
    answer: Answer = world.answer("index=r " + text)
    assert answer.error is None and answer.bug is None, answer.error or answer.bug
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, list) else float(value)
    except ValueError:
        return None


def written(value: Any) -> str | None:
    """A scalar as text: numbers in their shortest form."""
    found = number(value)
    if found is None:
        return value
    return str(int(found)) if found.is_integer() else repr(found)


def values_of(given_rows: list[dict[str, Any]], name: str) -> list[Any]:
    """Every value of a field in order, those of multivalues one by one."""
    found: list[Any] = []
    for row in given_rows:
        value = row.get(name)
        found.extend(value if isinstance(value, list) else [] if value is None else [value])
    return found


def same(left: Any, right: Any) -> bool:
    left, right = (
        None if isinstance(value, list) and not value else value for value in (left, right)
    )  # No values are an absent value.
    if left is None or right is None:
        return left is None and right is None
    if isinstance(left, list) or isinstance(right, list):
        left = [written(v) for v in left] if isinstance(left, list) else [written(left)]
        right = [written(v) for v in right] if isinstance(right, list) else [written(right)]
        return left == right
    a, b = number(left), number(right)
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) if a is not None and b is not None else str(left) == str(right)


def assert_same(got: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name, value in wanted.items():
        assert same(got[name], value), (name, got[name], value, got)


def summary(given_rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What AGGREGATES below must give for a group, reckoned by pandas."""
    numbers = pd.Series([number(v) for v in values_of(given_rows, "x")], dtype="float64").dropna()
    texts = [written(v) for v in values_of(given_rows, "y")]
    empty = numbers.empty
    firsts = [row["x"] for row in given_rows if row["x"] is not None]
    return {
        "count": len(given_rows),
        "c": len(numbers),
        "s": None if empty else numbers.sum(),
        "a": None if empty else numbers.mean(),
        "lo": None if empty else numbers.min(),
        "hi": None if empty else numbers.max(),
        "d": len(set(texts)),
        "v": sorted(set(texts)) or None,
        "f": firsts[0] if firsts else None,
        "l": firsts[-1] if firsts else None,
        "mc": len(values_of(given_rows, "m")),
    }


AGGREGATES = (
    "count count(x) AS c sum(x) AS s avg(x) AS a min(x) AS lo max(x) AS hi dc(y) AS d values(y) AS v "
    "first(x) AS f last(x) AS l count(m) AS mc"
)


@on_rows
@given(rows)
def test_stats_of_all_rows(world: World, given_rows: list[dict[str, Any]]) -> None:
    load(world, given_rows)
    (got,) = ask(world, f"| stats {AGGREGATES}")
    assert_same(got, summary(given_rows))


@on_rows
@given(rows)
def test_stats_by_one_and_two_fields(world: World, given_rows: list[dict[str, Any]]) -> None:
    load(world, given_rows)
    for fields in (["k"], ["k", "j"]):
        got = {
            tuple(written(row[f]) for f in fields): row for row in ask(world, f"| stats {AGGREGATES} BY {' '.join(fields)}")
        }
        wanted: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for row in given_rows:
            key = tuple(written(row[f]) for f in fields)
            if None not in key:
                wanted.setdefault(key, []).append(row)
        assert set(got) == set(wanted)
        for key, members in wanted.items():
            assert_same(got[key], summary(members))


@on_rows
@given(rows)
def test_stats_by_a_multivalue(world: World, given_rows: list[dict[str, Any]]) -> None:
    load(world, given_rows)
    got = {written(row["m"]): (row["count"], row["s"]) for row in ask(world, "| stats count sum(x) AS s BY m")}
    frame = pd.DataFrame({"m": [row["m"] for row in given_rows], "x": [number(row["x"]) for row in given_rows]})
    exploded = frame.explode("m").dropna(subset=["m"])
    wanted = {key: (len(part), part["x"].sum() if part["x"].notna().any() else None) for key, part in exploded.groupby("m")}
    assert set(got) == set(wanted)
    for key, (count, total) in wanted.items():
        assert got[key][0] == count and same(got[key][1], total)


@on_rows
@given(rows)
def test_eventstats_gives_each_row_its_groups(world: World, given_rows: list[dict[str, Any]]) -> None:
    load(world, given_rows)
    got = ask(world, "| eventstats count AS c sum(x) AS s dc(y) AS d BY k | table n k c s d")
    assert [row["n"] for row in got] == list(range(len(given_rows)))
    for row, source in zip(got, given_rows, strict=True):
        members = [r for r in given_rows if written(r["k"]) == written(source["k"])]
        made = summary(members)
        absent = source["k"] is None
        wanted = {"c": made["count"], "s": made["s"], "d": made["d"]}
        assert_same(row, {name: None if absent else value for name, value in wanted.items()})


def windows(
    given_rows: list[dict[str, Any]], window: int, current: bool, grouped: bool
) -> Iterator[list[dict[str, Any]] | None]:
    for position, row in enumerate(given_rows):
        if grouped and row["k"] is None:
            yield None
            continue
        seen = given_rows[: position + current]
        if grouped:
            seen = [r for r in seen if written(r["k"]) == written(row["k"])]
        yield seen[-window:] if window else seen


@on_rows
@given(rows, st.sampled_from([0, 1, 3]), st.booleans(), st.booleans())
def test_streamstats_looks_back(
    world: World, given_rows: list[dict[str, Any]], window: int, current: bool, grouped: bool
) -> None:
    load(world, given_rows)
    options = f"window={window} current={'t' if current else 'f'} global=f"
    got = ask(
        world, f"| streamstats {options} count AS c sum(x) AS s max(x) AS hi{' BY k' if grouped else ''} | table n c s hi"
    )
    assert [row["n"] for row in got] == list(range(len(given_rows)))
    for row, seen in zip(got, windows(given_rows, window, current, grouped), strict=True):
        made = summary(seen) if seen else {"count": 0, "s": None, "hi": None}
        count = None if seen is None else made["count"]
        assert_same(row, {"c": count, "s": made["s"], "hi": made["hi"]})


@on_rows
@given(rows, st.integers(1, 3), st.booleans(), st.booleans())
def test_dedup_keeps_the_first(world: World, given_rows: list[dict[str, Any]], keep: int, empty: bool, pair: bool) -> None:
    load(world, given_rows)
    fields = ["k", "j"] if pair else ["k"]
    got = ask(world, f"| dedup {keep} {' '.join(fields)} keepempty={'t' if empty else 'f'} | table n")
    seen: dict[tuple[Any, ...], int] = {}
    wanted = []
    for position, row in enumerate(given_rows):
        key = tuple(written(row[f]) for f in fields)
        if None in key:
            if empty:
                wanted.append(position)
            continue
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= keep:
            wanted.append(position)
    assert [row["n"] for row in got] == wanted


@on_rows
@given(rows, st.sampled_from(["x", "y", "k"]), st.booleans(), st.integers(0, 5))
def test_sort_puts_numbers_before_text_and_nulls_last(
    world: World, given_rows: list[dict[str, Any]], name: str, descending: bool, keep: int
) -> None:
    load(world, given_rows)
    got = [row["n"] for row in ask(world, f"| sort {keep} {'-' if descending else '+'}{name} | table n")]

    def rank(position: int) -> tuple[Any, ...]:
        value = given_rows[position][name]
        found = number(value)
        return (0, found, "") if found is not None else (1, 0.0, str(value))

    present = [i for i, row in enumerate(given_rows) if row[name] is not None]
    # Descending keeps the order of ties: sorted() with reverse=True does so too.
    wanted = sorted(present, key=rank, reverse=descending)
    wanted += [i for i, row in enumerate(given_rows) if row[name] is None]
    assert got == (wanted[:keep] if keep else wanted)


@on_rows
@given(rows, st.data())
def test_timechart_counts_each_bucket(world: World, given_rows: list[dict[str, Any]], data: st.DataObject) -> None:
    start = NOW - NOW % 3600 - 5 * 3600
    offsets = data.draw(st.lists(st.integers(0, 4 * 3600), min_size=len(given_rows), max_size=len(given_rows), unique=True))
    times = [start + offset for offset in offsets]
    load(world, given_rows, times)
    got = ask(world, f"earliest={start:.0f} latest={start + 5 * 3600:.0f} | timechart span=1h count sum(x) AS s")
    frame = pd.DataFrame({"at": pd.to_datetime(times, unit="s", utc=True), "x": [number(row["x"]) for row in given_rows]})
    hours = pd.date_range(pd.to_datetime(start, unit="s", utc=True), periods=5, freq="h")
    parts = frame.set_index("at").resample("h")["x"]
    counts = parts.size().reindex(hours, fill_value=0)
    sums = parts.sum(min_count=1).reindex(hours)
    assert [row["_time"] for row in got] == [hour.timestamp() for hour in hours]
    for row, count, total in zip(got, counts, sums, strict=True):
        assert_same(row, {"count": int(count), "s": None if pd.isna(total) else float(total)})


@on_rows
@given(rows, st.data())
def test_timechart_by_a_field_makes_a_column_each(
    world: World, given_rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    start = NOW - NOW % 3600 - 5 * 3600
    offsets = data.draw(st.lists(st.integers(0, 4 * 3600), min_size=len(given_rows), max_size=len(given_rows), unique=True))
    load(world, given_rows, [start + offset for offset in offsets])
    got = ask(world, f"earliest={start:.0f} latest={start + 5 * 3600:.0f} | timechart span=1h count BY k")
    keys = sorted({written(row["k"]) for row in given_rows if row["k"] is not None})
    wanted_columns = {*keys, *(["NULL"] if any(row["k"] is None for row in given_rows) else [])}
    assert {name for name in got[0] if not name.startswith("_")} == wanted_columns
    for hour, row in enumerate(got):
        for name in wanted_columns:
            wanted = sum(
                1
                for source, offset in zip(given_rows, offsets, strict=True)
                if offset // 3600 == hour and (written(source["k"]) or "NULL") == name
            )
            assert row[name] == wanted, (hour, name, row)
