"""Formats that differ by row give what the same format gives when it is written in the search."""

from __future__ import annotations

import random
from datetime import UTC
from typing import Any

import pyarrow as pa
import pytest
from test_functions_time import READ, TIMES, WRITTEN, ZONES

FORMS = [form for form, _ in WRITTEN] + ["%_m %_H", "%^B", "%-j %-S", "%v"]
FAR = [-62_135_596_800.0, 253_402_300_800.0, 1e12, -1e11]
"""Times at the ends of Python's calendar, and beyond them."""


def escaped(form: str) -> str:
    return form.replace("\\", "\\\\").replace('"', '\\"')


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_times_are_written_alike(calculate, zone):
    times = [*TIMES, *FAR, None]
    # What a zone is called so far off nobody knows.
    forms = [form for form in FORMS if zone is UTC or not ({"Z", "+", "E"} & set(form))]
    rows = pa.table({"t": times * len(forms), "form": [form for form in forms for _ in times]})
    found = calculate.values("strftime(t, form)", rows, zone=zone)
    for n, form in enumerate(forms):
        wanted = calculate.values(f'strftime(t, "{escaped(form)}")', pa.table({"t": times}), zone=zone)
        assert found[n * len(times) : (n + 1) * len(times)] == wanted, form


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_times_are_read_alike(calculate, zone):
    texts = [text for text, _, _ in READ]
    forms = sorted({form for _, form, _ in READ})
    rows = pa.table({"t": texts * len(forms), "form": [form for form in forms for _ in texts]})
    found = calculate.values("strptime(t, form)", rows, zone=zone)
    for n, form in enumerate(forms):
        wanted = calculate.values(f'strptime(t, "{form}")', pa.table({"t": texts}), zone=zone)
        different = [
            (text, is_, was)
            for text, is_, was in zip(texts, found[n * len(texts) :], wanted, strict=False)
            if is_ != was and not (is_ is not None and was is not None and abs(is_ - was) < 1e-6)
        ]
        assert not different, form


PRINTF = [
    "%d", "%5d|", "%-5d|", "%05d", "%+d", "% d", "%i", "%u", "%x", "%X", "%o", "%f", "%.2f", "%8.3f|", "%e", "%E", "%g", "%G",
    "%s", "%8s|", "%-8s|", "%.2s", "%c", "%'d", "%'.2f", "%%%d", "no value: %s", "%5.1f%%", "%-8.1f|",
]  # fmt: skip


def test_texts_are_made_alike(calculate):
    values: list[Any] = ["0", "7", "-12", "3.75", "1234567.891", "nonsense", "", None, "255"]
    rows = pa.table({"x": values * len(PRINTF), "form": [form for form in PRINTF for _ in values]})
    found = calculate.values("printf(form, x)", rows)
    for n, form in enumerate(PRINTF):
        wanted = calculate.values(f'printf("{form}", x)', pa.table({"x": values}))
        assert found[n * len(values) : (n + 1) * len(values)] == wanted, form


def test_a_format_that_does_not_fit_its_values_gives_nothing(calculate):
    rows = pa.table({"form": ["%d %d", "none", "%y", "%*d", "%2000d", "%", "%d"], "x": [5] * 7})
    assert calculate.values("printf(form, x)", rows) == [None, None, None, None, None, None, "5"]
    widths = pa.table({"form": ["%*d|", "%-*d|"], "x": [5, 5], "w": [3, 3]})
    assert calculate.values("printf(form, w, x)", widths) == ["  5|", "5  |"]


def test_numbers_are_rounded_alike(calculate):
    draw = random.Random(5)
    numbers = [draw.uniform(-10_000, 10_000) for _ in range(100)] + [1.005, 2.5, -2.5, 0.0, 1e15]
    places = range(-4, 9)
    rows = pa.table({"x": numbers * len(places), "p": [p for p in places for _ in numbers]})
    found = calculate.values("round(x, p)", rows)
    for n, count in enumerate(places):
        wanted = calculate.values(f"round(x, {count})", pa.table({"x": numbers}))
        assert found[n * len(numbers) : (n + 1) * len(numbers)] == pytest.approx(wanted, rel=1e-12), count
    assert calculate.values("round(x, p)", pa.table({"x": [1.5, 1.5, None], "p": [None, 301, 1]})) == [None, None, None]


def test_texts_are_trimmed_alike(calculate):
    draw = random.Random(6)
    texts = ["".join(draw.choices("ab é[]-\\", k=draw.randint(0, 8))) for _ in range(200)]
    sets = ["a", "ab", "é", "[]", "a-b", "\\", " ", ""]
    for name in ("trim", "ltrim", "rtrim"):
        rows = pa.table({"t": texts * len(sets), "c": [c for c in sets for _ in texts]})
        found = calculate.values(f"{name}(t, c)", rows)
        python = {"trim": str.strip, "ltrim": str.lstrip, "rtrim": str.rstrip}[name]
        assert found == [python(t, c) if c else t for c in sets for t in texts]
