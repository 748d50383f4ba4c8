"""What is wrong with a search by its text alone: it is planned over events that are only supposed to be there.

Enters a pipeline and a context; leaves the error that it meets whatever is stored, or None. Nothing is read, run or written,
because the context has stand-ins for everything around the search. A stage that asks one of them what no text tells, such as
the columns of a lookup, is passed over.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sightline.errors import SearchError
from sightline.search.context import Context, Knowledge, NotKnown
from sightline.search.planner.relation import Names
from sightline.search.syntax.tree import Pipeline

_TEXT, _NUMBER, _LIST = (frozenset((type,)) for type in ("String", "Int64", "Array(Nullable(String))"))
MOST_WORDS = 200
"""Fields that are supposed: every one makes the plan larger."""
_WORD = re.compile(r"[A-Za-z_][\w.{}]*")
_INDEX = re.compile(r"\bindex\s*=\s*\"?([\w.\-]+)")
_GIVEN = re.compile(r",? got .*", re.S)
"""The part of a message that tells what was met, which depends on what a field is supposed to hold."""


def fault_of(pipeline: Pipeline, context: Context) -> SearchError | None:
    """The error that a pipeline meets whatever fields there are; None where there is none, or none for sure."""
    found: SearchError | None = None
    for paths in _suppositions(context.search_text):
        error = _met(pipeline, context, paths)
        if error is None or _wants_truth(error, context.search_text) or (found is not None and _told(error) != _told(found)):
            return None
        if found is not None and error.message != found.message:
            error = found.with_message(_GIVEN.sub("", found.message))
        found = error
    return found


def _suppositions(text: str) -> Iterator[Mapping[str, frozenset[str]]]:
    """What the words of a text may be as fields of all events: an error that comes with some of it only may never be met.

    Of any two fields, there is a time when one has several values and the other one has not.
    """
    words = list(dict.fromkeys(_WORD.findall(text)))[:MOST_WORDS]
    for same in (_TEXT, _NUMBER, _LIST):
        yield dict.fromkeys(words, same)
    for digit in range(len(words).bit_length()):
        yield {word: _LIST if number >> digit & 1 else _TEXT for number, word in enumerate(words)}


def _met(pipeline: Pipeline, context: Context, paths: Mapping[str, frozenset[str]]) -> SearchError | None:
    supposed = dataclasses.replace(
        context, store=_Store(paths), knowledge=_Knowledge(context.knowledge, context.search_text),
        models=_Unknown(), jobs=_Unknown(), surroundings=_Unknown(), dry=True, rules=False,
        names=Names(), messages=[], steps=[], tables={},
    )  # fmt: skip
    assert context.run_pipeline is not None
    try:
        context.run_pipeline(pipeline, supposed, None)
    except SearchError as error:
        return error
    except RecursionError:
        return None  # How deep a text may nest depends on who asks; the run tells.
    return None


def _wants_truth(error: SearchError, text: str) -> bool:
    """Whether a field stands where a condition is wanted: some tables have truth values, which events never have."""
    place = error.span
    return place is not None and "wants a condition" in error.message and bool(_WORD.fullmatch(text, place.start, place.end))


def _told(error: SearchError) -> tuple[Any, str]:
    return error.span, _GIVEN.sub("", error.message)


class _Unknown:
    """A part of the program that a search may ask and that no text tells anything of."""

    def __getattr__(self, name: str) -> Any:
        raise NotKnown(name)


class _Store(_Unknown):
    """A store whose events have these fields, with values of these types."""

    def __init__(self, paths: Mapping[str, frozenset[str]]) -> None:
        self._paths = paths

    def json_paths(self, table: str, indexes: Sequence[str] | None = None) -> Mapping[str, frozenset[str]]:
        return self._paths

    def sourcetypes(self, indexes: Sequence[str]) -> None:
        return None

    def table_function(self, key: str) -> str:
        return key


class _Knowledge(_Unknown):
    """Indexes: those that there are, and those that the search names. What is configured for events is left out, for it
    changes what they hold and not what a search may say."""

    def __init__(self, known: Knowledge, text: str) -> None:
        self._known = known
        self._named = dict.fromkeys(_INDEX.findall(text), "event")

    def indexes(self) -> dict[str, str]:
        return self._named | self._known.indexes()

    def default_indexes(self, user: str) -> list[str]:
        return self._known.default_indexes(user)

    def index_datatype(self, name: str) -> str:
        if name not in self._known.indexes():
            raise NotKnown(name)
        return self._known.indexes()[name]

    def stanzas(self, kind: str) -> Mapping[str, Mapping[str, str]]:
        if kind in ("transforms", "collections"):
            raise NotKnown(kind)
        return {}

    def stanzas_version(self) -> int:
        return 0
