"""Lookups: what a name stands for, and how the rows of a table that match are joined to the rows of a search.

A name is a definition (a transforms stanza with `filename` or `collection`), else a CSV file, else a collection. Everything
happens in the engine: an exact match is one hash join. A match by wildcard or network is one too: a value's candidates are
the beginnings, ends or networks of the lengths that the table has, and only patterns such as `a*b` are tried one by one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from sightline.catalog.stanzas import collection_of
from sightline.errors import SearchError, nearest
from sightline.search import registry
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.lower import lower_condition
from sightline.search.planner.relation import Join, Project, Relation
from sightline.search.planner.sources import is_dictionary
from sightline.search.planner.values import Column, Lambda, Type, Value
from sightline.search.syntax.expressions import read_expression

MATCH_LIMIT = 1000
"""Rows of a lookup that one row may match, where its definition says nothing (Splunk's own number)."""
UNBOUNDED_OFFSET_S = 2_000_000_000
"""How far back a time-based lookup looks where its definition says nothing (Splunk's own number)."""

MOST_WRITTEN_OUT = 256
"""Rows of a lookup that are written into a statement; reading a thousand of them takes the engine as long as a small join."""

_GENERAL = "?"
"""The token of patterns that must be tried one by one."""
_FALSE_WORDS = frozenset(("0", "f", "false", "n", "no"))


@dataclass(frozen=True)
class Definition:
    """What a lookup's name stands for. `kinds` says of fields that do not match exactly: wildcard or cidr."""

    name: str
    table: pa.Table
    file: str = ""
    collection: str = ""
    max_matches: int = MATCH_LIMIT
    min_matches: int = 0
    default_match: str = ""
    case_sensitive: bool = True
    kinds: Mapping[str, str] = field(default_factory=dict)
    time_field: str = ""
    time_format: str = "%s.%Q"
    max_offset_s: float = UNBOUNDED_OFFSET_S
    min_offset_s: float = 0
    filter: str = ""

    def check_field(self, name: str) -> None:
        """Raises SearchError unless the lookup has the field."""
        names = self.table.column_names
        if name not in names:
            raise SearchError(
                f'lookup "{self.name}" has no field "{name}"; fields: {", ".join(names) or "none"}',
                hint=nearest(name, names),
            )

    def rows(self, context: Context) -> Relation:
        """The lookup's rows in their order, those that its filter keeps."""
        rows = context.relation_of(self.table)
        if not self.filter:
            return rows
        try:
            condition = lower_condition(read_expression(self.filter), rows, context, "the filter of a lookup")
        except SearchError as error:
            raise SearchError(f'lookup "{self.name}": filter: {error.message}') from None
        return rows.filtered(v.is_true(condition))


@dataclass(frozen=True)
class Use:
    """One use of a lookup: pairs of (field of the lookup, field of the rows) to match and to give; None gives all others."""

    name: str
    keys: Sequence[tuple[str, str]]
    outputs: Sequence[tuple[str, str]] | None = None
    only_new: bool = False


# ---- names -----------------------------------------------------------------------------------------------------------


def definition_of(name: str, context: Context) -> Definition:
    """What a lookup's name stands for. Raises SearchError for an unknown one, and for one that is a script."""
    knowledge = context.knowledge
    settings = knowledge.stanzas("transforms").get(name, {})
    external = settings.get("external_type", "").strip().lower()
    if settings.get("external_cmd") or external in ("python", "executable", "geo", "geo_hex"):
        what = "is made of shapes on a map" if external.startswith("geo") else "runs a script"
        raise SearchError(
            f'lookup "{name}" {what}, which is not done here', hint="keep its rows in a CSV file or a collection"
        )
    if collection := collection_of(name, settings):
        table = knowledge.collection(collection)
        if table is None:
            raise SearchError(
                f'lookup "{name}" wants the collection "{collection}", which is not declared',
                hint=nearest(collection, knowledge.stanzas("collections")),
            )
        return _defined(name, _listed(table, settings.get("fields_list", "")), settings, collection=collection)
    if settings.get("filename"):
        file = settings["filename"].strip()
        table = knowledge.lookup(file)
        if table is None:
            raise SearchError(
                f'lookup "{name}" wants the file "{file}", which is not there', hint=nearest(file, knowledge.lookups())
            )
        return _defined(name, table, settings, file=file)
    table = knowledge.lookup(name)
    if table is not None:
        return Definition(name, table, file=name)
    table = knowledge.collection(name)
    if table is not None:
        return Definition(name, table, collection=name)
    known = lookup_names(context)
    listed = f"; lookups: {', '.join(known)}" if known else ""
    raise SearchError(f'there is no lookup "{name}"{listed}', hint=nearest(name, known))


def lookup_names(context: Context) -> list[str]:
    """Every name that stands for a lookup: definitions, CSV files, collections."""
    knowledge = context.knowledge
    defined = [n for n, s in knowledge.stanzas("transforms").items() if s.get("filename") or collection_of(n, s)]
    return sorted({*defined, *knowledge.lookups(), *knowledge.stanzas("collections")})


def _listed(table: pa.Table, fields_list: str) -> pa.Table:
    """A collection with the fields that a definition lists, in its order; without a list, all."""
    names = [n.strip() for n in fields_list.split(",") if n.strip()]
    if not names:
        return table
    absent = pa.nulls(table.num_rows, pa.string())
    return pa.table({n: table.column(n) if n in table.column_names else absent for n in names})


def _defined(name: str, table: pa.Table, settings: Mapping[str, str], file: str = "", collection: str = "") -> Definition:
    time_field = settings.get("time_field", "").strip()
    return Definition(
        name,
        table,
        file,
        collection,
        max_matches=int(settings.get("max_matches", 1 if time_field else MATCH_LIMIT)),
        min_matches=int(settings.get("min_matches", 0)),
        default_match=settings.get("default_match", "").strip().strip('"'),
        case_sensitive=settings.get("case_sensitive_match", "true").strip().lower() not in _FALSE_WORDS,
        kinds=match_kinds(settings.get("match_type", "")),
        time_field=time_field,
        time_format=settings.get("time_format", "%s.%Q").strip(),
        max_offset_s=float(settings.get("max_offset_secs", UNBOUNDED_OFFSET_S)),
        min_offset_s=float(settings.get("min_offset_secs", 0)),
        filter=settings.get("filter", "").strip(),
    )


def match_kinds(text: str) -> dict[str, str]:
    """Fields that match by wildcard or network, from `match_type = WILDCARD(url), CIDR(ip)`."""
    found = {}
    rest = text
    while rest.strip(" ,"):
        kind, parenthesis, after = rest.strip(" ,").partition("(")
        fields, closed, rest = after.partition(")")
        if not parenthesis or not closed or kind.strip().lower() not in ("wildcard", "cidr", "exact"):
            raise SearchError(f'match_type wants WILDCARD(field), CIDR(field) or EXACT(field), got "{text}"')
        for name in fields.split(","):
            if kind.strip().lower() != "exact":
                found[name.strip()] = kind.strip().lower()
    return found


# ---- joining ---------------------------------------------------------------------------------------------------------


def add_lookup(relation: Relation, use: Use, context: Context) -> Relation:
    """The rows with fields of a lookup added where its rows match."""
    joined, found = joined_lookup(relation, use, context)
    return joined.with_all(found)


def joined_lookup(
    relation: Relation, use: Use, context: Context, condition: Value = v.TRUE, read_where: Value = v.TRUE
) -> tuple[Relation, dict[str, Value]]:
    """The rows with a lookup joined, and the values of the fields that it gives, not yet fields.

    Rows for which the condition is false match nothing. Of those that the values are read for, the rows for which
    `read_where` is false keep what they have.
    """
    definition = definition_of(use.name, context)
    outputs = use.outputs
    if outputs is None:
        matched = {theirs for theirs, _ in use.keys} | {definition.time_field, "_key"}
        outputs = [(n, n) for n in definition.table.column_names if n not in matched]
    for theirs, _ in (*use.keys, *outputs):
        definition.check_field(theirs)
    match = _Match(definition, [theirs for theirs, _ in use.keys], [theirs for theirs, _ in outputs], context)
    given = [_given(relation.field(ours), condition, definition.case_sensitive) for _, ours in use.keys]
    joined, values = match.join(relation, given)
    found: dict[str, Value] = {}
    for (_, ours), value in zip(outputs, values, strict=True):
        former = found.get(ours, joined.field(ours))
        if former.type is not Type.NULL:
            if use.only_new:
                value = _filled_in(former, value, read_where)
            elif read_where != v.TRUE:
                value = v.choose(read_where, value, former)
        found[ours] = value
    return joined, found


def _filled_in(former: Value, value: Value, read_where: Value) -> Value:
    """The former value, and where there is none the new one of the rows that it is read for.

    It holds the former value once: published apps fill one field by five lookups, for each of many sourcetypes.
    """
    nothing = v.EMPTY_MULTI if value.type is Type.MULTI else v.Literal(value.type, None)
    read = value if read_where == v.TRUE else v.choose(read_where, value, nothing)
    return v.shared([former], lambda kept: v.first_present([kept, read]))


def _given(value: Value, condition: Value, case_sensitive: bool) -> Value:
    """What a row gives to match with: text, or a multivalue of texts; nothing where the condition is false."""
    if value.type is Type.NULL:
        return v.Literal(Type.TEXT, None)
    multi = value.type is Type.MULTI
    value = value if multi else v.as_text(value)
    if not case_sensitive:
        value = _lowered(value)
    if condition == v.TRUE:
        return value
    nothing = v.EMPTY_MULTI if multi else v.Literal(Type.TEXT, None)
    return v.call("if", condition, value, nothing, type=value.type)


def _lowered(value: Value) -> Value:
    if value.type is not Type.MULTI:
        return v.call("lowerUTF8", value, type=Type.TEXT)
    lower = Lambda(Type.TEXT, ("item",), v.call("lowerUTF8", Column(Type.TEXT, "item"), type=Type.TEXT))
    return v.call("arrayMap", lower, value, type=Type.MULTI)


class _Match:
    """How the rows of one lookup are found for rows of a search."""

    def __init__(self, definition: Definition, keys: list[str], outputs: list[str], context: Context) -> None:
        self.definition = definition
        self.keys = keys
        self.outputs = outputs
        self.context = context
        self.rows = definition.rows(context)
        self.kinds = [self._kind(key) for key in keys]

    def _kind(self, key: str) -> str:
        kind = self.definition.kinds.get(key, "exact")
        if kind == "wildcard":
            column = self.definition.table.column(key).cast(pa.string())
            return "wildcard" if pc.any(pc.match_substring(column, "*")).as_py() else "exact"
        return kind

    def _key(self, name: str) -> Value:
        value = v.as_text(self.rows.field(name))
        return value if self.definition.case_sensitive else v.call("lowerUTF8", value, type=Type.TEXT)

    def join(self, relation: Relation, given: list[Value]) -> tuple[Relation, list[Value]]:
        """The relation with the lookup joined, and the value of each output."""
        simple = all(kind == "exact" for kind in self.kinds) and all(value.type is Type.TEXT for value in given)
        if simple and not self.definition.time_field and self.definition.min_matches < 2 and self._is_unique():
            return self._join_one(relation, given)
        if simple:
            return self._join_several(relation, given, self._by_key())
        # Several rows of a search have the same values: each distinct combination is matched once.
        return self._join_several(relation, [self._identity(value) for value in given], self._by_candidates(relation, given))

    # -- one row for a key

    def _is_unique(self) -> bool:
        """Whether no key of the table has several rows, so that its rows can be joined as they are."""
        table = self.definition.table
        columns = [table.column(key).cast(pa.string()) for key in self.keys]
        if not self.definition.case_sensitive:
            columns = [pc.utf8_lower(column) for column in columns]
        names = [f"k{i}" for i in range(len(columns))]
        keys = pa.table(dict(zip(names, columns, strict=True))).drop_null()
        return keys.group_by(names).aggregate([]).num_rows == keys.num_rows

    def _join_one(self, relation: Relation, given: list[Value]) -> tuple[Relation, list[Value]]:
        names = self.context.names
        keys = [(names.fresh("key"), self._key(key)) for key in self.keys]
        right = self.rows.filtered(v.both([v.is_present(value) for _, value in keys]))
        outs = [(names.fresh(name), _nullable(self.rows.field(name))) for name in self.outputs]
        marker = (names.fresh("matched"), v.call("toNullable", v.integer(1), type=Type.INT))
        project = Project(right.node, (*keys, *outs, marker))
        on = tuple((value, Column(Type.TEXT, id)) for value, (id, _) in zip(given, keys, strict=True))
        computed: tuple[tuple[str, Value], ...] = ()
        if self._is_small(given):
            computed = tuple(
                (id, self._written_out(given[0], name)) for (id, _), name in zip(outs, self.outputs, strict=True)
            )
        node = Join(relation.node, project, on, "left", single=True, computed=computed)
        matched = v.is_present(Column(Type.INT, marker[0]))
        asked = v.both([v.is_present(value) for value in given])
        found = [self._or_default(Column(value.type, id), matched, asked) for id, value in outs]
        return dataclasses.replace(relation, node=node), found

    def _is_small(self, given: list[Value]) -> bool:
        """Whether the rows can stand in the statement, where they are asked once for each text of a column's dictionary."""
        definition = self.definition
        return (
            len(given) == 1
            and isinstance(given[0], Column)
            and is_dictionary(given[0])
            and definition.table.num_rows <= MOST_WRITTEN_OUT
            and definition.case_sensitive
            and not definition.filter
            and all(pa.types.is_string(definition.table.schema.field(name).type) for name in (*self.keys, *self.outputs))
        )

    def _written_out(self, given: Value, output: str) -> Value:
        table = self.definition.table
        rows = pa.table({"key": table.column(self.keys[0]), "text": table.column(output)}).drop_null()
        if not rows.num_rows:
            return v.Literal(Type.TEXT, None)
        known, texts = (
            v.call("array", *map(v.text, rows.column(name).to_pylist()), type=Type.MULTI) for name in ("key", "text")
        )
        return v.call("transform", given, known, texts, v.Literal(Type.TEXT, None), type=Type.TEXT)

    def _or_default(self, value: Value, matched: Value, asked: Value) -> Value:
        default = self.definition.default_match
        if not self.definition.min_matches or not default:
            return value
        missing = v.both([v.negation(matched), asked])
        return v.choose(missing, v.text(default), value)

    # -- several rows for a key

    def _by_key(self) -> Relation:
        keys = [(f"key{i}", self._key(key)) for i, key in enumerate(self.keys)]
        rows = self.rows.filtered(v.both([v.is_present(value) for _, value in keys]))
        rows, position = rows.position_key()
        return rows.aggregated(keys, self._gathered(rows, (position,)))

    def _gathered(self, rows: Relation, places: tuple[Value, ...]) -> list[tuple[str, Value]]:
        """For each output the rows that have it, as (time, text, places), in order of time and place; then all rows."""
        time, place = self._row_time(rows), v.call("tuple", *places, type=Type.TEXT)
        gathered = []
        for i, name in enumerate(self.outputs):
            value = rows.field(name)
            text = v.call("ifNull", _one_text(value), v.text(""), type=Type.TEXT)
            row = v.call("tuple", time, place, text, type=Type.TEXT)
            array = v.agg("groupArrayIf", row, v.is_present(value), type=Type.MULTI)
            gathered.append((f"out{i}", _in_order(array)))
        row = v.call("tuple", time, place, v.text(""), type=Type.TEXT)
        gathered.append(("times", _in_order(v.agg("groupArray", row, type=Type.MULTI))))
        return gathered

    def _row_time(self, rows: Relation) -> Value:
        definition = self.definition
        if not definition.time_field:
            return v.real(0.0)
        definition.check_field(definition.time_field)
        value = rows.field(definition.time_field)
        if definition.time_format not in ("%s.%Q", "%s"):
            value = registry.FUNCTIONS["strptime"].lower([v.as_text(value), v.text(definition.time_format)], self.context)
        return v.call("ifNull", v.as_float(value), v.real(float("inf")), type=Type.FLOAT)

    def _join_several(self, relation: Relation, given: list[Value], matches: Relation) -> tuple[Relation, list[Value]]:
        on = tuple((value, matches.field(f"key{i}")) for i, value in enumerate(given))
        joined = dataclasses.replace(relation, node=Join(relation.node, matches.node, on, "left", single=True))
        asked = v.both([v.is_present(value) for value in given])
        times = self._chosen(joined, matches.field("times"))
        found = []
        for i, name in enumerate(self.outputs):
            texts = self._chosen(joined, matches.field(f"out{i}"))
            definition = self.definition
            if definition.min_matches and definition.default_match:
                missing = v.call(
                    "minus", v.integer(definition.min_matches), v.call("length", times, type=Type.INT), type=Type.INT
                )
                padding = v.call(
                    "arrayWithConstant",
                    v.call("greatest", v.integer(0), missing, type=Type.INT),
                    v.text(definition.default_match),
                    type=Type.MULTI,
                )
                padded = v.call("arrayConcat", texts, padding, type=Type.MULTI)
                texts = v.call("if", v.is_true(asked), padded, texts, type=Type.MULTI)
            if definition.max_matches == 1 and definition.min_matches < 2:
                found.append(self._single(texts, name))
            else:
                found.append(texts)
        return joined, found

    def _chosen(self, relation: Relation, rows: Value) -> Value:
        """The texts of the rows that count, in the lookup's order; for a lookup with times the latest before the event."""
        definition = self.definition
        row = Column(Type.TEXT, "row")
        text = Lambda(Type.TEXT, ("row",), v.call("tupleElement", row, v.integer(2), type=Type.TEXT))
        limit = v.integer(definition.max_matches)
        if not definition.time_field:
            first = v.call("arraySlice", rows, v.integer(1), limit, type=Type.MULTI)
            return v.call("arrayMap", text, first, type=Type.MULTI)
        moment = v.as_float(relation.field("_time"))
        if moment.type is Type.NULL:
            return v.EMPTY_MULTI
        age = v.call("minus", moment, v.call("tupleElement", row, v.integer(1), type=Type.FLOAT), type=Type.FLOAT)
        inside = v.both(
            [
                v.call("greaterOrEquals", age, v.real(definition.min_offset_s), type=Type.BOOL),
                v.call("lessOrEquals", age, v.real(definition.max_offset_s), type=Type.BOOL),
            ]
        )
        near = v.call("arrayFilter", Lambda(Type.BOOL, ("row",), v.is_true(inside)), rows, type=Type.MULTI)
        latest = v.call("arraySlice", v.call("arrayReverse", near, type=Type.MULTI), v.integer(1), limit, type=Type.MULTI)
        return v.call("arrayMap", text, latest, type=Type.MULTI)

    def _single(self, texts: Value, name: str) -> Value:
        first = v.call("arrayElement", texts, v.integer(1), type=Type.TEXT)
        present = v.call("notEmpty", texts, type=Type.BOOL)
        value = v.call(
            "if", present, v.call("toNullable", first, type=Type.TEXT), v.Literal(Type.TEXT, None), type=Type.TEXT
        )
        kind = self.definition.table.schema.field(name).type
        if self.definition.min_matches and self.definition.default_match:
            return value
        if pa.types.is_integer(kind):
            return v.as_integer(value)
        return v.as_number(value) if pa.types.is_floating(kind) else value

    # -- matches that are not exact, and multivalues

    @staticmethod
    def _identity(value: Value) -> Value:
        """A value as a text by which equal values can be joined; NULL for none."""
        if value.type is not Type.MULTI:
            return value
        joined = v.call("toJSONString", value, type=Type.TEXT)
        return v.call("if", v.call("notEmpty", value, type=Type.BOOL), joined, v.Literal(Type.TEXT, None), type=Type.TEXT)

    def _by_candidates(self, relation: Relation, given: list[Value]) -> Relation:
        """For each distinct combination of what rows give, the rows of the lookup that match."""
        keys = [(f"key{i}", self._identity(value)) for i, value in enumerate(given)]
        left = relation.filtered(v.both([v.is_present(value) for _, value in keys]))
        lists = [
            (f"list{i}", v.agg("any", value, type=value.type)) for i, value in enumerate(given) if value.type is Type.MULTI
        ]
        distinct = dataclasses.replace(left.aggregated(keys, lists), order=())
        rows, position = self.rows.position_key()
        place = self.context.names.fresh("place")
        on: list[tuple[Value, Value]] = []
        tests: list[Value] = []
        places: list[Value] = []
        tokens: list[tuple[str, Value]] = []
        for i, (kind, value) in enumerate(zip(self.kinds, given, strict=True)):
            text: Value = distinct.field(f"key{i}")
            if value.type is Type.MULTI:
                values = distinct.field(f"list{i}")
                distinct, number = distinct.unnested(v.call("arrayEnumerate", values, type=Type.MULTI), "number", Type.INT)
                text = v.call("arrayElement", values, number, type=Type.TEXT)
                places.append(number)
            candidates, token = self._candidates(kind, self.keys[i], text)
            if candidates is None:
                on.append((text, Column(Type.TEXT, id := self.context.names.fresh("token"))))
            else:
                distinct, candidate = distinct.unnested(candidates, "candidate")
                on.append((candidate, Column(Type.TEXT, id := self.context.names.fresh("token"))))
            tokens.append((id, token))
            if kind == "wildcard":
                pattern = (self.context.names.fresh("pattern"), _like_pattern(self._key(self.keys[i])))
                tokens.append(pattern)
                tried = v.call("like", text, Column(Type.TEXT, pattern[0]), type=Type.BOOL)
                general = v.call("notEquals", Column(Type.TEXT, id), v.text(_GENERAL), type=Type.BOOL)
                tests.append(v.either([general, tried]))
        needed = [(self.context.names.fresh(name), rows.field(name)) for name in self._fields_of_rows()]
        right = rows.filtered(v.both([v.is_present(self._key(key)) for key in self.keys]))
        table = Project(right.node, (*tokens, *needed, (place, position)))
        node = Join(distinct.node, table, tuple(on), "inner")
        fields = {name: Column(value.type, id) for name, (id, value) in zip(self._fields_of_rows(), needed, strict=True)}
        matched = dataclasses.replace(distinct, node=node, fields=distinct.fields | {f"\0{n}": c for n, c in fields.items()})
        matched = matched.filtered(v.both(tests))
        inner = dataclasses.replace(matched, fields=fields)
        gathered = self._gathered(inner, (*places, Column(position.type, place)))
        return matched.aggregated([(f"key{i}", matched.field(f"key{i}")) for i in range(len(given))], gathered)

    def _fields_of_rows(self) -> list[str]:
        wanted = [*self.outputs, *([self.definition.time_field] if self.definition.time_field else [])]
        return [name for name in dict.fromkeys(wanted) if self.rows.field(name).type is not Type.NULL]

    def _candidates(self, kind: str, key: str, text: Value) -> tuple[Value | None, Value]:
        """The tokens by which a text may be found, None for itself alone, and the token of each row of the lookup."""
        if kind == "wildcard":
            return self._wildcard_candidates(key, text)
        if kind == "cidr":
            return self._network_candidates(key, text)
        return None, self._key(key)

    def _wildcard_candidates(self, key: str, text: Value) -> tuple[Value, Value]:
        column = self.definition.table.column(key).cast(pa.string()).drop_null()
        stars = pc.count_substring(column, "*")
        one = column.filter(pc.equal(stars, 1))
        begins, ends = pc.ends_with(one, "*"), pc.starts_with(one, "*")

        def lengths(chosen: pa.ChunkedArray) -> list[int]:
            return sorted(pc.unique(pc.subtract(pc.utf8_length(one.filter(chosen)), 1)).to_pylist())

        def token(mark: str, value: Value) -> Value:
            return v.call("concat", v.text(mark), value, type=Type.TEXT)

        sure = v.call("ifNull", text, v.text(""), type=Type.TEXT)
        pieces = [token("=", sure)]
        pieces += [token("<", v.call("leftUTF8", sure, v.integer(n), type=Type.TEXT)) for n in lengths(begins)]
        pieces += [token(">", v.call("rightUTF8", sure, v.integer(n), type=Type.TEXT)) for n in lengths(ends)]
        pieces.append(v.text(_GENERAL))
        # A text shorter than a length is its own beginning, which a longer pattern does not have.
        candidates = v.call("arrayDistinct", v.call("array", *pieces, type=Type.MULTI), type=Type.MULTI)
        pattern = self._key(key)
        count = v.call("countSubstrings", pattern, v.text("*"), type=Type.INT)
        last = v.call("endsWith", pattern, v.text("*"), type=Type.BOOL)
        first = v.call("startsWith", pattern, v.text("*"), type=Type.BOOL)
        bare = v.call("replaceAll", pattern, v.text("*"), v.text(""), type=Type.TEXT)
        single = v.call("equals", count, v.integer(1), type=Type.BOOL)
        none = v.call("equals", count, v.integer(0), type=Type.BOOL)
        found = v.call(
            "multiIf",
            none, token("=", bare),
            v.both([single, last]), token("<", bare),
            v.both([single, first]), token(">", bare),
            v.text(_GENERAL),
            type=Type.TEXT,
        )  # fmt: skip
        return candidates, found

    def _network_candidates(self, key: str, text: Value) -> tuple[Value, Value]:
        column = self.definition.table.column(key).cast(pa.string()).drop_null()
        parts = pc.extract_regex(column, r"^\s*(?P<address>[0-9A-Fa-f.:]+)(?:/(?P<bits>\d{1,3}))?\s*$")
        addresses = pc.struct_field(parts, "address")
        bits = pc.struct_field(parts, "bits")
        six = pc.fill_null(pc.match_substring(addresses, ":"), False)
        whole = pc.if_else(six, "128", "32")
        length = pc.if_else(pc.equal(pc.fill_null(bits, ""), ""), whole, bits)
        sizes = {
            version: sorted({int(n) for n in pc.unique(length.filter(chosen)).drop_null().to_pylist() if int(n) <= most})
            for version, chosen, most in ((4, pc.invert(six), 32), (6, six, 128))
        }
        sure = v.call("ifNull", text, v.text(""), type=Type.TEXT)
        pieces = [_network(sure, v.integer(n), version) for version in (4, 6) for n in sizes[version]]
        candidates = v.call("array", *pieces, v.text(""), type=Type.MULTI)
        some = Lambda(Type.BOOL, ("item",), v.call("notEmpty", Column(Type.TEXT, "item"), type=Type.BOOL))
        candidates = v.call("arrayDistinct", v.call("arrayFilter", some, candidates, type=Type.MULTI), type=Type.MULTI)
        cell = v.call("trimBoth", self._key(key), type=Type.TEXT)
        pieces = v.call("splitByChar", v.text("/"), cell, type=Type.MULTI)
        address = v.call("arrayElement", pieces, v.integer(1), type=Type.TEXT)
        given = v.call("toUInt8OrNull", v.call("arrayElement", pieces, v.integer(2), type=Type.TEXT), type=Type.INT)
        token = v.call(
            "if",
            v.call("greater", v.call("position", cell, v.text(":"), type=Type.INT), v.integer(0), type=Type.BOOL),
            _network(address, v.call("ifNull", given, v.integer(128), type=Type.INT), 6),
            _network(address, v.call("ifNull", given, v.integer(32), type=Type.INT), 4),
            type=Type.TEXT,
        )
        return candidates, token


def _network(address: Value, bits: Value, version: int) -> Value:
    """The network of so many bits that an address lies in, as text; empty for what is no address of that version."""
    most = 32 if version == 4 else 128
    bounded = v.call("toUInt8", v.call("least", bits, v.integer(most), type=Type.INT), type=Type.INT)
    parsed = v.call(f"toIPv{version}OrDefault", address, type=Type.TEXT)
    lowest = v.call(
        "tupleElement", v.call(f"IPv{version}CIDRToRange", parsed, bounded, type=Type.TEXT), v.integer(1), type=Type.TEXT
    )
    text = v.call(
        "concat",
        v.call("toString", lowest, type=Type.TEXT),
        v.text("/"),
        v.call("toString", bounded, type=Type.TEXT),
        type=Type.TEXT,
    )
    known = v.call("isNotNull", v.call(f"toIPv{version}OrNull", address, type=Type.TEXT), type=Type.BOOL)
    if version == 6:
        # The engine reads an IPv4 address as an IPv6 one too.
        known = v.both(
            [known, v.call("greater", v.call("position", address, v.text(":"), type=Type.INT), v.integer(0), type=Type.BOOL)]
        )
    return v.call("if", known, text, v.text(""), type=Type.TEXT)


def _in_order(rows: Value) -> Value:
    """Rows of (time, places, text) in order, as (time, text)."""
    row = Column(Type.TEXT, "row")
    time = v.call("tupleElement", row, v.integer(1), type=Type.FLOAT)
    text = v.call("tupleElement", row, v.integer(3), type=Type.TEXT)
    pair = Lambda(Type.TEXT, ("row",), v.call("tuple", time, text, type=Type.TEXT))
    return v.call("arrayMap", pair, v.call("arraySort", rows, type=Type.MULTI), type=Type.MULTI)


def _like_pattern(pattern: Value) -> Value:
    escaped = v.call("replaceRegexpAll", pattern, v.text(r"([\\%_])"), v.text(r"\\\1"), type=Type.TEXT)
    return v.call("replaceAll", escaped, v.text("*"), v.text("%"), type=Type.TEXT)


def _one_text(value: Value) -> Value:
    """A value as one text: a cell that is a list is joined with line feeds."""
    if value.type is Type.MULTI:
        return v.call("arrayStringConcat", value, v.text("\n"), type=Type.TEXT)
    return v.as_text(value)


def _nullable(value: Value) -> Value:
    return value if value.type is Type.MULTI else v.call("toNullable", value, type=value.type)
