"""Paths into JSON texts: what stands at one, read in the engine, and which paths the texts of a relation have.

A path is names separated by dots; `{0}` after a name is a place in an array, `{}` all of its items.

Which paths there are is told by one aggregation over the texts, to a depth of `DEPTH` nested objects at once, and by
another one for each so many deeper. Every path is then read by one `JSONExtract` of a tuple type that all paths share:
equal calls are computed once, so that thirty fields cost one reading of the text. A path that is an object in some texts
and a number in others has no such type and is read by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sightline.errors import SearchError
from sightline.search.planner import values as v
from sightline.search.planner.values import Column, Lambda, Literal, Type, Value

Step = str | int | None
"""A step of a path: a name, a place in an array from 0 (negative from the end), or None for all items."""

_STEP = re.compile(r"\{\s*(-?\d*)\s*\}|([^.{}]+)")


def parse_path(path: str) -> list[Step]:
    """The steps of a path. Raises SearchError for text that is none."""
    steps: list[Step] = []
    position = 0
    while position < len(path):
        if path[position] == "." and 0 < position < len(path) - 1:
            position += 1
        match = _STEP.match(path, position)
        if match is None:
            raise SearchError(f'"{path}" is not a path: wanted names, dots and {{}}, got "{path[position:]}"')
        place, name = match.groups()
        steps.append(name if name is not None else int(place) if place else None)
        position = match.end()
    if not steps:
        raise SearchError("a path must not be empty")
    return steps


# ---- reading ---------------------------------------------------------------------------------------------------------


def _engine_steps(steps: list[Step]) -> list[Value]:
    """Steps without {} as the engine takes them: names, and places counted from 1."""
    return [v.text(s) if isinstance(s, str) else v.integer(s + 1 if s >= 0 else s) for s in steps]  # type: ignore[operator]


def _places_are_in_arrays(text: Value, steps: list[Step]) -> list[Value]:
    """What must hold so that places mean items: in an object the engine would count members."""
    return [
        v.call(
            "equals", v.call("JSONType", text, *_engine_steps(steps[:n]), type=Type.TEXT), v.text("Array"), type=Type.BOOL
        )
        for n, step in enumerate(steps)
        if isinstance(step, int)
    ]


def scalar_at(text: Value, steps: list[Step]) -> Value:
    """What stands at a path without {}: texts without quotes, everything else as JSON; NULL for null and for nothing."""
    path = _engine_steps(steps)
    kind = v.call("JSONType", text, *path, type=Type.TEXT)
    found = v.call("JSONExtractString", text, *path, type=Type.TEXT)
    something = v.call("notEquals", kind, v.text("Null"), type=Type.BOOL)
    reached = v.both([*_places_are_in_arrays(text, steps), something])
    return v.call("if", v.is_true(reached), found, Literal(Type.TEXT, None), type=Type.TEXT)


def _raw_at(text: Value, steps: list[Step]) -> Value:
    """The JSON text at a path without {}; "" for nothing."""
    raw = v.call("JSONExtractRaw", text, *_engine_steps(steps), type=Type.TEXT)
    reached = _places_are_in_arrays(text, steps)
    return v.call("if", v.is_true(v.both(reached)), raw, v.text(""), type=Type.TEXT) if reached else raw


def raw_items_at(text: Value, steps: list[Step]) -> Value:
    """The JSON texts of everything that a path with {} leads to, as an array."""
    cut = steps.index(None)
    before = steps[:cut]
    if any(isinstance(step, int) for step in before):
        items = v.call("JSONExtractArrayRaw", _raw_at(text, before), type=Type.MULTI)
    else:
        items = v.call("JSONExtractArrayRaw", text, *_engine_steps(before), type=Type.MULTI)
    rest = steps[cut + 1 :]
    if not rest:
        return items
    item = Column(Type.TEXT, f"item{len(rest)}")
    if None in rest:
        inner = Lambda(Type.MULTI, (item.id,), raw_items_at(item, rest))
        return v.call("arrayFlatten", v.call("arrayMap", inner, items, type=Type.MULTI), type=Type.MULTI)
    found = v.call("arrayMap", Lambda(Type.TEXT, (item.id,), _raw_at(item, rest)), items, type=Type.MULTI)
    some = Lambda(Type.BOOL, (item.id,), v.call("notEmpty", item, type=Type.BOOL))
    return v.call("arrayFilter", some, found, type=Type.MULTI)


def read_values(text: Value, path: str) -> Value:
    """What a path leads to as a multivalue, texts without quotes; `text` is the JSON text."""
    steps = parse_path(path)
    sure = v.call("ifNull", text, v.text(""), type=Type.TEXT)
    if None not in steps:
        return v.as_multi(scalar_at(text, steps))
    return unquoted(raw_items_at(sure, steps))


def unquoted(items: Value) -> Value:
    """JSON texts as values: texts without quotes, null left out."""
    item = Column(Type.TEXT, "value")
    some = Lambda(Type.BOOL, ("value",), v.call("notEquals", item, v.text("null"), type=Type.BOOL))
    plain = Lambda(Type.TEXT, ("value",), v.call("JSONExtractString", item, type=Type.TEXT))
    return v.call("arrayMap", plain, v.call("arrayFilter", some, items, type=Type.MULTI), type=Type.MULTI)


# ---- which paths there are -------------------------------------------------------------------------------------------

DEPTH = 3
"""Objects within objects that one aggregation looks into."""

_NAME_MARK, _KIND_MARK, _ITEMS_MARK = "\x01", "\x02", "\x03"
"""How a path travels out of the engine: a name follows the first, the kind the second, and all items are the third."""
_TRAVELLED = re.compile(f"{_ITEMS_MARK}|{_NAME_MARK}([^{_NAME_MARK}{_ITEMS_MARK}]*)")

_EMPTY = "empty "
"""Stands before the kind of an object or an array that nothing is in, so that nobody looks into it again."""
_CONTAINERS = ("object", "array")


def _kind(raw: Value) -> Value:
    """scalar, null, object or array, of a JSON text."""
    first = v.call("substring", raw, v.integer(1), v.integer(1), type=Type.TEXT)
    return v.call("transform", first, v.multi(["{", "[", "n"]), v.multi(["object", "array", "null"]), v.text("scalar"),
                  type=Type.TEXT)  # fmt: skip


def _concat(*parts: Value) -> Value:
    return v.call("concat", *parts, type=Type.TEXT)


def _mapped(list: Value, name: str, change: Callable[[Value], Value], type: Type = Type.TEXT) -> Value:
    body = change(Column(Type.TEXT, name))
    return v.call("arrayMap", Lambda(type, (name,), body), list, type=Type.MULTI)


def _where(list: Value, name: str, test: Callable[[Value], Value]) -> Value:
    return v.call("arrayFilter", Lambda(Type.BOOL, (name,), test(Column(Type.TEXT, name))), list, type=Type.MULTI)


def _flat(lists: Value) -> Value:
    return v.call("arrayFlatten", lists, type=Type.MULTI)


def _is_object(raw: Value) -> Value:
    return v.call("startsWith", raw, v.text("{"), type=Type.BOOL)


def _is_array(raw: Value) -> Value:
    return v.call("startsWith", raw, v.text("["), type=Type.BOOL)


def _has_members(raw: Value) -> Value:
    return v.call("greater", v.call("JSONLength", raw, type=Type.INT), v.integer(0), type=Type.BOOL)


def _members(object: Value, depth: int) -> Value:
    """The paths below an object, each with its kind. Objects and arrays below `DEPTH` are not looked into."""
    pair = Column(Type.TEXT, f"pair{depth}")
    key = v.call("tupleElement", pair, v.integer(1), type=Type.TEXT)
    raw = v.call("tupleElement", pair, v.integer(2), type=Type.TEXT)
    itself = v.call("array", _concat(key, v.text(_KIND_MARK), _kind(raw)), type=Type.MULTI)
    if depth:
        below = _mapped(_below(raw, depth - 1), f"path{depth}", lambda path: _concat(key, path))
        empty = v.call("array", _concat(key, v.text(_KIND_MARK + _EMPTY), _kind(raw)), type=Type.MULTI)
        deep = v.call("if", v.call("notEmpty", below, type=Type.BOOL), below, empty, type=Type.MULTI)
        itself = v.call("if", v.either([_is_object(raw), _is_array(raw)]), deep, itself, type=Type.MULTI)
    pairs = v.call("JSONExtractKeysAndValuesRaw", object, type=Type.MULTI)
    return _flat(v.call("arrayMap", Lambda(Type.MULTI, (pair.id,), itself), pairs, type=Type.MULTI))


def _below(raw: Value, depth: int) -> Value:
    """The paths below an object or an array, each with the sign of how it goes on."""
    items = v.call("JSONExtractArrayRaw", raw, type=Type.MULTI)
    objects = v.call("if", _is_object(raw), v.call("array", raw, type=Type.MULTI), _where(items, f"any{depth}", _is_object),
                     type=Type.MULTI)  # fmt: skip
    sign = v.call("if", _is_object(raw), v.text(_NAME_MARK), v.text(_ITEMS_MARK + _NAME_MARK), type=Type.TEXT)
    named = _flat(_mapped(objects, f"object{depth}", lambda object: _members(object, depth), Type.MULTI))
    inner = _mapped(named, f"inner{depth}", lambda path: _concat(sign, path))
    others = _where(items, f"other{depth}", lambda item: v.negation(v.both([_is_object(item), _has_members(item)])))
    kinds = _mapped(others, f"item{depth}", lambda item: _concat(
        v.text(_ITEMS_MARK + _KIND_MARK), v.call("if", _is_object(item), v.text(_EMPTY), v.text(""), type=Type.TEXT), _kind(item)
    ))  # fmt: skip
    return v.call("arrayConcat", inner, kinds, type=Type.MULTI)


def found_paths(texts: Value) -> Value:
    """The aggregate that gathers the paths of the objects and arrays in a list of JSON texts of each row."""
    paths = _flat(_mapped(texts, "text", lambda text: _below(text, DEPTH), Type.MULTI))
    return v.agg("groupUniqArrayArray", paths, type=Type.MULTI)


@dataclass
class JsonShape:
    """What stands at a place of the texts of a relation: kinds of value, members by name, and what items of arrays are."""

    kinds: set[str] = field(default_factory=set)
    members: dict[str, JsonShape] = field(default_factory=dict)
    items: JsonShape | None = None

    def add(self, encoded: Iterable[str], prefix: tuple[Step, ...] = ()) -> list[tuple[Step, ...]]:
        """Take in paths as the engine gave them, below a prefix; gives the places that it did not look into."""
        deeper: list[tuple[Step, ...]] = []
        for text in encoded:
            path, _, kind = text.rpartition(_KIND_MARK)
            steps = prefix + _decoded(path)
            place = self.at(steps)
            place.kinds.add(kind.removeprefix(_EMPTY))
            if kind in _CONTAINERS and steps not in deeper:
                deeper.append(steps)
        return deeper

    def at(self, steps: tuple[Step, ...]) -> JsonShape:
        """The place that steps lead to, made where there is none."""
        place = self
        for step in steps:
            if step is None:
                place.kinds.add("array")
                place.items = place.items or JsonShape()
                place = place.items
            else:
                place.kinds.add("object")
                place = place.members.setdefault(str(step), JsonShape())
        return place

    @property
    def mixed(self) -> bool:
        """Whether texts differ in what stands here, so that no one type reads it."""
        return len(self.kinds - {"null"}) > 1

    @property
    def engine_type(self) -> str:
        """The engine's type that reads this place and all below it at once."""
        if self.mixed or self.kinds <= {"scalar", "null"}:
            return "Nullable(String)"
        if self.items is not None:
            return f"Array({self.items.engine_type})"
        named = [f"{_quoted(name)} {member.engine_type}" for name, member in self._named()]
        return f"Tuple({', '.join(named)})" if named else "Nullable(String)"

    def _named(self) -> list[tuple[str, JsonShape]]:
        """Members that a tuple type can name: the engine has no empty names."""
        return sorted((name, member) for name, member in self.members.items() if name)

    def fields(self, text: Value) -> dict[str, Value]:
        """A value for each path that leads to texts, numbers or truth values, by the path as people write it."""
        sure = v.call("ifNull", text, v.text(""), type=Type.TEXT)
        whole = v.call("JSONExtract", sure, v.text(self.engine_type), type=Type.MULTI)
        found: dict[str, list[Value]] = {}
        for name, value in self._read(sure, whole, (), "", in_array=False):
            if name:
                found.setdefault(name, []).append(value)
        return {name: values[0] if len(values) == 1 else _first_present(values) for name, values in sorted(found.items())}

    def _read(
        self, text: Value, value: Value | None, steps: tuple[Step, ...], name: str, in_array: bool
    ) -> Iterable[tuple[str, Value]]:
        """Names and values below here. `value` reads this place, of each item in an array; None where no type does."""
        if self.mixed:
            value = None
        if "scalar" in self.kinds and steps:
            yield name, _leaf(text, value, steps, in_array)
        for member_name, member in sorted(self.members.items()):
            below = None
            if value is not None and member_name:
                position = 1 + [n for n, _ in self._named()].index(member_name)
                below = _element(value, position, in_array)
            path = f"{name}.{member_name}" if name else member_name
            yield from member._read(text, below, (*steps, member_name), path, in_array)
        if self.items is not None:
            below = _flat(value) if value is not None and in_array else value
            yield from self.items._read(text, below, (*steps, None), f"{name}{{}}", True)


