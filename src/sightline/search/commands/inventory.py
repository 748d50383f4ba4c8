"""`metadata`, `metasearch`, `eventcount`, `dbinspect`, `walklex`: what is stored, and where, without reading events whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.commands.search import Search
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.buckets import TimeBuckets
from sightline.search.planner.relation import Relation, wildcard_regex
from sightline.search.planner.sources import index_condition, table_relation, time_bounds
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_options
from sightline.search.syntax.expressions import quote_string, shown
from sightline.search.time import parse_span

TABLES = {"event": "events", "trace": "spans", "metric": "metrics"}
"""The table that holds an index, by what it holds."""
SERVER = "local"
"""The one server there is, as `splunk_server` calls it."""
_KINDS = {"hosts": "host", "sources": "source", "sourcetypes": "sourcetype"}


def read_indexes(arguments: Arguments, cls: type, *, bare: bool = False) -> tuple[list[str], dict[str, Any]]:
    """Index patterns, each in an `index=` of its own (or `bare`, as a word), and the other options."""
    indexes: list[str] = []
    given: dict[str, Any] = {}
    arguments.skip_commas()
    while not arguments.done:
        if indexes and arguments.peek().is_word("or"):
            # Several indexes are read anyway.
            arguments.next()
        elif arguments.peek().is_word("index") and arguments.peek(1).is_("="):
            arguments.position += 2
            indexes.append(arguments.name("the name of an index"))
        elif bare and arguments.peek().kind == "word" and not arguments.peek(1).is_("="):
            indexes.append(arguments.name())
        else:
            more = arguments.options(cls)
            if not more:
                token = arguments.peek()
                raise arguments.unknown_option(cls) or SearchError(f"{shown(token)} is not expected here", token.span)
            given.update(more)
        arguments.skip_commas()
    return indexes, given


def print_indexes(command: Any) -> list[str]:
    """Patterns and options as they are written."""
    return [*(f"index={quote_string(name)}" for name in command.indexes), *print_options(command)]


def matching_indexes(patterns: list[str], datatypes: tuple[str, ...], context: Context) -> dict[str, list[str]]:
    """Names of the indexes that the patterns mean, by what they hold; without patterns those a search reads."""
    known = {name: kind for name, kind in context.knowledge.indexes().items() if kind in datatypes}
    chosen: list[str] = []
    if not patterns:
        default = context.knowledge.default_indexes(context.user)
        chosen = [name for name in known if name in default or known[name] == "metric" and not name.startswith("_")]
    for pattern in patterns:
        regex = wildcard_regex(pattern.lower())
        found = [n for n in known if regex.fullmatch(n.lower()) and (pattern.startswith("_") or not n.startswith("_"))]
        if not found and "*" not in pattern:
            listed = ", ".join(sorted(known)) or "none"
            context.warn(f'there is no index "{pattern}" that holds {" or ".join(datatypes)}s; indexes: {listed}')
        chosen += [name for name in found if name not in chosen]
    return {kind: [name for name in chosen if known[name] == kind] for kind in datatypes}


def stored_rows(names: dict[str, list[str]], wanted: list[str], context: Context) -> Relation:
    """These fields of all rows of the indexes in the job's time range."""
    parts = []
    for kind, indexes in names.items():
        if indexes:
            table = TABLES[kind]
            rows = table_relation(table, {}, context.names)
            bounds = time_bounds(table, context.earliest, context.latest)
            rows = rows.filtered(v.both([index_condition(indexes), bounds]))
            parts.append(rows.with_fields({name: rows.field(name) for name in wanted}))
    if not parts:
        return table_relation("events", {}, context.names).filtered(v.FALSE)
    if len(parts) == 1:
        return parts[0]
    unordered = [Relation(part.node, part.fields, (), part.names) for part in parts]
    return unordered[0].union(unordered[1:])


