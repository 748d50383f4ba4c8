"""`extract` and `xmlkv`: fields out of pairs of names and values in the text of events."""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline.errors import SearchError, nearest
from sightline.search.context import Context
from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.extractions import DelimitedPairs, Extraction, PairExtraction, read_transform
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.pairs import fields_of_pairs, pair
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options


@command("extract", aliases=("kv",))
@dataclass
class Extract(Command):
    """Takes fields out of pairs of names and values in `_raw`.

    Syntax: extract [pairdelim=<characters>] [kvdelim=<characters>] [limit=<n>] [maxchars=<n>] [mv_add=<bool>]
        [clean_keys=<bool>] [auto=<bool>] [segment=<bool>] [reload=<bool>] [<transform>...]
    Example: | makeresults | eval _raw="user=ann; size=5" | extract pairdelim=";" kvdelim="="

    Without delimiters it takes `name=value` and `name="quoted value"`. `pairdelim` are characters that stand between pairs,
    `kvdelim` characters between a name and its value; a value in double quotes may hold them. Names are cleaned: a sign
    that is no letter and no digit becomes `_`, unless `clean_keys=false`. Of several values of a name the first counts, with
    `mv_add=true` all. `limit` takes only so many pairs of an event, `maxchars` only so much of its text; both are without
    bound unless given. Names of transforms stanzas take the fields that these describe; then `auto` must be asked for. A
    row without a name keeps what it had.
    """

    pairdelim: str = option("", help="characters between pairs")
    kvdelim: str = option("", help="characters between name and value")
    limit: int = option(0, minimum=0, help="at most so many pairs of an event; 0 is all")
    maxchars: int = option(0, minimum=0, help="at most so many characters of an event; 0 is all")
    mv_add: bool = option(False, help="keep all values of a name")
    clean_keys: bool = option(True, help="write _ for signs in names")
    auto: bool = option(True, help="take pairs as they stand in the text")
    segment: bool = option(True, help="accepted for compatibility; words are not marked")
    reload: bool = option(False, help="accepted for compatibility; settings are always the newest")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Extract:
        names, found = arguments.names_with_options(cls)
        if names and not {"auto", "pairdelim", "kvdelim"} & set(found):
            found["auto"] = False
        return cls(names=names, **found)

    def print_arguments(self) -> list[str]:
        auto = ["auto=true"] if self.names and self.auto and not (self.pairdelim or self.kvdelim) else []
        options = [part for part in print_options(self) if part != "auto=false" or not self.names]
        return [*options, *auto, *(print_name(name) for name in self.names)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        for name in self.names:
            stanzas = context.knowledge.stanzas("transforms")
            if name not in stanzas:
                raise SearchError(f'there is no transforms stanza "{name}"', hint=nearest(name, stanzas))
            relation = _transformed(relation, read_transform(name, stanzas[name]), context)
        text = undictionaried(relation.field("_raw"))
        if not self.auto or text.type is Type.NULL:
            return relation
        text = v.call("ifNull", v.as_text(text), v.text(""), type=Type.TEXT)
        if self.maxchars:
            text = v.call("substringUTF8", text, v.integer(1), v.integer(self.maxchars), type=Type.TEXT)
        groups = regexes.all_groups(text, self._pattern())
        if self.limit:
            groups = v.call("arraySlice", groups, v.integer(1), v.integer(self.limit), type=Type.MULTI)
        return fields_of_pairs(relation, _pairs(groups, self.clean_keys), context, gathers=self.mv_add)

    def _pattern(self) -> str:
        between, inside = _in_class(self.pairdelim), _in_class(self.kvdelim or "=")
        if not self.pairdelim:
            return rf'([A-Za-z_][\w.:-]*?)\s*[{inside}]\s*(?:"([^"]*)"|([^\s,;|&"{inside}]+))'
        return rf'(?:^|[{between}])\s*([^{between}{inside}]+?)\s*[{inside}]\s*(?:"([^"]*)"|([^{between}]*))'


def _in_class(characters: str) -> str:
    named = characters.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r")
    return "".join("\\" + c if c in "]\\^-[" else c for c in named)


def _pairs(groups: Value, cleans: bool) -> Value:
    """Matches of a name, a quoted value and a plain one as pairs."""
    item = Column(Type.MULTI, "groups")
    key, quoted, plain = (v.call("arrayElement", item, v.integer(n), type=Type.TEXT) for n in (1, 2, 3))
    if cleans:
        key = v.call("replaceRegexpAll", key, v.text("[^A-Za-z0-9_]"), v.text("_"), type=Type.TEXT)
    value = v.call("concat", quoted, v.call("trimBoth", plain, type=Type.TEXT), type=Type.TEXT)
    return v.call("arrayMap", Lambda(Type.MULTI, ("groups",), pair(key, value)), groups, type=Type.MULTI)


def _transformed(relation: Relation, extraction: Extraction, context: Context) -> Relation:
    text = undictionaried(relation.field(extraction.source))
    if text.type is Type.NULL:
        return relation
    text = v.call("ifNull", v.as_text(text), v.text(""), type=Type.TEXT)
    if isinstance(extraction, PairExtraction | DelimitedPairs):
        item = Column(Type.MULTI, "groups")
        if isinstance(extraction, DelimitedPairs):
            pairs = _pairs(regexes.all_groups(text, extraction.pattern), extraction.cleans)
        else:
            key, value = (
                v.call("arrayElement", item, v.integer(n), type=Type.TEXT) for n in (extraction.key, extraction.value)
            )
            if extraction.cleans:
                key = v.call("replaceRegexpAll", key, v.text("[^A-Za-z0-9_]"), v.text("_"), type=Type.TEXT)
            groups = regexes.all_groups(text, extraction.pattern)
            pairs = v.call("arrayMap", Lambda(Type.MULTI, ("groups",), pair(key, value)), groups, type=Type.MULTI)
        return fields_of_pairs(relation, pairs, context, gathers=extraction.gathers)
    fields = dict(relation.fields)
    for name, value in extraction.fields(text).items():
        before = fields.get(name, v.NULL)
        fields[name] = value if before.type is Type.NULL else v.choose(v.is_present(value), value, before)
    return relation.with_fields(fields)


@command("xmlkv")
@dataclass
class XmlKv(Command):
    """Takes a field out of each XML element that holds text alone, in `_raw` or another field.

    Syntax: xmlkv [<field>] [maxinputs=<n>]
    Example: | makeresults | eval _raw="<user>ann</user><size>5</size>" | xmlkv

    The text need not be a whole XML document. The field has the element's name. Where any event has several elements of a
    name, the field holds all their texts. An element without text gives nothing; a row without it keeps what it had.
    """

    maxinputs: int = option(0, minimum=0, help="accepted for compatibility; events are not read in portions")
    name: str = "_raw"

    @classmethod
    def read(cls, arguments: Arguments) -> XmlKv:
        names, found = arguments.names_with_options(cls)
        if len(names) > 1:
            raise SearchError(f'one field is read, got also "{names[1]}"', arguments.stage.arguments)
        return cls(name=(names or ["_raw"])[0], **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *([] if self.name == "_raw" else [print_name(self.name)])]

    def lower(self, relation: Relation, context: Context) -> Relation:
        text = undictionaried(relation.field(self.name))
        if text.type is Type.NULL:
            return relation
        text = v.call("ifNull", v.as_text(text), v.text(""), type=Type.TEXT)
        groups = regexes.all_groups(text, r"<([\w:.-]+)(?:\s[^<>]*)?>([^<]*)</([\w:.-]+)\s*>")
        item = Column(Type.MULTI, "groups")
        opened, content, closed = (v.call("arrayElement", item, v.integer(n), type=Type.TEXT) for n in (1, 2, 3))
        whole = Lambda(Type.BOOL, ("groups",), v.call("equals", opened, closed, type=Type.BOOL))
        value = v.call("trimBoth", v.call("decodeXMLComponent", content, type=Type.TEXT), type=Type.TEXT)
        kept = v.call("arrayFilter", whole, groups, type=Type.MULTI)
        pairs = v.call("arrayMap", Lambda(Type.MULTI, ("groups",), pair(opened, value)), kept, type=Type.MULTI)
        return fields_of_pairs(relation, pairs, context)
