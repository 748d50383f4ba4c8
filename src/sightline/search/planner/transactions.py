"""Rows grouped into transactions: which rows belong together, where a group is cut, and what a transaction shows.

Everything is a window or an aggregate of the engine, but one step: where `maxspan` cuts depends on the cuts before, which
no window can tell; that is reckoned over the times alone (see `pieces`) and joined back.

Rows are looked at newest first, as everywhere: a transaction's first row here is its newest, which `endswith` matches.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.lower import join_multi
from sightline.search.planner.matching import match_keys
from sightline.search.planner.pieces import piece_starts
from sightline.search.planner.relation import OrderKey, Relation
from sightline.search.planner.sources import STORED_ORDER
from sightline.search.planner.values import Column, Lambda, Over, Type, Value

TICKS_PER_SECOND = 1_000_000
_BEFORE = "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
_SO_FAR = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
_PREVIOUS = "ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING"


@dataclass(frozen=True)
class Bounds:
    """Where transactions end. None is no bound."""

    span_s: float | None = None
    pause_s: float | None = None
    events: int | None = None
    begins: Value | None = None
    """Whether a row is the beginning (the oldest row) of a transaction, never NULL."""
    ends: Value | None = None
    """Whether a row is the end (the newest row) of a transaction, never NULL."""


@dataclass(frozen=True)
class Rendering:
    """How the values of a transaction's rows are shown."""

    listed: frozenset[str] | None = frozenset()
    """Fields of which every row's value is shown in order; None is all of them. Of the others distinct values are."""
    absent: str = "NULL"
    """What stands in such a list for a row without a value."""
    raw_delimiter: str | None = "\n"
    """What joins the texts of rows; None leaves them apart."""