@command("metadata", kind="generating")
@dataclass
class Metadata(Command):
    """Lists hosts, sources or sourcetypes with their first, last and latest event.

    Syntax: metadata type=(hosts|sources|sourcetypes) [index=<index>]... [datatype=(all|event|metric)]
    Example: | metadata type=hosts index=web | where recentTime<now()-3600

    `firstTime` and `lastTime` are the least and the greatest time of an event, `recentTime` is when the last one was
    stored, `totalCount` how many there are, all within the search's range. Without `index=` the default indexes are read.
    """

    type: str = option("", choices=tuple(_KINDS), help="what to list")
    splunk_server: str = option("", help="accepted for compatibility; there is one server")
    splunk_server_group: str = option("", help="accepted for compatibility; there is one server")
    datatype: str = option("event", choices=("all", "event", "metric"), help="which indexes to look at")
    indexes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Metadata:
        named = arguments.next().text.lower() if arguments.peek().is_word(*_KINDS) and not arguments.peek(1).is_("=") else ""
        indexes, given = read_indexes(arguments, cls)
        if named:
            given.setdefault("type", named)
        if not given.get("type"):
            raise SearchError(f"type is wanted, one of {', '.join(_KINDS)}", arguments.stage.name_span)
        return cls(indexes=indexes, **given)

    def print_arguments(self) -> list[str]:
        return print_indexes(self)

    def lower(self, relation: Relation, context: Context) -> Relation:
        datatypes = {"event": ("event", "trace"), "metric": ("metric",), "all": ("event", "trace", "metric")}[self.datatype]
        name = _KINDS[self.type]
        rows = stored_rows(matching_indexes(self.indexes, datatypes, context), [name, "_time", "_indextime"], context)
        value, time, stored = rows.field(name), rows.field("_time"), rows.field("_indextime")
        if value.type is Type.NULL:
            return context.empty()
        found = rows.filtered(v.is_present(value)).aggregated(
            [(name, value)],
            [
                ("firstTime", _seconds(v.agg("min", time, type=Type.FLOAT))),
                ("lastTime", _seconds(v.agg("max", time, type=Type.FLOAT))),
                ("recentTime", _seconds(v.agg("max", stored, type=Type.FLOAT))),
                ("totalCount", v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT)),
            ],
        )
        shown_fields = ("firstTime", name, "lastTime", "recentTime", "totalCount")
        return found.with_fields({n: found.field(n) for n in shown_fields} | {"type": v.text(self.type)})


def _seconds(value: Value) -> Value:
    return v.call("toInt64", v.call("floor", value, type=Type.FLOAT), type=Type.INT)


@command("metasearch", kind="generating")
@dataclass
class MetaSearch(Search):
    """Tells where events that match lie: their time, index, host, source and sourcetype, without their text.

    Syntax: metasearch <conditions>
    Example: | metasearch index=web needle | stats count BY host

    The conditions are those of search.
    """

    anywhere = False

    def lower(self, relation: Relation, context: Context) -> Relation:
        found = super().lower(relation, context)
        names = ("_time", "host", "index", "source", "sourcetype")
        return found.with_fields({name: found.field(name) for name in names} | {"splunk_server": v.text(SERVER)})


@command("eventcount", kind="generating")
@dataclass
class EventCount(Command):
    """Counts the events of indexes, over all time.

    Syntax: eventcount [index=<index>]... [summarize=<bool>] [report_size=<bool>] [list_vix=<bool>]
    Example: | eventcount summarize=false index=* report_size=true

    One number for all the indexes, or with `summarize=false` a row for each. The counts are kept with the data, so that
    nothing is read. `report_size` adds the size on disk in bytes.
    """

    summarize: bool = option(True, help="one row for all indexes")
    report_size: bool = option(False, help="add the size on disk")
    list_vix: bool = option(True, help="accepted for compatibility; there are no virtual indexes")
    list_federated_remote: bool = option(False, help="accepted for compatibility; there is one server")
    splunk_server: str = option("", help="accepted for compatibility; there is one server")
    splunk_server_group: str = option("", help="accepted for compatibility; there is one server")
    indexes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> EventCount:
        indexes, given = read_indexes(arguments, cls)
        return cls(indexes=indexes, **given)

    def print_arguments(self) -> list[str]:
        return print_indexes(self)

    def lower(self, relation: Relation, context: Context) -> Relation:
        named = matching_indexes(self.indexes, ("event", "trace", "metric") if self.indexes else ("event", "trace"), context)
        names = sorted(name for kind in named.values() for name in kind)
        return context.relation_of(context.python_step(str(self), lambda: self._table(names, context)))

    def _table(self, names: list[str], context: Context) -> pa.Table:
        stored = {one.name: one for one in context.store.indexes()}
        counts = [stored[name].rows if name in stored else 0 for name in names]
        sizes = [stored[name].bytes_on_disk if name in stored else 0 for name in names]
        if self.summarize:
            return pa.table({"count": [sum(counts)]} | ({"size_bytes": [sum(sizes)]} if self.report_size else {}))
        table = {"count": pa.array(counts, pa.int64()), "index": pa.array(names, pa.string())}
        table["provider"] = table["server"] = pa.array([SERVER] * len(names), pa.string())
        return pa.table(table | ({"size_bytes": pa.array(sizes, pa.int64())} if self.report_size else {}))


