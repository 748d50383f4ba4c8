"""Event types and tags: names for conditions, and names for values of fields.

`eventtype=x` and `tag=x` become the conditions that they stand for, so that they are as fast as those. The fields
`eventtype`, `tag` and `tag::<field>` are multivalues that are computed only for a search that uses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from sightline.catalog.stanzas import is_true, tagged_pair
from sightline.errors import SearchError, Span, nearest
from sightline.search.context import Context, Knowledge
from sightline.search.planner import values as v
from sightline.search.planner.lower import lower_predicate
from sightline.search.planner.props import narrowed
from sightline.search.planner.relation import Relation, wildcard_regex
from sightline.search.planner.values import Column, Deferred, Lambda, Literal, Type, Value
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.predicates import read_predicate
from sightline.search.syntax.source import Macros, read_source
from sightline.search.syntax.tree import (
    Both,
    Comparison,
    Either,
    Membership,
    Negation,
    Predicate,
    SubsearchPredicate,
)

EVENT_TYPE = "eventtype"
TAG = "tag"
NOTHING = Either(())
"""The condition that holds for no row."""
DEFAULT_PRIORITY = 5
"""Of event types, where 1 comes first; Splunk's own range is 1 to 10."""


@dataclass(frozen=True)
class TaggedValue:
    """A value of a field, and the tags that events with it have."""

    field: str
    value: str
    tags: tuple[str, ...]

    def condition(self, span: Span) -> Predicate:
        """The condition that an event has the value."""
        return Comparison(self.field, "=", self.value, span)


