"""`tstats`: aggregates over stored events, or over the dataset of a data model, in one query of the engine."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sightline.errors import SearchError, Span
from sightline.search.commands.search import expand_subsearches, read_store, take_time_bounds
from sightline.search.context import Context
from sightline.search.data_models.dataset import NODENAME, DatasetRows, chosen_dataset, dataset_rows, find_model
from sightline.search.data_models.definition import DataModel
from sightline.search.nested import job_rows, namespace_rows
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import grouping_keys, lower_calls, lower_kept, print_call, read_call
from sightline.search.planner.binning import Binning, time_buckets
from sightline.search.planner.buckets import nominal_s
from sightline.search.planner.lower import lower_predicate
from sightline.search.planner.partial import kept_rows
from sightline.search.planner.relation import Relation
from sightline.search.planner.terms import has_prefix, prefix_values
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import AggregateCall, Arguments, option, print_name, print_options
from sightline.search.syntax.clauses import all_of, conditions_of, names_in, read_where, take_options
from sightline.search.syntax.expressions import shown
from sightline.search.syntax.predicates import print_predicate
from sightline.search.syntax.tree import Comparison, Everything, Predicate
from sightline.search.time import parse_span

_AUTO = "auto"
"""The span that says no more than what happens without one."""
_PREFIX = re.compile(r"PREFIX\((.*)\)\Z", re.S)


@command("tstats", kind="generating")
@dataclass
class TStats(Command):
    """Aggregates stored events, or the rows of a data model's dataset.

    Syntax: tstats [prestats=<bool>] [append=<bool>] <aggregate>... [FROM datamodel=<data model>[.<dataset>] | sid=<sid> |
        <namespace>] [WHERE <conditions>] [BY <field>... [span=<span>]] [fillnull_value=<text>]
    Example: | tstats count, dc(user) WHERE index=web status>=500 BY host, _time span=1h

    Every stored field can be aggregated and grouped by, as can `PREFIX(text)`: what follows the text in terms of the raw
    event. Conditions are those of search, with `index=`, `earliest=` and `latest=`, words, TERM() and subsearches. Fields
    of a dataset have its path in front (`Web.status`); without a dataset the model's root is read, and `nodename`
    names one below it. Every search reads all events, so that `summariesonly` changes nothing. With `_time` among the BY
    fields its values are the starts of buckets, of a length that suits the range unless `span` is given. A row that lacks
    a BY field is left out unless `fillnull_value` gives it one. `prestats=true` gives partial results for a `stats`,
    `chart` or `timechart` with the same aggregates that follows, `append=true` adds the rows to the current ones.
    """

    prestats: bool = option(False, help="give partial results for a command that follows")
    append: bool = option(False, help="keep the current rows before these")
    span: str = option("", help="length of a bucket of _time; auto is as without one")
    fillnull_value: str = option("", help="stands for a BY field that an event lacks")
    summariesonly: bool = option(False, help="accepted for compatibility; every search reads all events")
    allow_old_summaries: bool = option(False, help="accepted for compatibility; every search reads all events")
    local: bool = option(False, help="accepted for compatibility; there is one server")
    include_reduced_buckets: bool = option(False, help="accepted for compatibility; no events are thinned out")
    use_summary_index_values: bool = option(False, help="accepted for compatibility; every search reads all events")
    chunk_size: int = option(10_000_000, help="accepted for compatibility; the engine decides how to divide the work")
    calls: list[AggregateCall] = field(default_factory=list)
    source: tuple[str, str] = ("", "")
    """datamodel, sid or namespace, and its name; empty for stored events."""
    predicate: Predicate = field(default_factory=Everything)
    by: list[str] = field(default_factory=list)
    place: Span = field(default=Span(0, 0), compare=False)

    @classmethod
    def read(cls, arguments: Arguments) -> TStats:
        given = take_options(arguments, cls)
        calls: list[AggregateCall] = []
        arguments.skip_commas()
        while not arguments.at_end_of_list(("from", "where", "by", "groupby")):
            error = arguments.unknown_option(cls)
            if error:
                raise error
            calls.append(read_call(arguments))
            arguments.skip_commas()
        if not calls:
            token = arguments.peek()
            raise SearchError(f"an aggregate such as count or avg(field) is expected, got {shown(token)}", token.span)
        source = _read_from(arguments)
        predicate = read_where(arguments)
        by = list(dict.fromkeys(arguments.by_clause()))
        arguments.finish()
        found = cls(calls=calls, source=source, predicate=predicate, by=by, place=arguments.stage.name_span, **given)
        if found.span:
            if found.span != _AUTO:
                parse_span(found.span)
            if "_time" not in by:
                raise SearchError("span needs _time after BY", found.place)
        return found

    def print_arguments(self) -> list[str]:
        parts = [*print_options(self), ", ".join(print_call(call) for call in self.calls)]
        kind, name = self.source
        if kind:
            parts += ["FROM", print_name(name) if kind == "namespace" else f"{kind}={print_name(name)}"]
        if not isinstance(self.predicate, Everything):
            parts += ["WHERE", print_predicate(self.predicate)]
        return parts + (["BY", ", ".join(_print_by(name) for name in self.by)] if self.by else [])

    def lower(self, relation: Relation, context: Context) -> Relation:
        found = self._aggregated(self._rows(context), context)
        return relation.union([found]) if self.append and relation.fields else found

    # -- what is read

    def _rows(self, context: Context) -> Relation:
        predicate = expand_subsearches(self.predicate, context)
        kind, name = self.source
        if kind == "datamodel":
            rows = self._dataset(name, predicate, context)
        elif kind == "sid":
            rows = filtered_rows(context.relation_of(job_rows(name, context)), predicate, context, self.place)
        elif kind == "namespace":
            rows = filtered_rows(namespace_rows(name, context), predicate, context, self.place)
        else:
            rows = read_store(predicate, context, self.place)
        return self._with_prefixes(rows)

    def _dataset(self, text: str, predicate: Predicate, context: Context) -> Relation:
        model_name, _, dataset = text.partition(".")
        model = find_model(model_name, context)
        bounds, rest = take_time_bounds(predicate, context, self.place)
        name, conditions = self._chosen(model, dataset, conditions_of(rest))
        given = {side: moment for bound, side, moment in bounds if bound == "_time"}
        earliest, latest = given.get("earliest"), given.get("latest")
        if given:
            earliest = 0.0 if earliest is None else earliest
            latest = context.now if latest is None else latest
        restriction = ""
        if model.root_kind(name) == "BaseEvent":
            of_index = [one for one in conditions if names_in(one) and set(names_in(one)) == {"index"}]
            conditions = [one for one in conditions if one not in of_index]
            restriction = print_predicate(all_of(of_index)) if of_index else ""
        dataset_found = dataset_rows(model, name, context, restriction=restriction, earliest=earliest, latest=latest)
        where = all_of(list(conditions))
        rows = dataset_found.including([*self._named(), *names_in(where)])
        return _bounded(rows, bounds, dataset_found).filtered(lower_predicate(where, rows, context))

    def _chosen(self, model: DataModel, dataset: str, conditions: tuple[Predicate, ...]) -> tuple[str, list[Predicate]]:
        """The dataset that is read, and the conditions without the one that named it."""
        for one in conditions:
            named = isinstance(one, Comparison) and one.name == NODENAME and one.operator == "="
            if named and "*" not in one.value and one.value.rpartition(".")[2] in model.datasets:  # type: ignore[attr-defined]
                return model.dataset(one.value).name, [c for c in conditions if c is not one]  # type: ignore[attr-defined]
        if dataset:
            return model.dataset(dataset).name, list(conditions)
        if len(model.roots) > 1:
            firsts = [name.partition(".")[0] for name in (*self._named(), *names_in(all_of(list(conditions))))]
            root = next((name for name in firsts if name in model.roots), None)
            if root is not None:
                return root, list(conditions)
        return chosen_dataset(model, dataset), list(conditions)

    def _named(self) -> list[str]:
        """Fields that aggregates and BY name."""
        read = [call.field for call in self.calls if call.field is not None]
        return [name for name in (*read, *self.by) if not _PREFIX.match(name)]

    def _with_prefixes(self, rows: Relation) -> Relation:
        prefixes = {name: match.group(1).strip().strip('"') for name in self._all_names() if (match := _PREFIX.match(name))}
        if not prefixes:
            return rows
        raw = rows.field("_raw")
        fields = {name: prefix_values(v.as_text(raw), prefix) for name, prefix in prefixes.items()}
        rows = rows.with_fields({**rows.fields, **fields})
        if isinstance(raw, v.Column) and raw.id == "_raw:text" and not self.fillnull_value:
            rows = rows.filtered(v.both([has_prefix(prefixes[name]) for name in self.by if name in prefixes]))
        return rows

    def _all_names(self) -> list[str]:
        return [*(call.field for call in self.calls if call.field is not None), *self.by]

    # -- what is made of it

    def _aggregated(self, rows: Relation, context: Context) -> Relation:
        start: Value | None = None
        span_s: float | None = None
        if "_time" in self.by:
            time = rows.field("_time")
            buckets = time_buckets(rows, time, Binning(span="" if self.span == _AUTO else self.span), context)
            start, span_s = v.as_float(buckets.value(time)), nominal_s(buckets.span)
            rows = rows.filtered(v.is_present(start) if time.type is not Type.NULL else v.FALSE)
        names = [name for name in self.by if name != "_time"]
        if self.fillnull_value:
            rows = rows.with_fields({**rows.fields, **{name: self._filled(rows.field(name)) for name in names}})
        rows, keys = grouping_keys(rows, names)
        keys = [(_shown_by(name), value) for name, value in keys]
        if start is not None:
            keys.insert(self.by.index("_time"), ("_time", start))
        shown_by = [_shown_by(name) for name in self.by]
        if self.prestats:
            rows, fields = lower_kept(self.calls, rows, context, shown_by)
            found = kept_rows(rows, keys, fields)
        else:
            rows, named = lower_calls(self.calls, rows, context, by=shown_by, span_s=span_s)
            found = rows.aggregated(keys, [(one.name, one.value) for one in named])
        return found

    def _filled(self, value: Value) -> Value:
        if value.type is Type.MULTI:
            return v.choose(v.is_present(value), value, v.multi([self.fillnull_value]))
        return v.choose(v.is_present(value), v.as_text(value), v.text(self.fillnull_value))


def _read_from(arguments: Arguments) -> tuple[str, str]:
    if not arguments.accept_word("from"):
        return "", ""
    token = arguments.peek()
    word = arguments.name("datamodel=, sid= or a namespace after FROM")
    kind, colon, name = word.partition(":")
    if arguments.accept("=") or (colon and not name):
        name = arguments.name(f"a name after {kind}=")
        while arguments.peek().glued and arguments.peek().kind in ("word", "string") and not arguments.done:
            # "Model"."Dataset": every part in quotes of its own.
            name += arguments.next().text
        kind, colon = word.rstrip(":"), ":"
    if not colon:
        return "namespace", word
    if kind.lower() not in ("datamodel", "sid"):
        raise SearchError(f'FROM wants datamodel=, sid= or a namespace, got "{kind}="', token.span)
    return kind.lower(), name


def _print_by(name: str) -> str:
    return name if _PREFIX.match(name) else print_name(name)


def _shown_by(name: str) -> str:
    match = _PREFIX.match(name)
    return match.group(1).strip().strip('"') if match else name


def _bounded(rows: Relation, bounds: list[tuple[str, str, float]], dataset: DatasetRows) -> Relation:
    """Bounds on the time of indexing, which no search takes as its range."""
    for name, side, moment in bounds:
        if name != "_time":
            value = dataset.relation.field(name)
            rows = rows.filtered(v.is_true(v.compare(">=" if side == "earliest" else "<", value, v.real(moment))))
    return rows


def filtered_rows(rows: Relation, predicate: Predicate, context: Context, place: Span) -> Relation:
    """Rows that match, bounds of time among the conditions included."""
    bounds, rest = take_time_bounds(predicate, context, place)
    conditions = [lower_predicate(rest, rows, context)]
    for name, side, moment in bounds:
        conditions.append(v.is_true(v.compare(">=" if side == "earliest" else "<", rows.field(name), v.real(moment))))
    return rows.filtered(v.both(conditions))
