"""`makemv`, `mvexpand`, `mvcombine` and `nomv`: fields of several values made, taken apart and joined."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.lower import join_multi
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options


def read_field(arguments: Arguments, command: type) -> tuple[str, dict[str, Any]]:
    """One field, with options of the command before and after it."""
    found = arguments.options(command)
    arguments.skip_commas()
    error = arguments.unknown_option(command)
    if error:
        raise error
    name = arguments.name()
    arguments.skip_commas()
    found.update(arguments.options(command))
    arguments.finish()
    return name, found


@command("makemv")
@dataclass
class MakeMv(Command):
    """Splits a field's text into several values.

    Syntax: makemv [delim=<text>] [tokenizer=<regex>] [allowempty=<bool>] [setsv=<bool>] <field>
    Example: index=web | makemv delim="," tags

    It splits at `delim`, a space unless given, or takes what the first group of `tokenizer` matches. Empty values are
    dropped unless `allowempty=true`. With `setsv=true` the values are joined again by lines, as one value. Of a multivalue,
    each value is split.
    """

    delim: str = option(" ", help="what stands between values")
    tokenizer: str = option("", help="a regular expression whose first group matches a value")
    allowempty: bool = option(False, help="keep empty values")
    setsv: bool = option(False, help="join the values again")
    name: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> MakeMv:
        name, found = read_field(arguments, cls)
        if found.get("delim") == "":
            raise SearchError("delim must not be empty")
        if found.get("tokenizer"):
            regexes.check(found["tokenizer"])
        return cls(name=name, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), print_name(self.name)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        value = relation.field(self.name)
        if value.type is Type.NULL:
            return relation
        if value.type is Type.MULTI:
            each = Lambda(Type.MULTI, ("whole",), self._parts(Column(Type.TEXT, "whole")))
            parts = v.call("arrayFlatten", v.call("arrayMap", each, value, type=Type.MULTI), type=Type.MULTI)
        else:
            parts = self._parts(v.call("ifNull", v.as_text(value), v.text(""), type=Type.TEXT))
            parts = v.call("if", v.is_present(value), parts, v.EMPTY_MULTI, type=Type.MULTI)
        if self.setsv:
            return relation.with_field(self.name, join_multi_or_absent(parts))
        return relation.with_field(self.name, parts)

    def _parts(self, text: Value) -> Value:
        if self.tokenizer:
            # The first group is the value; without one the whole match is.
            parts = regexes.extract_group(text, self.tokenizer, min(1, regexes.group_count(self.tokenizer)), 0)
        else:
            parts = v.call("splitByString", v.text(self.delim), text, type=Type.MULTI)
        if self.allowempty:
            return parts
        filled = v.call("notEmpty", Column(Type.TEXT, "part"), type=Type.BOOL)
        return v.call("arrayFilter", Lambda(Type.BOOL, ("part",), filled), parts, type=Type.MULTI)


@command("mvexpand")
@dataclass
class MvExpand(Command):
    """Makes a row of each value of a field.

    Syntax: mvexpand <field> [limit=<number>]
    Example: index=web | mvexpand tags

    Every new row has all other fields. A row without the field stays. `limit` takes the first values of each row only;
    0 is all.
    """

    limit: int = option(0, minimum=0, help="how many values of a row, 0 is all")
    name: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> MvExpand:
        name, found = read_field(arguments, cls)
        return cls(name=name, **found)

    def print_arguments(self) -> list[str]:
        return [print_name(self.name), *print_options(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        value = relation.field(self.name)
        if value.type is not Type.MULTI:
            return relation
        relation, position = relation.numbered()
        if self.limit:
            value = v.call("arraySlice", value, v.integer(1), v.integer(self.limit), type=Type.MULTI)
        texts = v.call("CAST", value, v.text("Array(Nullable(String))"), type=Type.MULTI)
        # A row without a value is a row with one absent value.
        relation, cell, place = relation.unnested_in_place(v.call("emptyArrayToSingle", texts, type=Type.MULTI), self.name)
        relation = dataclasses.replace(relation, order=((position, False), (place, False)))
        return relation.with_field(self.name, cell).settled()


@command("mvcombine", kind="dataset")
@dataclass
class MvCombine(Command):
    """Joins rows that differ in one field only into one row with all values of it.

    Syntax: mvcombine [delim=<text>] <field>
    Example: index=web | stats count by host user | mvcombine user

    Rows without the field are left out of the joining and stay. A joined row stands where its first one stood. The field
    has several values; a `nomv` after it writes them as one, with `delim` in between.
    """

    delim: str = option(" ", help="what a later nomv puts between the values")
    name: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> MvCombine:
        name, found = read_field(arguments, cls)
        return cls(name=name, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), print_name(self.name)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        value = relation.field(self.name)
        if value.type is Type.NULL:
            return relation
        relation, position = relation.numbered()
        others = [(n, x) for n, x in relation.fields.items() if n != self.name and not isinstance(x, v.Literal)]
        present = v.is_present(value)
        # Rows without the field are told apart by their position.
        apart = v.call("if", present, v.integer(0), position, type=Type.INT)
        row = v.call("tuple", position, v.as_multi(value), type=Type.TEXT)
        sorted_rows = v.call("arraySort", v.agg("groupArray", row, type=Type.MULTI), type=Type.MULTI)
        pair = Column(Type.TEXT, "pair")
        values = v.call("tupleElement", pair, v.integer(2), type=Type.MULTI)
        joined = v.call("arrayFlatten", v.call("arrayMap", Lambda(Type.MULTI, ("pair",), values), sorted_rows,
                                               type=Type.MULTI), type=Type.MULTI)  # fmt: skip
        first = v.agg("min", position, type=Type.INT)
        combined = relation.aggregated(
            [*others, ("\0apart", apart)], [(self.name, joined), ("\0first", first)], kind=relation.kind
        )
        order = ((combined.field("\0first"), False),)
        fields = {n: combined.fields.get(n, value) for n, value in relation.fields.items()}
        presentation = relation.presentation.with_delimiter([self.name], self.delim)
        return dataclasses.replace(combined.with_fields(fields), order=order, presentation=presentation)


@command("nomv")
@dataclass
class NoMv(Command):
    """Joins the values of a field into one, by lines.

    Syntax: nomv <field>
    Example: index=web | nomv tags

    After `mvcombine`, or `stats` with `delim`, its delimiter stands between the values instead of a new line.
    """

    name: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> NoMv:
        return cls(read_field(arguments, cls)[0])

    def print_arguments(self) -> list[str]:
        return [print_name(self.name)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        value = relation.field(self.name)
        if value.type is not Type.MULTI:
            return relation
        delimiter = relation.presentation.delimiter(self.name)
        return relation.with_field(self.name, join_multi_or_absent(value, delimiter))


def join_multi_or_absent(value: Value, delimiter: str = "\n") -> Value:
    """A multivalue as one text, of lines unless told otherwise; absent where it has no value."""
    return v.choose(v.is_present(value), join_multi(value, delimiter), v.Literal(Type.TEXT, None))
