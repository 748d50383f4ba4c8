"""Gives SPL expressions and search conditions their meaning as typed values over a relation."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from sightline.errors import LanguageError, SearchError, Span, nearest
from sightline.search import registry
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.sources import is_dictionary
from sightline.search.planner.terms import MOST_WORDS, any_word, beginning_of, term_condition
from sightline.search.planner.values import Type, Value
from sightline.search.syntax import tree
from sightline.search.syntax.arguments import split_parameter
from sightline.search.syntax.expressions import ExpressionReader
from sightline.search.syntax.tokens import expression_tokens

if TYPE_CHECKING:
    from sightline.search.context import Context

_ARITHMETIC = {"-": "minus", "*": "multiply", "/": "divide", "%": "modulo"}


def lower_expression(node: tree.Expression, relation: Relation, context: Context) -> Value:
    """The value of an expression for each row. Raises SearchError with a span for what has no meaning."""
    if isinstance(node, tree.Number):
        parsed = v.numeric_literal(node.text)
        return v.NULL if parsed is None else v.number(parsed) if isinstance(parsed, int) else v.real(parsed)
    if isinstance(node, tree.String):
        return v.text(node.value)
    if isinstance(node, tree.Field):
        return _field(node, relation)
    if isinstance(node, tree.FunctionCall):
        return _function(node, relation, context)
    if isinstance(node, tree.SubsearchValue):
        return _subsearch_value(node, relation, context)
    assert isinstance(node, tree.Operation)
    return _operation(node, relation, context)


def lower_condition(node: tree.Expression, relation: Relation, context: Context, what: str) -> Value:
    """An expression that must be a condition (for `where`, `head`, `if`)."""
    if isinstance(node, tree.SubsearchValue):
        value = _subsearch_condition(node, relation, context)
    else:
        value = lower_expression(node, relation, context)
    if value.type in (Type.BOOL, Type.NULL):
        return v.cast(value, Type.BOOL)
    raise SearchError(f"{what} wants a condition such as x>5, got a {_type_name(value.type)}", node.span)  # type: ignore[attr-defined]


def _type_name(type: Type) -> str:
    return {Type.INT: "number", Type.FLOAT: "number", Type.TEXT: "text", Type.MULTI: "multivalue"}.get(type, type.value)


def _field(node: tree.Field, relation: Relation) -> Value:
    if node.name in relation.fields or not node.parts:
        if not node.parts and node.name.lower() == "null" and node.name not in relation.fields:
            return v.NULL
        return relation.field(node.name)
    # a.b without a field of that name: the longest dotted prefixes that are fields, concatenated.
    pieces: list[Value] = []
    parts = list(node.parts)
    while parts:
        for length in range(len(parts), 0, -1):
            name = ".".join(parts[:length])
            if name in relation.fields or length == 1:
                pieces.append(relation.field(name))
                parts = parts[length:]
                break
    return concatenate(pieces)


def concatenate(pieces: list[Value]) -> Value:
    """The pieces as one text; NULL when any of them is."""
    if any(p.type is Type.NULL for p in pieces):
        return v.NULL
    return v.call("concat", *(v.as_text(p) for p in pieces), type=Type.TEXT)


def check_functions(command: registry.Command) -> None:
    """Raise what lowering would for a function in a command's expressions that there is not, or with other arguments.

    Names of aggregates are passed over: what they mean depends on where they stand, and charts calculate with them.
    """
    # Not by recursion: a chain of a thousand additions is a tree as deep.
    waiting: list[object] = [command]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tree.FunctionCall) and split_parameter(part.name, registry.AGGREGATES)[0] is None:
            _entry(part)
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple):
            waiting.extend(part)
        elif dataclasses.is_dataclass(part):
            waiting.extend(getattr(part, f.name) for f in dataclasses.fields(part))


def _entry(node: tree.FunctionCall) -> registry.FunctionEntry:
    entry = registry.FUNCTIONS.get(node.name)
    if entry is None:
        raise LanguageError(
            f'there is no function "{node.name}"',
            node.name_span or node.span,
            hint=nearest(node.name, registry.FUNCTIONS),
        )
    count = len(node.arguments)
    if count < entry.minimum or (entry.maximum is not None and count > entry.maximum):
        raise LanguageError(f"{node.name} takes {_argument_range(entry)}, got {count}", node.span)
    return entry


def _function(node: tree.FunctionCall, relation: Relation, context: Context) -> Value:
    entry = _entry(node)
    try:
        if entry.raw:
            return entry.lower(node, relation, context)
        arguments = [undictionaried(lower_expression(a, relation, context)) for a in node.arguments]
        return v.shared(arguments, lambda *given: entry.lower(list(given), context))
    except SearchError as error:
        if error.span is None and node.name not in error.message:
            error = error.with_message(f"{node.name}: {error.message}")
        told = [a.span for a in node.arguments if isinstance(a, tree.String) and f'"{a.value}"' in error.message]
        raise error.at(told[0] if len(told) == 1 else node.span) from None


def undictionaried(value: Value) -> Value:
    """A column that the store keeps as a dictionary (host, source) as plain text, which is what some functions insist on."""
    if isinstance(value, v.Column) and is_dictionary(value):
        return v.call("CAST", value, v.text("Nullable(String)"), type=Type.TEXT)
    return value


def _argument_range(entry: registry.FunctionEntry) -> str:
    def plural(n: int) -> str:
        return f"{n} argument" + ("" if n == 1 else "s")

    if entry.maximum is None:
        return f"{plural(entry.minimum)} or more"
    if entry.minimum == entry.maximum:
        return plural(entry.minimum)
    return f"{entry.minimum} to {plural(entry.maximum)}"


def _subsearch_value(node: tree.SubsearchValue, relation: Relation, context: Context) -> Value:
    """What a subsearch gave as a part of the expression: the text of `return` or `format`, else its first value."""
    table = context.subsearch_rows(node.pipeline)
    text = returned_text(table)
    if text is not None:
        return _lower_text(text, relation, context)
    names = [n for n in table.column_names if not n.startswith("_")] or table.column_names
    return literal_of(table[names[0]][0].as_py()) if table.num_rows and names else v.NULL


def _subsearch_condition(node: tree.SubsearchValue, relation: Relation, context: Context) -> Value:
    """What a subsearch gave where a condition stands: that of `return` or `format`, else one of its rows' values."""
    table = context.subsearch_rows(node.pipeline)
    if context.dry:
        return v.TRUE
    if returned_text(table) is not None:
        return _subsearch_value(node, relation, context)
    names = [n for n in table.column_names if n and not n.startswith("_")]
    alternatives = []
    for row in table.select(names).to_pylist():
        values = {name: literal_of(value) for name, value in row.items() if value is not None and value != []}
        tests = [v.compare("=", relation.field(name), value) for name, value in values.items()]
        alternatives += [v.both(tests)] if tests else []
    return v.either(alternatives)


