"""Rules per sourcetype as the engine's SQL: what the placeholders of a decode statement become, and what goes around it.

Enters: the rules of the sourcetypes that a segment holds. Leaves: texts for `decoding`. A segment none of whose sourcetypes has a
rule gets the texts of `plain`, with which a statement is what it would be if there were no rules at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sightline.sourcetypes import patterns
from sightline.sourcetypes.rules import TEXT, Breaking, Condition, Extraction, Naming, Rule, Timing
from sightline.sourcetypes.times import ZONES, TimeFormat
from sightline.store.sql_text import JSON_TYPE, quote

_BELIEVED = "sightline_believed_time(found_time, received)"
_NO_TEXTS = "CAST([], 'Array(String)')"
_MARK = "\x00\x1e\x00"
"""Put where a text is to be split. A text that has it itself is split there too."""
_SEPARATED = {"csv": ",", "tsv": "\t"}

RouteProblem = Callable[[str, str], str]
"""Why a token (first) may not write to an index (second); an empty text where it may."""


def plain() -> dict[str, str]:
    """The placeholders' texts without any rule."""
    return {
        "whole": "rest",
        "events": _events(Breaking()),
        "stamps": _NO_TEXTS,
        "streams": _NO_TEXTS,
        "columns": _NO_TEXTS,
        "place": _place(Timing()),
        "found_time": _found(Timing()),
        "believed": _BELIEVED,
        "masked": "text",
        "ruled_fields": "''",
    }


@dataclass(frozen=True)
class Ruling:
    """The rules that hold for a segment, by sourcetype, and who sent it."""

    rules: Mapping[str, Rule]
    is_text: bool
    """Whether it is text that has still to be broken into events."""
    problems: Mapping[tuple[str, str], str]
    """For a token and an index that a rule routes to: why that may not be."""

    @property
    def judges(self) -> bool:
        """Whether events may be dropped or go elsewhere."""
        return any(rule.judges for rule in self.rules.values())

    def placeholders(self) -> dict[str, str]:
        """The texts of a decode statement's placeholders."""
        usual = plain()
        usual["masked"] = self._choose(lambda rule: _masked(rule) if rule.masks else None, usual["masked"])
        usual["ruled_fields"] = self._choose(self._fields, usual["ruled_fields"])
        if not self.is_text:
            return usual
        for name, write in (
            ("whole", lambda r: f"convertCharset(rest, {quote(r.charset)}, 'UTF-8')" if r.charset else None),
            ("events", lambda r: _container(r, 1) or _events(r.breaking)),
            ("stamps", lambda r: _container(r, 2)),
            ("streams", lambda r: _container(r, 3)),
            ("columns", lambda r: _columns(r.breaking)),
            ("place", lambda r: _place(r.timing, _separator(r))),
            ("found_time", lambda r: _found(r.timing)),
            ("believed", lambda r: "found_time" if r.timing.formats else None),
        ):
            usual[name] = self._choose(write, usual[name])
        return usual

    def judged(self, select: str) -> str:
        """The decoded rows with `target`, the index they go to, and `refusal`, why they are not stored."""
        target = self._choose(
            lambda r: _multi([(_condition(x.condition), quote(x.index)) for x in r.routes], "index"), "index"
        )
        dropped = self._choose(_dropped, "''")
        named = [
            (name, self._choose(lambda r, name=name: _named(r.namings, name), name))
            for name in ("host", "source", "sourcetype")
        ]
        renamed = ", ".join(f"{sql} AS new_{name}" for name, sql in named)
        problems = _multi(
            [
                (f"token = {quote(token)} AND target = {quote(index)}", quote(problem))
                for (token, index), problem in sorted(self.problems.items())
            ],
            "''",
        )
        inner = f"SELECT *, {dropped} AS dropped, {target} AS target, {renamed} FROM ({select})"
        return f"SELECT *, if(dropped != '' OR target = index, dropped, {problems}) AS refusal FROM ({inner})"

    def sample(self) -> str:
        """A statement over one row with nothing in it that has everything in it that these rules can write."""
        row = (
            "'' AS rest, '' AS whole, [''] AS lines, '' AS header, '' AS text, '' AS stamp, [''] AS columns, '' AS place,"
            " 'main' AS index, '' AS token, '' AS host, '' AS source, '' AS sourcetype, '' AS severity, '' AS _raw,"
            f" CAST('{{}}' AS {JSON_TYPE}) AS fields, now64(3, 'UTC') AS received, now64(6, 'UTC') AS found_time"
        )
        written = ", ".join(f"({text}) AS sample_{name}" for name, text in self.placeholders().items())
        return f"SELECT {written}, judged.refusal FROM ({self.judged(f'SELECT {row}')}) AS judged"

    def stored(self, select: str) -> str:
        """The decoded rows that are stored, each in its index."""
        names = "index, host, source, sourcetype"
        new = "target AS index, new_host AS host, new_source AS source, new_sourcetype AS sourcetype"
        return f"SELECT * EXCEPT ({names}), {new} FROM ({self.judged(select)}) WHERE refusal = ''"

    def _choose(self, write: Callable[[Rule], str | None], usual: str) -> str:
        """The text for each sourcetype: what `write` makes of its rule, and the usual one for all others."""
        cases: dict[str, list[str]] = {}
        for sourcetype, rule in self.rules.items():
            text = write(rule)
            if text is not None and text != usual:
                cases.setdefault(text, []).append(sourcetype)
        return _multi([(f"sourcetype IN ({_list(names)})", text) for text, names in cases.items()], usual)

    def _fields(self, rule: Rule) -> str | None:
        pieces = [piece for each in rule.extractions if (piece := _extracted(each, self.is_text))]
        if not pieces:
            return None
        return pieces[0] if len(pieces) == 1 else f"arrayStringConcat(arrayFilter(x -> x != '', [{', '.join(pieces)}]), ',')"


