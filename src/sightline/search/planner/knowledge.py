"""What people configured for events at search time, as fields of the relation that a search reads from the store.

The order is Splunk's: EXTRACT, REPORT, KV_MODE, FIELDALIAS, EVAL, LOOKUP, event types, tags; each sees what came before it.
All of it is values over the stored columns and joins that drop out of the statement where nothing reads them, so that a
search pays for the fields that it names.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping

from sightline.errors import SearchError
from sightline.search import registry
from sightline.search.context import Context
from sightline.search.planner import extractions
from sightline.search.planner import values as v
from sightline.search.planner.event_types import EventTypes
from sightline.search.planner.extractions import RAW, EscapedPairs, Extraction, XmlExtraction
from sightline.search.planner.json_paths import read_values
from sightline.search.planner.lookups import Use, joined_lookup
from sightline.search.planner.lower import lower_expression
from sightline.search.planner.props import Props, Rule, narrowed, relevant, rules
from sightline.search.planner.relation import Relation
from sightline.search.planner.terms import RAW_TEXT, whole_tokens
from sightline.search.planner.values import Column, Type, Value, first_present
from sightline.search.syntax.expressions import read_expression
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.source import read_source
from sightline.search.syntax.tree import Both, Comparison, Either, Membership, Predicate

STORED = frozenset(("index", "_time", "_indextime", "_raw"))
"""Fields that nothing configured changes: what the store prunes and orders by."""
_KEY_VALUE_MODES: dict[str, Extraction] = {"auto_escaped": EscapedPairs(), "xml": XmlExtraction()}
_COLUMNS = frozenset(("host", "source", "sourcetype", "severity", "trace_id", "span_id", "index"))
_ALIAS = re.compile(r'("[^"]+"|\S+)\s+(AS|ASNEW)\s+("[^"]+"|[^\s,]+)', re.I)


@dataclasses.dataclass(frozen=True)
class Known:
    """A relation with all configured fields, and the fields whose values consist of words of the raw text."""

    relation: Relation
    in_text: frozenset[str] = frozenset()


def with_knowledge(
    relation: Relation, predicate: Predicate, sourcetypes: frozenset[str] | None, types: EventTypes, context: Context
) -> Known:
    """The stored events with all fields that are configured for those of them that can match the conditions.

    `sourcetypes` are those that the stored events have, None where that is not known.

    What a sourcetype's settings make of one another is planned for each sourcetype by itself, and a field is then what it is
    for the sourcetype of the event. Planned for all at once, a field made of fields made of fields would hold every
    combination of their sourcetypes.
    """
    possible = None if sourcetypes is None else narrowed(predicate, sourcetypes)
    props = relevant(context.knowledge.stanzas("props"), possible)
    only = _only(predicate, possible)
    named = [only] if only is not None else [p.name.text for p in props if p.name.is_exact_sourcetype]
    worlds = {}
    for sourcetype in named if only is not None else [*named, None]:
        worlds[sourcetype] = world = _World(relation, props, sourcetype, context, alone=only is not None)
        world.build()
        # A lookup is joined to all events, and matches those of its sourcetype.
        relation = dataclasses.replace(relation, node=world.relation.node)
    fields = next(iter(worlds.values())).relation.fields if only is not None else _merged(relation, worlds)
    known = dataclasses.replace(relation, fields=fields, unlisted=_unlisted(props, only, context))
    in_text = {n for w in worlds.values() for n in w.in_text}
    in_text -= {n for w in worlds.values() for n in w.relation.fields if n not in w.in_text}
    return Known(
        dataclasses.replace(known, fields=fields | types.fields(known, possible)),
        frozenset(in_text - relation.fields.keys()),
    )


def _merged(relation: Relation, worlds: Mapping[str | None, _World]) -> dict[str, Value]:
    """Each field as it is for the sourcetype of an event; for any other sourcetype as in the world without a name."""
    others = worlds[None].relation.fields
    sourcetype = relation.fields["sourcetype"]
    fields = {}
    for name in dict.fromkeys([*others, *(n for world in worlds.values() for n in world.relation.fields)]):
        usual = others.get(name, v.NULL)
        cases: list[tuple[list[str], Value]] = []
        for one, world in worlds.items():
            value = world.relation.fields.get(name, v.NULL)
            if one is None or value == usual:
                continue
            same = next((names for names, known in cases if known == value), None)
            if same is None:
                cases.append(([one], value))
            else:
                same.append(one)
        fields[name] = _by_sourcetype(sourcetype, cases, usual)
    return _present(fields)


def _by_sourcetype(sourcetype: Value, cases: list[tuple[list[str], Value]], usual: Value) -> Value:
    if not cases:
        return usual
    wanted = v.common_type([usual.type, *(value.type for _, value in cases)])
    pieces: list[Value] = []
    for names, value in cases:
        if len(names) == 1:
            condition = v.call("equals", sourcetype, v.text(names[0]), type=Type.BOOL)
        else:
            condition = v.call("in", sourcetype, v.multi(names), type=Type.BOOL)
        pieces += [v.is_true(condition), _cast(value, wanted)]
    function = "if" if len(cases) == 1 else "multiIf"
    return v.call(function, *pieces, _cast(usual, wanted), type=wanted)


def _cast(value: Value, wanted: Type) -> Value:
    if value.type is Type.NULL:
        return v.EMPTY_MULTI if wanted is Type.MULTI else v.Literal(wanted, None)
    return v.cast(value, wanted)


def _only(predicate: Predicate, possible: frozenset[str] | None) -> str | None:
    """The sourcetype of all matching events, where the conditions name exactly one."""
    if possible is None or len(possible) != 1:
        return None
    operands = predicate.operands if isinstance(predicate, Both) else (predicate,)
    (only,) = possible
    for operand in operands:
        if isinstance(operand, Comparison) and operand.name == "sourcetype" and operand.operator == "=":
            return only if "*" not in operand.value else None
    return None


class _World:
    """The fields of the events of one sourcetype, or of all that have no settings by name: one kind after the other."""

    def __init__(
        self, relation: Relation, props: list[Props], sourcetype: str | None, context: Context, *, alone: bool
    ) -> None:
        """`alone` says that the relation has no other events."""
        self.alone = alone
        self.relation = relation
        self.context = context
        self.props = [p for p in props if p.name.may_mean(sourcetype)]
        self.sourcetype = sourcetype
        self.base = dict(relation.fields)
        self.fields = dict(relation.fields)
        self.found: dict[str, list[tuple[Value, Value]]] = {}
        """Fields that were extracted: (condition, value), of which the first with a value counts."""
        self.in_text: set[str] = set()

    def build(self) -> None:
        """Compute `relation`, with all fields, and `in_text`."""
        self._extracts()
        self._reports()
        self._key_value_mode()
        unlisted = _unlisted(self.props, self.sourcetype, self.context)
        self.relation = dataclasses.replace(self.relation, fields=self.fields, unlisted=unlisted)
        self._aliases()
        self._calculated()
        self._lookups()

    def _rules(self, prefix: str) -> list[Rule]:
        return rules(self.props, prefix, self.sourcetype)

    def _skip(self, rule: Rule, error: SearchError) -> None:
        # A search about something else must not stop for it; what was written was checked, what was imported may not be.
        self.context.warn(f"{rule.key} of [{rule.stanza}] is left out: {error.message}")

    # -- extractions

    def _extracts(self) -> None:
        for rule in self._rules("EXTRACT-"):
            try:
                self._extract(rule, extractions.read_extract(rule.text))
            except SearchError as error:
                self._skip(rule, error)

    def _reports(self) -> None:
        for rule in self._rules("REPORT-"):
            for name in _listed(rule.text):
                try:
                    self._extract(rule, _transform(name, self.context))
                except SearchError as error:
                    self._skip(rule, error)

    def _extract(self, rule: Rule, extraction: Extraction) -> None:
        source = self.fields.get(extraction.source, v.NULL)
        text = _joined(source)
        if text.type is Type.NULL:
            return
        condition = rule.condition(self.base)
        stored = extraction.source == RAW and text == Column(Type.TEXT, "_raw:text")
        for name, value in extraction.fields(text).items():
            if name in STORED:
                continue
            earlier = self.found.setdefault(name, [])
            # A stored field may come from elsewhere than the text, and then is no word of it.
            in_text = stored and name in extraction.whole_tokens and name not in self.base
            if in_text and not earlier:
                self.in_text.add(name)
            elif not in_text:
                self.in_text.discard(name)
            if extraction.gathers and earlier:
                before = first_present([_when(c, x) for c, x in earlier])
                both = v.call("arrayConcat", v.as_multi(before), _when(condition, value), type=Type.MULTI)
                self.found[name] = [(v.TRUE, both)]
            else:
                earlier.append((condition, value))
            self._settle(name)

    def _settle(self, name: str) -> None:
        choices = [_when(condition, value) for condition, value in self.found[name]]
        self.fields[name] = first_present([*choices, self.base.get(name, v.NULL)])

    def _key_value_mode(self) -> None:
        text = self.base.get(RAW, v.NULL)
        for rule in self._rules("KV_MODE"):
            if rule.text.strip().lower() != "auto_escaped":
                continue
            for name, value in self.base.items():
                plain = isinstance(value, Column) and value.type is Type.TEXT and name not in _COLUMNS
                if plain and name not in self.found and not name.startswith("_"):
                    found = EscapedPairs().named(text, name)
                    self.fields[name] = first_present([_when(rule.condition(self.base), found), value])

    # -- what is made of extracted fields

    def _aliases(self) -> None:
        before = self.relation
        fields = dict(before.fields)
        for rule in self._rules("FIELDALIAS-"):
            try:
                pairs = read_aliases(rule.text)
            except SearchError as error:
                self._skip(rule, error)
                continue
            for original, only_new, alias in pairs:
                if alias in STORED:
                    continue
                value, former = before.field(original), fields.get(alias, v.NULL)
                in_text = original in self.in_text and former.type is Type.NULL
                self.in_text.discard(alias)
                if in_text:
                    self.in_text.add(alias)
                if only_new and former.type is not Type.NULL:
                    value = first_present([former, value])
                fields[alias] = _chosen(rule.condition(self.base), value, former)
        self.relation = dataclasses.replace(before, fields=_present(fields))

    def _calculated(self) -> None:
        before = self.relation
        fields = dict(before.fields)
        for rule in self._rules("EVAL-"):
            name = rule.key.removeprefix("EVAL-")
            if name in STORED:
                continue
            try:
                value = lower_expression(read_expression(rule.text), before, self.context)
                if value.type is Type.BOOL:
                    raise SearchError("a condition cannot be a field")
            except SearchError as error:
                self._skip(rule, error)
                continue
            fields[name] = _chosen(rule.condition(self.base), value, fields.get(name, v.NULL))
            self.in_text.discard(name)
        self.relation = dataclasses.replace(before, fields=_present(fields))

    def _lookups(self) -> None:
        for rule in self._rules("LOOKUP-"):
            everywhere = rule.condition(self.base)
            mine = everywhere
            if self.sourcetype is not None and not self.alone:
                named = v.call("equals", self.base["sourcetype"], v.text(self.sourcetype), type=Type.BOOL)
                mine = v.both([v.is_true(named), everywhere])
            try:
                use = read_lookup(rule.text)
                joined, found = joined_lookup(self.relation, use, self.context, mine, everywhere)
            except SearchError as error:
                self._skip(rule, error)
                continue
            fields = joined.fields | {name: value for name, value in found.items() if name not in STORED}
            self.in_text -= found.keys()
            self.relation = dataclasses.replace(joined, fields=_present(fields))


def _listed(names: str) -> list[str]:
    return re.split(r"\s*,\s*", names.strip(" ,"))


def _transform(name: str, context: Context) -> Extraction:
    transforms = context.knowledge.stanzas("transforms")
    if name not in transforms:
        raise SearchError(f"there is no transform [{name}]")
    return extractions.read_transform(name, transforms[name])


def _unlisted(props: list[Props], only: str | None, context: Context) -> Callable[[str, Mapping[str, Value]], Value]:
    """Gives fields whose names come from the text, as extractions and KV_MODE say, and items of JSON arrays.

    Over the fields of the moment, because a search may ask for such a field at any stage.
    """
    pairs: list[tuple[Rule, Extraction]] = []
    for rule in rules(props, "REPORT-", only):
        for name in _listed(rule.text):
            try:
                pairs.append((rule, _transform(name, context)))
            except SearchError:
                continue  # It was told where the listed fields are made.
    for rule in rules(props, "KV_MODE", only):
        mode = _KEY_VALUE_MODES.get(rule.text.strip().lower())
        if mode is not None:
            pairs.append((rule, mode))

    def value_of(name: str, fields: Mapping[str, Value]) -> Value:
        choices = []
        for rule, extraction in pairs:
            text = _joined(fields.get(extraction.source, v.NULL))
            value = v.NULL if text.type is Type.NULL else extraction.named(text, name)
            if value.type is not Type.NULL:
                choices.append(_when(rule.condition(fields), value))
        if "{}" in name and RAW in fields:
            choices.append(_json_items(v.as_text(fields[RAW]), name))
        return first_present(choices)

    return value_of


def read_aliases(text: str) -> list[tuple[str, bool, str]]:
    """The pairs of a `FIELDALIAS-` setting: field, whether its alias only fills, alias."""
    pairs = _ALIAS.findall(text)
    if not pairs or _ALIAS.sub("", text).strip(" ,"):
        raise SearchError(f'wanted field AS field, or field ASNEW field, got "{text}"')
    return [(original.strip('"'), word.upper() == "ASNEW", alias.strip('"')) for original, word, alias in pairs]


def read_lookup(text: str) -> Use:
    """The lookup of a `LOOKUP-` setting, which is written as the command's arguments are."""
    pipeline = parse_pipeline(read_source(f"| lookup {text}"))
    command = registry.read_command(pipeline.stages[0])
    return Use(command.name, command.keys, command.outputs, command.only_new)  # type: ignore[attr-defined]


