"""Promoted fields: the fields that occur in most records have a column of their own beside the JSON column.

Taking a field apart into the JSON column costs the engine half a microsecond, into a column of its type a tenth of that; a
column that keeps texts as a dictionary is read and grouped several times faster (numbers in docs/adr/0001-storage-schema.md).
Nobody declares anything: before a segment is loaded, now and then a sample of its records is looked at, and what most of
them have becomes a column.

Hides: which fields are promoted, how a record's object is divided, and how it is put together again. Enters: statements
that give a record's object as JSON text. Leaves: statements that fill the columns, and texts that read them.

- A column's name is the field's path and the type it takes, `http.status:Int64`. A value of another type stays in the JSON
  column, so that nothing is converted; a field may be in both, and in columns of several types.
- A field inside an object of a record is taken out only where every member of that object is; else the object stays whole.
- The column's comment names the indexes that use it, and where the field stands in their records. A field that an index
  does not use is not looked for in its records, so that searches of an index know from the comments alone what it has.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pyarrow as pa

from sightline.store.sql_text import JSON_TYPE, identifier, quote

JSON_COLUMNS = {"events": "fields", "spans": "fields", "metrics": "dims"}
"""The JSON column of each table."""
COLUMN_MARK = "column:"
"""Stands before the type of a path that has a column of its own, where the types of paths are told."""
DICTIONARY_MARK = "dictionary:"
"""The same where the column keeps texts as a dictionary."""

SAMPLE_ROWS = 1000
"""Records of a segment that are looked at."""
MIN_SAMPLE_ROWS = 200
"""Fewer records of an index say too little, and cost too little to be worth a column."""
MIN_SHARE = 0.2
"""Part of an index's records that must have a field. An absent value costs a column about a nanosecond."""
DICTIONARY_SHARE = 0.7
"""Distinct texts per record of a sample up to which a column keeps them as a dictionary. Of a thousand events that follow each
other, users, pages and addresses are that many; ids of requests are as many as the events."""
ROOM_BYTES = 64 * 1024 * 1024
"""Free disk below which no column is added: an engine whose disk is full loses the description of a table it changes."""
MAX_DEPTH = 3
"""How deep inside a record a promoted field may be."""

_TYPES = {
    "Int64": "Nullable(Int64)",
    "Float64": "Nullable(Float64)",
    "Bool": "Nullable(Bool)",
    "String": "Nullable(String)",
    "Array": "Array(String)",
}
_DICTIONARY = "LowCardinality(Nullable(String))"
_PLAIN_NAME = re.compile(r"[\w.@/-]{1,100}")
"""Names that columns are made of; stranger ones stay in the JSON column."""
_EXACT_INTEGER = 1 << 53
"""Whole numbers up to here are the same as a float."""

Steps = tuple[str, ...]
"""Where a field stands in a record: the names of the objects around it, and its own, which may have dots in it."""


@dataclass(frozen=True, slots=True)
class PromotedField:
    """One column. `places` says for each place in a record which indexes have the field there."""

    table: str
    path: str
    kind: str
    """`Int64`, `Float64`, `Bool`, `String` or `Array`."""
    is_dictionary: bool
    places: tuple[tuple[Steps, frozenset[str]], ...]

    @property
    def column(self) -> str:
        """The column's name."""
        return f"{self.path}:{self.kind}"

    @property
    def type(self) -> str:
        """The column's type in the engine."""
        return _DICTIONARY if self.is_dictionary else _TYPES[self.kind]

    @property
    def row_bytes(self) -> int:
        """About what a value takes in memory when it was read: the number in a dictionary, a number, or a text of usual length."""
        if self.is_dictionary:
            return 2
        return 32 if self.kind in ("String", "Array") else 9

    @property
    def declaration(self) -> str:
        """The type, and how values are compressed where the engine's own way is not the best: whole numbers, as few bits of
        each as the largest of some thousands needs, take two thirds of the room and of the time of being read."""
        return f"{self.type} CODEC(T64, LZ4)" if self.kind == "Int64" else self.type

    @property
    def indexes(self) -> frozenset[str]:
        """Every index whose records may have a value in it."""
        return frozenset().union(*(indexes for _, indexes in self.places))

    def comment(self) -> str:
        """What the column's comment says."""
        places = [{"steps": list(steps), "indexes": sorted(indexes)} for steps, indexes in self.places]
        return json.dumps({"path": self.path, "places": places}, ensure_ascii=False)


