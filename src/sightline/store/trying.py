"""What rules would make of a text: the statement that loads it, run without storing anything.

Enters: bytes, a sourcetype and rules. Leaves: the events with their times and fields and what would become of each, counts over
all of them, and warnings. The statement is the one that loads a segment, with the same placeholders, so that a trial and the
real thing cannot differ.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from sightline.segments import encode_frame
from sightline.sourcetypes import Rules
from sightline.sourcetypes.rules import MAX_CHARACTERS, MAX_LINES
from sightline.store import decoding
from sightline.store.ruling import Ruling
from sightline.store.sql_text import JSON_TYPE

KIND = "raw"
SHOWN = 20
"""Events shown, where nobody asks for another number."""
USUAL_SOURCETYPES = {".json": "json", ".jsonl": "json", ".ndjson": "json", ".csv": "csv", ".tsv": "tsv"}
"""Sourcetypes of files by the endings of their names, where none is said."""


@dataclass(frozen=True, slots=True)
class TriedEvent:
    """An event as it would be stored."""

    time: str
    """With its zone, UTC."""
    time_from: str
    """`text`, `event before`, `given` or `received`: where the time comes from."""
    time_text: str
    """The piece of the text that was read as the time."""
    host: str
    source: str
    sourcetype: str
    index: str
    severity: str
    raw: str
    fields: dict[str, Any]
    masked_from: str
    """The text before masks; empty where no mask fits."""
    refusal: str
    """Why it would not be stored; empty where it would."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What would become of a text."""

    sourcetype: str
    rule: str
    """Where the rule comes from; empty where none holds."""
    description: str
    counts: dict[str, int] = field(default_factory=dict)
    """Events, and how many of them are of several lines, masked, dropped, routed, and have their time from where."""
    events: list[TriedEvent] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the API and for programs."""
        return asdict(self)


def try_text(
    query: Callable[..., pa.Table],
    rules: Rules,
    content: bytes,
    *,
    sourcetype: str = "",
    source: str = "",
    host: str = "",
    index: str = "main",
    header: str = "",
    received: float | None = None,
    limit: int = SHOWN,
    route_problem: Callable[[str, str], str] = lambda _token, _index: "",
) -> Tried:
    """The first `limit` events of a text and counts over all. `query` is a store's. Raises EngineError."""
    rule = rules.find(sourcetype)
    targets = {route.index for route in rule.routes} if rule else set()
    problems = {("", target): problem for target in targets if (problem := route_problem("", target))}
    ruling = Ruling({sourcetype: rule} if rule else {}, True, problems)
    described = {"host": host, "source": source, "sourcetype": sourcetype, "header": header}
    body = json.dumps(described).encode() + b"\n" + content
    received_ms = int((time.time() if received is None else received) * 1000)
    with tempfile.TemporaryDirectory(prefix="sightline-try-") as folder:
        path = Path(folder) / "try.seg"
        path.write_bytes(encode_frame(body, index=index, received_ms=received_ms) + body)
        judged = ruling.judged(decoding.select_statement(KIND, path, ruling))
        settings = decoding.settings(KIND)
        counts = query(f"SELECT {_COUNTS} FROM ({judged})", settings=settings).to_pylist()[0]
        refusals = query(f"SELECT refusal, count() AS n FROM ({judged}) GROUP BY refusal", settings=settings).to_pylist()
        rows = query(
            f"SELECT {_SHOWN_COLUMNS} FROM ({judged}) ORDER BY number LIMIT {max(0, int(limit))}", settings=settings
        ).to_pylist()
    refused = {row["refusal"]: row["n"] for row in refusals if row["refusal"]}
    return Tried(
        sourcetype,
        rule.origin if rule else "",
        rule.description if rule else "",
        counts | {"refused": sum(refused.values())},
        [_event(row) for row in rows],
        _warnings(content, rule, counts, refused),
    )


_COUNTS = (
    "count() AS events, countIf(position(_raw, '\\n') > 0) AS several_lines, countIf(_raw != sent) AS masked,"
    " countIf(refusal = '' AND target != index) AS routed, countIf(time_from = 'text') AS time_in_text,"
    " countIf(time_from = 'event before') AS time_of_event_before, countIf(time_from = 'received') AS time_received,"
    " countIf(fields = '{}') AS without_fields, max(countSubstrings(sent, '\\n')) + 1 AS most_lines,"
    " max(lengthUTF8(sent)) AS most_characters"
)
_SHOWN_COLUMNS = (
    "toString(_time) AS time, time_from, if(time_from = 'text', place, '') AS time_text, new_host AS host,"
    " new_source AS source, new_sourcetype AS sourcetype, target AS index, severity, _raw AS raw,"
    f" toString(CAST(fields AS {JSON_TYPE})) AS fields, if(_raw = sent, '', sent) AS masked_from, refusal"
)


def _event(row: dict[str, Any]) -> TriedEvent:
    stamp = datetime.fromisoformat(row.pop("time")).isoformat(timespec="microseconds") + "Z"
    place = row.pop("time_text")
    return TriedEvent(time=stamp, time_text=place[:80], fields=json.loads(row.pop("fields")), **row)


def _warnings(content: bytes, rule: Any, counts: dict[str, int], refused: dict[str, int]) -> list[str]:
    found = []
    events = counts["events"]
    if not events:
        return ["there is no event in the text"]
    without_time = counts["time_received"] + counts["time_of_event_before"]
    if counts["time_received"] and not (rule and rule.timing.received):
        found.append(f"{counts['time_received']:,} of {events:,} events have no time: they get that of being received")
    if counts["time_of_event_before"]:
        found.append(
            f"{counts['time_of_event_before']:,} of {events:,} events have no time: they get that of the event before"
        )
    if rule and rule.timing.formats and without_time == events:
        formats = ", ".join(f'"{each.text}"' for each in rule.timing.formats)
        found.append(f"the format {formats} fits no event")
    max_lines, max_characters = (
        (rule.breaking.max_lines, rule.breaking.max_characters) if rule else (MAX_LINES, MAX_CHARACTERS)
    )
    if counts["most_lines"] >= max_lines > 1:
        found.append(f"an event has {max_lines:,} lines, the most there may be (max_lines): longer ones make several events")
    if counts["most_characters"] >= max_characters:
        found.append(
            f"an event has {max_characters:,} characters, the most there may be (max_characters):"
            " longer ones make several events"
        )
    if rule and rule.masks and not counts["masked"]:
        found.append("no mask fits any event")
    for drop in rule.drops if rule else ():
        if not any(f'"{drop.name}"' in reason for reason in refused):
            found.append(f'the rule "{drop.name}" of drop fits no event that no rule before it fits')
    if rule and rule.routes and not counts["routed"]:
        found.append("no rule of route fits any event that is stored")
    if not (rule and rule.charset):
        try:
            content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            found.append(f"line {line:,} is not UTF-8; charset says how it is written")
    return found
