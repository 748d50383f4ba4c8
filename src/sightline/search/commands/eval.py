"""`eval`, `fieldformat` and `where`: fields and their shown texts from expressions, and rows for which one is true."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field

from sightline.errors import LanguageError
from sightline.search import registry
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.lower import lower_condition, lower_expression
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.expressions import ExpressionReader, print_expression, quote_string, shown, span_of
from sightline.search.syntax.tree import Expression, FunctionCall, Stage

_BRACED = re.compile(r"\{([^{}]+)\}")


@command("eval")
@dataclass
class Eval(Command):
    """Computes fields from expressions, one after the other.

    Syntax: eval <field>=<expression> [, <field>=<expression>]...
    Example: index=web | eval seconds=duration_ms/1000, slow=if(seconds>2, "yes", "no")

    A field that an expression leaves without a value is removed from the row. `{f}` in the target is replaced by the value
    of f. Names with dots, dashes or spaces stand in single quotes on the right; the target may stand in double quotes.
    `"x"` is text, `'x'` a field. Arithmetic with an absent value, and division by zero, give no value.
    """

    assignments: list[tuple[str, Expression]] = field(default_factory=list)
    without_comma: str = field(default="", compare=False)
    """The field of the first assignment that no comma stands before."""
    reads_stage = True

    @classmethod
    def read(cls, arguments: Stage) -> Eval:  # type: ignore[override]
        return cls(*_read_assignments(arguments))

    def print_arguments(self) -> list[str]:
        return [_print_assignments(self.assignments)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        _tell_missing_comma(self.command_name, self.without_comma, context)
        for target, expression in self.assignments:
            value = lower_expression(expression, relation, context)
            if value.type is Type.BOOL and _may_be_null(expression):
                # What `if(x, true(), null())` gives is known for each row alone, and then shown as tostring() shows it.
                value = registry.FUNCTIONS["tostring"].lower([value], context)
            if value.type is Type.BOOL:
                raise LanguageError(
                    "a condition cannot be assigned to a field",
                    span_of(expression),
                    hint=f'use {target}=if(..., "true", "false")',
                )
            relation = assign(relation, target, value, context)
        return relation


def _tell_missing_comma(command_name: str, before: str, context: Context) -> None:
    if before:
        context.tell_leniency(f'{command_name} wants a comma between assignments; one is supposed before "{before}="')


def _may_be_null(expression: Expression) -> bool:
    """Whether an expression chooses between a condition and null()."""
    if not isinstance(expression, FunctionCall) or expression.name not in ("if", "case"):
        return False
    chosen = expression.arguments[1:] if expression.name == "if" else expression.arguments[1::2]
    return any(isinstance(one, FunctionCall) and (one.name == "null" or _may_be_null(one)) for one in chosen)


def _read_assignments(stage: Stage) -> tuple[list[tuple[str, Expression]], str]:
    """`field=expression`, separated by commas, up to the end; and the first field that no comma stands before."""
    reader = ExpressionReader.over(stage)
    assignments: list[tuple[str, Expression]] = []
    without_comma = ""
    while True:
        assignments.append((read_target(reader, stage), reader.expression()))
        token = reader.peek()
        if token.kind == "end":
            break
        if token.kind == "name" and reader.peek(1).is_("="):
            # Nothing else than a further assignment can begin so.
            without_comma = without_comma or token.text
            continue
        if not token.is_(","):
            raise LanguageError(f'wanted "," or the end, got {shown(token)}', token.span)
        reader.next()
        if reader.done:
            break
    return assignments, without_comma


def _print_assignments(assignments: list[tuple[str, Expression]]) -> str:
    return ", ".join(f"{quote_string(name)}={print_expression(e)}" for name, e in assignments)


@command("fieldformat")
@dataclass
class FieldFormat(Command):
    """Shows a field as an expression says, without changing its values.

    Syntax: fieldformat <field>=<expression> [, <field>=<expression>]...
    Example: index=web | stats sum(x) AS total by host | fieldformat total=tostring(total, "commas")

    Every later command reads the values themselves: sorting, comparing and sums are not disturbed. The page, tables of the
    command line and exports that ask for it (`display=true`) show the texts; other results hold the values, and the results
    API has the texts beside them, under `display`. A format belongs to a field's name, to the end of the search, and a
    rename takes it along. A row for which the expression has no answer shows the value.
    """

    assignments: list[tuple[str, Expression]] = field(default_factory=list)
    without_comma: str = field(default="", compare=False)
    reads_stage = True

    @classmethod
    def read(cls, arguments: Stage) -> FieldFormat:  # type: ignore[override]
        return cls(*_read_assignments(arguments))

    def print_arguments(self) -> list[str]:
        return [_print_assignments(self.assignments)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        _tell_missing_comma(self.command_name, self.without_comma, context)
        presentation = relation.presentation
        for name, expression in self.assignments:
            # What makes no sense is told where it stands, not at the end of the search.
            value = lower_expression(expression, relation, context)
            if value.type is Type.BOOL:
                raise LanguageError(
                    "a condition cannot be shown",
                    span_of(expression),
                    hint=f'use {name}=if(..., "true", "false")',
                )
            presentation = presentation.with_format(name, expression)
        return dataclasses.replace(relation, presentation=presentation)


def assign(relation: Relation, target: str, value: v.Value, context: Context) -> Relation:
    """The relation with a field set; `{f}` in the target makes a field per distinct value of f."""
    if not _BRACED.search(target):
        return relation.with_field(target, value)
    return assign_by_value(relation, target, value, context)


def assign_by_value(relation: Relation, target: str, value: v.Value, context: Context) -> Relation:
    """`eval {f}=x`: which fields there will be depends on the data, so the distinct names are looked up first."""
    pieces = _BRACED.split(target)
    name_value = v.call(
        "concat",
        *[v.text(p) if k % 2 == 0 else v.as_text(relation.field(p)) for k, p in enumerate(pieces)],
        v.text(""),
        type=Type.TEXT,
    )
    if any(relation.field(p).type is Type.NULL for p in pieces[1::2]):
        return relation
    relation = relation.with_field("\0name", name_value).with_field("\0value", value).settled()
    names, found = relation.field("\0name"), relation.field("\0value")
    some = v.agg("max", v.call("toInt64", v.is_present(found), type=Type.INT), type=Type.INT)
    distinct = relation.filtered(v.is_present(names)).aggregated([("name", names)], [("some", some)])
    fields = dict(relation.fields)
    fields.pop("\0name", None)
    fields.pop("\0value", None)
    relation = relation.with_fields(fields)
    for row in context.table_of(distinct).to_pylist() if not context.dry else []:
        name = row["name"]
        if not row["some"] and name not in relation.fields:
            continue
        chosen = v.is_true(v.call("equals", names, v.text(name), type=Type.BOOL))
        relation = relation.with_field(name, v.choose(chosen, found, relation.field(name)))
    return relation


def read_target(reader: ExpressionReader, stage: Stage) -> str:
    """The field name left of `=`, quoted or as written, and the `=` itself."""
    first = reader.next()
    if first.kind in ("string", "quoted"):
        reader.expect("=")
        return first.text
    if first.kind not in ("name", "number") and not first.is_("{", "@", "$", "#", "&"):
        raise LanguageError(f"a field name is expected, got {shown(first)}", first.span)
    last = first
    while not reader.peek().is_("=") and reader.peek().kind != "end":
        last = reader.next()
        # Names are taken as they stand, with spaces and signs: `Last Seen=...`, `complete(%)=...`.
        if last.is_(",", "==") or last.kind in ("string", "quoted", "subsearch"):
            raise LanguageError(f'wanted "=" after the field name, got {shown(last)}', last.span)
    reader.expect("=")
    return stage.text[first.span.start : last.span.end]


@command("where")
@dataclass
class Where(Command):
    """Keeps the rows for which an expression is true.

    Syntax: where <condition>
    Example: index=web | where status>=500 AND like(uri, "/api/%")

    Compares case-sensitively; `*` is no wildcard here. A condition over an absent value is not true, nor is its negation.
    """

    condition: Expression | None = None
    reads_stage = True

    @classmethod
    def read(cls, arguments: Stage) -> Where:  # type: ignore[override]
        reader = ExpressionReader.over(arguments)
        condition = reader.expression()
        if not reader.done:
            raise LanguageError(f"{shown(reader.peek())} is not expected here", reader.peek().span)
        return cls(condition)

    def print_arguments(self) -> list[str]:
        assert self.condition is not None
        return [print_expression(self.condition)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        assert self.condition is not None
        return relation.filtered(v.is_true(lower_condition(self.condition, relation, context, "where")))