class Transactions:
    """The grouping of one relation. `relation` must have a `_time`; rows without one belong to no transaction."""

    def __init__(
        self, relation: Relation, names: Sequence[str], bounds: Bounds, context: Context, *, unifies_ends: bool = True
    ) -> None:
        self.names = list(names)
        self.unifies_ends = unifies_ends or (bounds.begins is None and bounds.ends is None)
        self.bounds = bounds
        self.context = context
        self.source = relation
        stored = relation.order == STORED_ORDER
        relation, tie = relation.position_key()
        # Stored rows are shown by their time alone, which the order of a transaction begins with anyway.
        self.has_tie = not stored and not isinstance(tie, v.Literal)
        # A field of one value in all rows becomes a column, whose values can be gathered.
        self.fields = {
            n: v.call("materialize", x, type=x.type) if isinstance(x, v.Literal) else x
            for n, x in relation.fields.items()
            if not v.is_null(x)
        }
        # Several fields are compared as text, because rows hand their values on to each other.
        values = {name: relation.field(name) for name in self.names}
        keys = {n: match_keys(x, x if len(values) == 1 else v.text(""))[0] for n, x in values.items()}
        made = {f"\0key{place}": key or v.Literal(Type.TEXT, None) for place, key in enumerate(keys.values())}
        made["\0time"] = v.as_float(relation.field("_time"))
        for name, condition in (("\0begins", bounds.begins), ("\0ends", bounds.ends)):
            if condition is not None:
                made[name] = v.call("toInt64", condition, type=Type.INT)
        if self.has_tie:
            made["\0tie"] = tie
        self.relation = relation.with_fields({**self.fields, **made})

    # -- names for what stands in the relation

    def _value(self, name: str) -> Value:
        return self.relation.fields[name]

    @property
    def _keys(self) -> list[Value]:
        return [self._value(f"\0key{place}") for place in range(len(self.names))]

    @property
    def _time(self) -> Value:
        return self._value("\0time")

    def _order(self) -> list[OrderKey]:
        """Newest first. Rows of the same moment come in the order they are shown in, and else in any that never changes: what has the
        same digest is the same until one of them is told to open a transaction, and from then on they have numbers."""
        if "\0number" in self.relation.fields:
            # They were numbered in this order.
            return [(self._value("\0number"), False)]
        order: list[OrderKey] = [(self._time, True)]
        if self.has_tie:
            order.append((self._value("\0tie"), False))
        if "\0digest" in self.relation.fields:
            order.append((self._value("\0digest"), False))
        return order

    def _over(self, function: str, argument: Value | None, frame: str, also: Sequence[Value] = ()) -> Over:
        """A window over the rows of a group, newest first."""
        type = Type.INT if argument is None else argument.type
        call = v.call(function, *([] if argument is None else [argument]), type=type)
        return Over(type, call, (*self._keys, *also), tuple(self._order()), frame)

    def _window(self, columns: Mapping[str, Over]) -> None:
        relation, made = self.relation.windowed([(name, over) for name, over in columns.items()])
        self.relation = relation.with_fields({**relation.fields, **dict(zip(columns, made, strict=True))})

    def _set(self, name: str, value: Value) -> None:
        self.relation = self.relation.with_fields({**self.relation.fields, name: value})

    # -- which rows belong together

    def orphans(self) -> Relation:
        """The rows that belong to no transaction, with the fields they came with."""
        outside = self.relation.filtered(v.negation(self._is_member()))
        return dataclasses.replace(outside.with_fields(self.fields), order=self.source.order)

    def _is_member(self) -> Value:
        timed = v.is_true(v.is_present(self._time))
        if not self.names:
            return timed
        flags = [] if self.unifies_ends else [self._is_set(n) for n in ("\0begins", "\0ends") if n in self.relation.fields]
        return v.both([timed, v.either([self._has_key(), *flags])])

    def _has_key(self) -> Value:
        return v.either([v.is_present(key) for key in self._keys])

    def grouped(self, *, linked: bool, connected: bool, rendering: Rendering) -> Relation:
        """A row for each transaction, newest first. `linked` says that some rows have only some of the fields."""
        for name in self.names:
            self._set(f"\0has {name}", v.call("toInt64", v.is_present(self.relation.field(name)), type=Type.INT))
        self.relation = self.relation.filtered(self._is_member())
        if linked:
            self._link(connected)
        if self.names and not self.unifies_ends:
            self._adopt_ends()
        bounds = self.bounds
        piece: list[Value] = []
        if bounds.pause_s is not None or bounds.span_s is not None or bounds.begins is not None or bounds.ends is not None:
            piece = self._cut()
        elif bounds.events is not None and self._has_larger_group(bounds.events):
            self._digest()
            self._window({"\0number": self._over("row_number", None, "")})
            piece = [self._part_of(v.call("minus", self._value("\0number"), v.integer(1), type=Type.INT))]
        return self._rendered(piece, rendering)

    def has_partial_rows(self) -> bool:
        """Whether some row has some of the fields and not all, so that it must be linked to others."""
        if len(self.names) < 2 or self.context.dry:
            return False
        partial = v.both([self._has_key(), v.negation(v.both([v.is_present(key) for key in self._keys]))])
        found = self.relation.filtered(partial).head(1).aggregated([], [("rows", v.agg("count", type=Type.INT))])
        return bool(self.context.table_of(found)["rows"][0].as_py())

    def _has_larger_group(self, count: int) -> bool:
        if self.context.dry:
            return False
        keys = [(f"key{place}", key) for place, key in enumerate(self._keys)]
        sizes = self.relation.aggregated(keys, [("rows", v.agg("count", type=Type.INT))])
        largest = sizes.aggregated([], [("largest", v.agg("max", sizes.field("rows"), type=Type.INT))])
        return (self.context.table_of(largest)["largest"][0].as_py() or 0) > count

    def _digest(self) -> None:
        """A number that tells rows apart by what decides about them, so that ties are broken the same way every time."""
        if "\0digest" in self.relation.fields:
            return
        flags = [self._value(name) for name in ("\0begins", "\0ends") if name in self.relation.fields]
        deciding = [self._time, *self._keys, *flags]
        whole = v.call("toString", v.call("tuple", *deciding, type=Type.TEXT), type=Type.TEXT)
        self._set("\0digest", v.call("sipHash64", whole, type=Type.INT))
        self.relation = self.relation.settled()

    def _link(self, connected: bool) -> None:
        """Give rows that lack some of the fields the values of the nearest row that shares another one.

        The nearest newer row counts before the nearest older one. What one row learns the next may need, so it is done once
        less than there are fields; rows that are linked to nobody keep what they have.
        """
        self._digest()
        for _ in range(len(self.names) - 1):
            learnt: dict[int, list[Value]] = {place: [] for place in range(len(self.names))}
            for place, key in enumerate(self._keys):
                for nearest in self._nearest((key,), [other for other in range(len(self.names)) if other != place]):
                    for other, value in nearest.items():
                        learnt[other].append(v.choose(v.is_present(key), value, v.NULL))
            self._learn(learnt)
        if not connected:
            everywhere = list(range(len(self.names)))
            learnt = {place: [] for place in everywhere}
            for nearest in self._nearest((), everywhere):
                for place, value in nearest.items():
                    learnt[place].append(value)
            self._learn(learnt)

    def _nearest(self, partition: tuple[Value, ...], places: Sequence[int]) -> list[dict[int, Value]]:
        """The values of the nearest newer row that has them, then those of the nearest older one."""
        found = []
        for order in (self._order(), [(value, not descending) for value, descending in self._order()]):
            calls = {place: v.call("anyLast", self._keys[place], type=Type.TEXT) for place in places}
            columns = [("nearest", Over(Type.TEXT, call, partition, tuple(order), _BEFORE)) for call in calls.values()]
            self.relation, made = self.relation.windowed(columns)
            found.append(dict(zip(calls, made, strict=True)))
        return found

    def _learn(self, learnt: Mapping[int, Sequence[Value]]) -> None:
        for place, values in learnt.items():
            key = self._value(f"\0key{place}")
            if values:
                self._set(f"\0key{place}", v.call("coalesce", key, *values, type=Type.TEXT))
        self.relation = self.relation.settled()

    def _adopt_ends(self) -> None:
        """Give ends and beginnings that have none of the fields those of the rows they end and begin."""
        self._digest()
        has = self._has_key()
        whole = v.call("tuple", *self._keys, v.integer(0), type=Type.TEXT)
        calls = v.call("anyLastIf", whole, v.call("toUInt8", has, type=Type.INT), type=Type.TEXT)
        backwards = [(value, not descending) for value, descending in self._order()]
        columns = [(name, Over(Type.TEXT, calls, (), tuple(order), _BEFORE))
                   for name, order in (("newer", self._order()), ("older", backwards))]  # fmt: skip
        self.relation, made = self.relation.windowed(columns)
        is_end = self._is_set("\0ends") if self.bounds.ends is not None else v.FALSE
        for place, key in enumerate(self._keys):
            newer, older = (v.call("tupleElement", one, v.integer(place + 1), type=key.type) for one in made)
            near = [v.call("coalesce", *pair, type=key.type) for pair in ((older, newer), (newer, older))]
            adopted = v.call("if", is_end, *near, type=key.type)
            self._set(f"\0key{place}", v.call("if", has, key, adopted, type=key.type))
        self.relation = self.relation.settled()

    # -- where groups are cut

    def _cut(self) -> list[Value]:
        """Number the pieces of each group; gives the numbers that tell them apart."""
        self._digest()
        bounds = self.bounds
        time = v.call("toNullable", self._time, type=Type.FLOAT)
        self._window({"\0before": self._over("any", time, _PREVIOUS), "\0number": self._over("row_number", None, "")})
        pause = v.call("minus", self._value("\0before"), self._time, type=Type.FLOAT)
        apart = [v.call("isNull", self._value("\0before"), type=Type.BOOL)]
        limits = [limit for limit in (bounds.pause_s, bounds.span_s) if limit is not None]
        if limits:
            apart.append(v.is_true(v.compare(">", pause, v.real(min(limits)))))
        self._set_flag("\0apart", v.either(apart))
        if bounds.begins is not None and bounds.ends is not None:
            self._decide_roles()
        opens = [self._is_set("\0apart")]
        if bounds.ends is not None:
            opens.append(self._is_set("\0ends"))
        if bounds.begins is not None:
            self._window({"\0closed": self._over("any", self._value("\0begins"), _PREVIOUS)})
            opens.append(self._is_set("\0closed"))
        self._set_flag("\0opens", v.either(opens))
        if bounds.span_s is not None:
            self._open_after_span(bounds.span_s)
        pieces = {"\0piece": self._over("sum", self._value("\0opens"), _SO_FAR)}
        if bounds.events is None or bounds.span_s is not None:
            self._window(pieces)
            return [self._value("\0piece")]
        # A piece's rows follow each other, so that the number of its first one is the last at which one was opened.
        number = self._value("\0number")
        opened = v.call("if", self._is_set("\0opens"), number, v.integer(0), type=Type.INT)
        self._window(pieces | {"\0first": self._over("max", opened, _SO_FAR)})
        return [self._value("\0piece"), self._part_of(v.call("minus", number, self._value("\0first"), type=Type.INT))]

    def _set_flag(self, name: str, condition: Value) -> None:
        self._set(name, v.call("toInt64", condition, type=Type.INT))

    def _is_set(self, name: str) -> Value:
        return v.is_true(v.compare("=", self._value(name), v.integer(1)))

    def _part_of(self, earlier: Value) -> Value:
        """The number of the part of so many rows that a row is in, of how many rows come before it."""
        assert self.bounds.events is not None
        return v.call("intDiv", earlier, v.integer(self.bounds.events), type=Type.INT)

    def _decide_roles(self) -> None:
        """Rows that match both conditions are ends and beginnings in turn, newest first, from the last sure row on."""
        both = v.both([self._is_set("\0begins"), self._is_set("\0ends")])
        self._set_flag("\0unsure", v.both([both, v.negation(self._is_set("\0apart"))]))
        differ = v.call("notEquals", self._value("\0begins"), self._value("\0ends"), type=Type.BOOL)
        self._set_flag("\0sure", v.either([self._is_set("\0apart"), differ]))
        self._window({"\0run": self._over("sum", self._value("\0sure"), _SO_FAR)})
        run = [self._value("\0run")]
        self._window(
            {
                # The row that begins the run opens a transaction with its end, or it does not.
                "\0open": self._over("first_value", self._value("\0ends"), _SO_FAR, run),
                "\0turns": self._over("sum", self._value("\0unsure"), _SO_FAR, run),
            }
        )
        turns = v.call("plus", self._value("\0open"), self._value("\0turns"), type=Type.INT)
        odd = v.compare("=", v.call("modulo", turns, v.integer(2), type=Type.INT), v.integer(1))
        # Before this row's own turn the transaction was open where it is not after it.
        is_begin = v.call("if", self._is_set("\0unsure"), v.negation(odd), self._begins_only(), type=Type.BOOL)
        is_end = v.call("if", self._is_set("\0unsure"), odd, self._is_set("\0ends"), type=Type.BOOL)
        self._set_flag("\0begins", is_begin)
        self._set_flag("\0ends", is_end)
        self.relation = self.relation.settled()

    def _begins_only(self) -> Value:
        return v.both([self._is_set("\0begins"), v.negation(self._is_set("\0ends"))])

    def _open_after_span(self, span_s: float) -> None:
        """Mark the rows at which a transaction that reached its span, or its number of rows, gives way to the next."""
        exact = v.call("multiply", self._time, v.real(TICKS_PER_SECOND), type=Type.FLOAT)
        self._set("\0ticks", v.call("toInt64", v.call("round", exact, type=Type.FLOAT), type=Type.INT))
        group = v.call("tuple", v.integer(0), *self._keys, type=Type.TEXT)
        number = v.call("sipHash64", v.call("toString", group, type=Type.TEXT), type=Type.INT)
        self._set("\0group", v.call("reinterpretAsInt64", number, type=Type.INT))
        self.relation = self.relation.settled()
        moment = (self._value("\0group"), self._value("\0ticks"))
        same = Over(Type.INT, v.call("row_number", type=Type.INT), moment, tuple(self._order()))
        self._window({"\0same": same})
        shown: list[OrderKey] = [
            (self._value("\0group"), False),
            (self._value("\0ticks"), True),
            (self._value("\0same"), False),
        ]
        names = ["\0group", "\0ticks", "\0same", "\0opens"]
        table = self.context.table_of(dataclasses.replace(self.relation, order=tuple(shown)), names)

        def work() -> pa.Table:
            begins = table["\0opens"].to_numpy().astype(bool)
            ticks = table["\0ticks"].to_numpy()
            starts = piece_starts(begins, ticks, round(span_s * TICKS_PER_SECOND), self.bounds.events)
            return table.select(names[:3]).filter(pa.array(starts & ~begins))

        found = self.context.python_step(f"pieces of {span_s:g} s", work)
        if found.num_rows == 0:
            return
        # A row is found again by its group, its moment and its number there, so that rows that came in meanwhile move nothing.
        others = self.context.relation_of(found.append_column("\0cut", pa.array(np.ones(found.num_rows, np.int64))))
        on = [(self._value(name), others.field(name)) for name in names[:3]]
        joined, cuts = self.relation.joined(others, on, "left")
        self.relation = dataclasses.replace(joined, order=())
        opens = v.either([v.compare("=", self._value("\0opens"), v.integer(1)), v.is_present(cuts.fields["\0cut"])])
        self._set("\0opens", v.call("toInt64", opens, type=Type.INT))
        self.relation = self.relation.settled()

    # -- what a transaction shows

    def _rendered(self, piece: Sequence[Value], rendering: Rendering) -> Relation:
        keys = [(f"\0key{place}", key) for place, key in enumerate(self._keys)]
        keys += [(f"\0piece{place}", value) for place, value in enumerate(piece)]
        newest, oldest = (v.agg(function, self._time, type=Type.FLOAT) for function in ("max", "min"))
        aggregates: list[tuple[str, Value]] = [("\0newest", newest), ("_time", oldest)]
        made: dict[tuple[Value, bool], str] = {}
        same: dict[str, str] = {}
        for name, value in self.relation.fields.items():
            if name not in self.fields or name.startswith("_"):
                continue
            listed = rendering.listed is None or name in rendering.listed
            if (value, listed) in made:
                same[name] = made[value, listed]
                continue
            made[value, listed] = name
            aggregates.append((name, self._shown(name, value, listed, rendering.absent)))
        raw = self.relation.field("_raw")
        if raw.type is not Type.NULL:
            aggregates.append(("_raw", self._in_order(v.as_multi(raw))))
        count = v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT)
        found = [self._value(f"\0has {name}") for name in self.names]
        each = v.call("arraySum", v.call("array", *found, type=Type.MULTI), type=Type.INT) if found else v.integer(0)
        matches = v.call("toInt64", v.agg("sum", each, type=Type.INT), type=Type.INT)
        aggregates += [("duration", v.call("minus", newest, oldest, type=Type.FLOAT)), ("eventcount", count)]
        aggregates += [("field_match_sum", matches), ("\0closed", self._is_whole(count))]
        grouped = self.relation.aggregated(keys, aggregates, kind="events")
        return self._finished(grouped, same, rendering)

    def _shown(self, name: str, value: Value, listed: bool, absent: str) -> Value:
        if name in self.names and not listed:
            # All rows of a transaction that have the field have the same value.
            return v.agg("anyLast", value, type=value.type) if value.type is not Type.MULTI else v.agg(
                "argMax", value, v.call("length", value, type=Type.INT), type=Type.MULTI
            )  # fmt: skip
        several = v.as_multi(value)
        if listed:
            return self._in_order(v.call("if", v.is_present(value), several, v.multi([absent]), type=Type.MULTI))
        return v.call("arraySort", v.agg("groupUniqArrayArray", several, type=Type.MULTI), type=Type.MULTI)

    def _in_order(self, several: Value) -> Value:
        """The values of all rows, oldest row first."""
        tie = v.call("negate", self._value("\0tie"), type=Type.FLOAT) if self.has_tie else v.integer(0)
        row = v.call("tuple", self._time, tie, several, type=Type.TEXT)
        pair = Column(Type.TEXT, "row")
        part = [v.call("tupleElement", pair, v.integer(place), type=Type.MULTI) for place in (1, 2, 3)]
        key = Lambda(Type.TEXT, ("row",), v.call("tuple", part[0], part[1], type=Type.TEXT))
        rows = v.call("arraySort", key, v.agg("groupArray", row, type=Type.MULTI), type=Type.MULTI)
        lists = v.call("arrayMap", Lambda(Type.MULTI, ("row",), part[2]), rows, type=Type.MULTI)
        return v.call("arrayFlatten", lists, type=Type.MULTI)

    def _is_whole(self, count: Value) -> Value:
        """1 for a transaction that was closed by what it holds: its two ends, or its number of rows; else 0."""
        ends = [self._value(n) for n, x in (("\0begins", self.bounds.begins), ("\0ends", self.bounds.ends)) if x is not None]
        if ends:
            found = [v.compare("=", v.agg("max", end, type=Type.INT), v.integer(1)) for end in ends]
            return v.call("toInt64", v.both(found), type=Type.INT)
        if self.bounds.events is None:
            return v.agg("min", v.integer(0), type=Type.INT)
        return v.call("toInt64", v.compare(">=", count, v.integer(self.bounds.events)), type=Type.INT)

    def _finished(self, grouped: Relation, same: Mapping[str, str], rendering: Rendering) -> Relation:
        closed: Value = grouped.field("\0closed")
        oldest, newest = grouped.field("_time"), grouped.field("\0newest")
        if self.bounds.begins is None and self.bounds.ends is None:
            # Nothing older can belong to it where rows go on to be found beyond its reach.
            grouped, (beginning,) = grouped.windowed([("first", Over(Type.FLOAT, v.call("min", oldest, type=Type.FLOAT)))])
            reached = [v.compare("=", closed, v.integer(1))]
            for start, limit in ((newest, self.bounds.span_s), (oldest, self.bounds.pause_s)):
                if limit is not None:
                    reached.append(v.compare(">", v.call("minus", start, beginning, type=Type.FLOAT), v.real(limit)))
            closed = v.call("toInt64", v.either(reached), type=Type.INT)
        fields: dict[str, Value] = {}
        for name in self.fields:
            if name == "_time" or not name.startswith("_"):
                fields[name] = grouped.field(same.get(name, name))
        added = {"closed_txn": closed, **{n: grouped.field(n) for n in ("duration", "eventcount", "field_match_sum")}}
        raw = grouped.field("_raw")
        if raw.type is not Type.NULL:
            text = join_multi(raw, "\n")
            present = v.is_present(raw)
            if rendering.raw_delimiter is None:
                fields["_raw"] = raw
            else:
                fields["_raw"] = v.choose(present, join_multi(raw, rendering.raw_delimiter), v.NULL)
            lines = v.call("plus", v.call("countSubstrings", text, v.text("\n"), type=Type.INT), v.integer(1), type=Type.INT)
            lines = v.call("toInt64", lines, type=Type.INT)
            added["linecount"] = v.choose(present, lines, grouped.field("eventcount"))
        else:
            # A row without a text counts as a line.
            added["linecount"] = grouped.field("eventcount")
        order = ((oldest, True), (newest, True), *grouped.order)
        return dataclasses.replace(grouped.with_fields({**fields, **added}), order=order).settled()