def returned_text(table: pa.Table) -> str | None:
    """The text that `return` or `format` made, which they put into a field of its own; None for other rows."""
    name = next((n for n in ("search", "query") if n in table.column_names), None)
    if name is None or not table.num_rows:
        return None
    value = table[name][0].as_py()
    return value if isinstance(value, str) else None


def _lower_text(text: str, relation: Relation, context: Context) -> Value:
    """A text in the place of an expression: what it says as one, else the text itself.

    Splunk puts the text in as it stands. But a word that is no field can only be meant as text, and so can digits with dots
    or dashes: an address, a date.
    """
    try:
        reader = ExpressionReader(expression_tokens(text, Span(0, len(text)), {}), len(text))
        expression = reader.expression()
    except SearchError:
        return v.text(text)
    constant = isinstance(expression, tree.Number | tree.String) or v.numeric_literal(text.strip()) is not None
    meant = constant or _is_condition(expression) or (_has_names(expression) and _fields_exist(expression, relation))
    return lower_expression(expression, relation, context) if reader.done and meant else v.text(text)


def _has_names(node: tree.Expression) -> bool:
    if isinstance(node, tree.Operation):
        return any(_has_names(operand) for operand in node.operands)
    return isinstance(node, tree.Field | tree.FunctionCall)


def _is_condition(node: tree.Expression) -> bool:
    logical = ("and", "or", "xor", "not", "=", "!=", "<", ">", "<=", ">=", "like", "in", "is null", "is not null")
    return isinstance(node, tree.Operation) and node.operator in logical


def _fields_exist(node: tree.Expression, relation: Relation) -> bool:
    if isinstance(node, tree.Field):
        return node.name in relation.fields
    if isinstance(node, tree.Operation):
        return all(_fields_exist(operand, relation) for operand in node.operands)
    if isinstance(node, tree.FunctionCall):
        return node.name in registry.FUNCTIONS and all(_fields_exist(a, relation) for a in node.arguments)
    return True