class PromotedFields:
    """The promoted fields of all tables. Threads may share it."""

    def __init__(self, query: Callable[..., pa.Table], execute: Callable[[str], None], limit: int, folder: Path) -> None:
        self._query = query
        self._execute = execute
        self._limit = limit
        self._folder = folder
        self._known: dict[str, tuple[PromotedField, ...]] = {}
        self.changing = threading.RLock()
        """Held while columns are added; whoever needs two tables of the same columns holds it meanwhile."""

    def of(self, table: str, indexes: Iterable[str] | None = None) -> tuple[PromotedField, ...]:
        """The promoted fields of a table that some indexes use, by name; None means all."""
        known = self._known.get(table)
        if known is None:
            with self.changing:
                known = self._known[table] = self._read(table)
        if indexes is None:
            return known
        wanted = frozenset(indexes)
        return tuple(one for one in known if one.indexes & wanted)

    def learn(self, table: str, sample: pa.Table, min_rows: int = MIN_SAMPLE_ROWS) -> bool:
        """Promote what most records of a sample have, where there are enough of an index. Whether anything was.

        The sample has columns `index` and `object`, the record as JSON text.
        """
        if sample.num_rows < min_rows or shutil.disk_usage(self._folder).free < ROOM_BYTES:
            return False
        worthy = _worthy(sample, min_rows)
        with self.changing:
            before = {one.column: one for one in self.of(table)}
            after = dict(before)
            for index, wanted in worthy.items():
                for (steps, kind), is_dictionary in wanted.items():
                    path = ".".join(steps)
                    column = f"{path}:{kind}"
                    known = after.get(column)
                    if known is None:
                        if len(after) >= self._limit:
                            continue
                        known = PromotedField(table, path, kind, is_dictionary, ())
                    after[column] = _with_place(known, steps, index)
            changed = [one for column, one in after.items() if before.get(column) != one]
            if not changed:
                return False
            self._execute(f"ALTER TABLE sightline.{table} " + ", ".join(_alteration(one, before) for one in changed))
            self._known[table] = self._read(table)
            return True

    def copy_to(self, table: str, other: str) -> None:
        """Give a table that was made like another one the columns that the other has got since."""
        added = ", ".join(f"ADD COLUMN IF NOT EXISTS {identifier(one.column)} {one.declaration}" for one in self.of(table))
        if added:
            self._execute(f"ALTER TABLE sightline.{other} {added}")

    def forget(self, index: str) -> None:
        """An index is gone: no column is looked into for it any more. The columns stay, for others and for later."""
        with self.changing:
            for table in JSON_COLUMNS:
                changed = []
                for one in self.of(table, [index]):
                    places = tuple((steps, indexes - {index}) for steps, indexes in one.places if indexes - {index})
                    changed.append(PromotedField(table, one.path, one.kind, one.is_dictionary, places))
                if changed:
                    before = {one.column: one for one in self.of(table)}
                    self._execute(f"ALTER TABLE sightline.{table} " + ", ".join(_alteration(one, before) for one in changed))
                    self._known[table] = self._read(table)

    def _read(self, table: str) -> tuple[PromotedField, ...]:
        rows = self._query(
            "SELECT name, type, comment FROM system.columns WHERE database = 'sightline'"
            f" AND table = {quote(table)} AND startsWith(comment, '{{') ORDER BY position"
        ).to_pylist()
        found = []
        for row in rows:
            told = json.loads(row["comment"])
            places = tuple((tuple(place["steps"]), frozenset(place["indexes"])) for place in told["places"])
            kind = row["name"][len(told["path"]) + 1 :]
            found.append(PromotedField(table, told["path"], kind, row["type"] == _DICTIONARY, places))
        return tuple(found)


# ---- what is worth a column ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Seen:
    kinds: Counter[str] = field(default_factory=Counter)
    texts: set[str] = field(default_factory=set)