@command("dbinspect", kind="generating")
@dataclass
class DbInspect(Command):
    """Tells the parts that indexes are kept in, as buckets.

    Syntax: dbinspect [index=<index>]... [span=<span>] [timeformat=<format>] [corruptonly=<bool>] [cached=<bool>]
        [state=hot|warm|cold|thawed]
    Example: | dbinspect index=web | stats sum(sizeOnDiskMB) AS mb BY index

    A row for each part: when its events begin and end, how many there are, of how many hosts, sources and sourcetypes, its
    size raw and on disk, when it was made. A part as it was inserted is `hot`, one that was merged `warm`. Only parts with
    events in the search's range are told. With `span` there is a row for each bucket of time instead, with how many parts
    of either state have events in it.
    """

    span: str = option("", help="count parts over buckets of time")
    timeformat: str = option("%m/%d/%Y:%H:%M:%S", help="how modTime is written")
    corruptonly: bool = option(False, help="only damaged parts; the engine keeps none")
    cached: bool = option(False, help="accepted for compatibility; the numbers are always the newest")
    state: str = option("", choices=("hot", "warm", "cold", "thawed"), help="only parts in this state")
    splunk_server: str = option("", help="accepted for compatibility; there is one server")
    splunk_server_group: str = option("", help="accepted for compatibility; there is one server")
    indexes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> DbInspect:
        indexes, given = read_indexes(arguments, cls)
        if given.get("span"):
            parse_span(given["span"])
        return cls(indexes=indexes, **given)

    def print_arguments(self) -> list[str]:
        return print_indexes(self)

    def lower(self, relation: Relation, context: Context) -> Relation:
        named = matching_indexes(self.indexes, ("event", "trace", "metric") if self.indexes else ("event", "trace"), context)
        names = [name for kind in named.values() for name in kind]
        return context.relation_of(context.python_step(str(self), lambda: self._table(names, context)))

    def _table(self, names: list[str], context: Context) -> pa.Table:
        earliest, latest = context.earliest or 0.0, context.latest if context.latest is not None else float("inf")
        parts = [] if self.corruptonly else context.store.parts(names)
        parts = [part for part in parts if part.latest >= earliest and part.earliest < latest]
        if self.state:
            parts = [part for part in parts if self.state == ("hot" if part.level == 0 else "warm")]
        states = ["hot" if part.level == 0 else "warm" for part in parts]
        if self.span:
            return self._over_time(parts, states, context)
        rows = [
            {
                "bucketId": f"{part.index}~{part.name}",
                "endEpoch": part.latest,
                "eventCount": part.rows,
                "hostCount": part.hosts,
                "id": part.name,
                "index": part.index,
                "modTime": datetime.fromtimestamp(part.modified, context.zone).strftime(self.timeformat),
                "path": f"{part.table}/{part.name}",
                "rawSize": part.raw_bytes,
                "sizeOnDiskMB": part.bytes_on_disk / 2**20,
                "sourceCount": part.sources,
                "sourceTypeCount": part.sourcetypes,
                "splunk_server": SERVER,
                "startEpoch": part.earliest,
                "state": state,
                "tsidxState": "full",
            }
            for part, state in zip(parts, states, strict=True)
        ]
        return pa.Table.from_pylist(rows) if rows else pa.table({})

    def _over_time(self, parts: list[Any], states: list[str], context: Context) -> pa.Table:
        buckets = TimeBuckets(parse_span(self.span), context.zone)
        counts: dict[float, dict[str, int]] = {}
        for part, state in zip(parts, states, strict=True):
            for start in buckets.starts(part.earliest, part.latest):
                of_bucket = counts.setdefault(start, {"hot": 0, "warm": 0})
                of_bucket[state] += 1
        rows = [{"_time": start, **counts[start]} for start in sorted(counts)]
        return pa.Table.from_pylist(rows) if rows else pa.table({})


_LEXICON = ("term", "field", "fieldvalue", "all")