def text_condition(predicate: Predicate, in_text: frozenset[str]) -> Value:
    """A condition on the raw text that holds wherever the conditions do, for the text index; TRUE where there is none.

    A value that was extracted from the text stands there word for word. Numbers do not: `status=200` also finds 200.0.
    """
    if isinstance(predicate, Both):
        return v.both([text_condition(o, in_text) for o in predicate.operands])
    if isinstance(predicate, Either) and predicate.operands:
        found = [text_condition(o, in_text) for o in predicate.operands]
        return v.TRUE if v.TRUE in found else v.either(found)
    if isinstance(predicate, Membership) and predicate.name in in_text:
        alternatives = tuple(Comparison(predicate.name, "=", value, predicate.span) for value in predicate.values)
        return text_condition(Either(alternatives), in_text)
    if isinstance(predicate, Comparison) and predicate.operator == "=" and predicate.name in in_text:
        tokens = whole_tokens(predicate.value)
        is_network = "/" in predicate.value
        if tokens and predicate.value.isascii() and not is_network and v.numeric_literal(predicate.value) is None:
            return v.call("hasAllTokens", Column(Type.TEXT, RAW_TEXT), v.text(" ".join(tokens)), type=Type.BOOL)
    return v.TRUE


# ---- values ----------------------------------------------------------------------------------------------------------


def _when(condition: Value, value: Value) -> Value:
    """The value where the condition holds, else nothing."""
    if condition == v.TRUE or value.type is Type.NULL:
        return value
    nothing = v.EMPTY_MULTI if value.type is Type.MULTI else v.Literal(value.type, None)
    return v.call("if", condition, value, nothing, type=value.type)


def _chosen(condition: Value, value: Value, former: Value) -> Value:
    """The value where the condition holds, else the former one."""
    if condition == v.TRUE:
        return value
    if former.type is Type.NULL:
        return _when(condition, value)
    if value.type is Type.NULL:
        return _when(v.negation(condition), former)
    return v.choose(condition, value, former)


def _joined(value: Value) -> Value:
    """A field as one text to extract from."""
    if value.type is Type.MULTI:
        return v.call("arrayStringConcat", value, v.text("\n"), type=Type.TEXT)
    return value if value.type is Type.NULL else v.as_text(value)


def _present(fields: dict[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in fields.items() if value.type is not Type.NULL}


def _json_items(text: Value, path: str) -> Value:
    try:
        return read_values(text, path)
    except SearchError:
        return v.NULL
