"""`typer` and `tags`: event types and tags of rows that a pipeline made, as a search of stored events has them anyway."""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline.errors import Span, nearest
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.event_types import EVENT_TYPE, TAG, EventTypes, TaggedValue, chosen, in_order
from sightline.search.planner.lower import lower_predicate
from sightline.search.planner.relation import Relation, wildcard_regex
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options


@command("typer")
@dataclass
class Typer(Command):
    """Adds the names of the event types that each row is of, as `eventtype`.

    Syntax: typer [eventtypes=<event type>[,<event type>]...] [maxlen=<characters>]
    Example: index=web | eval status=500 | typer | stats count by eventtype

    The conditions of event types are applied to the fields as they are at this point; what a row had as `eventtype` is
    replaced. Several event types are a multivalue, by priority and then by name; a row of none has no value. Words are
    looked for in the first `maxlen` characters of `_raw`; 0 is all.
    """

    eventtypes: str = option("", help="only these event types, separated by commas; * stands for any characters")
    maxlen: int = option(0, minimum=0, help="characters of the raw text to look at; 0 is all")

    def lower(self, relation: Relation, context: Context) -> Relation:
        types = EventTypes(context)
        names = types.names
        if self.eventtypes:
            asked = dict.fromkeys(name.strip() for name in self.eventtypes.split(",") if name.strip())
            meant = {one: {name for name in names if wildcard_regex(one).fullmatch(name)} for one in asked}
            for name in [name for name, found in meant.items() if not found]:
                hint = nearest(name, names)
                context.warn(f'there is no event type "{name}"' + (f": {hint}" if hint else ""))
            names = [name for name in names if any(name in found for found in meant.values())]
        seen = relation
        raw = relation.field("_raw")
        if self.maxlen and raw.type is Type.TEXT:
            start = v.call("substringUTF8", raw, v.integer(1), v.integer(self.maxlen), type=Type.TEXT)
            seen = relation.with_fields(relation.fields | {"_raw": start})
        return relation.with_field(EVENT_TYPE, types.event_type_value(seen, names))


@command("tags")
@dataclass
class Tags(Command):
    """Adds the tags of the values that fields have.

    Syntax: tags [outputfield=<field>] [inclname=<bool>] [inclvalue=<bool>] [allowed_tags=<tag>[,<tag>]...] [<field>...]
    Example: index=web | stats count by host | tags host

    Without fields, those of all fields. The tags of each field go to `tag::<field>`, all of them together to `tag`; with
    `outputfield` they go there, and with `inclname` and `inclvalue` each follows the field's name and value, joined by
    `::`. Each tag comes once, in order. A multivalue has the tags of all its values; a field without tags adds nothing.
    """

    outputfield: str = option("", help="one field for all tags")
    inclname: bool = option(False, help="put the field's name before each tag in outputfield")
    inclvalue: bool = option(False, help="put the field's value before each tag in outputfield")
    allowed_tags: str = option("", help="only these tags, separated by commas")
    fields: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Tags:
        names, given = arguments.names_with_options(cls)
        return cls(fields=names, **given)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *map(print_name, self.fields)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        allowed = {t.strip() for t in self.allowed_tags.split(",") if t.strip()}
        tagged = []
        for one in EventTypes(context).tagged:
            kept = tuple(tag for tag in one.tags if not allowed or tag in allowed)
            if kept and (not self.fields or one.field in self.fields) and relation.field(one.field).type is not Type.NULL:
                tagged.append(TaggedValue(one.field, one.value, kept))
        if self.outputfield:
            return relation.with_field(self.outputfield, self._together(relation, tagged, context))
        values = {name: self._of(relation, [t for t in tagged if t.field == name], context) for name in _names(tagged)}
        everything = self._of(relation, tagged, context)
        made = {f"{TAG}::{name}": value for name, value in values.items()}
        return relation.with_all(made | {TAG: everything}) if tagged else relation

    def _together(self, relation: Relation, tagged: list[TaggedValue], context: Context) -> Value:
        named = []
        for one in tagged:
            before = [*([one.field] if self.inclname else []), *([one.value] if self.inclvalue else [])]
            named.append(TaggedValue(one.field, one.value, tuple("::".join((*before, tag)) for tag in one.tags)))
        return self._of(relation, named, context)

    @staticmethod
    def _of(relation: Relation, tagged: list[TaggedValue], context: Context) -> Value:
        conditions = [lower_predicate(one.condition(Span(0, 0)), relation, context) for one in tagged]
        return in_order(chosen([v.multi(one.tags) for one in tagged], conditions))


def _names(tagged: list[TaggedValue]) -> list[str]:
    return list(dict.fromkeys(one.field for one in tagged))
