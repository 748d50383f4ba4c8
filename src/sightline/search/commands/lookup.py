"""`lookup`, `inputlookup`, `outputlookup`: tables that people keep beside the data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.catalog.collections import KEY, joined
from sightline.errors import SearchError
from sightline.search.commands.search import expand_subsearches
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.lookups import Definition, Use, add_lookup, definition_of, lookup_names
from sightline.search.planner.lower import lower_predicate
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.predicates import PredicateReader, print_predicate
from sightline.search.syntax.tree import Predicate


@command("lookup")
@dataclass
class Lookup(Command):
    """Adds fields of a lookup's rows whose fields have the same values.

    Syntax: lookup <lookup> <field> [AS <event field>]... [OUTPUT|OUTPUTNEW <field> [AS <event field>]...]
    Example: index=web | lookup users.csv id AS user_id OUTPUT name, team

    The lookup is a definition, a CSV file or a collection. Values are compared as text, case-sensitively; a definition
    may say that a field matches by wildcard or network, ignoring case, or by time. Without OUTPUT all other fields are
    added. OUTPUT overwrites, OUTPUTNEW fills only rows that lack the field. Several matching rows give multivalues, in
    the order of the lookup. A row without a match keeps what it has, except that OUTPUT empties its fields. Of a
    multivalue every value is looked for; an absent value matches nothing.
    """

    local: bool = option(False, help="accepted for compatibility; there is one server")
    update: bool = option(False, help="accepted for compatibility; lookups are always the newest")
    name: str = ""
    keys: list[tuple[str, str]] = field(default_factory=list)
    """(field of the lookup, field of the rows)"""
    outputs: list[tuple[str, str]] | None = None
    only_new: bool = False
    joined_by_equals: str = field(default="", compare=False)
    """The first pair of fields that an equals sign stands between, as it was written."""

    @classmethod
    def read(cls, arguments: Arguments) -> Lookup:
        given = arguments.options(cls)
        name = arguments.name("a lookup's name")
        keys: list[tuple[str, str]] = []
        joined_by_equals = ""
        arguments.skip_commas()
        while not arguments.at_end_of_list(("output", "outputnew")):
            if arguments.peek(1).is_("="):
                theirs = arguments.name()
                arguments.next()
                keys.append((theirs, arguments.name("a field name after =")))
                joined_by_equals = joined_by_equals or "=".join(keys[-1])
            else:
                keys.append(_pair(arguments))
            arguments.skip_commas()
        if not keys:
            raise SearchError("at least one field to match is wanted", arguments.peek().span)
        outputs, only_new = None, False
        token = arguments.accept_word("output", "outputnew")
        if token:
            only_new = token.text.lower() == "outputnew"
            outputs = _pairs(arguments, ())
        arguments.finish()
        return cls(name=name, keys=keys, outputs=outputs, only_new=only_new, joined_by_equals=joined_by_equals, **given)

    def print_arguments(self) -> list[str]:
        parts = [*print_options(self), print_name(self.name), _print_pairs(self.keys)]
        if self.outputs is not None:
            parts += ["OUTPUTNEW" if self.only_new else "OUTPUT", _print_pairs(self.outputs)]
        return parts

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.joined_by_equals:
            theirs, _, ours = self.joined_by_equals.partition("=")
            context.tell_leniency(
                f'lookup wants AS between its field and that of the event; "{theirs}={ours}" is read as "{theirs} AS {ours}"'
            )
        return add_lookup(relation, Use(self.name, self.keys, self.outputs, self.only_new), context)


def _pairs(arguments: Arguments, stop_words: tuple[str, ...]) -> list[tuple[str, str]]:
    """`theirs [AS ours]` pairs up to a stop word or the end."""
    pairs = []
    arguments.skip_commas()
    while not arguments.at_end_of_list(stop_words):
        pairs.append(_pair(arguments))
        arguments.skip_commas()
    return pairs


def _pair(arguments: Arguments) -> tuple[str, str]:
    theirs = arguments.name()
    return theirs, arguments.name("a field name after AS") if arguments.accept_word("as") else theirs


def _print_pairs(pairs: list[tuple[str, str]]) -> str:
    return ", ".join(print_name(a) if a == b else f"{print_name(a)} AS {print_name(b)}" for a, b in pairs)


@command("inputlookup", kind="generating")
@dataclass
class InputLookup(Command):
    """Reads a lookup's rows.

    Syntax: inputlookup [append=<bool>] [strict=<bool>] [start=<n>] [max=<n>] <lookup> [where <conditions>]
    Example: | inputlookup users.csv where team=search*

    The lookup is a definition, a CSV file or a collection. Conditions are those of `search`. With `append=true` the rows
    come after the current ones. Rows of a collection have their key in `_key`. What `outputlookup` wrote with
    `output_format=splunk_mv_csv` is several values again.
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
        rows = _with_values_apart(definition_of(self.name, context).rows(context))
        if self.predicate is not None:
            rows = rows.filtered(lower_predicate(expand_subsearches(self.predicate, context), rows, context))
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

    Syntax: outputlookup [append=<bool>] [create_empty=<bool>] [override_if_empty=<bool>] [key_field=<field>]
        [allow_updates=<bool>] [max=<n>] [output_format=splunk_sv_csv|splunk_mv_csv] <lookup>
    Example: index=web | stats count by user | outputlookup user_counts.csv

    The lookup is a definition, a collection, or a CSV file, which is made when it is not there. Without `append` its rows
    are replaced. With `key_field`, rows of a CSV file with the same value of that field are replaced and the others kept;
    in a collection that field's value becomes the key. Rows of a collection with a `_key` replace the row of that key. With
    `allow_updates=false` what is there under a key stays, and the new row is not written. Fields that start with an underscore
    are not written, but for a collection's `_key`. Several values become lines of one text; `output_format=splunk_mv_csv` keeps
    them apart as well, in a column `__mv_<field>` that `inputlookup` reads.
    """

    append: bool = option(False, help="add to the lookup's rows")
    create_empty: bool = option(True, help="make the lookup even when there are no rows")
    override_if_empty: bool = option(True, help="empty the lookup when there are no rows")
    key_field: str = option("", help="replace rows with the same value of this field")
    allow_updates: bool = option(True, help="write rows in place of those with the same key; else those stay")
    max: int = option(0, minimum=0, help="at most so many rows; 0 is all")
    createinapp: bool = option(True, help="accepted for compatibility; lookups do not belong to apps")
    create_context: str = option("", help="accepted for compatibility; lookups do not belong to apps or people")
    output_format: str = option(
        "splunk_sv_csv", choices=("splunk_sv_csv", "splunk_mv_csv"), help="whether several values stay apart in a CSV file"
    )
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
        target = self._target(context)
        held = context.held(relation)
        internal = {KEY} if target is not None and target.collection else set()
        names = [n for n in held.fields if not n.startswith("_") or n in internal]
        table = context.table_of(held, names)
        if table.column_names == [""]:
            table = pa.table({})
        if context.dry:
            return held
        if self.max:
            table = table.slice(0, self.max)
        if table.num_rows == 0 and ((target is None and not self.create_empty) or not self.override_if_empty):
            return held
        if target is not None and target.collection:
            self._write_collection(target, table, context)
            return held
        if self.output_format == "splunk_mv_csv":
            table = _with_values_written_apart(table)
        file = target.file if target is not None else self.name
        existing = context.knowledge.lookup(file)
        if existing is not None and (self.append or self.key_field):
            if not self.allow_updates and self.key_field:
                table = _new_rows(existing, table, self.key_field)
            table = merge_rows(existing, table, self.key_field)
        context.knowledge.save_lookup(file, table)
        return held

    def _target(self, context: Context) -> Definition | None:
        """What is written to; None for a CSV file that is not there yet."""
        knowledge = context.knowledge
        settings = knowledge.stanzas("transforms").get(self.name, {})
        if settings.get("filename") and knowledge.lookup(settings["filename"].strip()) is None:
            return Definition(self.name, pa.table({}), file=settings["filename"].strip())
        is_new = self.name not in lookup_names(context) and knowledge.lookup(self.name) is None and not settings
        return None if is_new else definition_of(self.name, context)

    def _write_collection(self, target: Definition, table: pa.Table, context: Context) -> None:
        listed = context.knowledge.stanzas("transforms").get(self.name, {}).get("fields_list", "")
        if listed:
            wanted = {KEY, *(n.strip() for n in listed.split(","))}
            table = table.select([n for n in table.column_names if n in wanted or n == self.key_field])
        if self.key_field and self.key_field != KEY:
            if self.key_field not in table.column_names:
                raise SearchError(f'no row has the key field "{self.key_field}"')
            keys = table.column(self.key_field).cast(pa.string())
            table = pa.table({KEY: keys, **{n: table.column(n) for n in table.column_names if n != KEY}})
        keep = self.append or bool(self.key_field)

        def change(rows: pa.Table) -> pa.Table:
            if not keep:
                return table
            return joined(rows, table if self.allow_updates else _new_rows(rows, table, KEY))

        context.knowledge.update_collection(target.collection, change)


APART = "__mv_"
"""Begins the name of the column that keeps several values of a field apart, each between dollar signs: $a$;$b$."""
_EACH = r"\$((?:[^$]|\$\$)*)\$(?:;|$)"


def _with_values_written_apart(table: pa.Table) -> pa.Table:
    for name in [n for n in table.column_names if pa.types.is_list(table.schema.field(n).type)]:
        several = one_array(table[name])
        lengths = pc.fill_null(pc.list_value_length(several), 0)
        values = pc.replace_substring(pc.cast(several.flatten(), pa.string()), "$", "$$")
        each = pc.binary_join_element_wise("$", values, "$", "")
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        written = pc.binary_join(pa.ListArray.from_arrays(offsets, each), ";")
        written = pc.if_else(pc.greater(lengths, 1), written, pa.scalar(None, pa.string()))
        table = table.append_column(APART + name, written)
    return table


def _with_values_apart(rows: Relation) -> Relation:
    """The rows with several values where a column beside the field keeps them apart."""
    for column in [name for name in rows.fields if name.startswith(APART)]:
        name, written = column.removeprefix(APART), rows.field(column)
        text = v.call("ifNull", v.as_text(written), v.text(""), type=Type.TEXT)
        parts = v.call("extractAll", text, v.text(_EACH), type=Type.MULTI)
        one = v.call("replaceAll", v.Column(Type.TEXT, "part"), v.text("$$"), v.text("$"), type=Type.TEXT)
        values = v.call("arrayMap", v.Lambda(Type.TEXT, ("part",), one), parts, type=Type.MULTI)
        rows = rows.with_field(name, v.choose(v.is_present(written), values, v.as_multi(rows.field(name))))
        rows = rows.with_field(column, v.NULL)
    return rows


def _new_rows(existing: pa.Table, table: pa.Table, key: str) -> pa.Table:
    """The rows whose key the existing ones do not have."""
    if key not in existing.column_names or key not in table.column_names:
        return table
    known = one_array(existing[key].cast(pa.string()))
    return table.filter(pc.invert(pc.is_in(table[key].cast(pa.string()), value_set=known, skip_nulls=True)))


def merge_rows(existing: pa.Table, table: pa.Table, key_field: str) -> pa.Table:
    """The existing rows, without those whose key comes again, then the new ones."""
    if key_field:
        if key_field not in table.column_names:
            raise SearchError(f'no row has the key field "{key_field}"')
        if key_field in existing.column_names:
            new_keys = table.column(key_field).cast(pa.string())
            old_keys = existing.column(key_field).cast(pa.string())
            existing = existing.filter(pc.invert(pc.is_in(old_keys, value_set=new_keys.combine_chunks())))
    return joined(existing, table)