def _worthy(sample: pa.Table, min_rows: int) -> dict[str, dict[tuple[Steps, str], bool]]:
    """For each index, the places and types that most of its records have, and whether their texts repeat."""
    records: Counter[str] = Counter()
    seen: dict[str, dict[Steps, _Seen]] = defaultdict(lambda: defaultdict(_Seen))
    for index, text in zip(sample["index"].to_pylist(), sample["object"].to_pylist(), strict=True):
        try:
            record = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        # What the program writes about itself is little, and read by statements that know its one form.
        if not isinstance(record, dict) or index.startswith("_"):
            continue
        records[index] += 1
        _look(record, (), seen[index])
    found: dict[str, dict[tuple[Steps, str], bool]] = {}
    for index, places in seen.items():
        if records[index] < min_rows:
            continue
        wanted = found.setdefault(index, {})
        for steps, one in places.items():
            for kind, count in _merged_numbers(one.kinds).items():
                if count >= MIN_SHARE * records[index]:
                    wanted[steps, kind] = kind == "String" and len(one.texts) <= DICTIONARY_SHARE * count
    return found


def _look(record: Mapping[str, object], around: Steps, seen: dict[Steps, _Seen]) -> None:
    for name, value in record.items():
        steps = (*around, name)
        if isinstance(value, dict):
            if len(steps) < MAX_DEPTH:
                _look(value, steps, seen)
            continue
        kind = _kind_of(value)
        if kind is None or not all(_PLAIN_NAME.fullmatch(step) for step in steps):
            continue
        one = seen[steps]
        one.kinds[kind] += 1
        if kind == "String":
            one.texts.add(str(value))


def _kind_of(value: object) -> str | None:
    if isinstance(value, bool):
        return "Bool"
    if isinstance(value, int):
        return "Int64" if -(1 << 63) <= value < 1 << 63 else None
    if isinstance(value, float):
        return "Float64"
    if isinstance(value, str):
        return "String"
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "Array"
    return None


def _merged_numbers(kinds: Counter[str]) -> Counter[str]:
    """Where some values are whole and some are not, whole ones go into the column of floats."""
    if kinds["Int64"] and kinds["Float64"]:
        merged = Counter(kinds)
        merged["Float64"] += merged.pop("Int64")
        return merged
    return kinds


def _with_place(one: PromotedField, steps: Steps, index: str) -> PromotedField:
    places = dict(one.places)
    places[steps] = places.get(steps, frozenset()) | {index}
    return PromotedField(one.table, one.path, one.kind, one.is_dictionary, tuple(sorted(places.items())))


def _alteration(one: PromotedField, before: Mapping[str, PromotedField]) -> str:
    if one.column in before:
        return f"COMMENT COLUMN {identifier(one.column)} {quote(one.comment())}"
    return f"ADD COLUMN IF NOT EXISTS {identifier(one.column)} {one.declaration} COMMENT {quote(one.comment())}"


# ---- dividing a record -----------------------------------------------------------------------------------------------


def divided(rows: str, columns: Sequence[str], table: str, promoted: Sequence[PromotedField]) -> tuple[list[str], str]:
    """From rows whose JSON column is still text, the columns to insert and the SELECT that gives them.

    `rows` is a SELECT of `columns`, one of which is the table's JSON column with an object as text in it.
    """
    json_column = JSON_COLUMNS[table]
    own = [name for name in columns if name != json_column]
    text = identifier(json_column)
    if not promoted:
        selected = ", ".join([*map(identifier, own), f"CAST({text} AS {JSON_TYPE}) AS {text}"])
        return [*own, json_column], f"SELECT {selected} FROM ({rows})"
    record = _Record(promoted, text)
    names = record.names
    everything = ", ".join(map(identifier, [*own, json_column]))
    # The text may come from a column that can be null, of which the engine reads no tuples.
    sure = f"SELECT {', '.join(map(identifier, own))}, ifNull({text}, '{{}}') AS `object:` FROM ({rows})"
    listed = ", ".join([*map(identifier, own), f"`object:` AS {text}"])
    extracted = f"SELECT {listed}, {', '.join(record.extracts('`object:`'))} FROM ({sure})"
    read = f"SELECT {everything}, {', '.join(record.values())} FROM ({extracted})"
    taken = f"SELECT {everything}, {', '.join(record.columns())} FROM ({read})"
    selected = ", ".join([*map(identifier, [*own, *names]), f"CAST({record.rest()} AS {JSON_TYPE}) AS {text}"])
    return [*own, *names, json_column], f"SELECT {selected} FROM ({taken})"


def places_of(
    promoted: Sequence[PromotedField], indexes: Iterable[str]
) -> list[tuple[PromotedField, Steps, frozenset[str]]]:
    """Which column takes the value at which place in the records of which of these indexes."""
    wanted = frozenset(indexes)
    return [(one, steps, used & wanted) for _, one, steps, used in _Record(promoted, "").leaves if used & wanted]


