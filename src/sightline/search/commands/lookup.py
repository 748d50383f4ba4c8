"""`lookup`, `inputlookup`, `outputlookup`: tables that people keep beside the data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import SearchError, nearest
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.lower import lower_predicate
from sightline.search.planner.relation import Join, Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.predicates import PredicateReader, print_predicate
from sightline.search.syntax.tree import Predicate

MATCH_LIMIT = 1000
"""Rows of a lookup that one row may match (Splunk's own number for CSV lookups)."""


def _lookup_table(name: str, context: Context) -> pa.Table:
    table = context.knowledge.lookup(name)
    if table is None:
        known = context.knowledge.lookups()
        listed = f"; lookups: {', '.join(known)}" if known else ""
        raise SearchError(f'there is no lookup "{name}"{listed}', hint=nearest(name, known))
    return table


@command("lookup")
@dataclass
class Lookup(Command):
    """Adds fields of a lookup's rows whose fields have the same values.

    Syntax: lookup <lookup> <field> [AS <event field>]... [OUTPUT|OUTPUTNEW <field> [AS <event field>]...]
    Example: index=web | lookup users.csv id AS user_id OUTPUT name, team

    Values are compared as text, case-sensitively. Without OUTPUT all other fields are added. OUTPUT overwrites, OUTPUTNEW
    fills only rows that lack the field. Several matching rows give multivalues. A row without a match keeps what it has,
    except that OUTPUT empties its fields.
    """

    local: bool = option(False, help="accepted for compatibility")
    update: bool = option(False, help="accepted for compatibility")
    name: str = ""
    keys: list[tuple[str, str]] = field(default_factory=list)
    """(field of the lookup, field of the rows)"""
    outputs: list[tuple[str, str]] | None = None
    only_new: bool = False

    @classmethod
    def read(cls, arguments: Arguments) -> Lookup:
        given = arguments.options(cls)
        name = arguments.name("a lookup's name")
        keys = _pairs(arguments, ("output", "outputnew"))
        if not keys:
            raise SearchError("at least one field to match is wanted", arguments.peek().span)
        outputs, only_new = None, False
        token = arguments.accept_word("output", "outputnew")
        if token:
            only_new = token.text.lower() == "outputnew"
            outputs = _pairs(arguments, ())
        arguments.finish()
        return cls(name=name, keys=keys, outputs=outputs, only_new=only_new, **given)

    def print_arguments(self) -> list[str]:
        parts = [*print_options(self), print_name(self.name), _print_pairs(self.keys)]
        if self.outputs is not None:
            parts += ["OUTPUTNEW" if self.only_new else "OUTPUT", _print_pairs(self.outputs)]
        return parts

    def lower(self, relation: Relation, context: Context) -> Relation:
        table = _lookup_table(self.name, context)
        for theirs, _ in self.keys:
            self._check_field(theirs, table)
        matched = [theirs for theirs, _ in self.keys]
        outputs = self.outputs
        if outputs is None:
            outputs = [(n, n) for n in table.column_names if n not in matched]
        for theirs, _ in outputs:
            self._check_field(theirs, table)
        rows = context.relation_of(table)
        grouped = self._grouped(rows, matched, [theirs for theirs, _ in outputs])
        on = []
        for position, (_, ours) in enumerate(self.keys):
            value = relation.field(ours)
            if value.type is Type.NULL:
                value = v.Literal(Type.TEXT, None)
            on.append((v.as_text(value), grouped.field(f"key{position}")))
        node = Join(relation.node, grouped.node, tuple(on), "left")
        joined = dataclasses.replace(relation, node=node)
        for position, (_, ours) in enumerate(outputs):
            found = grouped.field(f"out{position}")
            one = v.call("arrayElement", found, v.integer(1), type=Type.TEXT)
            value: v.Value = found
            if self._single(table, matched, outputs[position][0]):
                present = v.call("notEmpty", found, type=Type.BOOL)
                value = v.call(
                    "if", present, v.call("toNullable", one, type=Type.TEXT), v.Literal(Type.TEXT, None), type=Type.TEXT
                )
                column = table.column(outputs[position][0])
                if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
                    value = v.as_integer(value) if pa.types.is_integer(column.type) else v.as_number(value)
            if self.only_new and relation.field(ours).type is not Type.NULL:
                value = v.choose(v.is_present(joined.field(ours)), joined.field(ours), value)
            joined = joined.with_field(ours, value)
        return joined

    def _check_field(self, name: str, table: pa.Table) -> None:
        if name not in table.column_names:
            raise SearchError(
                f'lookup "{self.name}" has no field "{name}"; fields: {", ".join(table.column_names)}',
                hint=nearest(name, table.column_names),
            )

    @staticmethod
    def _single(table: pa.Table, matched: list[str], name: str) -> bool:
        """Whether no key of the lookup has several rows, so that the field stays a single value."""
        keys = table.select(matched)
        return keys.group_by(matched).aggregate([]).num_rows == keys.num_rows

    @staticmethod
    def _grouped(rows: Relation, matched: list[str], wanted: list[str]) -> Relation:
        """One row per key with an array per wanted field, in the lookup's order."""
        keys = [(f"key{i}", v.as_text(rows.field(n))) for i, n in enumerate(matched)]
        rows = rows.filtered(v.both([v.is_present(value) for _, value in keys]))
        rows, position = rows.position_key()
        aggregates = []
        for i, name in enumerate(wanted):
            text = v.call("ifNull", v.as_text(rows.field(name)), v.text(""), type=Type.TEXT)
            pair = v.call("tuple", position, text, type=Type.TEXT)
            kept = v.is_present(rows.field(name))
            gathered = v.agg("groupArrayIf", pair, kept, type=Type.MULTI, parameters=(MATCH_LIMIT,))
            item = v.Column(Type.TEXT, "pair")
            second = v.Lambda(Type.TEXT, ("pair",), v.call("tupleElement", item, v.integer(2), type=Type.TEXT))
            ordered = v.call("arrayMap", second, v.call("arraySort", gathered, type=Type.MULTI), type=Type.MULTI)
            aggregates.append((f"out{i}", ordered))
        return rows.aggregated(keys, aggregates)


def _pairs(arguments: Arguments, stop_words: tuple[str, ...]) -> list[tuple[str, str]]:
    """`theirs [AS ours]` pairs up to a stop word or the end."""
    pairs = []
    arguments.skip_commas()
    while not arguments.at_end_of_list(stop_words):
        theirs = arguments.name()
        ours = arguments.name("a field name after AS") if arguments.accept_word("as") else theirs
        pairs.append((theirs, ours))
        arguments.skip_commas()
    return pairs


def _print_pairs(pairs: list[tuple[str, str]]) -> str:
    return ", ".join(print_name(a) if a == b else f"{print_name(a)} AS {print_name(b)}" for a, b in pairs)


@command("inputlookup", kind="generating")
@dataclass
class InputLookup(Command):
    """Reads a lookup's rows.

    Syntax: inputlookup [append=<bool>] [strict=<bool>] [start=<n>] [max=<n>] <lookup> [where <conditions>]
    Example: | inputlookup users.csv where team=search*

    Conditions are those of `search`. With `append=true` the rows come after the current ones.
    """

    append: bool = option(False, help="keep the current rows before them")
    strict: bool = option(False, help="accepted for compatibility; a lookup that is not there always fails")
    start: int = option(0, minimum=0, help="rows to skip")
    max: int = option(0, minimum=0, help="at most so many rows; 0 is all")
    name: str = ""
    predicate: Predicate | None = None

    @classmethod
    def read(cls, arguments: Arguments) -> InputLookup:
        given = arguments.options(cls)
        error = arguments.unknown_option(cls)
        if error:
            raise error
        name = arguments.name("a lookup's name")
        given.update(arguments.options(cls))
        predicate = None
        if arguments.accept_word("where"):
            reader = PredicateReader(arguments.tokens[arguments.position :], arguments.stage.arguments.end)
            predicate = reader.all_of()
            if not reader.done:
                raise SearchError(f'"{reader.peek().text}" is not expected here', reader.peek().span)
        else:
            arguments.finish()
        return cls(name=name, predicate=predicate, **given)

    def print_arguments(self) -> list[str]:
        where = ["where", print_predicate(self.predicate)] if self.predicate is not None else []
        return [*print_options(self), print_name(self.name), *where]

    def lower(self, relation: Relation, context: Context) -> Relation:
        rows = context.relation_of(_lookup_table(self.name, context))
        if self.predicate is not None:
            rows = rows.filtered(lower_predicate(self.predicate, rows, context))
        if self.start or self.max:
            rows, position = rows.numbered()
            conditions: list[v.Value] = [v.call("greater", position, v.integer(self.start), type=Type.BOOL)]
            if self.max:
                conditions.append(v.call("lessOrEquals", position, v.integer(self.start + self.max), type=Type.BOOL))
            rows = rows.filtered(v.both(conditions))
        return relation.union([rows]) if self.append and relation.fields else rows


@command("outputlookup", kind="dataset")
@dataclass
class OutputLookup(Command):
    """Writes the rows to a lookup, and passes them on.

    Syntax: outputlookup [append=<bool>] [create_empty=<bool>] [override_if_empty=<bool>] [key_field=<field>] [max=<n>] <lookup>
    Example: index=web | stats count by user | outputlookup user_counts.csv

    With `key_field`, rows of the lookup with the same key are replaced and the others kept. Fields that start with an
    underscore are not written.
    """

    append: bool = option(False, help="add to the lookup's rows")
    create_empty: bool = option(True, help="make the lookup even when there are no rows")
    override_if_empty: bool = option(True, help="empty the lookup when there are no rows")
    key_field: str = option("", help="replace rows with the same value of this field")
    max: int = option(0, minimum=0, help="at most so many rows; 0 is all")
    createinapp: bool = option(True, help="accepted for compatibility")
    name: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> OutputLookup:
        given = arguments.options(cls)
        error = arguments.unknown_option(cls)
        if error:
            raise error
        name = arguments.name("a lookup's name")
        given.update(arguments.options(cls))
        arguments.finish()
        return cls(name=name, **given)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), print_name(self.name)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        held = context.held(relation)
        table = context.table_of(held, [n for n in held.fields if not n.startswith("_")])
        if table.column_names == [""]:
            table = pa.table({})
        if context.dry:
            return held
        if self.max:
            table = table.slice(0, self.max)
        existing = context.knowledge.lookup(self.name)
        if table.num_rows == 0 and ((existing is None and not self.create_empty) or not self.override_if_empty):
            return held
        if existing is not None and (self.append or self.key_field):
            table = merge_rows(existing, table, self.key_field)
        context.knowledge.save_lookup(self.name, table)
        return held


def merge_rows(existing: pa.Table, table: pa.Table, key_field: str) -> pa.Table:
    """The existing rows, without those whose key comes again, then the new ones."""
    if key_field:
        if key_field not in table.column_names:
            raise SearchError(f'no row has the key field "{key_field}"')
        if key_field in existing.column_names:
            new_keys = table.column(key_field).cast(pa.string())
            old_keys = existing.column(key_field).cast(pa.string())
            existing = existing.filter(pc.invert(pc.is_in(old_keys, value_set=new_keys.combine_chunks())))
    parts = []
    for part in (existing, table):
        columns = {}
        for name, column in zip(part.column_names, part.columns, strict=True):
            other = table if part is existing else existing
            same = name not in other.column_names or other.schema.field(name).type == column.type
            columns[name] = column if same else column.cast(pa.string())
        parts.append(pa.table(columns))
    return pa.concat_tables(parts, promote_options="default")
