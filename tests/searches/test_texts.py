"""Commands that take texts apart, against the same thing written in plain Python, on random texts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import World

quick = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def ask(world: World, texts: list[str | None], pipeline: str) -> list[dict[str, Any]]:
    """What a pipeline makes of rows that have a number and a text."""
    world.knowledge.tables["texts"] = pa.table({"n": list(range(len(texts))), "text": pa.array(texts, pa.string())})
    answer = world.answer(f"| inputlookup texts | {pipeline}")
    assert answer.error is None and answer.bug is None, answer.error or answer.bug
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def same(left: Any, right: Any) -> bool:
    """Whether two texts or numbers are one value."""
    if left is None or right is None:
        return left is None and right is None
    try:
        return math.isclose(float(left), float(right), rel_tol=1e-12, abs_tol=1e-12)
    except ValueError:
        return str(left) == str(right)


# ---- spath ----------------------------------------------------------------------------------------------------------

keys = st.sampled_from(["a", "b", "c", "a.b", "x y", "é", 'say "x"', "tick`", "back\\slash", "1", "", "{", "%"])
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(-1e9, 1e9, allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    st.sampled_from(["{", "[1]", "null", '"', "\\", "}, "]),
)  # fmt: skip
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
texts = st.lists(
    st.one_of(
        st.builds(lambda value, ascii: json.dumps(value, ensure_ascii=ascii), documents, st.booleans()),
        st.builds(lambda value: json.dumps(value, indent=1), documents),
        st.sampled_from([None, "", "no json", "[", '{"a": 1', "<"]),
    ),
    min_size=1,
    max_size=4,
)


def leaves(node: Any, name: str = "", path: tuple[Any, ...] = ()) -> Iterator[tuple[str, tuple[Any, ...], str]]:
    """Name, place and text of every value of a document."""
    if isinstance(node, dict):
        for key, value in sorted(node.items()):
            yield from leaves(value, f"{name}.{key}" if name else key, (*path, key))
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, name + "{}", (*path, None))
    elif node is not None and name:
        yield name, path, node if isinstance(node, str) else json.dumps(node)


def fields_of(text: str | None) -> dict[str, list[str]]:
    """Fields that spath makes of a text: of two places with one name, the first that holds something."""
    try:
        document = json.loads(text or "")
    except ValueError:
        return {}
    if not isinstance(document, dict | list):
        return {}
    found: dict[str, dict[tuple[Any, ...], list[str]]] = {}
    for name, path, value in leaves(document):
        found.setdefault(name, {}).setdefault(path, []).append(value)
    order = lambda path: tuple("" if step is None else step for step in path)  # noqa: E731
    return {name: places[min(places, key=order)] for name, places in found.items()}


@quick
@given(texts)
def test_spath_finds_every_value(world: World, given_texts: list[str | None]) -> None:
    rows = ask(world, given_texts, "spath input=text")
    assert len(rows) == len(given_texts)
    for row in rows:
        wanted = fields_of(given_texts[row.pop("n")])
        row.pop("text")
        got = {name: value if isinstance(value, list) else [value] for name, value in row.items() if value not in (None, [])}
        wanted.pop("n", None)
        wanted.pop("text", None)
        assert set(got) == set(wanted)
        for name, values in wanted.items():
            assert len(got[name]) == len(values), (name, got[name], values)
            assert all(same(a, b) for a, b in zip(got[name], values, strict=True)), (name, got[name], values)


@quick
@given(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), documents, max_size=3),
    st.sampled_from(["a.b", "a{}", "b{}.a", "a{0}"]),
)
def test_spath_follows_a_path(world: World, document: dict[str, Any], path: str) -> None:
    found: list[Any] = [document]
    for step in re.findall(r"\{\d*\}|[^.{}]+", path):
        if step == "{}":
            found = [item for node in found if isinstance(node, list) for item in node]
        elif step.startswith("{"):
            place = int(step.strip("{}"))
            found = [node[place] for node in found if isinstance(node, list) and place < len(node)]
        else:
            found = [node[step] for node in found if isinstance(node, dict) and step in node]
    wanted = [node for node in found if node is not None]
    (row,) = ask(world, [json.dumps(document)], f'spath input=text path="{path}" output=x | eval x=if(isnull(x), null(), x)')
    got = row.get("x")
    got = got if isinstance(got, list) else [] if got is None else [got]
    assert len(got) == len(wanted)
    for value, node in zip(got, wanted, strict=True):
        if isinstance(node, dict | list):
            assert json.loads(value) == node
        else:
            assert same(value, node if isinstance(node, str) else json.dumps(node))


# ---- convert --------------------------------------------------------------------------------------------------------

numbers = st.one_of(st.integers(0, 99_999).map(str), st.floats(0, 1e6).map(lambda x: f"{x:.3f}"))
signs = st.sampled_from(["", "-", "+"])
durations = st.builds(
    lambda sign, days, h, m, s: f"{sign}{days}{h:02d}:{m:02d}:{s}", signs,
    st.one_of(st.just(""), st.integers(0, 400).map(lambda d: f"{d}+")), st.integers(0, 99), st.integers(0, 59),
    st.one_of(st.integers(0, 59).map(str), st.floats(0, 59.9).map(lambda x: f"{x:.2f}")),
)  # fmt: skip
amounts = st.one_of(
    numbers, durations,
    st.builds("{}{}:{}".format, signs, st.integers(0, 99), numbers),
    st.builds("{}{}{}".format, signs, numbers, st.sampled_from(["k", "M", "g", " kb", "KiB", "x"])),
    st.builds("{:,}".format, st.integers(0, 10**9)),
    st.builds("{}{}".format, numbers, st.sampled_from([" sec", "%", "ms", " apples 3"])),
    st.sampled_from(["", " ", "none", "1:2:3:4", "10.0.0.1", "-", "+5", "1e3", "nan", "inf", ".5", "5."]),
)  # fmt: skip


def seconds_of(text: str) -> float | None:
    match = re.fullmatch(r"\s*([-+]?)(?:(\d+)\+)?(\d+):(\d+):(\d+(?:\.\d*)?|\.\d+)\s*", text)
    if match is None:
        return plain(text)
    days, hours, minutes = (int(part or 0) for part in match.group(2, 3, 4))
    size = days * 86400 + hours * 3600 + minutes * 60 + float(match[5])
    return -size if match[1] == "-" else size


def minutes_of(text: str) -> float | None:
    match = re.fullmatch(r"\s*([-+]?)(?:(\d+):)?(\d+(?:\.\d*)?|\.\d+)\s*", text)
    if match is None:
        return None
    size = int(match[2] or 0) * 60 + float(match[3])
    return -size if match[1] == "-" else size


def kilobytes_of(text: str) -> float | None:
    match = re.fullmatch(r"\s*([-+]?)(\d+(?:\.\d*)?|\.\d+)\s*([kmg]?)(?:i?b)?\s*", text, re.I)
    if match is None:
        return None
    size = float(match[2]) * {"": 1, "k": 1, "m": 1024, "g": 1024**2}[match[3].lower()]
    return -size if match[1] == "-" else size


def plain(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text) else None


def any_number(text: str) -> float | None:
    ways = (plain, lambda x: plain(x.replace(",", "")), seconds_of, minutes_of, kilobytes_of)
    return next((found for way in ways if (found := way(text)) is not None), None)


@quick
@given(st.lists(amounts, min_size=1, max_size=8))
def test_convert_reads_numbers(world: World, given_texts: list[str]) -> None:
    calls = "dur2sec(text) AS s mstime(text) AS m memk(text) AS k num(text) AS x rmcomma(text) AS c"
    for row in ask(world, given_texts, f"convert {calls}"):
        text = given_texts[row["n"]]
        wanted = {"s": seconds_of(text), "m": minutes_of(text), "k": kilobytes_of(text), "x": any_number(text)}
        for name, value in wanted.items():
            assert same(row[name], value), (text, name, row[name], value)
        assert row["c"] == text.replace(",", "")


@quick
@given(st.lists(amounts, min_size=1, max_size=4))
def test_convert_auto_takes_the_first_way_that_fits_all(world: World, given_texts: list[str]) -> None:
    ways = (plain, lambda x: plain(x.replace(",", "")), seconds_of, minutes_of, kilobytes_of)
    fitting = [way for way in ways if all(way(text) is not None for text in given_texts)]
    for row in ask(world, given_texts, "convert auto(text)"):
        text = given_texts[row["n"]]
        assert same(row["text"], fitting[0](text)) if fitting else row["text"] == text


# ---- kvform ---------------------------------------------------------------------------------------------------------


def test_kvform_reads_events_by_their_forms(world: World) -> None:
    world.clear()
    (world.data / "forms").mkdir(exist_ok=True)
    (world.data / "forms" / "student.form").write_text("Students Name: [[string:name]]\nAge: [[int:age]] Zip: [[int:zip]]\n")
    filled = "Students Name: Max Mustermann \nAge:  12   Zip: 53111"
    rows = [
        {"n": 1, "sourcetype": "student", "_raw": filled, "_time": 3.0},
        {"n": 2, "sourcetype": "other", "_raw": filled, "_time": 2.0},
        {"n": 3, "sourcetype": "student", "_raw": "Age: x", "_time": 1.0},
    ]
    world.add_events("f", rows)

    def answered(text: str) -> list[list[Any]]:
        answer = world.answer(text)
        assert answer.error is None and answer.bug is None, answer.error or answer.bug
        return [list(row) for row in answer.rows]

    read = ["Max Mustermann", "12", "53111"]
    nothing = [None, None, None]
    found = answered("index=f | kvform | sort n | table n name age zip")
    assert found == [[1, *read], [2, *nothing], [3, *nothing]]
    found = answered("index=f | kvform form=student | sort n | table n name age zip")
    assert found == [[1, *read], [2, *read], [3, *nothing]]
    found = answered('index=f | eval kind="student" | kvform field=kind | sort n | table n name age zip')
    assert found == [[1, *read], [2, *read], [3, *nothing]]
    answer = world.answer("index=f | kvform form=nosuch")
    assert answer.error is not None and 'there is no form "nosuch"' in answer.error