def pattern_text(pattern: str) -> str:
    """A pattern as a literal: the dot does not match a line feed, as everywhere but in the engine."""
    dotted = any(piece.text == "." for piece in patterns.pieces(pattern))
    return quote(f"(?-s){pattern}" if dotted else pattern)


def _multi(cases: Sequence[tuple[str, str]], usual: str) -> str:
    if not cases:
        return usual
    return "multiIf(" + ", ".join(f"{condition}, {text}" for condition, text in cases) + f", {usual})"


def _list(names: Iterable[str]) -> str:
    return ", ".join(quote(name) for name in sorted(names))


# ---- events ----------------------------------------------------------------------------------------------------------


def _container(rule: Rule, part: int) -> str | None:
    """A part of each event that a container's lines make: 1 text, 2 time, 3 stream."""
    if rule.breaking.form != "container":
        return None
    return f"arrayMap(e -> e.{part}, sightline_container_events(lines, {rule.breaking.max_lines}))"


def _events(breaking: Breaking) -> str:
    """The events of `whole` as an array of texts."""
    lines, limits = "lines", f"{breaking.max_lines}, {breaking.max_characters}"
    if breaking.begin:
        flags = f"arrayMap(l -> match(l, {pattern_text(breaking.begin)}), {lines})"
    elif breaking.go_on:
        flags = f"arrayMap(l -> NOT match(l, {pattern_text(breaking.go_on)}), {lines})"
    elif breaking.end:
        ends = f"arrayMap(l -> toUInt8(match(l, {pattern_text(breaking.end)})), {lines})"
        flags = f"arrayPushFront(arrayPopBack({ends}), 1)"
    elif breaking.split:
        before, between, behind = patterns.around_first_group(breaking.split) or ("", f"(?:{breaking.split})", "")
        # What stands before and behind the group stays; a mark takes the group's place.
        pattern = f"({before}){between}({behind})"
        marked = f"replaceRegexpAll(whole, {pattern_text(pattern)}, {quote(chr(92) + '1' + _MARK + chr(92) + '2')})"
        return f"sightline_limited(splitByString({quote(_MARK)}, {marked}), {limits})"
    elif breaking.form == "line":
        return f"sightline_limited({lines}, {limits})"
    elif breaking.form == "whole":
        return f"sightline_limited([whole], {limits})"
    elif breaking.form == "json":
        return f"sightline_json_events(whole, lines, {limits})"
    elif breaking.form in _SEPARATED:
        return f"sightline_limited(sightline_records(whole, header), {limits})"
    elif breaking.form == "w3c":
        return f"sightline_limited(arrayFilter(l -> NOT startsWith(l, '#'), {lines}), {limits})"
    else:
        flags = f"sightline_usual_flags({lines})"
    return f"sightline_joined({lines}, {flags}, {limits})"


def _columns(breaking: Breaking) -> str | None:
    """The names of columns that a text gives itself."""
    if breaking.form in _SEPARATED:
        return f"sightline_cells(sightline_header(whole, header), {quote(_SEPARATED[breaking.form])})"
    if breaking.form == "w3c":
        return "sightline_w3c_columns(concat(header, '\\n', whole))"
    return None