class EventTypes:
    """The event types and tags that one search sees."""

    def __init__(self, context: Context, more: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """`more` are stanzas beside, or in place of, those that are kept."""
        self._context = context
        self._stanzas = {**context.knowledge.stanzas("eventtypes"), **(more or {})}
        self._lower = {name.lower(): name for name in self._stanzas}
        self._known: dict[str, Predicate | None] = {}
        self.tagged = tagged_values(context.knowledge)

    @property
    def names(self) -> list[str]:
        """Every event type, in the order in which an event shows them."""

        def rank(name: str) -> tuple[int, str]:
            given = self._stanzas[name].get("priority", "").strip()
            return (int(given) if given.isdigit() else DEFAULT_PRIORITY, name)

        return sorted(self._stanzas, key=rank)

    def predicate(self, name: str, outer: tuple[str, ...] = (), span: Span = Span(0, 0)) -> Predicate:
        """The conditions of an event type, with those of event types and tags that it names in their place.

        They are said to stand at `span`, where the search names it. Raises SearchError where it is no condition, or refers
        to itself.
        """
        if name in outer:
            raise SearchError(f'event type "{name}" refers to itself: {" -> ".join((*outer, name))}')
        try:
            conditions = read_conditions(self._stanzas[name].get("search", ""), self._context.macros)
        except SearchError as error:
            raise SearchError(f'event type "{name}": {error.message}', hint=error.hint) from None
        return self.expanded(placed(conditions, span), (*outer, name))

    def _named(self, pattern: str) -> list[str]:
        if "*" in pattern:
            return _matching(pattern, self._stanzas)
        found = self._lower.get(pattern.lower())
        return [] if found is None else [found]

    def usable(self, name: str) -> Predicate | None:
        """The conditions of an event type; None, with a warning, where it has none."""
        if name not in self._known:
            try:
                self._known[name] = self.predicate(name)
            except SearchError as error:
                self._context.warn(error.message)
                self._known[name] = None
        return self._known[name]

    # -- conditions that name event types and tags

    def expanded(self, predicate: Predicate, outer: tuple[str, ...] = ()) -> Predicate:
        """The conditions with `eventtype=` and `tag=` replaced by what they stand for."""
        if isinstance(predicate, Both | Either):
            operands: list[Predicate] = []
            for operand in predicate.operands:
                found = self.expanded(operand, outer)
                # Conditions on index and time are looked for at the top.
                operands.extend(found.operands if type(found) is type(predicate) and found is not operand else [found])
            return replace(predicate, operands=tuple(operands))
        if isinstance(predicate, Negation):
            return Negation(self.expanded(predicate.operand, outer))
        if isinstance(predicate, Membership) and _is_named(predicate.name):
            return _any([self._of(predicate.name, value, predicate.span, outer) for value in predicate.values])
        if isinstance(predicate, Comparison) and _is_named(predicate.name) and predicate.operator in ("=", "!="):
            found = self._of(predicate.name, predicate.value, predicate.span, outer)
            if predicate.operator == "=":
                return found
            return Both((self._of(predicate.name, "*", predicate.span, outer), Negation(found)))
        return predicate

    def _of(self, name: str, pattern: str, span: Span, outer: tuple[str, ...]) -> Predicate:
        if name == EVENT_TYPE:
            return self._of_event_type(pattern, span, outer)
        return self._of_tag(name.removeprefix(f"{TAG}::") if name != TAG else "", pattern, span, outer)

    def _of_event_type(self, pattern: str, span: Span, outer: tuple[str, ...]) -> Predicate:
        names = self._named(pattern)
        if outer and pattern == "*":
            names = [n for n in names if n not in outer]
        if not names:
            if pattern != "*":
                self._context.warn(_unknown("event type", pattern, list(self._stanzas)), span)
            return NOTHING
        if "*" in pattern:
            found = [self.usable(n) if not outer else self.predicate(n, outer, span) for n in names]
            return _any([placed(p, span) for p in found if p is not None])
        try:
            (name,) = names[:1]
            return self.predicate(name, outer, span)
        except SearchError as error:
            raise error.at(span) from None

    def _of_tag(self, field: str, pattern: str, span: Span, outer: tuple[str, ...]) -> Predicate:
        values = [t for t in self.tagged if not field or t.field == field]
        known = {tag for t in values for tag in t.tags}
        wanted = set(_matching(pattern, known))
        if not wanted:
            if pattern != "*":
                self._context.warn(_unknown("tag", pattern, sorted(known)), span)
            return NOTHING
        chosen: list[Predicate] = []
        for tagged in values:
            if not wanted & set(tagged.tags):
                continue
            if tagged.field != EVENT_TYPE:
                chosen.append(tagged.condition(span))
                continue
            for name in self._named(tagged.value):
                if outer:
                    if name not in outer:
                        chosen.append(self.predicate(name, outer, span))
                elif (found := self.usable(name)) is not None:
                    chosen.append(placed(found, span))
        return _any(chosen)

    # -- fields

    def fields(self, relation: Relation, sourcetypes: frozenset[str] | None) -> dict[str, Value]:
        """`eventtype`, `tag` and `tag::<field>` as values over a relation, computed where they are used.

        `sourcetypes` are those that its events can have, None for any.
        """
        found: dict[str, Value] = {}
        if self._stanzas:
            found[EVENT_TYPE] = Deferred(Type.MULTI, lambda: self.event_type_value(relation, None, sourcetypes))
        fields = [""] if self.tagged else []
        fields += sorted({t.field for t in self.tagged})
        for field in fields:
            tagged = [t for t in self.tagged if field in ("", t.field)]
            name = f"{TAG}::{field}" if field else TAG
            found[name] = Deferred(Type.MULTI, lambda tagged=tagged: self.tag_value(relation, tagged, sourcetypes))
        return found

    def event_type_value(
        self, relation: Relation, names: Iterable[str] | None = None, sourcetypes: frozenset[str] | None = None
    ) -> Value:
        """The names of the event types that an event is of, of all or of the named ones."""
        asked = self.names if names is None else names
        usable = [(v.multi([name]), predicate) for name in asked if (predicate := self.usable(name)) is not None]
        return self._those_that_hold(usable, relation, sourcetypes)

    def tag_value(self, relation: Relation, tagged: Iterable[TaggedValue], sourcetypes: frozenset[str] | None) -> Value:
        """The tags of an event, each once, in order."""
        usable: list[tuple[Value, Predicate]] = []
        for one in tagged:
            if one.field != EVENT_TYPE:
                usable.append((v.multi(one.tags), one.condition(Span(0, 0))))
                continue
            for name in self._named(one.value):
                predicate = self.usable(name)
                if predicate is not None:
                    usable.append((v.multi(one.tags), predicate))
        return in_order(self._those_that_hold(usable, relation, sourcetypes))

    def _those_that_hold(
        self, lists: list[tuple[Value, Predicate]], relation: Relation, sourcetypes: frozenset[str] | None
    ) -> Value:
        if sourcetypes is not None:
            lists = [(values, predicate) for values, predicate in lists if narrowed(predicate, sourcetypes)]
        # Many conditions read the same few fields: each is computed once, under a name.
        given = {n: x for n, x in relation.fields.items() if not isinstance(x, Column | Literal | Deferred)}
        names = list(given)

        def made(*values: Value) -> Value:
            named = relation.with_fields(relation.fields | dict(zip(names, values, strict=True)))
            conditions = [lower_predicate(predicate, named, self._context) for _, predicate in lists]
            kept = [(values, c) for (values, _), c in zip(lists, conditions, strict=True) if c != v.FALSE]
            return chosen([values for values, _ in kept], [c for _, c in kept])

        return v.shared([given[name] for name in names], made)


def chosen(lists: list[Value], conditions: list[Value]) -> Value:
    """The values of the lists whose conditions hold, one list after the other."""
    if not lists:
        return v.EMPTY_MULTI
    holds = Lambda(Type.BOOL, ("list", "holds"), Column(Type.BOOL, "holds"))
    given = v.call("array", *lists, type=Type.MULTI)
    truths = v.call("array", *(v.call("toBool", c, type=Type.BOOL) for c in conditions), type=Type.MULTI)
    return v.call("arrayFlatten", v.call("arrayFilter", holds, given, truths, type=Type.MULTI), type=Type.MULTI)


def in_order(values: Value) -> Value:
    """The values, each once."""
    return v.call("arraySort", v.call("arrayDistinct", values, type=Type.MULTI), type=Type.MULTI)


def _any(alternatives: list[Predicate]) -> Predicate:
    return alternatives[0] if len(alternatives) == 1 else Either(tuple(alternatives))


def _is_named(field: str) -> bool:
    return field in (EVENT_TYPE, TAG) or field.startswith(f"{TAG}::")


def _matching(pattern: str, names: Iterable[str]) -> list[str]:
    regex = wildcard_regex(pattern.lower())
    return [name for name in names if regex.fullmatch(name.lower())]


def _unknown(what: str, name: str, known: list[str]) -> str:
    hint = nearest(name, known)
    return f'there is no {what} "{name}"' + (f": {hint}" if hint else "")


def tagged_values(knowledge: Knowledge) -> list[TaggedValue]:
    """Every tagged value, from the tags and from the tags of event types."""
    tags: dict[tuple[str, str], list[str]] = {}
    for stanza, settings in knowledge.stanzas("tags").items():
        enabled = [tag for tag, state in settings.items() if tag != "disabled" and is_true(state)]
        tags.setdefault(tagged_pair(stanza), []).extend(enabled)
    for name, settings in knowledge.stanzas("eventtypes").items():
        tags.setdefault((EVENT_TYPE, name), []).extend(settings.get("tags", "").replace(",", " ").split())
    return [TaggedValue(field, value, tuple(dict.fromkeys(found))) for (field, value), found in tags.items() if found]


def read_conditions(text: str, macros: Macros | None) -> Predicate:
    """The conditions of an event type. Raises SearchError for text with a pipe or a subsearch."""
    return _read_conditions(read_source(text, macros).text)


@lru_cache(maxsize=5000)
def _read_conditions(text: str) -> Predicate:
    pipeline = parse_pipeline(read_source(text))
    if len(pipeline.stages) > 1:
        raise SearchError("conditions are wanted, got a pipe")
    if not pipeline.stages or pipeline.stages[0].name != "search":
        raise SearchError(f'conditions are wanted, got "{text.strip()}"')
    predicate = read_predicate(pipeline.stages[0])
    if _has_subsearch(predicate):
        raise SearchError("conditions are wanted, got a subsearch")
    return predicate


def placed(predicate: Predicate, span: Span) -> Predicate:
    """The conditions with every position replaced: those of another text say nothing about the search."""
    if isinstance(predicate, Both | Either):
        return replace(predicate, operands=tuple(placed(o, span) for o in predicate.operands))
    if isinstance(predicate, Negation):
        return Negation(placed(predicate.operand, span))
    return replace(predicate, span=span) if hasattr(predicate, "span") else predicate


def _has_subsearch(predicate: Predicate) -> bool:
    if isinstance(predicate, Both | Either):
        return any(_has_subsearch(o) for o in predicate.operands)
    if isinstance(predicate, Negation):
        return _has_subsearch(predicate.operand)
    return isinstance(predicate, SubsearchPredicate)
