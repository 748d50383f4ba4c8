"""`tojson`, `makejson` and `fromjson`: rows as JSON objects, and JSON objects as fields."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from sightline.errors import SearchError, Span
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.relation import Relation, is_second_name
from sightline.search.planner.values import Column, Lambda, Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import shown

_TYPES = ("auto", "bool", "json", "none", "num", "str")
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"


def _object(relation: Relation, types: dict[str, str], *, fill_null: bool) -> Value:
    """The JSON text of an object with these fields, each as its type says; what cannot be is left out, or null."""
    pieces = []
    for name, kind in types.items():
        value = undictionaried(relation.field(name))
        if value.type is not Type.NULL:
            written = _written(value, kind, fill_null=fill_null)
            pieces.append(v.call("concat", v.text(json.dumps(name, ensure_ascii=False) + ":"), written, type=Type.TEXT))
    if not pieces:
        return v.text("{}")
    item = Column(Type.TEXT, "piece")
    present = Lambda(Type.BOOL, ("piece",), v.call("isNotNull", item, type=Type.BOOL))
    kept = v.call("arrayFilter", present, v.call("array", *pieces, type=Type.MULTI), type=Type.MULTI)
    sure = Lambda(Type.TEXT, ("piece",), v.call("assumeNotNull", item, type=Type.TEXT))
    members = v.call("arrayMap", sure, kept, type=Type.MULTI)
    joined = v.call("arrayStringConcat", members, v.text(","), type=Type.TEXT)
    return v.call("concat", v.text("{"), joined, v.text("}"), type=Type.TEXT)


def _written(value: Value, kind: str, *, fill_null: bool) -> Value:
    """A value as JSON; NULL where it is absent or its type does not fit."""
    if value.type is not Type.MULTI:
        found = v.shared([value], lambda value: _WRITERS[kind](value))
        found = v.call("if", v.is_present(value), found, Literal(Type.TEXT, None), type=Type.TEXT)
        return v.call("ifNull", found, v.text("null"), type=Type.TEXT) if fill_null else found
    item = Column(Type.TEXT, "item")
    texts = v.call("arrayMap", Lambda(Type.TEXT, ("item",), _WRITERS[kind](item)), value, type=Type.MULTI)
    if fill_null:
        kept = texts
    else:
        present = Lambda(Type.BOOL, ("item",), v.call("isNotNull", item, type=Type.BOOL))
        kept = v.call("arrayFilter", present, texts, type=Type.MULTI)
    sure = Lambda(Type.TEXT, ("item",), v.call("ifNull", item, v.text("null"), type=Type.TEXT))
    kept = v.call("arrayMap", sure, kept, type=Type.MULTI)
    joined = v.call("arrayStringConcat", kept, v.text(","), type=Type.TEXT)
    # A field of one value is a text, also where other rows have several.
    single = v.call("equals", v.call("length", value, type=Type.INT), v.integer(1), type=Type.BOOL)
    array = v.call("concat", v.text("["), joined, v.text("]"), type=Type.TEXT)
    listed = v.call("if", single, joined, array, type=Type.TEXT)
    nothing: Value = v.text("null") if fill_null else Literal(Type.TEXT, None)
    return v.call("if", v.call("notEmpty", kept, type=Type.BOOL), listed, nothing, type=Type.TEXT)


def _quoted(value: Value) -> Value:
    plain = v.call("toValidUTF8", v.as_text(value), type=Type.TEXT)
    return v.call("toJSONString", v.call("ifNull", plain, v.text(""), type=Type.TEXT), type=Type.TEXT)


def _none(value: Value) -> Value:
    return v.as_text(value) if value.type.is_number or value.type is Type.BOOL else _quoted(value)


def _where(condition: Value, text: Value, otherwise: Value | None = None) -> Value:
    return v.call("if", v.is_true(condition), text, otherwise or Literal(Type.TEXT, None), type=Type.TEXT)


def _is_number(text: Value) -> Value:
    return v.call("match", text, v.text(_NUMBER), type=Type.BOOL)


def _is_json(text: Value) -> Value:
    return v.call("isValidJSON", text, type=Type.BOOL)


def _num(value: Value) -> Value:
    text = v.as_text(value)
    return text if value.type.is_number else _where(_is_number(text), text)


def _json(value: Value) -> Value:
    text = v.as_text(value)
    return _where(_is_json(text), text)


def _bool(value: Value) -> Value:
    text = v.call("lower", v.as_text(value), type=Type.TEXT)
    number = v.as_float(value) if value.type is not Type.BOOL else v.call("toFloat64", value, type=Type.FLOAT)
    yes = v.either([
        v.call("in", text, v.multi(["true", "t", "yes", "y"]), type=Type.BOOL),
        v.is_true(v.call("notEquals", number, v.integer(0), type=Type.BOOL)),
    ])  # fmt: skip
    no = v.either([
        v.call("in", text, v.multi(["false", "f", "no", "n"]), type=Type.BOOL),
        v.is_true(v.call("equals", number, v.integer(0), type=Type.BOOL)),
    ])  # fmt: skip
    return _where(yes, v.text("true"), _where(no, v.text("false")))


def _auto(value: Value) -> Value:
    text = v.as_text(value)
    if value.type.is_number or value.type is Type.BOOL:
        return text
    word = v.call("in", text, v.multi(["true", "false", "null"]), type=Type.BOOL)
    container = v.both([v.call("match", text, v.text(r"^\s*[\[{]"), type=Type.BOOL), _is_json(text)])
    bare = v.either([v.is_true(word), v.is_true(_is_number(text)), v.is_true(container)])
    return _where(bare, text, _quoted(value))


_WRITERS: dict[str, Callable[[Value], Value]] = {
    "auto": _auto, "bool": _bool, "json": _json, "none": _none, "num": _num, "str": _quoted,
}  # fmt: skip


def _names(relation: Relation, *, internal: bool) -> list[str]:
    return [
        name
        for name in relation.fields
        if (internal or not name.startswith("_")) and not is_second_name(name, relation.fields)
    ]


@command("tojson")
@dataclass
class ToJson(Command):
    """Writes the fields of each row as a JSON object.

    Syntax: tojson [(auto|bool|json|none|num|str)(<field>...)|<field>]... [default_type=<type>] [fill_null=<bool>]
        [include_internal=<bool>] [output_field=<field>]
    Example: index=web | table host status uri | tojson auto(status) str(host) output_field=object

    Without fields all are written, except those that begin with an underscore unless `include_internal=true`. A type says
    how values are written: `none`, the default, leaves numbers numbers and quotes all other text; `str` quotes everything;
    `num` takes numbers, `bool` truth values (words such as yes and f, and numbers), `json` valid JSON, each leaving other
    values out; `auto` chooses by the text. `default_type` is for fields without one. Names may hold `*`; the first that
    matches a field counts. A multivalue is an array. A value that is left out is null with `fill_null=true`. The object
    replaces `_raw`, or goes into `output_field`.
    """

    default_type: str = option("none", choices=_TYPES, help="type of fields without one")
    fill_null: bool = option(False, help="write null for what is left out")
    include_internal: bool = option(False, help="write fields that begin with an underscore too")
    output_field: str = option("_raw", help="the field for the object")
    types: list[tuple[str, str]] = field(default_factory=list)
    """Pattern of field names, and the type of those fields; empty for the default one."""

    @classmethod
    def read(cls, arguments: Arguments) -> ToJson:
        found: dict[str, object] = {}
        types: list[tuple[str, str]] = []
        while not arguments.done:
            found.update(arguments.options(cls))
            if arguments.done:
                break
            if error := arguments.unknown_option(cls):
                raise error
            token = arguments.next()
            if token.kind not in ("word", "string", "quoted"):
                raise SearchError(f"a field or a type such as num(field) is expected, got {shown(token)}", token.span)
            if arguments.peek().is_("(") and token.kind == "word":
                if token.text.lower() not in _TYPES:
                    raise SearchError(f'there is no type "{token.text}", wanted one of: {", ".join(_TYPES)}', token.span)
                opening = arguments.next()
                names = arguments.names(required=False)
                closing = arguments.next()
                if not closing.is_(")"):
                    raise SearchError('a parenthesis is not closed: wanted ")"', opening.span)
                if not names:
                    inner = Span(opening.span.end, closing.span.start)
                    raise SearchError(f"{token.text} wants a field name in its parentheses", inner)
                types.extend((name, token.text.lower()) for name in names)
            else:
                types.append((token.text, ""))
            arguments.skip_commas()
        return cls(types=types, **found)  # type: ignore[arg-type]

    def print_arguments(self) -> list[str]:
        typed = [f"{kind}({print_name(name)})" if kind else print_name(name) for name, kind in self.types]
        return [*typed, *print_options(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        types: dict[str, str] = {}
        for pattern, kind in self.types:
            for name in relation.matching(pattern, internal=self.include_internal):
                types.setdefault(name, kind or self.default_type)
        if not self.types:
            types = dict.fromkeys(_names(relation, internal=self.include_internal), self.default_type)
        return relation.with_field(self.output_field, _object(relation, types, fill_null=self.fill_null))


@command("makejson")
@dataclass
class MakeJson(Command):
    """Puts fields into a JSON object in a new field.

    Syntax: makejson [<field>...] output=<field>
    Example: index=web | makejson host, status output=data

    Without fields all are written, `_time` and the other internal ones too; names may hold `*`. Numbers, truth values and
    JSON stay bare, other text is quoted, a multivalue is an array; an absent value is left out.
    """

    output: str = option("", help="the field for the object")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> MakeJson:
        names, found = arguments.names_with_options(cls)
        if not found.get("output"):
            raise SearchError("output=<field> is missing", arguments.stage.arguments)
        return cls(names=names, **found)

    def print_arguments(self) -> list[str]:
        return [", ".join(print_name(name) for name in self.names), *print_options(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = [n for pattern in self.names for n in relation.matching(pattern)] if self.names else _names(
            relation, internal=True
        )  # fmt: skip
        return relation.with_field(self.output, _object(relation, dict.fromkeys(names, "auto"), fill_null=False))


@command("fromjson")
@dataclass
class FromJson(Command):
    """Makes a field of each key of the JSON objects in a field.

    Syntax: fromjson <field> [prefix=<text>]
    Example: | makeresults | eval object=json_object("name", "ann", "age", 30) | fromjson object prefix=user_

    Only the outermost keys become fields. An array of texts and numbers becomes a multivalue, an object, or an array that
    holds any, stays JSON, and null is no value. A field that a row's object lacks stays as it is; a text that is no object
    changes nothing. `prefix` stands before the names.
    """

    prefix: str = option("", help="what stands before the names of the new fields")
    name: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> FromJson:
        names, found = arguments.names_with_options(cls)
        if len(names) != 1:
            raise SearchError(f"one field with JSON objects is expected, got {len(names)}", arguments.stage.arguments)
        return cls(name=names[0], **found)

    def print_arguments(self) -> list[str]:
        return [print_name(self.name), *print_options(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        text = relation.field(self.name)
        if text.type is Type.NULL:
            return relation
        text = v.call("ifNull", v.as_text(undictionaried(text)), v.text(""), type=Type.TEXT)
        pair = Column(Type.TEXT, "pair")
        raw = v.call("tupleElement", pair, v.integer(2), type=Type.TEXT)
        is_list = v.call("startsWith", raw, v.text("["), type=Type.BOOL)
        key = v.call("concat", v.call("if", is_list, v.text("n"), v.text("1"), type=Type.TEXT),
                     v.call("tupleElement", pair, v.integer(1), type=Type.TEXT), type=Type.TEXT)  # fmt: skip
        pairs = v.call("JSONExtractKeysAndValuesRaw", text, type=Type.MULTI)
        keys = v.agg("groupUniqArrayArray", v.call("arrayMap", Lambda(Type.TEXT, ("pair",), key), pairs, type=Type.MULTI),
                     type=Type.MULTI)  # fmt: skip
        table = context.table_of(relation.aggregated([], [("keys", keys)]))
        found = table["keys"][0].as_py() if table.num_rows else []
        fields = dict(relation.fields)
        for key_name in sorted({marked[1:] for marked in found if len(marked) > 1}):
            value = _member(text, key_name, several=f"n{key_name}" in found)
            before = relation.fields.get(self.prefix + key_name, v.NULL)
            fields[self.prefix + key_name] = (
                value if before.type is Type.NULL else v.choose(v.is_present(value), value, before)
            )
        return relation.with_fields(fields)


def _member(text: Value, key: str, *, several: bool) -> Value:
    raw = v.call("JSONExtractRaw", text, v.text(key), type=Type.TEXT)
    absent = v.call("in", raw, v.multi(["", "null"]), type=Type.BOOL)
    single = v.call("JSONExtractString", text, v.text(key), type=Type.TEXT)
    if not several:
        return v.call("if", absent, Literal(Type.TEXT, None), single, type=Type.TEXT)
    items = v.call("JSONExtractArrayRaw", text, v.text(key), type=Type.MULTI)
    item = Column(Type.TEXT, "item")
    nested = Lambda(Type.BOOL, ("item",), v.call("match", item, v.text(r"^[\[{]"), type=Type.BOOL))
    plain = v.both([
        v.call("startsWith", raw, v.text("["), type=Type.BOOL),
        v.negation(v.call("arrayExists", nested, items, type=Type.BOOL)),
    ])  # fmt: skip
    some = Lambda(Type.BOOL, ("item",), v.call("notEquals", item, v.text("null"), type=Type.BOOL))
    read = Lambda(Type.TEXT, ("item",), v.call("JSONExtractString", item, type=Type.TEXT))
    listed = v.call("arrayMap", read, v.call("arrayFilter", some, items, type=Type.MULTI), type=Type.MULTI)
    one = v.call("array", single, type=Type.MULTI)
    return v.call("multiIf", absent, v.EMPTY_MULTI, plain, listed, one, type=Type.MULTI)
