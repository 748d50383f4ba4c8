"""Lookups by wildcard, by network and by time against their definitions, tried row by row in Python."""

from __future__ import annotations

import ipaddress
import re

import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from world import NOW, World

on_rows = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.generate),
)
words = st.text("aAb%_\\1.", max_size=4)
patterns = st.lists(st.one_of(words, st.just("*")), max_size=4).map("".join)


def answers(world: World, text: str) -> list[list[str]]:
    """`out` of each row as a list, in the order of `n`."""
    answer = world.answer(text)
    assert answer.error is None and answer.bug is None, (answer.error, answer.bug)
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    found = []
    for row in sorted(rows, key=lambda row: row["n"]):
        value = row.get("out")
        found.append([] if value is None else value if isinstance(value, list) else [value])
    return found


def prepare(world: World, transforms: str, events: dict[str, list], lookup: dict[str, list]) -> None:
    world.clear()
    world.knowledge.configure("transforms", transforms)
    world.knowledge.tables["table.csv"] = pa.table(lookup)
    rows = pa.table(events).to_pylist()
    world.add_events("t", [{"_time": NOW - 1000 + i, "n": i} | row for i, row in enumerate(rows)])


@on_rows
@given(st.lists(words, min_size=1, max_size=8), st.lists(patterns, min_size=1, max_size=8), st.booleans(), st.integers(1, 3))
def test_a_star_stands_for_any_text(world: World, given_texts, given_patterns, sensitive, limit) -> None:
    settings = (
        f"[t]\nfilename = table.csv\nmatch_type = WILDCARD(p)\nmax_matches = {limit}\ncase_sensitive_match = {sensitive}\n"
    )
    lookup = {"p": given_patterns, "out": [f"r{i}" for i in range(len(given_patterns))]}
    prepare(world, settings, {"p": given_texts}, lookup)

    def matches(pattern: str, text: str) -> bool:
        flags = re.S if sensitive else re.S | re.I
        return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, flags) is not None

    # An empty text is a value for a lookup's cell of stars, and no value for an empty cell.
    wanted = [
        [f"r{i}" for i, pattern in enumerate(given_patterns) if pattern and matches(pattern, text)][:limit]
        for text in given_texts
    ]
    found = answers(world, "index=t | lookup t p OUTPUT out | table n out")
    for text, was, should in zip(given_texts, found, wanted, strict=True):
        assert was == should or text == "", (text, given_patterns)


addresses = st.one_of(
    st.integers(0, 3).flatmap(lambda a: st.integers(0, 255).map(lambda b: f"10.{a}.{b % 4}.{b}")),
    st.integers(0, 40).map(lambda a: f"2001:db8::{a:x}"),
    st.sampled_from(["", "x", "10.0.0", "300.1.1.1", "::ffff:10.0.0.1"]),
)
networks = st.one_of(
    st.tuples(addresses, st.integers(0, 32)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.integers(100, 128).map(lambda bits: f"2001:db8::/{bits}"),
    addresses,
)


@on_rows
@given(st.lists(addresses, min_size=1, max_size=8), st.lists(networks, min_size=1, max_size=8))
def test_an_address_lies_in_its_networks(world: World, given_addresses, given_networks) -> None:
    lookup = {"net": given_networks, "out": [f"r{i}" for i in range(len(given_networks))]}
    prepare(world, "[t]\nfilename = table.csv\nmatch_type = CIDR(net)\n", {"ip": given_addresses}, lookup)

    def inside(address: str, network: str) -> bool:
        try:
            return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
        except ValueError:
            return False

    wanted = [[f"r{i}" for i, network in enumerate(given_networks) if inside(a, network)] for a in given_addresses]
    found = answers(world, "index=t | lookup t net AS ip OUTPUT out | table n out")
    assert found == wanted, (given_addresses, given_networks)


@on_rows
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60)), min_size=1, max_size=8),
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60)), min_size=1, max_size=8),
    st.integers(1, 3),
    st.integers(0, 20),
    st.integers(0, 60),
)
def test_the_latest_row_before_the_event_counts(world: World, events, table, limit, nearest, furthest) -> None:
    settings = (
        f"[t]\nfilename = table.csv\ntime_field = at\ntime_format = %s\nmax_matches = {limit}\n"
        f"min_offset_secs = {nearest}\nmax_offset_secs = {furthest}\n"
    )
    lookup = {"k": [k for k, _ in table], "at": [str(at) for _, at in table], "out": [f"r{i}" for i in range(len(table))]}
    prepare(world, settings, {"k": [k for k, _ in events], "_time": [float(at) for _, at in events]}, lookup)
    wanted = []
    for key, at in events:
        fits = [(t, i) for i, (k, t) in enumerate(table) if k == key and nearest <= at - t <= furthest]
        wanted.append([f"r{i}" for _, i in sorted(fits, reverse=True)][:limit])
    assert answers(world, "index=t | lookup t k OUTPUT out | table n out") == wanted