def literal_of(value: object) -> Value:
    """A Python value as a constant."""
    if value is None or value == []:
        return v.NULL
    if isinstance(value, bool):
        return v.Literal(Type.BOOL, value)
    if isinstance(value, int):
        return v.integer(value)
    if isinstance(value, float):
        return v.real(value)
    if isinstance(value, list):
        return v.multi([str(x) for x in value])
    return v.text(str(value))


def _operation(node: tree.Operation, relation: Relation, context: Context) -> Value:
    operator = node.operator
    if operator in ("and", "or", "xor"):
        conditions = [lower_condition(o, relation, context, operator.upper()) for o in node.operands]
        return v.call(operator, *conditions, type=Type.BOOL)
    if operator == "not":
        return v.negation(lower_condition(node.operands[0], relation, context, "NOT"))
    operands = [lower_expression(o, relation, context) for o in node.operands]
    if operator == "neg":
        found = v.as_number(operands[0])
        if found.type is Type.NULL:
            return v.NULL
        if isinstance(found, v.Literal) and found.value is not None:
            return v.Literal(found.type, -found.value)
        return v.call("negate", found, type=found.type)
    if operator == ".":
        return concatenate(operands)
    if operator in ("=", "!=", "<", ">", "<=", ">="):
        return v.shared(operands, lambda left, right: v.compare(operator, left, right))
    if operator == "like":
        return like(operands[0], operands[1])
    if operator in ("is null", "is not null"):
        function = "isnull" if operator == "is null" else "isnotnull"
        context.tell_leniency(f"conditions have no {operator.upper()}; it is read as {function}()")
        return registry.FUNCTIONS[function].lower(operands, context)
    if operator == "in":
        return v.shared(operands, lambda value, *choices: membership(value, list(choices)))
    if operator == "+":
        return v.shared(operands, add)
    return v.shared(operands, lambda left, right: arithmetic(operator, left, right))


def membership(value: Value, choices: list[Value]) -> Value:
    """Whether the value equals any of the choices."""
    plain = [c for c in choices if isinstance(c, v.Literal) and c.type is Type.TEXT]
    if len(plain) == len(choices) and value.type is Type.TEXT and all(v.numeric_literal(c.value) is None for c in plain):
        return v.call("in", value, v.multi([c.value for c in plain]), type=Type.BOOL)
    tests = [v.compare("=", value, choice) for choice in choices]
    return v.either(tests) if tests else v.FALSE


def like(value: Value, pattern: Value) -> Value:
    """SQL's LIKE, case-sensitive; any value of a multivalue may match."""
    if value.type is Type.NULL or pattern.type is Type.NULL:
        return v.Literal(Type.BOOL, None)
    if value.type is Type.MULTI:
        item = v.Column(Type.TEXT, "item")
        test = v.call("like", item, v.as_text(pattern), type=Type.BOOL)
        found = v.call("arrayExists", v.Lambda(Type.BOOL, ("item",), test), value, type=Type.BOOL)
        return v.call("if", v.is_present(value), found, v.Literal(Type.BOOL, None), type=Type.BOOL)
    return v.call("like", v.as_text(value), v.as_text(pattern), type=Type.BOOL)


def add(left: Value, right: Value) -> Value:
    """Numbers are added; two texts that are not both numeric are joined; a mix gives NULL."""
    if Type.NULL in (left.type, right.type):
        return v.NULL
    if left.type.is_number or right.type.is_number:
        return arithmetic("+", left, right)
    left_number, right_number = v.as_number(left), v.as_number(right)
    joined = v.call("concat", v.as_text(left), v.as_text(right), type=Type.TEXT)
    if v.NULL in (left_number, right_number):
        return joined
    total = arithmetic("+", left, right)
    return v.call("ifNull", v.as_text(total), joined, type=Type.TEXT)


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """+ - * / % on numbers; NULL where either side is not one, and for division by zero."""
    left, right = v.as_number(left), v.as_number(right)
    if Type.NULL in (left.type, right.type):
        return v.NULL
    whole = left.type is Type.INT and right.type is Type.INT
    if operator == "+":
        return v.call("plus", left, right, type=Type.INT if whole else Type.FLOAT)
    if operator == "-":
        return v.call("minus", left, right, type=Type.INT if whole else Type.FLOAT)
    if operator == "*":
        # Products overflow 64 bits where SPL's doubles only lose digits.
        return v.call("multiply", v.as_float(left), v.as_float(right), type=Type.FLOAT)
    if isinstance(right, v.Literal):
        if not right.value:
            return v.Literal(Type.FLOAT, None)
        divisor: Value = right
    else:
        divisor = v.call("nullIf", right, v.integer(0), type=right.type)
    if operator == "/":
        return v.call("divide", left, divisor, type=Type.FLOAT)
    if whole:
        return v.call("modulo", left, divisor, type=Type.INT)
    return v.call("modulo", v.as_float(left), v.as_float(divisor), type=Type.FLOAT)


