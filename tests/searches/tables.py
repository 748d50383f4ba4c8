"""Random tables for properties of searches: absent values, digits as text, several values, truth values, ties.

They are stored once as indexes r0, r1, and so on, newest row first, each row numbered by `n`; every field occurs in each.
"""

from __future__ import annotations

import random
from typing import Any

from world import NOW, World

Row = dict[str, Any]
START = NOW - NOW % 3600 - 6 * 3600
"""The rows of a table lie in the six hours from here on."""
HOURS = 6
SIZES = (0, 1, 2, 5, 9, 14, 20, 30)

GROUPS = [None, "a", "a", "b", "B", "7", 7, 10]
SMALL = [None, "p", "p", "q"]
MEASURES = [None, None, 0, 1, 1, 2, -3, 20, 0.5, -2.25, "3", "2.5", "-4", "1"]
MIXED = [*MEASURES, "x", "10a", "Zed", "a b", "-", "été"]
SEVERAL = [None, ["r"], ["r", "g"], ["g", "r", "r"], ["7", "r"], ["10", "9"]]
NUMBERS = [None, ["1", "2"], ["3"], ["x", "4"], ["0.5", "0.5", "-1"]]
TRUTHS = [None, True, False]
ADDRESSES = [None, "10.0.0.2", "10.0.0.10", "9.1.1.1", "192.168.1.1", "10.0.0.2"]
LETTERS = [None, "x", "X", "ä", "Zed", "x y"]


def rows_of(number: int) -> list[Row]:
    """The rows of table `number`, newest first."""
    source = random.Random(number * 7919 + 1)
    size = SIZES[number % len(SIZES)]
    times = sorted(source.sample(range(HOURS * 3600), size), reverse=True)
    return [
        {
            "n": place,
            "_time": START + second,
            "k": source.choice(GROUPS),
            "j": source.choice(SMALL),
            "x": source.choice(MEASURES),
            "y": source.choice(MIXED),
            "m": source.choice(SEVERAL),
            "v": source.choice(NUMBERS),
            "b": source.choice(TRUTHS),
            "ip": source.choice(ADDRESSES),
            "w": source.choice(LETTERS),
        }
        for place, second in enumerate(times)
    ]


def store_tables(world: World, count: int) -> list[list[Row]]:
    """Tables 0 to `count`, stored in random batches, and their rows."""
    world.clear()
    tables = [rows_of(number) for number in range(count)]
    everything = {
        "n": -1,
        "_time": START - 1e6,
        "k": "-",
        "j": "-",
        "x": "-",
        "y": "-",
        "m": ["-"],
        "v": ["-"],
        "b": True,
        "ip": "-",
        "w": "-",
    }
    for number, rows in enumerate(tables):
        world.add_events(f"r{number}", [*rows, everything], shuffle=random.Random(number))
    return tables


def base(number: int) -> str:
    """The search for the rows of a table: the time range leaves the row out that has every field."""
    return f"index=r{number} earliest={START:.0f} latest={START + HOURS * 3600:.0f}"
