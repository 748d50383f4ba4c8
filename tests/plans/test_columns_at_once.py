"""Which columns a statement reads of every row, and which only of the rows that earlier conditions left."""

from __future__ import annotations

import pytest

from sightline.search.planner import values as v
from sightline.search.planner.reading import reading_in_any_order
from sightline.search.planner.relation import Aggregate, Filter, Scan
from sightline.search.planner.sources import RAW_INDEX, RAW_TIME
from sightline.search.planner.values import Column, Type
from sightline.store.sql_text import CHOOSES_PARTS

SCAN = Scan(
    "sightline.events",
    {
        RAW_INDEX: "`index`",
        RAW_TIME: "`_time`",
        "host:text": "nullIf(`host`, '')",
        "service:dictionary": "`service:String`",
        "status:int": "`status:Int64`",
        "bytes:int": "`bytes:Int64`",
        "late:int": "coalesce(`late:Int64`, fields.late.:Int64)",
        "user:text": "`user:String`",
    },
)
INDEX = v.call(CHOOSES_PARTS, v.compare("=", Column(Type.TEXT, RAW_INDEX), v.text("web")), type=Type.BOOL)
SINCE = v.compare(">=", Column(Type.TIME, RAW_TIME), v.integer(5))
HOST, SERVICE, USER = (Column(Type.TEXT, id) for id in ("host:text", "service:dictionary", "user:text"))
STATUS, BYTES, LATE = (Column(Type.INT, f"{name}:int") for name in ("status", "bytes", "late"))
FAILED, LARGE = v.compare(">=", STATUS, v.integer(500)), v.compare(">", BYTES, v.integer(9))
BILLING, ANN = v.compare("=", SERVICE, v.text("billing")), v.compare("=", USER, v.text("ann"))
TARDY = v.compare(">", LATE, v.integer(1))
AT_THE_END, TOGETHER = {"optimize_move_to_prewhere": 0}, {"enable_multiple_prewhere_read_steps": 0}


@pytest.mark.parametrize(
    ("conditions", "read", "expected"),
    [
        ([FAILED], [HOST], AT_THE_END),
        ([SINCE, FAILED], [HOST, SERVICE, BYTES], AT_THE_END),
        ([FAILED], [STATUS, HOST], AT_THE_END),
        ([FAILED], [BYTES, LATE], {}),
        ([FAILED], [USER], {}),
        ([FAILED], [], {}),
        ([BILLING], [HOST], {}),
        ([BILLING, FAILED], [USER], TOGETHER),
        ([SINCE, BILLING], [USER], TOGETHER),
        ([SINCE, FAILED], [USER], TOGETHER),
        ([ANN, FAILED], [HOST], {}),
        ([ANN], [HOST], {}),
        ([TARDY], [HOST], {}),
        ([], [HOST], {}),
    ],
)
def test_what_is_read_at_once(conditions, read, expected) -> None:
    kept = Filter(SCAN, v.both([INDEX, *conditions]))
    counts = Aggregate(
        kept, tuple((f"key{n}", column) for n, column in enumerate(read)), (("n", v.agg("count", type=Type.INT)),)
    )
    for node, wanted in ((counts, [Column(Type.INT, "n")]), (kept, read)):
        found = reading_in_any_order(node, wanted, 1 << 30)
        assert {name: value for name, value in found.items() if name in AT_THE_END | TOGETHER} == expected


def test_blocks_fit_the_memory_of_a_search() -> None:
    rows = [reading_in_any_order(SCAN, [HOST], memory)["max_block_size"] for memory in (1 << 40, 1 << 20, 1)]
    assert rows == sorted(rows, reverse=True)
    assert rows[0] > rows[1] > rows[2] == 1