# ---- times -----------------------------------------------------------------------------------------------------------


def _separator(rule: Rule) -> Extraction | None:
    return next((each for each in rule.extractions if each.separator), None)


def _place(timing: Timing, columns: Extraction | None = None) -> str:
    """The piece of `text`, or of `stamp`, in which the time is."""
    if timing.received:
        return "''"
    if timing.key:
        if columns is not None:
            names = f"[{', '.join(quote(n) for n in columns.names)}]" if columns.names else "columns"
            cells = f"sightline_cells(text, {quote(columns.separator)})"
            value = f"{cells}[indexOf({names}, {quote('.'.join(timing.key))})]"
        else:
            path = ", ".join(quote(part) for part in timing.key)
            value = f"trim(BOTH '\"' FROM JSONExtractRaw(text, {path}))"
        return value if timing.formats else f"sightline_time_place({value})"
    if timing.after:
        behind = f"{patterns.without_groups(timing.after)}((?s:.{{0,{timing.within}}}))"
        area = f"extract(text, {pattern_text(behind)})"
    else:
        area = f"left(text, {timing.within})"
    if timing.formats:
        return area
    if timing.after:
        return f"sightline_time_place({area})"
    return f"sightline_usual_place(if(stamp = '', {area}, stamp))"


def _found(timing: Timing) -> str:
    """The time in `place`; NULL for none."""
    zone = quote(timing.zone)
    if timing.received:
        return "received"
    if timing.formats:
        return _first_of([_formatted(each, zone) for each in timing.formats])
    return f"sightline_time_of_place(place, received, {zone})"


