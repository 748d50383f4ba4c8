"""`kvform`: fields out of events that are filled-in forms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import option

_PLACE = re.compile(r"\[\[(\w+):(\w+)\]\]")
_KINDS = {"string": r"[^\r\n]*?", "int": r"[-+]?\d+"}


@command("kvform")
@dataclass
class KvForm(Command):
    """Takes fields out of events that follow a form.

    Syntax: kvform [form=<name>] [field=<field>]
    Example: index=web | kvform

    A form is a file `<name>.form` in the folder `forms` of the data directory: the fixed text of an event, with `[[type:name]]`
    where a value stands. The type is `string`, `int`, or a transforms stanza whose REGEX the value matches. A value is found
    by the text in front of it on its line. With `form` all events follow that form; otherwise the value of `field`
    (`sourcetype`) names the form of an event, and one without a form stays as it is, as do fields that are not found.
    """

    form: str = option("", help="name of the form")
    field: str = option("sourcetype", help="the field that names the form")

    def lower(self, relation: Relation, context: Context) -> Relation:
        text = undictionaried(relation.field("_raw"))
        if text.type is Type.NULL or context.dry:
            return relation
        for name, follows in self._forms(relation, context):
            path = context.settings.data / "forms" / f"{name}.form"
            if "/" in name or not path.is_file():
                if self.form:
                    raise SearchError(f'there is no form "{name}"', hint=f"forms are files such as {path}")
                continue
            fields = dict(relation.fields)
            for target, pattern in patterns_of(path.read_text(), context):
                plain = v.call("ifNull", v.as_text(text), v.text(""), type=Type.TEXT)
                found = regexes.extract(plain, pattern, "value")
                chosen = v.both([follows, v.is_present(found)])
                fields[target] = v.choose(chosen, found, fields.get(target, v.NULL))
            relation = relation.with_fields(fields)
        return relation

    def _forms(self, relation: Relation, context: Context) -> Iterator[tuple[str, Value]]:
        """Each form with the condition that an event follows it."""
        if self.form:
            yield self.form, v.TRUE
            return
        names = undictionaried(relation.field(self.field))
        if names.type is Type.NULL:
            return
        names = v.as_text(names)
        table = context.table_of(relation.filtered(v.is_present(names)).aggregated([("name", names)], []), ["name"])
        for name in table["name"].to_pylist():
            yield name, v.is_true(v.call("equals", names, v.text(name), type=Type.BOOL))


def patterns_of(form: str, context: Context) -> Iterator[tuple[str, str]]:
    """Each field of a form with the regular expression that finds it, in a group `value`."""
    for line in form.splitlines():
        places = list(_PLACE.finditer(line))
        for place, following in zip(places, [*places[1:], None], strict=True):
            before = line[places[places.index(place) - 1].end() if places.index(place) else 0 : place.start()]
            after = line[place.end() : following.start() if following else len(line)]
            ending = rf"\s*{_fixed(after)}" if after.strip() else r"[ \t]*\r?$"
            yield place[2], rf"(?m){_fixed(before)}\s*(?<value>{_kind(place[1], context)}){ending}"


def _kind(name: str, context: Context) -> str:
    if name in _KINDS:
        return _KINDS[name]
    pattern = context.knowledge.stanzas("transforms").get(name, {}).get("REGEX", "").strip()
    if not pattern:
        raise SearchError(f'a form has no type "{name}": wanted string, int or a transforms stanza with a REGEX')
    return f"(?:{pattern})"


def _fixed(text: str) -> str:
    return r"\s*".join(re.escape(word) for word in text.split())
