"""`lookup()`: a row of a lookup table as JSON, inside an expression."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

from sightline.catalog.collections import KEY
from sightline.errors import SearchError
from sightline.search.functions.arguments import constant_text
from sightline.search.planner import values as v
from sightline.search.planner.lookups import definition_of
from sightline.search.planner.lower import lower_expression
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import function
from sightline.search.syntax import tree

if TYPE_CHECKING:
    from sightline.search.context import Context
    from sightline.search.planner.relation import Relation

MAX_TEXT = 100_000
"""Characters of keys and answers that go into a statement; beyond it the `lookup` command, which joins, is the way."""

_SEPARATOR = "\x1f"


@function("lookup", minimum=2, maximum=3, raw=True)
def lookup(node: tree.FunctionCall, relation: Relation, context: Context) -> Value:
    """The first row of a lookup whose fields equal the given values, as a JSON object; NULL for no such row.

    Syntax: lookup("<lookup>", json_object("<field>", <value>, ...)[, json_array("<output field>", ...)])
    Example: index=web | eval team=json_extract(lookup("people", json_object("user", user), json_array("team")), "team")

    Without output fields, all fields that are not asked for. A definition's rules hold, but for times. For small lookups; the
    `lookup` command has no such limit.
    """
    table_name, matched, *wanted = node.arguments
    name = constant_text(lower_expression(table_name, relation, context), "the name of the lookup")
    definition = definition_of(name, context)
    if not _is_call(matched, "json_object") or len(matched.arguments) % 2:
        raise SearchError('lookup wants json_object("<field>", <value>, ...) as its second argument', node.span)
    keys = [constant_text(lower_expression(a, relation, context), "a field of lookup") for a in matched.arguments[::2]]
    given = [v.as_text(lower_expression(a, relation, context)) for a in matched.arguments[1::2]]
    outputs = [column for column in definition.table.column_names if column not in (*keys, KEY)]
    if wanted:
        if not _is_call(wanted[0], "json_array"):
            raise SearchError('lookup wants json_array("<field>", ...) as its third argument', node.span)
        arguments = wanted[0].arguments
        outputs = [constant_text(lower_expression(a, relation, context), "an output of lookup") for a in arguments]
    for column in (*keys, *outputs):
        definition.check_field(column)
    if definition.time_field:
        raise SearchError(f'lookup "{name}" depends on time', node.span, hint="use the lookup command")
    table = context.table_of(definition.rows(context), [*dict.fromkeys((*keys, *outputs))])
    too_large = SearchError(
        f'lookup "{name}" is too large for the lookup function', node.span, hint="use the lookup command"
    )
    if table.num_rows > MAX_TEXT:
        raise too_large
    answers: dict[tuple[str, ...], str] = {}
    for row in table.to_pylist():
        cells = tuple(_text(row[k]) for k in keys)
        if not definition.case_sensitive:
            cells = tuple(cell.lower() for cell in cells)
        answers.setdefault(cells, _answer({c: row[c] for c in outputs}))
    if sum(len(a) + sum(map(len, cells)) for cells, a in answers.items()) > MAX_TEXT:
        raise too_large
    if not definition.case_sensitive:
        given = [v.call("lowerUTF8", value, type=Type.TEXT) for value in given]
    if not answers or not given:
        return Literal(Type.TEXT, None)
    kinds = [definition.kinds.get(key, "exact") for key in keys]
    found = _equal(given, answers) if set(kinds) == {"exact"} else _first_match(given, kinds, answers)
    if definition.min_matches and definition.default_match:
        default = _answer(dict.fromkeys(outputs, definition.default_match))
        present = v.both([v.is_present(value) for value in given])
        found = v.choose(v.both([v.negation(v.is_present(found)), present]), v.text(default), found)
    return found


def _equal(given: list[Value], answers: dict[tuple[str, ...], str]) -> Value:
    parts = [x for value in given for x in (v.text(_SEPARATOR), value)][1:]
    key = parts[0] if len(parts) == 1 else v.call("concat", *parts, type=Type.TEXT)
    keys = v.multi([_SEPARATOR.join(cells) for cells in answers])
    found = v.call("transform", key, keys, v.multi(list(answers.values())), v.text(""), type=Type.TEXT)
    return v.call("nullIf", found, v.text(""), type=Type.TEXT)


def _first_match(given: list[Value], kinds: list[str], answers: dict[tuple[str, ...], str]) -> Value:
    """The answer of the first row whose cells match, tried one after the other."""
    rows = [(cells, a) for cells, a in answers.items() if all(map(_is_pattern, cells, kinds))]
    names = [f"cell{i}" for i in range(len(given))]
    tests: list[Value] = []
    for name, value, kind in zip(names, given, kinds, strict=True):
        cell = v.Column(Type.TEXT, name)
        if kind == "wildcard":
            tests.append(v.is_true(v.call("like", value, cell, type=Type.BOOL)))
        elif kind == "cidr":
            tests.append(v.is_true(v.is_in_network(value, cell)))
        else:
            tests.append(v.is_true(v.call("equals", value, cell, type=Type.BOOL)))
    cells = [
        v.multi([v.like_pattern(row[i]) if kinds[i] == "wildcard" else row[i] for row, _ in rows]) for i in range(len(given))
    ]
    place = v.call("arrayFirstIndex", v.Lambda(Type.BOOL, tuple(names), v.both(tests)), *cells, type=Type.INT)
    found = v.call("arrayElement", v.multi([a for _, a in rows]), place, type=Type.TEXT)
    return v.call("nullIf", found, v.text(""), type=Type.TEXT) if rows else Literal(Type.TEXT, None)


def _is_pattern(cell: str, kind: str) -> bool:
    if kind != "cidr":
        return True
    try:
        ipaddress.ip_network(cell.strip(), strict=False)
    except ValueError:
        return False
    return "/" in cell


def _is_call(node: tree.Expression, name: str) -> bool:
    return isinstance(node, tree.FunctionCall) and node.name == name


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _answer(row: dict[str, Any]) -> str:
    return json.dumps(
        {name: value for name, value in row.items() if value is not None}, ensure_ascii=False, separators=(",", ":")
    )
