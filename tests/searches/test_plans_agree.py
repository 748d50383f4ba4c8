"""How a search is planned never changes its answer: not the planner's rules, nor where rows are forced into memory.

Random pipelines over random tables are run as they are, without rules, and cut after each of their stages alone: the rows
so far are then held in memory, and what follows is planned over them.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tables import base, store_tables
from test_properties import same
from world import NOW, World, python_rows

from sightline.errors import UserError
from sightline.search.engine import drop_absent_fields, lower_pipeline
from sightline.search.planner.presentation import split_shown, with_shown_texts

TABLES = 8
some = settings(
    max_examples=90, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

fields = st.sampled_from(["k", "j", "x", "y", "m", "v", "b", "ip", "w", "n", "_time", "absent"])
keys = st.sampled_from(["k", "j", "m", "b", "w", "absent", "k j", "m b", "x"])
flags = st.sampled_from(["t", "f"])
conditions = st.sampled_from(
    ["x>0", "x>=1 AND k!=\"a\"", "isnull(x)", "y=\"x\"", "like(k, \"%a%\")", "b", "NOT b", "m=\"r\"", "n%2=0", "x<y", "k=7",
     "mvcount(m)>1", "x IN (1, 2)", "isnotnull(absent)", "coalesce(x, 0)>0", "match(w, \"^x\")", "cidrmatch(\"10.0.0.0/8\", ip)"]
)  # fmt: skip
expressions = st.sampled_from(
    ["x+1", "x.k", "if(x>1, \"hi\", x)", "coalesce(x, k)", "mvcount(m)", "mvjoin(m, \",\")", "mvappend(m, k)", "split(w, \" \")", "null()",
     "x*1.5", "round(x)", "case(k=\"a\", 1, b, 2)", "tonumber(y)", "len(y)", "upper(w)", "x/0", "n", "true()==b", "mvindex(v, 0)", "min(x, n)",
     "strftime(_time, \"%H\")", "7", "\"text\"", "isnum(y)", "tostring(b)"]
)  # fmt: skip
aggregates = st.sampled_from(
    ["count", "count(x) AS c", "sum(x) AS s", "avg(v) AS a", "min(y) AS lo", "max(y) AS hi", "dc(m) AS d", "values(m) AS vs", "list(y) AS l",
     "first(y) AS f", "last(m) AS la", "earliest(k) AS e", "latest(x) AS le", "perc90(x) AS p", "median(v) AS md", "stdev(x) AS sd",
     "range(x) AS r", "count(eval(x>0)) AS ce", "mode(j) AS mo", "sum(absent) AS sa", "values(b) AS vb"]
)  # fmt: skip
calls = st.lists(aggregates, min_size=1, max_size=3, unique=True).map(" ".join)
by = st.one_of(st.just(""), keys.map(" BY {}".format))
stages = st.one_of(
    st.builds("where {}".format, conditions),
    st.builds("search {}".format, st.sampled_from(["x>0", "k=a", "k=*", "NOT k=a", "m=r", "y=*e*", "b=true", "x=1 OR j=p", "absent=*", "k IN (a, 7)"])),
    st.builds("eval {}={}".format, st.sampled_from(["x", "z", "m", "k", "_time"]), expressions),
    st.builds("eval z={}, k=z".format, expressions),
    st.builds("fields {}{} {}".format, st.sampled_from(["", "- "]), fields, fields),
    st.builds("table n {} {}".format, fields, st.sampled_from(["x*", "k", "absent"])),
    st.builds("rename {} AS {}".format, st.sampled_from(["k", "x", "m", "n"]), st.sampled_from(["q", "j", "z"])),
    st.builds("sort {} {}{}{}".format, st.sampled_from([0, 3]), st.sampled_from(["", "- ", "+ "]), fields, st.sampled_from(["", " -n", " k"])),
    st.builds("head {}".format, st.integers(0, 8)),
    st.builds("head ({})".format, conditions),
    st.builds("tail {}".format, st.integers(0, 8)),
    st.just("reverse"),
    st.builds("dedup {} {} keepempty={} consecutive={}".format, st.integers(1, 2), keys, flags, flags),
    st.builds("dedup {} keepevents={} sortby -x n".format, keys, flags),
    st.builds("stats {}{}".format, calls, by),
    st.builds("eventstats {}{}".format, calls, by),
    st.builds("streamstats window={} current={} global={} {}{}".format, st.sampled_from([0, 2]), flags, flags, calls, by),
    st.builds("streamstats reset_on_change=t count AS run sum(x) AS s BY {}".format, keys),
    st.builds("timechart span=1h {}{}".format, aggregates, st.sampled_from(["", " BY k", " BY m", " BY b"])),
    st.builds("chart {} OVER {} BY {}".format, aggregates, st.sampled_from(["k", "j", "m"]), st.sampled_from(["b", "w", "x"])),
    st.builds("{} {} {}".format, st.sampled_from(["top", "rare"]), st.sampled_from(["limit=2", "showperc=f", ""]), st.sampled_from(["k", "m", "j b", "x BY j"])),
    st.builds("fillnull {}{}".format, st.sampled_from(["", "value=none "]), st.sampled_from(["x", "k m", "absent", ""])),
    st.builds("filldown {}".format, st.sampled_from(["x", "k j", ""])),
    st.builds("mvexpand {}{}".format, st.sampled_from(["m", "v", "k", "absent"]), st.sampled_from(["", " limit=1"])),
    st.builds("bin {} span={}".format, st.sampled_from(["x", "n"]), st.sampled_from([2, 5])),
    st.builds("bin _time span={}".format, st.sampled_from(["1h", "30m"])),
    st.builds("accum {} AS acc".format, fields), st.builds("delta n AS del p={}".format, st.integers(1, 2)),
    st.builds("append [ search {} | head 2 | table n k x ]".format, st.just(base(3))),
    st.builds("join type={} {} [ search {} | dedup k | table k x w ]".format, st.sampled_from(["left", "inner"]), st.sampled_from(["k", "j"]), st.just(base(4))),
    st.builds("appendpipe [ stats count sum(x) AS x BY {} ]".format, st.sampled_from(["k", "j"])),
    st.sampled_from(["uniq", "nomv m", "makemv delim=\" \" w", "addtotals x n", "untable n k x", "transpose 3", "rex field=w \"(?<q>.)\"", "replace a WITH z IN k"]),
)  # fmt: skip
pipelines = st.lists(stages, min_size=2, max_size=5)


@pytest.fixture(scope="module", autouse=True)
def stored(world: World) -> None:
    store_tables(world, TABLES)


Answered = tuple[list[str], list[list[Any]]] | str


def answer(world: World, text: str, *, rules: bool = True, cut_after: int | None = None) -> Answered:
    """Columns and rows; of a refused search what is said of it."""
    context = world.engine.context(now=NOW, rules=rules)
    try:
        _, pipeline = world.engine.read(text)
        if cut_after is None:
            relation = lower_pipeline(pipeline, context)
        else:
            first = lower_pipeline(dataclasses.replace(pipeline, stages=pipeline.stages[:cut_after]), context)
            held = context.relation_of(context.table_of(first), kind=first.kind)
            held = dataclasses.replace(held, unlisted=first.unlisted, presentation=first.presentation)
            relation = lower_pipeline(dataclasses.replace(pipeline, stages=pipeline.stages[cut_after:]), context, held)
        table, _ = split_shown(context.table_of(with_shown_texts(relation, context)))
    except UserError as error:
        return str(error)
    table = drop_absent_fields(table, relation.kind)
    return table.column_names, python_rows(table)


def difference(left: Answered, right: Answered) -> str:
    if isinstance(left, str) or isinstance(right, str):
        return "" if left == right else f"{left}\n{right}"
    (names, rows), (others, more) = left, right
    # Fields that no event of the table has may be known to one plan only.
    if sorted(names) != sorted(others):
        return f"columns {names} and {others}"
    if len(rows) != len(more):
        return f"{len(rows)} and {len(more)} rows"
    for place, (row, other) in enumerate(zip(rows, more, strict=True)):
        found = dict(zip(others, other, strict=True))
        for name, value in zip(names, row, strict=True):
            if not same(value, found[name]):
                return f"row {place}: {name} is {value!r} and {found[name]!r}"
    return ""


@some
@given(st.integers(0, TABLES - 1), pipelines)
def test_rules_and_cuts_change_no_answer(world: World, table: int, given_stages: list[str]) -> None:
    text = " | ".join([base(table), *given_stages])
    plain = answer(world, text)
    found = difference(plain, answer(world, text, rules=False))
    assert not found, f"without rules: {found}\n{text}"
    for position in range(1, len(given_stages) + 1):
        found = difference(plain, answer(world, text, cut_after=position))
        assert not found, f"cut after stage {position}: {found}\n{text}"


def test_a_difference_is_noticed() -> None:
    rows: Answered = (["a", "b"], [[1, None], ["x", ["p"]]])
    assert not difference(rows, (["b", "a"], [[[], "1"], ["p", "x"]]))
    assert difference(rows, (["a", "b"], [[1, 0], ["x", ["p"]]]))
    assert difference(rows, (["a", "b"], [["x", ["p"]], [1, None]]))
    assert difference(rows, (["a"], [[1], ["x"]])) and difference(rows, "refused")