# ---- the conditions of `search` --------------------------------------------------------------------------------------


def lower_predicate(node: tree.Predicate, relation: Relation, context: Context) -> Value:
    """A condition of the `search` command over a relation; never NULL."""
    if isinstance(node, tree.Everything):
        return v.TRUE
    if isinstance(node, tree.Both):
        return v.both([lower_predicate(o, relation, context) for o in node.operands])
    if isinstance(node, tree.Either):
        return v.either([lower_predicate(o, relation, context) for o in gathered_memberships(node.operands)])
    if isinstance(node, tree.Negation):
        return v.negation(lower_predicate(node.operand, relation, context))
    if isinstance(node, tree.Term):
        return _term(node, relation, context)
    if isinstance(node, tree.Membership):
        return _membership(node.name, node.values, relation)
    if isinstance(node, tree.Comparison):
        return _comparison(node, node.name, relation)
    assert isinstance(node, tree.SubsearchPredicate)
    raise SearchError("a subsearch must be expanded before it is lowered", node.span)


def gathered_memberships(operands: Sequence[tree.Predicate]) -> list[tree.Predicate]:
    """The alternatives with all values wanted of one field together: what a subsearch gives for its rows is one look-up."""
    found: dict[str, tree.Predicate] = {}
    for position, operand in enumerate(operands):
        key = operand.name if _names_values(operand) else f"\0{position}"  # type: ignore[attr-defined]
        before = found.get(key)
        if before is None:
            found[key] = operand
            continue
        values = tuple(
            one for o in (before, operand) for one in (o.values if isinstance(o, tree.Membership) else (o.value,))
        )  # type: ignore[attr-defined]
        found[key] = tree.Membership(key, values, before.span)  # type: ignore[attr-defined]
    return list(found.values())


def _names_values(node: tree.Predicate) -> bool:
    return isinstance(node, tree.Membership) or isinstance(node, tree.Comparison) and node.operator == "=" and not node.exact


def _term(node: tree.Term, relation: Relation, context: Context) -> Value:
    raw = relation.field("_raw")
    if raw.type is Type.NULL:
        # Rows without raw text: a term may stand in any visible field.
        tests = [
            term_condition(v.as_text(value) if value.type is not Type.MULTI else join_multi(value, " "), node, indexed=False)
            for name, value in relation.fields.items()
            if not name.startswith("_")
        ]
        return v.either(tests)
    indexed = isinstance(raw, v.Column) and raw.id == "_raw:text"
    if indexed and (begun := beginning_of(node)):
        words = context.store.words_beginning(begun, MOST_WORDS)
        if words is not None:
            return any_word(words)
    return term_condition(v.as_text(raw), node, indexed=indexed)


def join_multi(value: Value, delimiter: str) -> Value:
    """A multivalue as one text."""
    return v.call("arrayStringConcat", v.as_multi(value), v.text(delimiter), type=Type.TEXT)


def _comparison(node: tree.Comparison, name: str, relation: Relation) -> Value:
    if "*" in name:
        return v.either([_comparison(node, one, relation) for one in relation.matching(name)])
    value = relation.field(name)
    if value.type is Type.NULL:
        return v.FALSE
    compared = _exact_comparison if node.exact else scalar_comparison
    if value.type is Type.MULTI:
        item = v.Column(Type.TEXT, "item")
        positive = "=" if node.operator == "!=" else node.operator
        test = v.Lambda(Type.BOOL, ("item",), v.is_true(compared(item, positive, node.value)))
        found = v.call("arrayExists", test, value, type=Type.BOOL)
        return v.both([v.is_present(value), v.negation(found)]) if node.operator == "!=" else found
    return v.is_true(compared(value, node.operator, node.value))


def _exact_comparison(value: Value, operator: str, given: str) -> Value:
    """`field=CASE(value)`: as `scalar_comparison`, but a large letter is no small one."""
    if operator not in ("=", "!=") or value.type is not Type.TEXT or given == "*":
        return scalar_comparison(value, operator, given)
    function, wanted = ("like", v.like_pattern(given)) if "*" in given else ("equals", given)
    test = v.call(function, value, v.text(wanted), type=Type.BOOL)
    return test if operator == "=" else v.negation(test)