def _first_of(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"


def _formatted(form: TimeFormat, zone: str) -> str:
    groups = {part: f"g[{number}]" for number, part in enumerate(form.parts, 1)}
    # What the engine's parser reads is `2026-01-31 10:11:12.5+01:00`, with the zone where the text has one.
    if "epoch" in groups:
        fraction = f", '.', {groups['fraction']}" if "fraction" in groups else ""
        text = f"concat({groups['epoch']}{fraction})" if fraction else groups["epoch"]
        value = f"sightline_epoch(toFloat64OrNull({text}))"
    else:
        clock = _clock(groups)
        if "day_of_year" in groups:
            first = f"parseDateTime64BestEffortOrNull(concat({_year(groups)}, '-01-01 ', {clock}), 6, {zone})"
            value = f"addDays({first}, ifNull(toInt32OrNull({groups['day_of_year']}), 1) - 1)"
        elif "day" not in groups and "month" not in groups and "month_name" not in groups:
            value = f"sightline_nearest_day({clock}, received, {zone})"
        else:
            day = f"leftPad(trim(LEADING ' ' FROM {groups['day']}), 2, '0')" if "day" in groups else "'01'"
            date = f"{_month(groups)}, '-', {day}, ' ', {clock}"
            if "year" in groups or "short_year" in groups:
                value = f"parseDateTime64BestEffortOrNull(concat({_year(groups)}, '-', {date}), 6, {zone})"
            else:
                value = f"sightline_nearest_year(concat({date}), received, {zone})"
    found = f"if(empty(g), NULL, {value})"
    return f"arrayMap(g -> {found}, [extractGroups(place, {quote(form.pattern)})])[1]"


def _year(groups: Mapping[str, str]) -> str:
    if "year" in groups:
        return groups["year"]
    return f"concat(if({groups['short_year']} < '69', '20', '19'), {groups['short_year']})"


def _month(groups: Mapping[str, str]) -> str:
    if "month" in groups:
        return f"leftPad({groups['month']}, 2, '0')"
    name = groups["month_name"]
    return f"sightline_month(concat(upper(left({name}, 1)), lower(substring({name}, 2, 2))))"


def _clock(groups: Mapping[str, str]) -> str:
    if "half_hour" in groups:
        hour = f"toUInt8OrZero(trim(LEADING ' ' FROM {groups['half_hour']})) % 12"
        hour = f"leftPad(toString({hour} + if(lower(left({groups['half']}, 1)) = 'p', 12, 0)), 2, '0')"
    elif "hour" in groups:
        hour = f"leftPad(trim(LEADING ' ' FROM {groups['hour']}), 2, '0')"
    else:
        hour = "'00'"
    pieces = [hour]
    for part in ("minute", "second"):
        pieces += ["':'", f"leftPad({groups[part]}, 2, '0')" if part in groups else "'00'"]
    if "fraction" in groups:
        pieces += ["'.'", groups["fraction"]]
    if "zone" in groups:
        pieces.append(f"if({groups['zone']} IN ('UTC', 'GMT'), 'Z', {groups['zone']})")
    elif "zone_name" in groups:
        names, offsets = (f"[{', '.join(quote(z) for z in side)}]" for side in (ZONES, ZONES.values()))
        signed = f"if(match({groups['zone_name']}, '^[+-]'), {groups['zone_name']}, '')"
        pieces.append(f"transform(upper({groups['zone_name']}), {names}, {offsets}, {signed})")
    return f"concat({', '.join(pieces)})"


# ---- what happens to an event ------------------------------------------------------------------------------------------


def _masked(rule: Rule) -> str:
    text = "text"
    for mask in rule.masks:
        function = "replaceRegexpOne" if mask.once else "replaceRegexpAll"
        text = f"{function}({text}, {pattern_text(mask.pattern)}, {quote(mask.replacement)})"
    return text


def _condition(condition: Condition) -> str:
    matched = f"match({_looked_at(condition.at)}, {pattern_text(condition.pattern)})"
    return f"NOT {matched}" if condition.negated else matched


def _looked_at(name: str) -> str:
    if name == TEXT:
        return "_raw"
    if name in ("host", "source", "sourcetype", "severity", "index"):
        return name
    # The fields are the text of an object still, in which a name with dots may be that of a member, or a path.
    member = f"JSONExtractString(fields, {quote(name)})"
    if "." not in name:
        return member
    return f"if({member} != '', {member}, JSONExtractString(fields, {', '.join(map(quote, name.split('.')))}))"


def _dropped(rule: Rule) -> str | None:
    cases = [
        (_condition(drop.condition), quote(f'dropped by rule "{drop.name}" of sourcetype "{rule.name}"'))
        for drop in rule.drops
    ]
    if rule.keeps:
        kept = " OR ".join(f"({_condition(keep.condition)})" for keep in rule.keeps)
        cases.append((f"NOT ({kept})", quote(f'dropped by sourcetype "{rule.name}": no rule of "keep" fits')))
    return _multi(cases, "''") if cases else None


def _named(namings: Iterable[Naming], target: str) -> str | None:
    cases = []
    for each in namings:
        if each.target == target:
            cases.append((_condition(each.condition), _filled(each)))
    return _multi(cases, target) if cases else None


def _filled(naming: Naming) -> str:
    """The value with what the pattern's groups matched in the places of `\\1`."""
    looked_at, pattern = _looked_at(naming.condition.at), naming.condition.pattern
    pieces = []
    for text in re.split(r"(\\[\d\\])", naming.value):
        if not text:
            continue
        if text == "\\0":
            pieces.append(f"extract({looked_at}, {pattern_text(patterns.without_groups(pattern))})")
        elif re.fullmatch(r"\\\d", text):
            pieces.append(f"extractGroups({looked_at}, {pattern_text(pattern)})[{text[1]}]")
        else:
            pieces.append(quote("\\" if text == "\\\\" else text))
    return f"concat({', '.join(pieces)})" if len(pieces) > 1 else (pieces or ["''"])[0]


def _extracted(extraction: Extraction, is_text: bool) -> str:
    """The fields as pairs of a JSON object."""
    if extraction.inside:
        found = f"extract(text, {pattern_text(_only_first_group(extraction.pattern))})"
        return f"arrayStringConcat(arrayFilter(x -> x != '', [sightline_inside_object({found}), sightline_key_values({found})]), ',')"
    if extraction.separator:
        if extraction.names:
            names = f"[{', '.join(quote(name) for name in extraction.names)}]"
        elif is_text:
            names = "columns"
        else:
            return ""
        none = "'-'" if extraction.separator == " " else "''"
        return f"sightline_cell_pairs({names}, sightline_cells(text, {quote(extraction.separator)}), {none})"
    pairs = []
    for number, name in enumerate(extraction.names, 1):
        if name:
            pairs.append(f"if(g[{number}] = '', '', sightline_json_pair({quote(name)}, g[{number}]))")
    joined = f"arrayStringConcat(arrayFilter(x -> x != '', [{', '.join(pairs)}]), ',')"
    return f"arrayMap(g -> {joined}, [extractGroups(text, {pattern_text(extraction.pattern)})])[1]"


def _only_first_group(pattern: str) -> str:
    """The pattern with its first group as the only one that captures."""
    found = False
    made = []
    for piece in patterns.pieces(pattern):
        if piece.group is None:
            made.append(piece.text)
        else:
            made.append("(?:" if found else "(")
            found = True
    return "".join(made)
