"""`search`: events of the store that match conditions, or rows of a pipeline that do."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from sightline.errors import SearchError, Span
from sightline.search.commands.subsearch import format_rows
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.event_types import EventTypes
from sightline.search.planner.knowledge import text_condition, with_knowledge
from sightline.search.planner.lower import lower_predicate
from sightline.search.planner.relation import Relation, wildcard_regex
from sightline.search.planner.sources import SPAN_SOURCETYPE, index_condition, table_relation, time_bounds
from sightline.search.registry import Command, command
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.predicates import print_predicate, read_predicate
from sightline.search.syntax.source import read_source
from sightline.search.syntax.tree import (
    Both,
    Comparison,
    Either,
    Everything,
    Membership,
    Negation,
    Predicate,
    Stage,
    SubsearchPredicate,
    Term,
)
from sightline.search.time import SECONDS, UNITS, parse_time

_TABLE_OF = {"event": "events", "trace": "spans"}
_BOUNDS = {
    "earliest": ("earliest", "_time"), "_earliest": ("earliest", "_time"), "starttime": ("earliest", "_time"),
    "starttimeu": ("earliest", "_time"), "endtimeu": ("latest", "_time"),
    "latest": ("latest", "_time"), "_latest": ("latest", "_time"), "endtime": ("latest", "_time"),
    "index_earliest": ("earliest", "_indextime"), "_index_earliest": ("earliest", "_indextime"),
    "index_latest": ("latest", "_indextime"), "_index_latest": ("latest", "_indextime"),
}  # fmt: skip
_AGO = {
    "startdaysago": ("earliest", "d"), "starthoursago": ("earliest", "h"), "startminutesago": ("earliest", "m"),
    "startmonthsago": ("earliest", "mon"), "enddaysago": ("latest", "d"), "endhoursago": ("latest", "h"),
    "endminutesago": ("latest", "m"), "endmonthsago": ("latest", "mon"), "daysago": ("earliest", "d"),
    "hoursago": ("earliest", "h"), "minutesago": ("earliest", "m"), "monthsago": ("earliest", "mon"),
}  # fmt: skip


@command("search", kind="generating")
@dataclass
class Search(Command):
    """Keeps the events, or the rows, that match all conditions.

    Syntax: search <conditions>
    Example: index=web status>=500 NOT host=test-* "time out"

    First in a pipeline it reads the store: `index=` names what to read (`*` allowed; without it the default indexes),
    `earliest=` and `latest=` bound the time and override the job's range. Conditions stand side by side (AND), or with OR
    (which binds tighter than AND), NOT and parentheses. Values may hold `*` and ignore case, but for `f=CASE(v)`; a network
    such as 10.0.0.0/8 finds the addresses in it; `f!=v` needs f to exist, `NOT f=v` does not. Words and phrases are looked
    for in the raw text. A subsearch in brackets becomes conditions. Multivalues match when any value does. Numbers compare
    as numbers with every sign: `size=1.0` finds 1, for which Splunk compares texts.
    """

    predicate: Predicate = field(default_factory=Everything)
    span: Span = field(default=Span(0, 0), compare=False)
    anywhere = True
    reads_stage = True

    @classmethod
    def read(cls, arguments: Stage) -> Search:  # type: ignore[override]
        return cls(read_predicate(arguments), arguments.arguments)

    def print_arguments(self) -> list[str]:
        return [print_predicate(self.predicate)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        found = self._found(relation, context)
        terms = tuple(dict.fromkeys((*relation.presentation.terms, *words_looked_for(self.predicate))))
        return dataclasses.replace(found, presentation=dataclasses.replace(found.presentation, terms=terms))

    def _found(self, relation: Relation, context: Context) -> Relation:
        predicate = expand_subsearches(self.predicate, context)
        if relation.fields or relation.node is not None and not _is_beginning(relation):
            bounds, rest = take_time_bounds(predicate, context, self.span)
            condition = lower_predicate(rest, relation, context)
            for name, side, moment in bounds:
                condition = v.both([condition, _bound_condition(relation.field(name), side, moment)])
            return relation.filtered(condition)
        context.scanned = read_store(predicate, context, self.span)
        return context.scanned


def words_looked_for(predicate: Predicate) -> list[str]:
    """The words and phrases that rows must or may hold, without their stars."""
    if isinstance(predicate, Term):
        return [part for part in predicate.value.split("*") if part]
    if isinstance(predicate, Both | Either):
        return [word for operand in predicate.operands for word in words_looked_for(operand)]
    return []


def _is_beginning(relation: Relation) -> bool:
    """Whether this is the relation without rows and fields that stands before the first command."""
    from sightline.search.planner.relation import Rows

    return isinstance(relation.node, Rows) and not relation.fields


def read_store(predicate: Predicate, context: Context, span: Span) -> Relation:
    """Events and spans that match, newest first, with the fields that are configured for them."""
    types = EventTypes(context)
    predicate = types.expanded(predicate)
    bounds, rest = take_time_bounds(predicate, context, span)
    earliest, latest, rest = reach_of_alternatives(rest, context)
    given = {side: moment for name, side, moment in bounds if name == "_time"}
    if given:
        # Bounds in the text replace the job's range; one without the other is open towards the past, or ends now.
        earliest, latest = given.get("earliest"), given.get("latest", context.now if "earliest" in given else None)
    context.overridden_earliest, context.overridden_latest = earliest, latest
    if earliest is not None and latest is not None and earliest > latest:
        raise SearchError(f"the time range ends ({latest:.0f}) before it begins ({earliest:.0f})", span)
    indexes = wanted_indexes(rest, context, span)
    rest = without_index(rest)
    context.scanned_indexes.extend(i for i in indexes if i not in context.scanned_indexes)
    relations = []
    for table in ("events", "spans"):
        names = [i for i in indexes if _TABLE_OF.get(context.indexes.get(i) or "event") == table]
        if not names and (table == "spans" or indexes):
            continue
        paths = context.store.json_paths(table, names)
        sourcetypes = context.store.sourcetypes(names) if table == "events" else frozenset((SPAN_SOURCETYPE,))
        known = with_knowledge(table_relation(table, paths, context.names), rest, sourcetypes, types, context)
        relation = known.relation
        conditions = [
            index_condition(names),
            time_bounds(table, earliest, latest),
            time_bounds(table, context.newest_from, None),
        ]
        for name, side, moment in bounds:
            if name != "_time":
                conditions.append(_bound_condition(relation.field(name), side, moment))
        conditions.append(text_condition(rest, known.in_text))
        conditions.append(lower_predicate(rest, relation, context))
        relations.append(relation.filtered(v.both(conditions)))
    if not relations:
        relation = table_relation("events", {}, context.names)
        return relation.filtered(v.FALSE)
    if len(relations) == 1:
        return relations[0]
    merged = relations[0].union(relations[1:])
    return dataclasses.replace(merged, order=((merged.field("_time"), True),), kind="events")


def _bound_condition(value: v.Value, side: str, moment: float) -> v.Value:
    return v.is_true(v.compare(">=" if side == "earliest" else "<", value, v.real(moment)))


def wanted_indexes(predicate: Predicate, context: Context, span: Span) -> list[str]:
    """Indexes that the conditions can match: those that `index=` names, else the default ones."""
    known = context.indexes
    searchable = [name for name, datatype in known.items() if datatype in _TABLE_OF]
    patterns = list(index_patterns(predicate))
    if not patterns:
        return [name for name in context.knowledge.default_indexes(context.user) if name in searchable]
    found: list[str] = []
    for pattern in patterns:
        regex = wildcard_regex(pattern.lower())
        matching = [
            name
            for name in searchable
            if regex.fullmatch(name.lower()) and (pattern.startswith("_") or not name.startswith("_"))
        ]
        if pattern == "*":
            matching = [name for name in matching if known[name] == "event"]
        if not matching and "*" not in pattern:
            if known.get(pattern) == "metric":
                context.warn(f'index "{pattern}" holds metrics, not events: read it with mstats, mcatalog or mpreview', span)
                continue
            listed = ", ".join(sorted(n for n in searchable if not n.startswith("_"))) or "none"
            context.warn(f'there is no index "{pattern}"; indexes: {listed}', span)
        found.extend(name for name in matching if name not in found)
    return found


def index_patterns(predicate: Predicate) -> list[str]:
    """Patterns of the index names that conditions mention; `*` for a condition that excludes some."""
    if isinstance(predicate, Comparison) and predicate.name == "index":
        return [predicate.value] if predicate.operator == "=" else ["*"]
    if isinstance(predicate, Membership) and predicate.name == "index":
        return list(predicate.values)
    if isinstance(predicate, Both | Either):
        return [p for operand in predicate.operands for p in index_patterns(operand)]
    return []


def without_index(predicate: Predicate) -> Predicate:
    """The conditions without the one that names the indexes, where the choice of indexes already says the same."""
    operands = predicate.operands if isinstance(predicate, Both) else (predicate,)
    naming = [
        o
        for o in operands
        if (isinstance(o, Comparison) and o.operator == "=" or isinstance(o, Membership)) and o.name == "index"
    ]
    if len(naming) != 1 or sum(_mentions_index(o) for o in operands) != 1:
        return predicate
    rest = tuple(o for o in operands if o is not naming[0])
    if not rest:
        return Everything()
    return rest[0] if len(rest) == 1 else Both(rest)


def _mentions_index(predicate: Predicate) -> bool:
    if isinstance(predicate, Comparison | Membership):
        return predicate.name == "index"
    if isinstance(predicate, Both | Either):
        return any(_mentions_index(o) for o in predicate.operands)
    return isinstance(predicate, Negation) and _mentions_index(predicate.operand)


def take_time_bounds(predicate: Predicate, context: Context, span: Span) -> tuple[list[tuple[str, str, float]], Predicate]:
    """Time bounds of the top level as (field, side, seconds), and the conditions without them.

    Bounds further down, as in `(earliest=-1h a) OR (earliest=-2d latest=-1d b)`, become conditions where they stand.
    """
    operands = predicate.operands if isinstance(predicate, Both) else (predicate,)
    time_format = next(
        (o.value for o in operands if isinstance(o, Comparison) and o.name.lower() == "timeformat" and o.operator == "="),
        "",
    )
    bounds: list[tuple[str, str, float]] = []
    rest: list[Predicate] = []
    for operand in operands:
        if isinstance(operand, Comparison) and operand.operator == "=":
            if operand.name.lower() == "timeformat":
                continue
            bound = _bound_of(operand, context, time_format)
            if bound is not None:
                bounds.append(bound)
                continue
        rest.append(_with_bounds_inside(operand, context, time_format))
    if not rest:
        return bounds, Everything()
    return bounds, rest[0] if len(rest) == 1 else Both(tuple(rest))


def _bound_of(comparison: Comparison, context: Context, time_format: str) -> tuple[str, str, float] | None:
    """The time bound that `name=value` is, or None for a condition on a field."""
    name, value = comparison.name.lower(), comparison.value
    if name in _BOUNDS:
        side, field_name = _BOUNDS[name]
        try:
            return field_name, side, parse_time(value, context.now, context.zone, time_format)
        except SearchError as error:
            raise error.at(comparison.span) from None
    if name in _AGO and value.lstrip("+-").isdigit():
        side, unit = _AGO[name]
        return "_time", side, parse_time(f"-{value.lstrip('+-')}{unit}", context.now, context.zone)
    if name.startswith("searchtimespan") and name[14:] in UNITS and value.isdigit():
        seconds = SECONDS.get(UNITS[name[14:]], 30 * 86400)
        return "_time", "earliest", context.now - int(value) * seconds
    return None


def _with_bounds_inside(predicate: Predicate, context: Context, time_format: str) -> Predicate:
    """The conditions with each time bound in them as a condition on its field."""
    if isinstance(predicate, Both | Either):
        operands = tuple(_with_bounds_inside(o, context, time_format) for o in predicate.operands)
        return dataclasses.replace(predicate, operands=operands)
    if isinstance(predicate, Negation):
        return Negation(_with_bounds_inside(predicate.operand, context, time_format))
    if isinstance(predicate, Comparison) and predicate.operator == "=":
        bound = _bound_of(predicate, context, time_format)
        if bound is not None:
            name, side, moment = bound
            return _Bound(name, ">=" if side == "earliest" else "<", repr(moment), predicate.span)
    return predicate


class _Bound(Comparison):
    """A time bound as a condition, which a comparison with `_time` that somebody wrote is not."""

    __slots__ = ()


def reach_of_alternatives(predicate: Predicate, context: Context) -> tuple[float | None, float | None, Predicate]:
    """The range of time that alternatives with bounds of their own reach over, and the conditions.

    Such an alternative does not heed the job's range; one without bounds of its own keeps it, as a condition.
    """
    lows, highs = [context.earliest], [context.latest]
    changed: list[Predicate] = []
    for operand in predicate.operands if isinstance(predicate, Both) else (predicate,):
        if isinstance(operand, Either) and any(_moments(o) for o in operand.operands):
            alternatives: list[Predicate] = []
            for alternative in operand.operands:
                own = _moments(alternative)
                low, high = own.get(">="), own.get("<", context.now if ">=" in own else None)
                if not own:
                    low, high = context.earliest, context.latest
                lows.append(low)
                highs.append(high)
                alternatives.append(Both((alternative, *_moment_conditions(low, high))))
            operand = Either(tuple(alternatives))
        changed.append(operand)
    earliest = None if None in lows else min(lows)  # type: ignore[type-var]
    latest = None if None in highs else max(highs)  # type: ignore[type-var]
    return earliest, latest, changed[0] if len(changed) == 1 else Both(tuple(changed))


def _moment_conditions(low: float | None, high: float | None) -> list[Predicate]:
    pairs = ((">=", low), ("<", high))
    return [Comparison("_time", operator, repr(at), Span(0, 0)) for operator, at in pairs if at is not None]


def _moments(predicate: Predicate) -> dict[str, float]:
    """The bounds on `_time` that one alternative has, by operator."""
    operands = predicate.operands if isinstance(predicate, Both) else (predicate,)
    return {o.operator: float(o.value) for o in operands if isinstance(o, _Bound) and o.name == "_time"}


def expand_subsearches(predicate: Predicate, context: Context) -> Predicate:
    """The conditions with every subsearch run and put in its place."""
    if isinstance(predicate, SubsearchPredicate):
        table = context.table_of(context.subsearch(predicate.pipeline))
        found = format_rows(table, predicate.name, predicate.operator, predicate.span)
        if context.dry and isinstance(found, Negation):
            return Everything()
        return found
    if isinstance(predicate, Both | Either):
        operands = [expand_subsearches(o, context) for o in predicate.operands]
        flat: list[Predicate] = []
        for o in operands:
            flat.extend(o.operands if isinstance(predicate, Both) and isinstance(o, Both) else [o])
        return dataclasses.replace(predicate, operands=tuple(flat))
    if isinstance(predicate, Negation):
        return Negation(expand_subsearches(predicate.operand, context))
    if isinstance(predicate, Comparison) and predicate.name == "savedsearch" and predicate.operator == "=":
        return expand_subsearches(_conditions_of_saved(predicate, context), context)
    return predicate


def _conditions_of_saved(term: Comparison, context: Context) -> Predicate:
    """The conditions with which the saved search named by `savedsearch=` begins."""
    saved = context.knowledge.saved_search(term.value)
    if saved is None:
        raise SearchError(f'there is no saved search "{term.value}"', term.span)
    try:
        stages = parse_pipeline(read_source(saved.search, context.macros)).stages
        predicate = read_predicate(stages[0]) if stages and stages[0].name == "search" else None
    except SearchError as error:
        # Its place is one in the saved text.
        raise SearchError(f'the saved search "{term.value}" cannot be read: {error.message}', term.span) from None
    if predicate is None:
        raise SearchError(f'the saved search "{term.value}" does not begin with a search', term.span)
    if _mentions_saved(predicate):
        raise SearchError(f'the saved search "{term.value}" names another saved search', term.span)
    return predicate


def _mentions_saved(predicate: Predicate) -> bool:
    if isinstance(predicate, Both | Either):
        return any(_mentions_saved(o) for o in predicate.operands)
    if isinstance(predicate, Negation):
        return _mentions_saved(predicate.operand)
    return isinstance(predicate, Comparison) and predicate.name == "savedsearch"