def _membership(name: str, given: Sequence[str], relation: Relation) -> Value:
    """Whether the field equals any of the given values, in the sense of `=`."""
    if "*" in name:
        return v.either([_membership(n, given, relation) for n in relation.matching(name)])
    value = relation.field(name)
    if value.type is Type.NULL:
        return v.FALSE
    if value.type is Type.MULTI:
        item = v.Column(Type.TEXT, "item")
        return v.call("arrayExists", v.Lambda(Type.BOOL, ("item",), _equals_any(item, given)), value, type=Type.BOOL)
    return _equals_any(value, given)


def _equals_any(value: Value, given: Sequence[str]) -> Value:
    """Plain values are looked up all at once; those with wildcards, and networks, are tested one by one."""
    numbers: list[int | float] = []
    texts: list[str] = []
    tests: list[Value] = []
    for one in dict.fromkeys(given):
        parsed = v.numeric_literal(one)
        if value.type.is_number and parsed is not None:
            numbers.append(parsed)
        elif value.type is Type.TEXT and one.isascii() and "*" not in one and not _network_of(one):
            texts.append(one.lower())
            numbers.extend([] if parsed is None else [parsed])
        else:
            tests.append(v.is_true(_equality(value, one, parsed)))
    if len(texts) == 1 or (not texts and len(numbers) == 1):
        return v.either([v.is_true(_equality(value, one, v.numeric_literal(one))) for one in dict.fromkeys(given)])
    if texts:
        tests.append(v.is_true(v.call("in", v.call("lower", value, type=Type.TEXT), v.multi(texts), type=Type.BOOL)))
    if numbers:
        number = value if value.type is Type.INT and all(isinstance(n, int) for n in numbers) else v.as_float(value)
        tests.append(v.is_true(v.call("in", number, v.Literal(Type.MULTI, tuple(numbers)), type=Type.BOOL)))
    return v.either(tests)


def scalar_comparison(value: Value, operator: str, given: str) -> Value:
    """`field operator value` of the search command: case-insensitive, `*` matches anything, numbers compare as numbers."""
    parsed = v.numeric_literal(given)
    if operator in ("=", "!="):
        test = _equality(value, given, parsed)
        if operator == "=":
            return test
        # A comparison with an absent value is NULL, and so is its opposite; whether there is a value never is.
        compares = bool(test.columns) and given != "*"
        return v.negation(test) if compares else v.both([v.is_present(value), v.negation(v.is_true(test))])
    if parsed is not None:
        if value.type.is_number:
            return v.compare(operator, value, v.number(parsed))
        numeric = v.compare(operator, v.as_float(value), v.number(parsed))
        by_text = v.call(v._COMPARE[operator], v.as_text(value), v.text(given), type=Type.BOOL)
        return v.call("ifNull", numeric, by_text, type=Type.BOOL)
    lowered = v.call("lowerUTF8", v.as_text(value), type=Type.TEXT)
    return v.call(v._COMPARE[operator], lowered, v.text(given.lower()), type=Type.BOOL)


def _equality(value: Value, given: str, parsed: int | float | None) -> Value:
    if given == "*":
        return v.is_present(value)
    if "*" in given:
        pattern = v.like_pattern(given)
        if given.isascii():
            # Half the time of `ilike`.
            return v.call("like", v.call("lower", v.as_text(value), type=Type.TEXT), v.text(pattern.lower()), type=Type.BOOL)
        return v.call("ilike", v.as_text(value), v.text(pattern), type=Type.BOOL)
    if value.type.is_number:
        return v.Literal(Type.BOOL, False) if parsed is None else v.call("equals", value, v.number(parsed), type=Type.BOOL)
    if value.type is Type.BOOL:
        return v.compare("=", v.as_text(value), v.text(given.lower()))
    if network := _network_of(given):
        inside = v.is_in_network(v.as_text(value), v.text(network))
        return v.either([inside, v.call("equals", v.as_text(value), v.text(given), type=Type.BOOL)])
    if given.lower() == given.upper():
        by_text = v.call("equals", v.as_text(value), v.text(given), type=Type.BOOL)
    else:
        lowered = v.call("lowerUTF8" if not given.isascii() else "lower", v.as_text(value), type=Type.TEXT)
        by_text = v.call("equals", lowered, v.text(given.lower()), type=Type.BOOL)
    if parsed is None:
        return by_text
    return v.either([by_text, v.is_true(v.call("equals", v.as_float(value), v.number(parsed), type=Type.BOOL))])


def _network_of(text: str) -> str:
    """The network that a text such as 10.0.0.0/8 names, as the engine wants it; empty for any other text."""
    if "/" not in text:
        return ""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return ""
