"""`foreach` and `map`: a piece of search that is run again for each field, each value or each row."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sightline.errors import LanguageError, SearchError, Span, nearest
from sightline.search import registry
from sightline.search.commands.subsearch import cell_text, run_text
from sightline.search.context import Context, TimeRange
from sightline.search.functions.arguments import json_items
from sightline.search.nested import find_saved_search, other_range, range_of_saved
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import fields_with_values
from sightline.search.planner.lower import lower_expression
from sightline.search.planner.relation import Relation, wildcard_regex
from sightline.search.planner.values import Column, Lambda, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import quote_string, shown, span_of
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.source import read_source
from sightline.search.syntax.templates import fill_items, fill_names, fill_tokens, token_names
from sightline.search.syntax.tree import Expression, Pipeline

ITEM_FIELD, NUMBER_FIELD = "\0item", "\0number"
"""Fields under which the assignments of `foreach` read the value at hand and its number."""
BRANCHES_AT_ONCE = 20
"""Searches of `map` that become one statement; of more, so many at a time are run and their rows kept."""


def template_of(arguments: Arguments) -> tuple[str, Span]:
    """The text of the brackets at the cursor, whose commands must exist, and where it stands."""
    token = arguments.peek()
    pipeline = arguments.subsearch()
    _check_commands(pipeline)
    text = arguments.stage.text[token.span.start + 1 : token.span.end - 1].strip()
    # In brackets the first word is a command, in a search of its own only after a pipe.
    named = bool(pipeline.stages) and pipeline.stages[0].name_span.end > pipeline.stages[0].name_span.start
    return f"| {text}" if named and not pipeline.leading_pipe else text, token.span


def _check_commands(pipeline: Pipeline) -> None:
    for stage in pipeline.stages:
        if stage.name not in registry.COMMANDS:
            raise SearchError(
                f'there is no command "{stage.name}"', stage.name_span, hint=nearest(stage.name, registry.COMMANDS)
            )
        for inner, _ in stage.subsearches.values():
            _check_commands(inner)


@command("foreach")
@dataclass
class ForEach(Command):
    """Runs a piece of search for each of several fields, or for each value of a field.

    Syntax: foreach [mode=multifield|multivalue|json_array|auto_collections] <field>... [fieldstr=<text>] [matchstr=<text>]
        [matchseg1=<text>] [matchseg2=<text>] [matchseg3=<text>] [itemstr=<text>] [iterstr=<text>] [<commands>]
    Example: index=web | timechart count by host | foreach * [eval <<FIELD>>=round('<<FIELD>>'/60, 2)]

    `multifield` repeats the commands for each field, `*` in its name allowed: `<<FIELD>>` becomes the field's name,
    `<<MATCHSTR>>` what the stars matched, `<<MATCHSEG1>>` to `<<MATCHSEG3>>` what each of them did. A field that was named
    outright need not exist; stars match fields that some row has a value of, internal ones only where the pattern begins with
    an underscore. In a row without a value of such a field, what `eval` assigns stays as it was where the expression gives
    nothing. A name that needs quotes outside of quotes gets them.

    The other modes repeat one or more `eval` for each value of a field, in each row by itself: `<<ITEM>>` is the value,
    `<<ITER>>` its number, counted from 0. `json_array` goes over the items of a JSON array; `auto_collections` over either,
    and without a field over all fields that hold one. An absent field has no values. The text options name other
    placeholders.
    """

    runs_brackets = True

    mode: str = option(
        "multifield",
        choices=("multifield", "multivalue", "json_array", "auto_collections"),
        help="what to go over: fields, values of a multivalue, items of a JSON array, either of these",
    )
    fieldstr: str = option("<<FIELD>>", help="the placeholder of the field's name")
    matchstr: str = option("<<MATCHSTR>>", help="the placeholder of what the stars matched")
    matchseg1: str = option("<<MATCHSEG1>>", help="the placeholder of what the first star matched")
    matchseg2: str = option("<<MATCHSEG2>>", help="the placeholder of what the second star matched")
    matchseg3: str = option("<<MATCHSEG3>>", help="the placeholder of what the third star matched")
    itemstr: str = option("<<ITEM>>", help="the placeholder of the value")
    iterstr: str = option("<<ITER>>", help="the placeholder of the value's number")
    names: list[str] = field(default_factory=list)
    template: str = ""
    place: Span = field(default=Span(0, 0), compare=False)
    fills_brackets = True

    @classmethod
    def read(cls, arguments: Arguments) -> ForEach:
        found = arguments.options(cls)
        names: list[str] = []
        while not arguments.done and arguments.peek().kind != "subsearch":
            if error := arguments.unknown_option(cls):
                raise error
            names.append(arguments.name())
            arguments.skip_commas()
            found.update(arguments.options(cls))
        if not names and found.get("mode") != "auto_collections":
            raise SearchError(f"a field name is expected, got {shown(arguments.peek())}", arguments.peek().span)
        template, place = template_of(arguments)
        found.update(arguments.options(cls))
        arguments.finish()
        for name in ("fieldstr", "matchstr", "matchseg1", "matchseg2", "matchseg3", "itemstr", "iterstr"):
            if found.get(name) == "":
                raise SearchError(f"{name} must not be empty", arguments.stage.arguments)
        made = cls(names=names, template=template, place=place, **found)
        if made.mode != "multifield":
            made.assignments()
        return made

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(print_name(name) for name in self.names), f"[{self.template}]"]

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.mode == "multifield":
            for name, groups in self._matches(relation, context):
                names = {self.fieldstr: name, self.matchstr: "".join(groups)}
                segments = (self.matchseg1, self.matchseg2, self.matchseg3)
                names.update(zip(segments, [*groups, "", "", ""], strict=False))
                text = fill_names(self.template, names)
                missed = self._targets(text, context) - {name} if groups else set()
                relation = _keeping(relation, name, missed, lambda r, text=text: run_text(text, context, self.place, r))
            return relation
        assignments = self.assignments()
        for items in self._collections(relation, context):
            relation = repeat_assignments(relation, context, items(relation), assignments)
        return relation

    def _targets(self, text: str, context: Context) -> set[str]:
        """The fields that a template of nothing but `eval` assigns; none for any other template."""
        try:
            stages = parse_pipeline(read_source(text, context.macros)).stages
            if any(stage.name != "eval" for stage in stages):
                return set()
            commands = [registry.read_command(stage) for stage in stages]
        except SearchError as error:
            error.span = self.place
            raise
        return {target for command in commands for target, _ in command.assignments if "{" not in target}  # type: ignore[attr-defined]

    def _matches(self, relation: Relation, context: Context) -> list[tuple[str, list[str]]]:
        """The fields to go over, each once, with what each star of its pattern matched."""
        found: dict[str, list[str]] = {}
        for pattern in self.names:
            if "*" not in pattern:
                found.setdefault(pattern, [])
                continue
            regex = wildcard_regex(pattern)
            for name in relation.matching(pattern):
                if (match := regex.fullmatch(name)) and (name[-2:] != "{}" or name[:-2] not in relation.fields):
                    found.setdefault(name, list(match.groups()))
        if relation.kind == "events":
            # Stored events have all fields of their index, also those that no event of this search has.
            starred = [name for name, groups in found.items() if groups]
            used = fields_with_values(relation, starred, context) if starred else set()
            found = {name: groups for name, groups in found.items() if not groups or name in used}
        return list(found.items())

    def assignments(self) -> list[tuple[str, Expression]]:
        """What the `eval` commands of the template assign, with fields for the placeholders."""
        text = fill_items(self.template, {self.itemstr: ITEM_FIELD, self.iterstr: NUMBER_FIELD})
        found: list[tuple[str, Expression]] = []
        try:
            for stage in parse_pipeline(read_source(text)).stages:
                if stage.name != "eval":
                    raise SearchError(f'mode={self.mode} repeats eval only, got "{stage.name}"')
                found.extend(registry.read_command(stage).assignments)  # type: ignore[attr-defined]
        except SearchError as error:
            error.span = self.place
            raise
        for target, _ in found:
            if ITEM_FIELD in target or NUMBER_FIELD in target or "{" in target:
                raise SearchError(f"mode={self.mode} cannot name a field after a value", self.place)
        return found

    def _collections(self, relation: Relation, context: Context) -> list[_Items]:
        if self.names:
            return [_Items(name, self.mode) for name in self.names]
        several = [
            n for n, x in relation.fields.items() if x.type is Type.MULTI and not n.startswith("_") and n[-2:] != "{}"
        ]
        texts = [n for n, x in relation.fields.items() if x.type is Type.TEXT and not n.startswith("_")]
        arrays = relation.with_fields({n: _Items(n, "json_array")(relation) for n in texts})
        used = fields_with_values(arrays, texts, context) if texts else set()
        return [_Items(name, self.mode) for name in relation.fields if name in several or name in used]


def _keeping(relation: Relation, name: str, targets: set[str], run: Callable[[Relation], Relation]) -> Relation:
    """What `run` makes of the rows, but where a row lacks the field, targets that are left with nothing keep what they had."""
    kept = {target: f"\0kept{place}" for place, target in enumerate(sorted(targets)) if target in relation.fields}
    if not kept:
        return run(relation)
    before = {hidden: relation.field(target) for target, hidden in kept.items()}
    relation = run(
        relation.with_fields({**relation.fields, **before, "\0lacks": v.negation(v.is_present(relation.field(name)))})
    )
    for target, hidden in kept.items():
        found = relation.field(target)
        nothing = v.both([relation.field("\0lacks"), v.negation(v.is_present(found))])
        relation = relation.with_field(target, v.choose(nothing, relation.field(hidden), found))
        relation = relation.with_field(hidden, v.NULL)
    return relation.with_field("\0lacks", v.NULL)


@dataclass(frozen=True)
class _Items:
    """The values of a field to go over, of whichever relation is at hand."""

    name: str
    mode: str

    def __call__(self, relation: Relation) -> Value:
        value = relation.field(self.name)
        if value.type is Type.NULL:
            return v.EMPTY_MULTI
        if value.type is Type.MULTI or self.mode == "multivalue":
            return v.as_multi(value)
        return json_items(v.as_text(value))


def repeat_assignments(
    relation: Relation, context: Context, items: Value, assignments: Sequence[tuple[str, Expression]]
) -> Relation:
    """The relation after the assignments were made, one after the other, for each item of each row.

    It is a fold over the list: the fields that are assigned are carried from one item to the next.
    """
    targets = list(dict.fromkeys(target for target, _ in assignments))
    types = {target: relation.field(target).type for target in targets}
    while True:
        results = _assigned(relation, context, types, assignments)
        wider = {target: v.common_type([types[target], results[target].type]) for target in targets}
        if wider == types:
            break
        types = wider
    carried = [target for target in targets if types[target] is not Type.NULL]
    if not carried:
        return relation
    engine_types = ", ".join(_ENGINE_TYPES[types[target]] for target in carried)

    def state(values: Iterable[Value]) -> Value:
        given = [v.cast(value, types[target]) for value, target in zip(values, carried, strict=True)]
        whole = v.call("tuple", *given, type=Type.TEXT)
        return v.call("CAST", whole, v.text(f"Tuple({engine_types})"), type=Type.TEXT)

    numbers = v.call("range", v.call("length", items, type=Type.INT), type=Type.MULTI)
    body = state(results[target] for target in carried)
    fold = v.call(
        "arrayFold",
        Lambda(Type.TEXT, ("carried", "item_at_hand", "number_at_hand"), body),
        items,
        numbers,
        state(relation.field(target) for target in carried),
        type=Type.TEXT,
    )
    relation = relation.with_field("\0carried", fold).settled()
    found = relation.field("\0carried")
    relation = relation.with_field("\0carried", v.NULL)
    for position, target in enumerate(carried, 1):
        relation = relation.with_field(target, _part(found, position, types[target]))
    return relation


_ENGINE_TYPES = {
    Type.INT: "Nullable(Int64)",
    Type.FLOAT: "Nullable(Float64)",
    Type.TEXT: "Nullable(String)",
    Type.MULTI: "Array(String)",
}


def _part(whole: Value, position: int, type: Type) -> Value:
    return v.call("tupleElement", whole, v.integer(position), type=type)


def _assigned(
    relation: Relation, context: Context, types: dict[str, Type], assignments: Sequence[tuple[str, Expression]]
) -> dict[str, Value]:
    """What the fields are after one item, over the fields carried so far, which have these types."""
    carried = [target for target in types if types[target] is not Type.NULL]
    fields = dict(relation.fields)
    for target in types:
        fields.pop(target, None)
    for position, target in enumerate(carried, 1):
        fields[target] = _part(Column(Type.TEXT, "carried"), position, types[target])
    fields[ITEM_FIELD] = v.call("toNullable", Column(Type.TEXT, "item_at_hand"), type=Type.TEXT)
    fields[NUMBER_FIELD] = v.call("toInt64", Column(Type.INT, "number_at_hand"), type=Type.INT)
    for target, expression in assignments:
        value = lower_expression(expression, dataclasses.replace(relation, fields=fields), context)
        if value.type is Type.BOOL:
            raise LanguageError(
                "a condition cannot be assigned to a field",
                span_of(expression),
                hint=f'use {target}=if(..., "true", "false")',
            )
        fields[target] = value
    return {target: fields.get(target, v.NULL) for target in types}


@command("map", kind="dataset")
@dataclass
class Map(Command):
    """Runs a search for each row, with values of the row in it.

    Syntax: map search="<search>" | [<search>] | <saved search> [maxsearches=<n>]
    Example: index=deploys | table host version | map search="search index=web host=$host$ | head 1 | eval version=$version$"

    `$field$` becomes the row's value, put in quotes where it has to be, and `$_serial_id$` the number of the search, from 1;
    `$$` is a dollar sign. The answers come one below another; the rows themselves do not. A row that lacks a value runs
    nothing, with a warning. Only the first `maxsearches` rows run, with a warning about the others.
    """

    runs_brackets = True

    maxsearches: int = option(10, minimum=1, help="how many rows run a search")
    search: str = option("", help="the search")
    saved: str = ""
    template: str = ""
    place: Span = field(default=Span(0, 0), compare=False)
    fills_brackets = True

    @classmethod
    def read(cls, arguments: Arguments) -> Map:
        found = arguments.options(cls)
        saved, template, place = "", "", arguments.stage.arguments
        if arguments.peek().kind == "subsearch":
            template, place = template_of(arguments)
        elif not arguments.done and "search" not in found:
            if error := arguments.unknown_option(cls):
                raise error
            saved = arguments.name("a search")
        found.update(arguments.options(cls))
        if "search" in found and not arguments.done:
            found = cls._with_quotes_inside(arguments, found)
        arguments.finish()
        if sum(map(bool, (saved, template, found.get("search")))) != 1:
            raise SearchError('search="...", a search in brackets or the name of a saved one is wanted', place)
        return cls(saved=saved, template=template, place=place, **found)

    @classmethod
    def _with_quotes_inside(cls, arguments: Arguments, found: dict[str, Any]) -> dict[str, Any]:
        """The options where the search goes on to the last quote: `search="... value="false" ..."`.

        It is the only thing that the quotes in between can mean, and published searches are written so.
        """
        written = arguments.stage.text[arguments.stage.arguments.start : arguments.stage.arguments.end]
        match = re.search(r'\bsearch\s*=\s*"(.*)"([^"]*)\Z', written, re.S)
        rest = Arguments(parse_pipeline(read_source(f"| map {match.group(2)}")).stages[0]) if match else arguments
        options = rest.options(cls)
        if match is None or not rest.done:
            return found
        arguments.position = len(arguments.tokens)
        text = re.sub(r'\\([\\"])', r"\1", match.group(1))
        return {name: value for name, value in found.items() if name != "search"} | options | {"search": text}

    def print_arguments(self) -> list[str]:
        if self.template:
            return [*print_options(self), f"[{self.template}]"]
        return [*print_options(self), *([quote_string(self.saved)] if self.saved else [])]

    def needs(self, after: frozenset[str] | None) -> frozenset[str] | None:
        return None if self.saved else frozenset(token_names(self.search or self.template))

    def lower(self, relation: Relation, context: Context) -> Relation:
        text, (earliest, latest) = self._text(context)
        names = token_names(text)
        missing = [n for n in names if n != "_serial_id" and relation.field(n).type is Type.NULL]
        if missing and not context.dry:
            raise SearchError(
                f'the search names "${missing[0]}$", but no row has a field "{missing[0]}"',
                self.place,
                hint=nearest(missing[0], relation.fields),
            )
        wanted = [name for name in names if name != "_serial_id"]
        table = context.table_of(relation.head(self.maxsearches + 1), wanted)
        rows = table.to_pylist()
        if len(rows) > self.maxsearches:
            rows = rows[: self.maxsearches]
            context.warn(
                f"more than {self.maxsearches} rows came to map: the first {self.maxsearches} ran a search", self.place
            )
        found: list[Relation] = []
        for number, row in enumerate(rows, 1):
            values = {"_serial_id": str(number)} | {
                n: cell_text(row[n]) for n in wanted if row[n] is not None and row[n] != []
            }
            absent = [n for n in wanted if n not in values]
            if absent:
                context.warn(f'row {number} has no value of "{absent[0]}": map ran nothing for it', self.place)
                continue
            with other_range(context, earliest, latest):
                found.append(run_text(fill_tokens(text, values.get), context, self.place))
            if len(found) > BRANCHES_AT_ONCE:
                found = [context.held(_below_one_another(found))]
        return _below_one_another(found) if found else context.empty()

    def _text(self, context: Context) -> tuple[str, TimeRange]:
        """The search, and the range of time that it runs over where that is not the one of the search around it."""
        if not self.saved:
            return self.search or self.template, (None, None)
        saved = find_saved_search(self.saved, context)
        return saved.search, range_of_saved(saved, context)


def _below_one_another(relations: Sequence[Relation]) -> Relation:
    first, *others = relations
    return first.union(others) if others else first
