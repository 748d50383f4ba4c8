"""`lookup()`: a row of a lookup table as JSON, inside an expression."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sightline.errors import SearchError, nearest
from sightline.search.functions.arguments import constant_text
from sightline.search.planner import values as v
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

    Without output fields, all fields that are not asked for. For small lookups; the `lookup` command has no such limit.
    """
    table_name, matched, *wanted = node.arguments
    name = constant_text(lower_expression(table_name, relation, context), "the name of the lookup")
    table = context.knowledge.lookup(name)
    if table is None:
        raise SearchError(f'there is no lookup "{name}"', node.span, hint=nearest(name, context.knowledge.lookups()))
    if not _is_call(matched, "json_object") or len(matched.arguments) % 2:
        raise SearchError('lookup wants json_object("<field>", <value>, ...) as its second argument', node.span)
    keys = [constant_text(lower_expression(a, relation, context), "a field of lookup") for a in matched.arguments[::2]]
    given = [v.as_text(lower_expression(a, relation, context)) for a in matched.arguments[1::2]]
    outputs = [column for column in table.column_names if column not in keys]
    if wanted:
        if not _is_call(wanted[0], "json_array"):
            raise SearchError('lookup wants json_array("<field>", ...) as its third argument', node.span)
        arguments = wanted[0].arguments
        outputs = [constant_text(lower_expression(a, relation, context), "an output of lookup") for a in arguments]
    for column in (*keys, *outputs):
        if column not in table.column_names:
            listed = ", ".join(table.column_names)
            raise SearchError(f'lookup "{name}" has no field "{column}"; its fields: {listed}', node.span)
    answers: dict[str, str] = {}
    for row in table.to_pylist():
        answers.setdefault(_SEPARATOR.join(_text(row[k]) for k in keys), _answer({c: row[c] for c in outputs}))
    if sum(len(k) + len(a) for k, a in answers.items()) > MAX_TEXT:
        raise SearchError(f'lookup "{name}" is too large for the lookup function', node.span, hint="use the lookup command")
    if not answers or not given:
        return Literal(Type.TEXT, None)
    parts = [x for value in given for x in (v.text(_SEPARATOR), value)][1:]
    key = parts[0] if len(parts) == 1 else v.call("concat", *parts, type=Type.TEXT)
    found = v.call("transform", key, v.multi(list(answers)), v.multi(list(answers.values())), v.text(""), type=Type.TEXT)
    return v.call("nullIf", found, v.text(""), type=Type.TEXT)


def _is_call(node: tree.Expression, name: str) -> bool:
    return isinstance(node, tree.FunctionCall) and node.name == name


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _answer(row: dict[str, Any]) -> str:
    return json.dumps(
        {name: value for name, value in row.items() if value is not None}, ensure_ascii=False, separators=(",", ":")
    )