def _decoded(path: str) -> tuple[Step, ...]:
    """The steps of a path as it travelled: each name behind a sign of its own, so that an empty one is one too."""
    return tuple(match.group(1) for match in _TRAVELLED.finditer(path))


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _element(value: Value, position: int, in_array: bool) -> Value:
    if not in_array:
        return v.call("tupleElement", value, v.integer(position), type=Type.TEXT)
    return _mapped(value, "element", lambda item: v.call("tupleElement", item, v.integer(position), type=Type.TEXT))


def _leaf(text: Value, value: Value | None, steps: tuple[Step, ...], in_array: bool) -> Value:
    """What a place holds in the texts where it is no object and no array."""
    if value is not None:
        if not in_array:
            return value
        present = _where(value, "element", lambda item: v.call("isNotNull", item, type=Type.BOOL))
        return _mapped(present, "element", lambda item: v.call("assumeNotNull", item, type=Type.TEXT))
    if not in_array:
        raw = v.call("JSONExtractRaw", text, *_engine_steps(list(steps)), type=Type.TEXT)
        found = scalar_at(text, list(steps))
        container = v.either([_is_object(raw), _is_array(raw), v.call("empty", raw, type=Type.BOOL)])
        return v.call("if", container, Literal(Type.TEXT, None), found, type=Type.TEXT)
    items = raw_items_at(text, list(steps))
    return unquoted(_where(items, "raw", lambda raw: v.negation(v.either([_is_object(raw), _is_array(raw)]))))


def _first_present(values: list[Value]) -> Value:
    """The first of several readings of one name that a row has: `{"a.b": 1}` and `{"a": {"b": 1}}` are both `a.b`."""
    found = values[-1]
    for value in reversed(values[:-1]):
        found = v.choose(v.is_present(value), value, found)
    return found
