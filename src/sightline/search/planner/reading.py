"""How the engine is to read a statement's stored rows: in which order, in blocks of how many, and which columns before others.

Hides: what was measured of the engine's ways. Enters: the tree of a statement. Leaves: the engine's settings for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sightline.search.planner.relation import Aggregate, Filter, Node, Project, Rows, Scan, Sort, nodes_of
from sightline.search.planner.sources import RAW_INDEX, RAW_TIME, is_dictionary
from sightline.search.planner.values import Column, Type, Value

_BLOCK_ROWS, _BLOCK_BYTES = 1 << 20, 8 << 20
"""What is asked of a column's dictionary the engine asks again for each block, so that blocks of many rows take half the time; of
columns that are wide the bytes set the bound. A statement stops between two blocks, and of texts 8 MB are a few hundredths of a
second."""
_ROW_MEMORY_BYTES = 4096
"""Memory that a search must have for each row of a block: what is computed of a row is larger than what is read of it."""
_MOST_ASKED, _MOST_OTHERS = 4, 3
"""Columns that are read of every row, however few rows are wanted: a few hundredths of a second each for a hundred million."""
_NUMBERS = frozenset((Type.INT, Type.FLOAT, Type.BOOL, Type.TIME))
_ONE_COLUMN = re.compile(r"`(?:[^`\\]|\\.)*`")


def reads_in_order(node: Node, *, streams: bool) -> bool:
    """Whether the engine is to read in the stored order, backwards.

    For the first hundred events that is all it has to read, and where events are sent as they are found the first ones come at
    once. For everything else it takes two to three times as long as reading in any order and sorting what is left.
    """
    return (streams and is_plain(node)) or any(
        isinstance(one, Sort) and one.limit is not None and not one.limit_by and _is_of_stored_rows(one.input)
        for one in nodes_of(node)
    )


def reading_in_any_order(node: Node, wanted: Iterable[Value], memory_bytes: int) -> dict[str, Any]:
    """The engine's settings for a statement that gives the `wanted` values of a tree, where rows need not come as they lie."""
    rows = max(1, min(_BLOCK_ROWS, memory_bytes // _ROW_MEMORY_BYTES))
    blocks = {"optimize_read_in_order": 0, "max_block_size": rows, "preferred_block_size_bytes": _BLOCK_BYTES}
    return blocks | _columns_at_once(node, wanted)


def is_plain(node: Node) -> bool:
    """Whether a node gives stored rows, or those in memory, one by one: reading them again gives the same."""
    if isinstance(node, Scan | Rows):
        return True
    if isinstance(node, Filter):
        return not node.condition.volatile and is_plain(node.input)
    if isinstance(node, Project):
        return not any(value.volatile for _, value in node.columns) and is_plain(node.input)
    return False


def _is_of_stored_rows(node: Node) -> bool:
    """Whether a node's rows are stored ones, and not made of all of them."""
    if isinstance(node, Aggregate):
        return False
    return isinstance(node, Scan) or any(_is_of_stored_rows(one) for one in node.inputs)


def _columns_at_once(node: Node, wanted: Iterable[Value]) -> dict[str, Any]:
    """Settings that have columns read whole where the engine would read of each only the rows that earlier conditions left.

    That spares much where a column is dear to read, or nearly no row is left. To pick rows out of numbers and dictionaries takes
    longer than to read them: conditions on such columns are asked together, and what a single number decides is asked last, where
    little else is read. Numbers are in docs/adr/0001-storage-schema.md.
    """
    provided = {id: sql for one in nodes_of(node) if isinstance(one, Scan) for id, sql in one.provides.items()}
    asked: set[Column] = set()
    others = {column for value in wanted for column in value.columns}
    for one in nodes_of(node):
        into = asked if isinstance(one, Filter) and isinstance(one.input, Scan) else others
        into.update(column for value in one.values for column in value.columns)
    asked = {column for column in asked if column.id != RAW_INDEX}
    others = {column for column in others - asked if column.id in provided}
    decided = [column for column in asked if column.id != RAW_TIME]
    if len(asked) > _MOST_ASKED or not all(_is_light(column, provided) for column in asked):
        return {}
    if len(decided) == 1 and not is_dictionary(decided[0]) and _are_read_soon(others, provided):
        return {"optimize_move_to_prewhere": 0}
    return {"enable_multiple_prewhere_read_steps": 0} if len(asked) > 1 else {}


def _are_read_soon(columns: set[Column], provided: Mapping[str, str]) -> bool:
    numbers = [column for column in columns if not is_dictionary(column)]
    light = all(_is_light(column, provided) for column in numbers)
    return 0 < len(columns) <= _MOST_OTHERS and len(numbers) <= 1 and light


def _is_light(column: Column, provided: Mapping[str, str]) -> bool:
    """Whether a column is a dictionary or a number with a column of its own in the store."""
    if is_dictionary(column):
        return True
    return column.type in _NUMBERS and _ONE_COLUMN.fullmatch(provided.get(column.id, "")) is not None