class _Record:
    """Texts that divide a record's object: values are read at their places, and columns take what may leave the object."""

    def __init__(self, promoted: Sequence[PromotedField], text: str) -> None:
        self._text = text
        self._tree: dict[str, dict] = {}
        places = {steps for one in promoted for steps, _ in one.places}
        # What is an object in some records and a value in others is left where it is where it is a value.
        objects = {steps[:depth] for steps in places for depth in range(1, len(steps))}
        self._promoted = [one for one in promoted if any(steps not in objects for steps, _ in one.places)]
        self.leaves = [
            (number, one, steps, indexes)
            for number, one in enumerate(self._promoted)
            for steps, indexes in one.places
            if steps not in objects
        ]
        for _, _, steps, _ in self.leaves:
            _plant(self._tree, steps)
        self._groups = list(dict.fromkeys(indexes for _, _, _, indexes in self.leaves))

    @property
    def names(self) -> list[str]:
        """The columns that are filled."""
        return [one.column for one in self._promoted]

    def extracts(self, text: str) -> list[str]:
        """`record:<number>`: what is read of the records of some indexes, once for all columns that these use."""
        found = []
        for number, indexes in enumerate(self._groups):
            tree: dict[str, dict] = {}
            for _, _, steps, used_by in self.leaves:
                if used_by == indexes:
                    _plant(tree, steps)
            listed = ", ".join(quote(index) for index in sorted(indexes))
            # Not a condition around each value: the engine would read the text again for every one.
            own = f"if(`index` IN ({listed}), {text}, '{{}}')"
            found.append(f"JSONExtract({own}, {quote(_tuple_type(tree))}) AS {identifier(f'record:{number}')}")
        return found

    def values(self) -> list[str]:
        """`<number>:<place>`: the value at each place where it is of the column's type, else NULL or an empty list."""
        return [
            f"{self._value(one, steps, indexes)} AS {identifier(_leaf(number, steps))}"
            for number, one, steps, indexes in self.leaves
        ]

    def columns(self) -> list[str]:
        """Each column: the value at the first of its places that has one and may leave the record."""
        # Whether an object may go is asked before any column has the name of a field.
        texts = [f"{self._whole(name)} AS {identifier(f'{name}:whole')}" for name in self._objects()]
        for number, one in enumerate(self._promoted):
            found = []
            for steps in (steps for leaf, _, steps, _ in self.leaves if leaf == number):
                leaf = identifier(_leaf(number, steps))
                empty = "[]" if one.kind == "Array" else "NULL"
                found.append(f"if({identifier(f'{steps[0]}:whole')}, {leaf}, {empty})" if len(steps) > 1 else leaf)
            joined = "arrayConcat" if one.kind == "Array" else "coalesce"
            value = found[0] if len(found) == 1 else f"{joined}({', '.join(found)})"
            texts.append(f"{value} AS {identifier(one.column)}")
        names = [f"{self._is_taken(name)} AS {identifier(f'{name}:taken')}" for name in self._tree]
        return texts + names

    def rest(self) -> str:
        """The object without the members that were taken; the text as it is where none was."""
        taken = [identifier(f"{name}:taken") for name in self._tree]
        count = " + ".join(taken)
        # Asked member by member: what does not depend on a member the engine would compute for all rows, also those with no rest.
        gone = ", ".join(f"m.1 = {quote(name)}, {one}" for one, name in zip(taken, self._tree, strict=True))
        left = (
            "concat('{', arrayStringConcat(arrayMap(m -> concat(toJSONString(m.1), ':', m.2), arrayFilter("
            f"m -> multiIf({gone}, 0) = 0, JSONExtractKeysAndValuesRaw({self._text}))), ','), '}}')"
        )
        # The first condition asks the text, and is not behind another: what only branches ask for is computed in each of them.
        none = f"{count} = 0"
        return f"if({count} = JSONLength({self._text}), if({none}, {self._text}, '{{}}'), if({none}, {self._text}, {left}))"

    def _objects(self) -> list[str]:
        return [name for name, members in self._tree.items() if members]

    def _value(self, one: PromotedField, steps: Steps, indexes: frozenset[str]) -> str:
        value = ".".join(map(identifier, (f"record:{self._groups.index(indexes)}", *steps)))
        if one.kind == "Float64":
            # A column of floats takes the whole numbers among them, as far as they are exact.
            whole = f"dynamicElement({value}, 'Int64')"
            number = f"if(abs({whole}) <= {_EXACT_INTEGER}, toFloat64({whole}), NULL)"
            text = f"coalesce(dynamicElement({value}, 'Float64'), {number})"
        elif one.kind == "Array":
            items = f"dynamicElement({value}, 'Array(Nullable(String))')"
            text = f"if(has({items}, NULL), [], arrayMap(x -> assumeNotNull(x), {items}))"
        else:
            text = f"dynamicElement({value}, '{one.kind}')"
        return text

    def _found(self, steps: Steps) -> str:
        """Whether a value at a place is in a column."""
        asked = [
            f"{'notEmpty' if one.kind == 'Array' else 'isNotNull'}({identifier(_leaf(number, place))})"
            for number, one, place, _ in self.leaves
            if place == steps
        ]
        return asked[0] if len(asked) == 1 else f"({' OR '.join(asked)})"

    def _whole(self, name: str) -> str:
        """Whether every member of an object of the record is in a column."""

        def ask(node: dict, steps: Steps) -> str:
            counted = [
                ask(members, (*steps, member)) if members else self._found((*steps, member))
                for member, members in node.items()
            ]
            place = ", ".join(quote(step) for step in steps)
            count = " + ".join(counted)
            # An array is read into an object's members by their places.
            return (
                f"({count} > 0 AND JSONLength({self._text}, {place}) = {count}"
                f" AND JSONType({self._text}, {place}) = 'Object')"
            )

        return ask(self._tree[name], (name,))

    def _is_taken(self, name: str) -> str:
        if self._tree[name]:
            return identifier(f"{name}:whole")
        return self._found((name,))