@command("walklex", kind="generating")
@dataclass
class WalkLex(Command):
    """Lists the words of the text index, the fields, or the fields with their values, with how many events have each.

    Syntax: walklex [type=(term|field|fieldvalue|all)] index=<index>... [prefix=<text> | pattern=<text>]
    Example: | walklex type=field index=web | sort - count

    A term is a word as the text index has it: letters and digits, lower-case. `field` tells how many events have the field
    and how many distinct values it has, `fieldvalue` gives `field::value`. `prefix` and `pattern` (with `*`) choose
    among them, ignoring case. Only events in the search's range are read.
    """

    type: str = option("term", choices=_LEXICON, help="what to list")
    prefix: str = option("", help="only those that begin so")
    pattern: str = option("", help="only those that match, `*` standing for anything")
    splunk_server: str = option("", help="accepted for compatibility; there is one server")
    splunk_server_group: str = option("", help="accepted for compatibility; there is one server")
    indexes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> WalkLex:
        indexes, given = read_indexes(arguments, cls)
        if not indexes:
            raise SearchError("index is wanted: whose words to list", arguments.stage.name_span)
        if given.get("prefix") and given.get("pattern"):
            raise SearchError("prefix and pattern cannot both be given", arguments.stage.name_span)
        return cls(indexes=indexes, **given)

    def print_arguments(self) -> list[str]:
        return print_indexes(self)

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = matching_indexes(self.indexes, ("event", "trace"), context)
        found = []
        for kind, indexes in names.items():
            if not indexes:
                continue
            table = TABLES[kind]
            rows = table_relation(table, context.store.json_paths(table, indexes), context.names)
            bounds = time_bounds(table, context.earliest, context.latest)
            rows = rows.filtered(v.both([index_condition(indexes), bounds]))
            if self.type in ("term", "all"):
                found.append(self._terms(rows))
            if self.type in ("field", "all"):
                found.append(self._fields(rows, context))
            if self.type in ("fieldvalue", "all"):
                found.append(self._field_values(rows))
        if not found:
            return context.empty()
        return (found[0].union(found[1:]) if len(found) > 1 else found[0]).as_table()

    def _terms(self, rows: Relation) -> Relation:
        text = v.call("lowerUTF8", v.call("assumeNotNull", rows.field("_raw"), type=Type.TEXT), type=Type.TEXT)
        words = v.call("arrayDistinct", v.call("tokens", text, v.text("splitByNonAlpha"), type=Type.MULTI), type=Type.MULTI)
        return self._counted(rows, words)

    def _field_values(self, rows: Relation) -> Relation:
        pairs = []
        for name, value in self._visible(rows):
            text = v.call("concat", v.text(f"{name}::"), v.Column(Type.TEXT, "value"), type=Type.TEXT)
            pairs.append(v.call("arrayMap", v.Lambda(Type.TEXT, ("value",), text), v.as_multi(value), type=Type.MULTI))
        listed = v.call("arrayDistinct", v.call("arrayConcat", *pairs, type=Type.MULTI), type=Type.MULTI)
        return self._counted(rows, listed)

    def _counted(self, rows: Relation, listed: Value) -> Relation:
        index = rows.field("index")
        rows, term = rows.unnested(listed, "term")
        rows = rows.filtered(self._chosen(term))
        counted = v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT)
        found = rows.aggregated([("term", term), ("index", index)], [("count", counted)])
        return found.with_field("splunk_server", v.text(SERVER))

    def _chosen(self, term: Value) -> Value:
        if not self.prefix and not self.pattern:
            return v.TRUE
        given = f"{self.prefix}*" if self.prefix else self.pattern
        return v.call("ilike", term, v.text(v.like_pattern(given)), type=Type.BOOL)

    def _visible(self, rows: Relation) -> list[tuple[str, Value]]:
        return [
            (name, value)
            for name, value in rows.fields.items()
            if not name.startswith("_") and name != "index" and not name.endswith("{}")
        ]

    def _fields(self, rows: Relation, context: Context) -> Relation:
        given = f"{self.prefix}*" if self.prefix else self.pattern or "*"
        regex = wildcard_regex(given.lower())
        wanted = [(name, value) for name, value in self._visible(rows) if regex.fullmatch(name.lower())]
        aggregates: list[tuple[str, Value]] = []
        for position, (_, value) in enumerate(wanted):
            present = v.call("toInt64", v.is_present(value), type=Type.INT)
            aggregates.append((f"rows{position}", v.call("toInt64", v.agg("sum", present, type=Type.INT), type=Type.INT)))
            distinct = v.agg("uniqExactArray", v.as_multi(value), type=Type.INT)
            aggregates.append((f"distinct{position}", v.call("toInt64", distinct, type=Type.INT)))
        if not wanted:
            return context.empty()
        table = context.table_of(rows.aggregated([], aggregates))

        def work() -> pa.Table:
            found = [
                {"field": name, "count": table[f"rows{n}"][0].as_py(), "distinct_values": table[f"distinct{n}"][0].as_py()}
                for n, (name, _) in enumerate(wanted)
            ]
            found = [one for one in found if one["count"]]
            schema = pa.schema([("field", pa.string()), ("count", pa.int64()), ("distinct_values", pa.int64())])
            return pa.Table.from_pylist(sorted(found, key=lambda one: one["field"]), schema=schema)

        return context.relation_of(context.python_step("fields", work)).with_field("splunk_server", v.text(SERVER))
