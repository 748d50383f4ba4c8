"""`scrub`: names and addresses in rows replaced by made-up ones of the same length."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.functions.arguments import each_text
from sightline.search.planner import values as v
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import option

_KEPT_FIELDS = ("eventtype", "linecount", "punct", "sourcetype", "timeendpos", "timestartpos", "index")
_KEPT_PREFIXES = ("_", "date_")
_TOKEN = r"\d{1,3}(?:\.\d{1,3}){3}|\pL+|\d+|[^\pL\d]+"
_PUBLIC_WORDS = (
    "a about accept accepted access account action active after agent alert all allow allowed already an and any api app "
    "application apr as at attempt aug auth authentication authorization back bad begin body bytes cache call can cannot "
    "client close closed code com command complete completed config connect connected connection content could count cpu "
    "created data database date dec debug default delete denied device disk dns done down dropped due duration empty en end "
    "enabled error event exception exit expired fail failed failure false fatal feb file finished first for found fri from "
    "ftp get global gone group handler has have head header host html http https id if in index info input install interface "
    "internal into invalid io ip is it item jan job json jul jun kernel key last level limit line list load local log login "
    "logout loop main mar max may memory message method min missing mode model module mon ms name net network new no node "
    "none not notice nov null object oct of ok on open operation option or org out output packet page password path "
    "permission pid port post process protocol proxy put query queue rate read received record refused remote remove "
    "removed request reset response result retry root row rule run running sat search security sep server service session "
    "set size socket source sql ssh ssl start started state status stop stopped success sun system table task tcp test the "
    "thread thu time timeout tls to token top total trace true tue type udp unable unknown up update updated uri url user "
    "username utc value version warn warning was web wed with write www xml yes"
)


@command("scrub")
@dataclass
class Scrub(Command):
    """Replaces names, words and addresses by made-up ones of the same length, so that rows can be shown to others.

    Syntax: scrub [public-terms=<lookup>] [private-terms=<lookup>] [dictionary=<lookup>] [name-terms=<lookup>]
        [timeconfig=<name>] [namespace=<app>]
    Example: index=web | scrub

    Words that are usual in logs stay, and so do those of the first column of the lookups `public-terms` and `dictionary`;
    those of `private-terms` and `name-terms` never do. IPv4 addresses become other ones; numbers and signs stay. In one
    search the same word always becomes the same other one; in another search it becomes another. Fields that begin with an
    underscore (but `_raw`) or with `date_`, and `eventtype`, `index`, `linecount`, `punct`, `sourcetype`, `timeendpos` and
    `timestartpos`, stay as they are.
    """

    public_terms: str = option("", name="public-terms", help="lookup of words that stay")
    private_terms: str = option("", name="private-terms", help="lookup of words that never stay")
    dictionary: str = option("", help="lookup of more words that stay")
    name_terms: str = option("", name="name-terms", help="lookup of names, which never stay")
    timeconfig: str = option("", help="accepted for compatibility; times have no words that tell anything")
    namespace: str = option("", help="accepted for compatibility; lookups are found by name")

    def lower(self, relation: Relation, context: Context) -> Relation:
        private = _words(self.private_terms, context) | _words(self.name_terms, context)
        public = (
            set(_PUBLIC_WORDS.split()) | _words(self.public_terms, context) | _words(self.dictionary, context)
        ) - private
        secret = secrets.token_hex(16)
        fields = dict(relation.fields)
        for name, value in relation.fields.items():
            kept = name != "_raw" and (name in _KEPT_FIELDS or name.startswith(_KEPT_PREFIXES))
            if not kept and value.type in (Type.TEXT, Type.MULTI):
                fields[name] = each_text(undictionaried(value), lambda text: _scrubbed(text, sorted(public), secret))
        return relation.with_fields(fields)


def _words(lookup: str, context: Context) -> set[str]:
    if not lookup:
        return set()
    table = context.knowledge.lookup(lookup)
    if table is None:
        raise SearchError(
            f'there is no lookup "{lookup}"', hint=f"lookups: {', '.join(context.knowledge.lookups()) or 'none'}"
        )
    return {str(word).lower() for word in table.column(0).to_pylist() if word}


def _scrubbed(text: Value, public: list[str], secret: str) -> Value:
    token = Column(Type.TEXT, "token")
    is_word = v.call("match", token, v.text(r"^\pL"), type=Type.BOOL)
    known = v.call("in", v.call("lowerUTF8", token, type=Type.TEXT), v.multi(public), type=Type.BOOL)
    is_address = v.call("match", token, v.text(r"^\d+\."), type=Type.BOOL)
    replaced = v.call(
        "multiIf",
        v.both([is_word, v.negation(known)]), _made_up_word(token, secret),
        is_address, _made_up_address(token, secret),
        token, type=Type.TEXT,
    )  # fmt: skip
    sure = v.call("ifNull", v.call("toValidUTF8", text, type=Type.TEXT), v.text(""), type=Type.TEXT)
    tokens = v.call("extractAll", sure, v.text(_TOKEN), type=Type.MULTI)
    joined = v.call("arrayStringConcat", v.call("arrayMap", Lambda(Type.TEXT, ("token",), replaced), tokens, type=Type.MULTI),
                    type=Type.TEXT)  # fmt: skip
    return v.call("if", v.is_present(text), joined, v.Literal(Type.TEXT, None), type=Type.TEXT)


def _hash(token: Value, secret: str, place: Value) -> Value:
    return v.call("sipHash64", v.text(secret), v.call("lowerUTF8", token, type=Type.TEXT), place, type=Type.INT)


def _letter(alphabet: str, chosen: Value) -> Value:
    place = v.call("plus", v.call("modulo", chosen, v.integer(26), type=Type.INT), v.integer(1), type=Type.INT)
    return v.call("substring", v.text(alphabet), place, v.integer(1), type=Type.TEXT)


def _made_up_word(token: Value, secret: str) -> Value:
    """Letters drawn by a hash of the word and the place, upper case where the word has it."""
    character, number = Column(Type.TEXT, "character"), Column(Type.INT, "number")
    drawn = _hash(token, secret, number)
    upper = v.call("notEquals", character, v.call("lowerUTF8", character, type=Type.TEXT), type=Type.BOOL)
    small, large = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    letter = v.call("if", upper, _letter(large, drawn), _letter(small, drawn), type=Type.TEXT)
    characters = v.call("extractAll", token, v.text("(?s)."), type=Type.MULTI)
    numbers = v.call("arrayEnumerate", characters, type=Type.MULTI)
    letters = v.call("arrayMap", Lambda(Type.TEXT, ("character", "number"), letter), characters, numbers, type=Type.MULTI)
    return v.call("arrayStringConcat", letters, type=Type.TEXT)


def _made_up_address(token: Value, secret: str) -> Value:
    """An address whose parts have as many digits as before, none above 199."""
    part, number = Column(Type.TEXT, "part"), Column(Type.INT, "number")
    drawn = _hash(token, secret, number)
    length = v.call("length", part, type=Type.INT)

    def between(low: int, count: int) -> Value:
        drawn_part = v.call("plus", v.call("modulo", drawn, v.integer(count), type=Type.INT), v.integer(low), type=Type.INT)
        return v.call("toString", drawn_part, type=Type.TEXT)

    made = v.call(
        "multiIf",
        v.call("equals", length, v.integer(1), type=Type.BOOL), between(1, 9),
        v.call("equals", length, v.integer(2), type=Type.BOOL), between(10, 90),
        between(100, 100), type=Type.TEXT,
    )  # fmt: skip
    parts = v.call("splitByChar", v.text("."), token, type=Type.MULTI)
    numbers = v.call("arrayEnumerate", parts, type=Type.MULTI)
    changed = v.call("arrayMap", Lambda(Type.TEXT, ("part", "number"), made), parts, numbers, type=Type.MULTI)
    return v.call("arrayStringConcat", changed, v.text("."), type=Type.TEXT)