def _plant(tree: dict[str, dict], steps: Steps) -> None:
    for step in steps:
        tree = tree.setdefault(step, {})


def _leaf(number: int, steps: Steps) -> str:
    return f"{number}:{json.dumps(steps)}"


def _tuple_type(node: Mapping[str, dict]) -> str:
    members = ", ".join(
        f"{identifier(name)} {_tuple_type(members) if members else 'Dynamic'}" for name, members in node.items()
    )
    return f"Tuple({members})"


# ---- putting a record together ---------------------------------------------------------------------------------------


def object_text(column: str, paths: Mapping[str, frozenset[str]]) -> str:
    """The text that reads a record's whole object as JSON: flat names for promoted fields, the rest as the JSON column
    writes it. `paths` is what `EmbeddedStore.json_paths` tells."""
    rest = f"toJSONString({identifier(column)})"
    pieces = []
    for path, types in paths.items():
        key = quote(json.dumps(path, ensure_ascii=False) + ":")
        for kind in promoted_kinds(types):
            value = identifier(f"{path}:{kind}")
            absent = f"empty({value})" if kind == "Array" else f"isNull({value})"
            pieces.append(f"if({absent}, '', concat({key}, assumeNotNull(toJSONString({value}))))")
    if not pieces:
        return rest
    pieces.append(f"substring({rest}, 2, length({rest}) - 2)")
    return f"concat('{{', arrayStringConcat(arrayFilter(x -> x != '', [{', '.join(pieces)}]), ','), '}}')"


def field_text(column: str, path: str, paths: Mapping[str, frozenset[str]]) -> str:
    """The text that reads a field as text, empty where a record has none."""
    types = paths.get(path, frozenset())
    values = [identifier(f"{path}:{kind}") for kind in promoted_kinds(types)]
    if any(not one.startswith((COLUMN_MARK, DICTIONARY_MARK)) for one in types):
        values.append(f"{identifier(column)}." + ".".join(map(identifier, path.split("."))))
    return "coalesce(" + ", ".join([*(f"nullIf(toString({value}), '')" for value in values), "''"]) + ")"


def promoted_kinds(types: Iterable[str]) -> list[str]:
    """The kinds of the columns among the types of a path."""
    return sorted(one.partition(":")[2] for one in types if one.startswith((COLUMN_MARK, DICTIONARY_MARK)))


def merged_types(paths: Mapping[str, frozenset[str]], promoted: Sequence[PromotedField]) -> dict[str, frozenset[str]]:
    """Types of paths with those of promoted columns among them, marked."""
    found = dict(paths)
    for one in promoted:
        mark = DICTIONARY_MARK if one.is_dictionary else COLUMN_MARK
        found[one.path] = found.get(one.path, frozenset()) | {mark + one.kind}
    return dict(sorted(found.items()))
