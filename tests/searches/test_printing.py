"""parse(print(p)) = p, over every registered command, option, eval function and aggregate, and every search of a script.

Pipelines are made from the declarations: the example of a command's reference entry with options of random legal values,
and with words of it replaced by awkward names. What is not read is no pipeline; what is read must be read from its printed
form as the same commands, and print the same again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import Field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from script import Search, parse
from test_properties import read_all
from world import World

from sightline.errors import SearchError
from sightline.search import registry
from sightline.search.syntax.arguments import declared_options

registry.load()

many = settings(
    max_examples=600, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
AWKWARD = [
    '"the name"', '"by"', '"AS"', '"over"', '"where"', '"a,b"', '"a=b"', '"a|b"', '"[x]"', '"x]"', '"(y"', '"z)"', '"say \\"hi\\""',
    '"back\\\\slash"', "größe", "日本", "x-y", "gpu.temp", "a{}.b", "a.b{0}", "_time", "x*", "*", "1", "-5", "10s", '"-"', '"+a"', '"it\'s"',
    '"a\tb"', '"<<FIELD>>"', '"$x$"', '""', '" a "', '"sortby"', '"output"', '"with"', '"t"', '"NOT"', '"and"', '"#"', '"```"', "a:b", "a/b",
    '"limit"', '"span"', '"count"', '"avg(x)"', "avg(x)", '"desc"', '"d"', '"in"', '"auto"', '"%"', '"a;b"', '"été"', "@x", '"`m`"', '"null"',
]  # fmt: skip
TEXTS = [
    "x",
    '"two words"',
    '""',
    '"a=b"',
    '"a,b"',
    '"a|b"',
    '"[x]"',
    '"say \\"hi\\""',
    '"c:\\\\d"',
    "10",
    "-1d",
    "*",
    '"$a$"',
    '"by"',
    '" "',
]
NUMBERS = {int: ["0", "1", "2", "7", "100", "-1"], float: ["0", "0.5", "1", "2.25", "1e-7", "100", "1e20"]}
BY_COMMAND = sorted({entry.name for entry in registry.COMMANDS.values()})
FEWEST_READ = 0.25
"""The share of the changed texts of a command that must be pipelines, so that the test cannot fall silent."""


def example(name: str) -> tuple[str, str, str]:
    """The example of a command as what stands before it, its arguments, and what follows."""
    text = str(registry.COMMANDS[name].describe()["example"])
    found = re.match(rf"(.*?\|\s*){name}\b(.*)\Z", text if "|" in text else "| " + text, re.S)
    if found is None:
        # Only the example of `search` begins with the command and without its name.
        return "", "", text
    return found[1], name, found[2]


def legal_values(f: Field) -> list[str]:
    kind, minimum, choices = f.metadata["type"], f.metadata["minimum"], f.metadata["choices"]
    if choices:
        return [*choices, choices[0].upper()]
    if kind is bool:
        return ["t", "false", "1", "no"]
    if kind in NUMBERS:
        return [n for n in NUMBERS[kind] if minimum is None or float(n) >= minimum] or [f"{minimum:g}"]
    return TEXTS


def check_printing(world: World, text: str) -> bool:
    """Whether the text is read; then it must survive printing."""
    try:
        first = read_all(world.engine.read(text)[1])
    except SearchError:
        return False
    printed = world.engine.print(text)
    try:
        again = read_all(world.engine.read(printed)[1])
    except SearchError as error:
        pytest.fail(f"printed, it is refused: {error}\n{text}\n{printed}")
    assert again == first, f"{text}\n{printed}"
    assert world.engine.print(printed) == printed, text
    return True


@pytest.mark.parametrize("name", BY_COMMAND)
def test_every_option_with_legal_values(world: World, name: str) -> None:
    before, command, after = example(name)
    source = random.Random(name)
    declared = list(declared_options(registry.COMMANDS[name].command).items())
    assert check_printing(world, before + command + after), "the example is a search"
    if not command:
        return
    silent = []
    for option, f in declared:
        # An option that the example has would be given twice.
        plain = re.sub(rf'\s{re.escape(option)}\s*=\s*("(?:[^"\\]|\\.)*"|[^\s|]+)', " ", after)
        read = 0
        for value in legal_values(f):
            read += check_printing(world, f"{before}{command} {option}={value} {plain}")
        silent += [] if read else [option]
    assert set(silent) <= KNOWN_WITHOUT.get(name, set()), silent
    for _ in range(25):
        several = source.sample(declared, min(len(declared), 3))
        options = " ".join(f"{option}={source.choice(legal_values(f))}" for option, f in several)
        check_printing(world, f"{before}{command} {options} {after}")


KNOWN_WITHOUT: dict[str, set[str]] = {
    "anomalydetection": {"minsupcount", "minsupfreq", "maxanofreq", "minnormfreq", "param", "uselower", "mark"},
    "collect": {"summaryindex"},
    "diff": {"pos1", "pos2"},
    "rex": {"mode"},
    "sendalert": {"results_link", "results_path"},
}
"""Options that do not go with the example of their command."""

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_][\w.]*')


def renamed(text: str, source: random.Random) -> str:
    """The text with one or two of its words replaced by awkward ones."""
    for _ in range(source.randint(1, 2)):
        words = list(_WORD.finditer(text))
        if words:
            word = source.choice(words)
            text = text[: word.start()] + source.choice(AWKWARD) + text[word.end() :]
    return text


@pytest.mark.parametrize("name", BY_COMMAND)
def test_awkward_names_in_the_example(world: World, name: str) -> None:
    before, command, after = example(name)
    source = random.Random(name)
    for _ in range(40):
        check_printing(world, before + command + renamed(after, source))


def script_searches() -> Iterator[str]:
    for path in sorted(Path(__file__).parent.glob("*.test")):
        for step in parse(path.read_text(), path.name):
            if isinstance(step, Search):
                yield step.text


def test_every_search_of_every_script(world: World) -> None:
    world.clear()
    texts = list(script_searches())
    read = sum(check_printing(world, text) for text in texts)
    # The rest are refused on purpose, or call macros that only their script has.
    assert read > len(texts) * 0.8, (read, len(texts))


def test_searches_of_scripts_with_awkward_names(world: World) -> None:
    texts = list(script_searches())
    read = 0
    for text in texts:
        # Drawn for each text on its own: a script that is added changes nothing for the others.
        source = random.Random(text)
        head, bar, rest = text.partition("|")
        read += check_printing(world, head + bar + renamed(rest, source) if bar else renamed(head, source))
    assert read > len(texts) * FEWEST_READ, read


# ---- aggregates and expressions -------------------------------------------------------------------------------------

awkward = st.sampled_from(AWKWARD)
plain = st.sampled_from(["a", "b", "x_1", "_time"])
eval_names = st.sampled_from(
    ["a", "b", "'the name'", "'gpu.temp'", "'it''s'", "'a|b'", "'größe'", "'and'", "'1'", "größe", "a.b"]
)
literals = st.sampled_from(
    [
        "0",
        "1",
        "2.5",
        ".5",
        "1e3",
        "1E-7",
        "0x1F",
        '"x"',
        '""',
        '"a b"',
        '"say \\"hi\\""',
        '"c:\\\\d"',
        '"\\d+"',
        '"a | b"',
        '"[x]"',
        '"$x$"',
    ]
)
FUNCTIONS = sorted((name, entry.minimum, entry.maximum) for name, entry in registry.FUNCTIONS.items())


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.sampled_from(
        ["+", "-", "*", "/", "%", ".", "=", "==", "!=", "<", "<=", ">", ">=", "AND", "or", "XOR", "LIKE"]
    )

    def called(function: tuple[str, int, int | None]) -> st.SearchStrategy[str]:
        name, least, most = function
        arguments = st.lists(inner, min_size=least, max_size=min(most if most is not None else least + 2, least + 2))
        return arguments.map(lambda given: f"{name}({', '.join(given)})")

    return st.one_of(
        st.builds("{} {} {}".format, inner, binary, inner),
        st.builds("({} {} {})".format, inner, binary, inner),
        st.builds("({} {} {}) {} {}".format, inner, binary, inner, binary, inner),
        st.builds("NOT {}".format, inner),
        st.builds("-{}".format, inner),
        st.builds("- (-{})".format, inner),
        st.builds("{} IN ({}, {})".format, inner, inner, inner),
        st.builds("{} NOT IN ({})".format, inner, inner),
        st.sampled_from(FUNCTIONS).flatmap(called),
    )


expressions = st.recursive(st.one_of(eval_names, literals), grown, max_leaves=7)
_PARAMETERISED = {name for name, entry in registry.AGGREGATES.items() if entry.parameterised}
aggregates = st.one_of(
    st.builds(
        lambda name, number, inner, called: f"{name}{number if name in _PARAMETERISED else ''}({inner}){called}",
        st.sampled_from(sorted(registry.AGGREGATES)),
        st.sampled_from(["5", "95", "99.9", "0", "100"]),
        st.one_of(awkward, plain, expressions.map("eval({})".format)),
        st.one_of(st.just(""), awkward.map(" AS {}".format), awkward.map(" as {}".format)),
    ),
    st.sampled_from(["count", "c", "count()", "sparkline", "sparkline(count, 1h)", 'sparkline(avg("a b"), 5m) AS "s t"']),
)
lists = st.lists(awkward, min_size=1, max_size=2)
groups = st.one_of(st.just(""), lists.map(lambda names: " BY " + ", ".join(names)))
several = st.lists(aggregates, min_size=1, max_size=3).map(", ".join)


@many
@given(expressions, eval_names, awkward)
def test_expressions_of_every_function(world: World, expression: str, name: str, target: str) -> None:
    for text in (f"eval {target}={expression}", f"where {expression}", f"stats count(eval({expression})) AS {target}"):
        check_printing(world, f"index=t | {text}")


@many
@given(several, groups, awkward, st.sampled_from(["stats", "eventstats", "streamstats window=3", "sistats"]))
def test_aggregates_of_every_function(world: World, calls: str, by: str, split: str, command: str) -> None:
    check_printing(world, f"index=t | {command} {calls}{by}")
    check_printing(world, f"index=t | timechart span=1h {calls} BY {split}")
    check_printing(world, f"index=t | chart {calls} OVER {split}{by}")
    check_printing(world, f"| tstats {calls} WHERE index=t{by}")


def test_each_function_and_aggregate_is_read(world: World) -> None:
    for name, least, _ in FUNCTIONS:
        arguments = (
            ", ".join(["a", '"x"', "1", '"y"'][:least]) if name != "lookup" else '"l", json_object("a", a), json_array("b")'
        )
        assert check_printing(world, f"index=t | eval z={name}({arguments})"), name
    for name, entry in registry.AGGREGATES.items():
        assert check_printing(world, f"index=t | stats {name}{'95' if entry.parameterised else ''}(a) AS z BY b"), name
