"""Aggregate calls of commands as values over a relation: which fields a wildcard stands for, what each call reads, names.

Enters: calls as read, a relation, the fields after BY. Leaves: named values that hold aggregate calls, ready for
`Relation.aggregated`, or, through `over_rows`, for window functions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.errors import LanguageError, SearchError, Span
from sightline.search import registry
from sightline.search.functions import AggregateInput
from sightline.search.planner import values as v
from sightline.search.planner.lower import lower_expression
from sightline.search.planner.partial import Finisher, is_partial, is_partial_field, kept
from sightline.search.planner.relation import Relation, is_second_name, wildcard_regex
from sightline.search.planner.values import Call, Column, Over, Type, Value
from sightline.search.syntax import tree
from sightline.search.syntax.arguments import AggregateCall, Arguments, split_parameter
from sightline.search.syntax.expressions import print_expression, quote_string
from sightline.search.syntax.tree import Expression

if TYPE_CHECKING:
    from sightline.search.context import Context

COUNTING = frozenset(("count", "c", "dc", "distinct_count", "estdc"))
"""Aggregates that are 0, not absent, where there are no rows."""
_ANY_VALUES = COUNTING | {
    "first", "last", "earliest", "latest", "earliest_time", "latest_time", "list", "values", "mode", "min", "max",
    "sparkline", "estdc_error",
}  # fmt: skip
"""Aggregates that read text as well as numbers, so that `allnum` does not concern them."""


@dataclass(frozen=True)
class NamedValue:
    """An aggregate with the name of its field and the call it came from."""

    name: str
    value: Value
    call: AggregateCall


ARITHMETIC = "eval"
"""Function of a call that is arithmetic over aggregates, `eval(sum(x)/count)`, as `chart` and `timechart` take it."""


def read_call(arguments: Arguments, *, arithmetic: bool = False) -> AggregateCall:
    """One aggregate call at the cursor. A function that needs a field and has none (`sum()`) reads all fields."""
    if arithmetic and arguments.peek().is_word(ARITHMETIC) and arguments.peek(1).is_("("):
        start = arguments.next().span.start
        inner = arguments.parenthesised()
        expression, span = arguments.expression_in(inner), Span(start, inner.end + 1)
        named = arguments.accept_word("as") is not None
        name = arguments.name("a name after AS") if named else arguments.stage.text[span.start : span.end]
        return AggregateCall(ARITHMETIC, None, expression, name, span, explicit_name=named)
    call = arguments.aggregate_call(registry.AGGREGATES)
    entry = registry.AGGREGATES[call.function]
    if entry.needs_field and call.field is None and call.expression is None:
        call = dataclasses.replace(call, field="*", name=call.name if call.explicit_name else f"{call.name}(*)")
    if call.field is not None and call.explicit_name and call.field.count("*") != call.name.count("*"):
        raise LanguageError(
            f'"{call.field}" has {_stars(call.field)} and "{call.name}" has {_stars(call.name)}: wanted equal numbers',
            call.span,
        )
    return call


def print_call(call: AggregateCall) -> str:
    """The call as it is written."""
    if call.function == ARITHMETIC and call.expression is not None:
        written = f"{ARITHMETIC}({print_expression(call.expression)}) AS {quote_string(call.name)}"
        return written if call.explicit_name else call.name
    return str(call)


def _stars(text: str) -> str:
    count = text.count("*")
    return f"{count} star" + ("" if count == 1 else "s")


def expand_calls(
    calls: Sequence[AggregateCall], relation: Relation, context: Context, by: Sequence[str] = ()
) -> list[AggregateCall]:
    """The calls with each wildcard call replaced by one per matching field that has values the function can read.

    Fields after BY are not matched. Which fields have values is asked of the rows, in one statement for all the calls.
    """
    matched = {call: _matching_fields(call, relation, by) for call in calls if call.field is not None and "*" in call.field}
    used = _fields_with_values(relation, matched, context)
    found: list[AggregateCall] = []
    for call in calls:
        if call not in matched:
            found.append(call)
            continue
        assert call.field is not None
        regex = wildcard_regex(call.field)
        for name in matched[call]:
            if (name, _reads_text(call)) not in used:
                continue
            match = regex.fullmatch(name)
            assert match is not None
            pieces = list(match.groups())
            new = "".join(pieces.pop(0) if c == "*" and pieces else c for c in call.name)
            found.append(dataclasses.replace(call, field=name, name=new))
    return found


def _matching_fields(call: AggregateCall, relation: Relation, by: Sequence[str]) -> list[str]:
    assert call.field is not None
    return [
        name
        for name in relation.matching(call.field)
        if name not in by
        and not is_partial_field(name)
        and not is_second_name(name, relation.fields)
        and relation.field(name).type is not Type.NULL
    ]


def _reads_text(call: AggregateCall) -> bool:
    return call.function in _ANY_VALUES


def _fields_with_values(
    relation: Relation, matched: Mapping[AggregateCall, list[str]], context: Context
) -> set[tuple[str, bool]]:
    """Fields, each with whether text counts, of which some row has a value that counts."""
    wanted = list(dict.fromkeys((name, _reads_text(call)) for call, names in matched.items() for name in names))
    return _with_values(relation, wanted, context)


def fields_with_values(relation: Relation, names: Sequence[str], context: Context) -> set[str]:
    """Those of the fields of which some row has a value, asked of the rows in one statement."""
    return {name for name, _ in _with_values(relation, [(name, True) for name in names], context)}


def _with_values(relation: Relation, wanted: Sequence[tuple[str, bool]], context: Context) -> set[tuple[str, bool]]:
    if not wanted or context.dry:
        return set(wanted)
    tests = []
    for position, (name, text) in enumerate(wanted):
        value = relation.field(name)
        if not text and value.type is Type.MULTI:
            item = Column(Type.TEXT, "item")
            numeric = v.is_present(v.as_number(item))
            present = v.call("arrayExists", v.Lambda(Type.BOOL, ("item",), numeric), value, type=Type.BOOL)
        else:
            present = v.is_present(value if text else v.as_number(value))
        tests.append(
            (f"\0{position}", aggregated_value(v.agg("max", v.call("toInt64", present, type=Type.INT), type=Type.INT)))
        )
    table = context.table_of(relation.aggregated([], tests))
    return {pair for position, pair in enumerate(wanted) if table.num_rows and table[f"\0{position}"][0].as_py()}


def lower_calls(
    calls: Sequence[AggregateCall],
    relation: Relation,
    context: Context,
    *,
    by: Sequence[str] = (),
    span_s: float | None = None,
    all_numbers: bool = False,
    position: Value | None = None,
    finishing: bool = False,
) -> tuple[Relation, list[NamedValue]]:
    """The calls as values that hold aggregate calls, over a relation that may have been numbered for them.

    `span_s` is the length of a time bucket. With `all_numbers`, a numeric aggregate of a group that holds a value which is
    no number is absent. `finishing` says that rows of partial results count for what was kept in them.
    """
    calls = expand_calls(calls, relation, context, by)
    inner = [c for call in calls for c in (_inner_calls(call) if call.function == ARITHMETIC else [call])]
    ordered = any(registry.AGGREGATES[call.function].ordered for call in inner)
    if position is None:
        relation, position = relation.position_key() if ordered else (relation, v.integer(0))
    time = relation.field("_time")
    earliest, latest = searched_range(context)
    rows = AggregateInput(
        position,
        v.NULL if time.type is Type.NULL else v.as_float(time),
        span_s=span_s,
        earliest=earliest,
        latest=latest,
    )
    finisher = Finisher(relation) if finishing and is_partial(relation) else None
    named: list[NamedValue] = []
    for call in calls:
        if call.name in by and _is_the_group(call):
            context.tell_leniency(
                f'"{call.name}" names an aggregate and a field after BY; each group has one value of it, which is kept',
                call.span,
            )
            continue
        if call.name in by:
            raise SearchError(
                f'the aggregate and the BY field are both named "{call.name}"', call.span, hint="use AS with another name"
            )
        try:
            if call.function == ARITHMETIC:
                value = _lower_arithmetic(call, relation, context, rows, all_numbers, finisher)
            else:
                value = _lower_call(call, relation, context, rows, all_numbers, finisher)
        except SearchError as error:
            raise error.at(call.span) from None
        named.append(NamedValue(call.name, value, call))
    return relation, named


_PICKING = frozenset(("latest", "earliest", "first", "last", "values", "min", "max", "mode"))
"""Aggregates that give a value of the field as it is, so that over one value they give that."""


def _is_the_group(call: AggregateCall) -> bool:
    """Whether a call named as its own field gives, within groups of that field, the value of the group."""
    return call.function in _PICKING and call.field == call.name and call.expression is None and not call.extra


def _lower_call(
    call: AggregateCall,
    relation: Relation,
    context: Context,
    rows: AggregateInput,
    all_numbers: bool,
    finisher: Finisher | None = None,
) -> Value:
    entry = registry.AGGREGATES[call.function]
    field, extra, parameter = call.field, call.extra, call.parameter
    if call.function == "sparkline" and field is not None:
        # The inner call stands where a field name stands: sparkline(avg(x), 1h).
        inner, _, rest = field.partition("(")
        extra, field = (inner.strip().lower(), *extra), rest.rpartition(")")[0].strip() or None
        function, parameter = split_parameter(extra[0], registry.AGGREGATES)
        if function is None:
            raise LanguageError(f'there is no aggregate function "{inner}"')
    argument = call_argument(call, field, relation, context)
    given = dataclasses.replace(rows, parameter=parameter, extra=extra)
    if finisher is not None:
        finished = finisher.count() if argument is None and call.function in ("count", "c") else None
        if argument is not None:
            finished = finisher.aggregate(call.function, read_name(call), argument, given)
        if finished is not None:
            return aggregated_value(finished)
    value = entry.lower(argument, given)
    if all_numbers and argument is not None and argument.type in (Type.TEXT, Type.MULTI):
        value = _only_numbers(call.function, argument, value)
    return aggregated_value(value)


def call_argument(call: AggregateCall, field: str | None, relation: Relation, context: Context) -> Value | None:
    """What a call reads of each row: the field, or the value of its expression. None for a bare `count`."""
    argument: Value | None = None
    if call.expression is not None:
        argument = lower_expression(call.expression, relation, context)
        if argument.type is Type.BOOL:
            # count(eval(x>5)) counts rows for which it is true.
            argument = v.choose(argument, v.integer(1), v.Literal(Type.INT, None))
    elif field is not None:
        argument = relation.field(field)
    if argument is not None and argument.type is Type.NULL:
        argument = v.Literal(Type.TEXT, None)
    return argument


def read_name(call: AggregateCall) -> str:
    """What partial results of a call are named by: the field, or the expression as it is printed."""
    if isinstance(call.expression, tree.Field):
        return call.expression.name
    return f"eval({print_expression(call.expression)})" if call.expression is not None else call.field or ""


def lower_kept(
    calls: Sequence[AggregateCall], relation: Relation, context: Context, by: Sequence[str] = ()
) -> tuple[Relation, list[tuple[str, Value]]]:
    """The fields of partial results that the calls need, over a relation that may have been numbered for them."""
    calls = [c for call in calls for c in (_inner_calls(call) if call.function == ARITHMETIC else [call])]
    calls = expand_calls(calls, relation, context, by)
    ordered = any(registry.AGGREGATES[call.function].ordered for call in calls)
    relation, position = relation.position_key() if ordered else (relation, v.integer(0))
    time = relation.field("_time")
    rows = AggregateInput(position, v.NULL if time.type is Type.NULL else v.as_float(time))
    read: list[tuple[str, str | None, Value | None]] = []
    for call in calls:
        argument = call_argument(call, call.field, relation, context)
        try:
            kept([(call.function, read_name(call) or None, argument)], rows)
        except SearchError as error:
            raise error.at(call.span) from None
        read.append((call.function, read_name(call) or None, argument))
    return relation, [(name, aggregated_value(value)) for name, value in kept(read, rows)]


def _inner_calls(call: AggregateCall) -> list[AggregateCall]:
    found: list[AggregateCall] = []
    assert call.expression is not None
    _with_placeholders(call.expression, found)
    return found


def _lower_arithmetic(
    call: AggregateCall,
    relation: Relation,
    context: Context,
    rows: AggregateInput,
    all_numbers: bool,
    finisher: Finisher | None,
) -> Value:
    """The expression with its aggregates as values; each stands as a field of a relation made for the purpose."""
    assert call.expression is not None
    inner: list[AggregateCall] = []
    expression = _with_placeholders(call.expression, inner)
    if not inner:
        raise SearchError("eval wants an expression over aggregates such as eval(sum(bytes)/count)", call.span)
    fields = {_placeholder(n): _lower_call(c, relation, context, rows, all_numbers, finisher) for n, c in enumerate(inner)}
    return aggregated_value(lower_expression(expression, relation.with_fields(fields), context))


def _placeholder(number: int) -> str:
    return f"\0aggregate{number}"


def _with_placeholders(node: Expression, found: list[AggregateCall]) -> Expression:
    """The expression with each aggregate in it replaced by a field, and the aggregates in the order of those fields."""
    if isinstance(node, tree.Operation):
        return dataclasses.replace(node, operands=tuple(_with_placeholders(o, found) for o in node.operands))
    if isinstance(node, tree.Field) and node.name.lower() in ("count", "c"):
        found.append(AggregateCall("count", None, None, "", node.span))
        return tree.Field(_placeholder(len(found) - 1), node.span)
    if isinstance(node, tree.FunctionCall):
        function, parameter = split_parameter(node.name, registry.AGGREGATES)
        if function is None or len(node.arguments) > 1:
            return dataclasses.replace(node, arguments=tuple(_with_placeholders(a, found) for a in node.arguments))
        argument = node.arguments[0] if node.arguments else None
        if isinstance(argument, tree.FunctionCall) and argument.name == "eval" and len(argument.arguments) == 1:
            argument = argument.arguments[0]
        found.append(AggregateCall(function, None, argument, "", node.span, parameter))
        return tree.Field(_placeholder(len(found) - 1), node.span)
    return node


def _only_numbers(function: str, argument: Value, value: Value) -> Value:
    if function in _ANY_VALUES:
        return value
    items = v.as_multi(argument)
    item = Column(Type.TEXT, "item")
    other = v.call("isNull", v.as_number(item), type=Type.BOOL)
    found = v.call("arrayExists", v.Lambda(Type.BOOL, ("item",), other), items, type=Type.BOOL)
    others = v.agg("sum", v.call("toInt64", found, type=Type.INT), type=Type.INT)
    return v.choose(v.call("equals", others, v.integer(0), type=Type.BOOL), value, v.NULL)


def aggregated_value(value: Value) -> Value:
    """The value, or for one without an aggregate call (a constant) an aggregate of it, so that it has one row a group."""
    if value.type is Type.NULL:
        value = v.Literal(Type.TEXT, None)
    if has_aggregate(value):
        return value
    return v.agg("any", value, type=value.type)


def has_aggregate(value: Value) -> bool:
    """Whether the value reads all rows of a group."""
    if isinstance(value, Call) and value.aggregate:
        return True
    return any(has_aggregate(child) for child in value.children)


def over_rows(
    relation: Relation, named: Sequence[NamedValue], window: Callable[[Call], Over]
) -> tuple[Relation, list[tuple[str, Value]]]:
    """The values with every aggregate call computed as a window function; `window` says over which rows."""
    columns: dict[Call, tuple[str, Over]] = {}

    def collect(call: Call) -> Value:
        columns.setdefault(call, ("window", window(call)))
        return call

    for one in named:
        v.map_aggregates(one.value, collect)
    relation, made = relation.windowed(list(columns.values()))
    replaced = dict(zip(columns, made, strict=True))
    return relation, [(one.name, v.map_aggregates(one.value, lambda call: replaced[call])) for one in named]


def grouping_keys(
    relation: Relation, names: Sequence[str], *, distinct: bool = False
) -> tuple[Relation, list[tuple[str, Value]]]:
    """Rows that have all the fields, and the fields as keys of groups; a multivalue gives a row for each of its values.

    With `distinct` a value that a multivalue repeats counts once. Without such a field anywhere there are no rows.
    """
    values = {name: relation.field(name) for name in names}
    conditions = []
    for name, value in values.items():
        if value.type is Type.NULL:
            conditions.append(v.FALSE)
            values[name] = v.text("")
        elif value.type is not Type.MULTI and not (isinstance(value, v.Literal) and value.value is not None):
            conditions.append(v.is_present(value))
    relation = relation.filtered(v.both(conditions))
    keys: list[tuple[str, Value]] = []
    for name, value in values.items():
        if value.type is Type.MULTI:
            array = v.call("arrayDistinct", value, type=Type.MULTI) if distinct else value
            relation, value = relation.unnested(array, name)
        elif value.type is Type.BOOL:
            value = v.as_text(value)
        keys.append((name, grouping_key(value)))
    return relation, keys


def grouping_key(value: Value) -> Value:
    """The value as a key of groups: a constant is materialised, as a bare number in GROUP BY is a position to the engine."""
    return value if value.columns else v.call("materialize", value, type=value.type)


def searched_range(context: Context) -> tuple[float | None, float | None]:
    """The time range of the search, from its text or from the job; None where it is open.

    A beginning without an end ends now. A beginning at 0 or 1 is how people write all time.
    """
    earliest, latest = context.overridden_earliest, context.overridden_latest
    if earliest is None and latest is None:
        earliest, latest = context.earliest, context.latest
    if earliest is not None and earliest <= 1:
        earliest = None
    if earliest is not None and latest is None:
        latest = context.now
    return earliest, latest
