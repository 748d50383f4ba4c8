"""Splits a search text into stages and subsearches. What a stage's arguments mean is its command's business."""

from __future__ import annotations

import re

from sightline.errors import LanguageError, SearchError, Span
from sightline.search.syntax.source import Source
from sightline.search.syntax.tokens import closing_quote, read_string, template_end
from sightline.search.syntax.tree import Pipeline, Stage

SUBSEARCH_DEPTH_LIMIT = 8
"""Nesting of brackets (Splunk's own limit); deeper is a mistake or an attack on the stack."""
TEXT_LIMIT = 500_000
"""Characters of one search as typed; the longest of 23,000 published ones has 29,890."""

_COMMAND = re.compile(r"[A-Za-z_][\w.\-]*")


def parse_pipeline(source: Source) -> Pipeline:
    """The pipeline of a whole search text. Raises SearchError with a span of the typed text."""
    try:
        if len(source.text) > TEXT_LIMIT * 2:
            raise SearchError(f"the search is longer than {TEXT_LIMIT:,} characters")
        pipeline, end = _pipeline(source.text, 0, 0)
        if end < len(source.text):
            raise LanguageError('"]" closes no bracket', Span(end, end + 1))
        return pipeline
    except SearchError as error:
        if error.span is not None:
            error.span = source.original(error.span)
        raise


def _pipeline(text: str, start: int, depth: int) -> tuple[Pipeline, int]:
    """The pipeline from `start` up to an unmatched closing bracket or the end of the text, and the offset of that."""
    if depth > SUBSEARCH_DEPTH_LIMIT:
        raise SearchError(f"subsearches nest deeper than {SUBSEARCH_DEPTH_LIMIT}", Span(start, start + 1))
    stages: list[Stage] = []
    leading_pipe, first, i = False, True, start
    while True:
        begin = i
        subsearches: dict[int, tuple[Pipeline, int]] = {}
        while i < len(text) and text[i] not in "|]":
            c = text[i]
            if c == '"':
                _, i = read_string(text, i)
            elif c == "'" and (i == begin or not (text[i - 1].isalnum() or text[i - 1] == "\\")):
                closing = closing_quote(text, i, stage_end(text, i))
                i = closing + 1 if closing > 0 else i + 1
            elif c == "\\" and i + 1 < len(text):
                i += 2
            elif c == "$":
                # A filter of a template, `$token|s$`, is no pipe.
                i = max(template_end(text, i), i + 1)
            elif c == "[":
                inner, closing = _pipeline(text, i + 1, depth + 1)
                if closing >= len(text):
                    raise LanguageError('a bracket is not closed: wanted "]"', Span(i, i + 1))
                subsearches[i] = (inner, closing + 1)
                i = closing + 1
            else:
                i += 1
        stage = _stage(text, begin, i, first, subsearches, bracketed=depth > 0)
        if stage is not None:
            stages.append(stage)
            first = False
        elif first and i < len(text) and text[i] == "|":
            leading_pipe = True
            first = False
        if i >= len(text) or text[i] == "]":
            return Pipeline(tuple(stages), Span(start, i), leading_pipe), i
        i += 1


def stage_end(text: str, start: int) -> int:
    """Where a single-quoted name must have ended: the end of its line or the next pipe."""
    end = len(text)
    for stop in ("\n", "|"):
        found = text.find(stop, start)
        if found >= 0:
            end = min(end, found)
    return end


def _stage(
    text: str, begin: int, end: int, first: bool, subsearches: dict[int, tuple[Pipeline, int]], bracketed: bool
) -> Stage | None:
    while begin < end and text[begin].isspace():
        begin += 1
    while end > begin and text[end - 1].isspace():
        end -= 1
    if begin == end or (text[begin:end] == '""' and not first):
        # A macro that stands for nothing is often an empty string.
        return None
    match = _COMMAND.match(text, begin, end)
    name_end = match.end() if match else begin
    if match and text.startswith("sort", begin) and text[begin + 4 : begin + 5] in ("+", "-"):
        # The sign is the first field's: `sort- count`.
        return Stage("sort", Span(begin, begin + 4), Span(begin + 4, end), subsearches, text)
    # A path may follow without a space, as in `| rest/services/server/info`.
    followed = name_end >= end or text[name_end].isspace() or text[name_end] in '["(' or text.startswith("rest/", begin)
    # In brackets the first word is a command (`[stats count]`, `[eval <<FIELD>>=1]`) unless it is the left side of a
    # comparison.
    named = match and followed and (bracketed or match.group().lower() == "search")
    if first and (not named or re.match(r"\s*((?!<<\w+>>)[=<>!]|(?i:in)\s*\()", text[name_end:end])):
        return Stage("search", Span(begin, begin), Span(begin, end), subsearches, text)
    if not match or not followed:
        word = re.match(r"\S+", text[begin:end])
        shown = word.group() if word else text[begin:end]
        raise LanguageError(f'a command is expected after a pipe, got "{shown}"', Span(begin, begin + len(shown)))
    return Stage(match.group().lower(), Span(begin, name_end), Span(name_end, end), subsearches, text)
