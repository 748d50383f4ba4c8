"""Checks what people configure for searches before it is kept: patterns compile, expressions and conditions can be read.

Enters a stanza of props, transforms, eventtypes, tags or collections, or a macro; raises UserError that names the stanza and
the setting. The catalog has checked the shape by itself; here is what needs the language.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping

import pyarrow as pa

from sightline.catalog.knowledge import MacroText
from sightline.catalog.stanzas import check_shape
from sightline.errors import SearchError, UserError
from sightline.search.context import Context
from sightline.search.engine import SearchEngine
from sightline.search.planner import extractions
from sightline.search.planner.event_types import EventTypes
from sightline.search.planner.knowledge import read_aliases, read_lookup
from sightline.search.planner.lookups import definition_of, match_kinds
from sightline.search.planner.lower import lower_expression
from sightline.search.planner.values import Type
from sightline.search.syntax.expressions import read_expression

KV_MODES = ("auto", "auto_escaped", "json", "multi", "none", "xml")


def check_stanza(kind: str, name: str, settings: Mapping[str, str], engine: SearchEngine) -> None:
    """Refuse a stanza whose shape is wrong, or that a search could not use."""
    check_shape(kind, name, settings)
    check = _CHECKS.get(kind)
    if check is not None:
        check(name, settings, dataclasses.replace(engine.context(), dry=True))


def check_macro(name: str, macro: MacroText) -> None:
    """Refuse a macro whose validation, or computed definition, is no expression whatever its arguments are."""
    values = dict.fromkeys(macro.arguments, "1")

    def filled(text: str) -> str:
        return re.sub(r"\$([\w-]+)\$", lambda m: values.get(m.group(1), m.group(0)), text)

    for what, text in (("validation", macro.validation), ("definition", macro.definition if macro.iseval else "")):
        if text.strip():
            with _Setting(f'macro "{name}"', what):
                read_expression(filled(text))


class _Setting:
    """Errors raised inside name the stanza and the setting, and have no place in a search."""

    def __init__(self, stanza: str, key: str) -> None:
        self._place = f"{stanza}: {key}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, SearchError):
            raise UserError(f"{self._place}: {error.message}", hint=error.hint) from None


def _check_props(name: str, settings: Mapping[str, str], context: Context) -> None:
    transforms = context.knowledge.stanzas("transforms")
    events = dataclasses.replace(context.relation_of(pa.table({"_raw": pa.array([], pa.string())})), kind="events")
    for key, text in settings.items():
        prefix = key.partition("-")[0]
        with _Setting(f"[{name}]", key):
            if prefix == "EXTRACT":
                extractions.read_extract(text)
            elif prefix == "REPORT":
                for transform in re.split(r"\s*,\s*", text.strip(" ,")):
                    if transform not in transforms:
                        raise SearchError(f"there is no transform [{transform}]")
                    extractions.read_transform(transform, transforms[transform])
            elif prefix == "FIELDALIAS":
                read_aliases(text)
            elif prefix == "EVAL":
                value = lower_expression(read_expression(text), events, context)
                if value.type is Type.BOOL:
                    raise SearchError("a condition cannot be a field")
            elif prefix == "LOOKUP":
                use = read_lookup(text)
                definition = definition_of(use.name, context)
                for field, _ in (*use.keys, *(use.outputs or ())):
                    definition.check_field(field)
            elif key == "KV_MODE" and text.strip().lower().partition(":")[0] not in KV_MODES:
                raise SearchError(f'wanted one of {", ".join(KV_MODES)}, got "{text}"')


def _check_transforms(name: str, settings: Mapping[str, str], context: Context) -> None:
    if "REGEX" in settings or "DELIMS" in settings:
        with _Setting(f"[{name}]", "REGEX" if "REGEX" in settings else "DELIMS"):
            extractions.read_transform(name, settings)
    if "match_type" in settings:
        with _Setting(f"[{name}]", "match_type"):
            match_kinds(settings["match_type"])
    if settings.get("filter", "").strip():
        with _Setting(f"[{name}]", "filter"):
            read_expression(settings["filter"])


def _check_event_types(name: str, settings: Mapping[str, str], context: Context) -> None:
    try:
        EventTypes(context, {name: settings}).predicate(name)
    except SearchError as error:
        raise UserError(error.message, hint=error.hint) from None


_CHECKS: dict[str, Callable[[str, Mapping[str, str], Context], None]] = {
    "props": _check_props,
    "transforms": _check_transforms,
    "eventtypes": _check_event_types,
}
