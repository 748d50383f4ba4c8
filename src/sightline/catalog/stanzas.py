"""Settings under names, in the shape of Splunk's configuration files: props, transforms, event types, tags, collections.

Every app has stanzas of its own; a search sees them merged, setting by setting. What is checked here is the shape, so that
nothing is kept that could not be read back; what an expression or a pattern in a setting means is for the search to check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import unquote

from sqlalchemy import delete, select

from sightline.catalog.conf import DEFAULT_STANZA, Stanzas, merge_conf, with_defaults
from sightline.catalog.database import SessionFactory
from sightline.catalog.models import Fact, Stanza
from sightline.clock import Clock
from sightline.errors import NotFound, UserError, nearest

OWN_APP = "search"
"""The app of what people define here; its settings win over those of apps that were imported."""
TRUE_WORDS = frozenset(("1", "t", "true", "y", "yes", "enabled"))
FALSE_WORDS = frozenset(("0", "f", "false", "n", "no", "disabled"))
FIELD_TYPES = ("string", "number", "bool", "time", "cidr", "array")
MAX_SETTING_CHARACTERS = 100_000

_VERSION = "stanzas.version"


class StanzaStore:
    """The stanzas of one kind. Every change raises the version that all kinds share."""

    def __init__(self, sessions: SessionFactory, clock: Clock, kind: str) -> None:
        self.kind = kind
        self._sessions = sessions
        self._clock = clock

    def list(self, app: str | None = None) -> list[Stanza]:
        """Every stanza, or those of one app, by app and name."""
        wanted = select(Stanza).where(Stanza.kind == self.kind).order_by(Stanza.app, Stanza.name)
        with self._sessions() as session:
            return list(session.scalars(wanted if app is None else wanted.where(Stanza.app == app)))

    def get(self, name: str, app: str = OWN_APP) -> Stanza:
        """The stanza of this name as an app has it. Raises NotFound."""
        with self._sessions() as session:
            return self._require(session, name, app)

    def put(self, name: str, settings: Mapping[str, str], *, app: str = OWN_APP, owner: str = "admin") -> Stanza:
        """Keeps a stanza, in place of what the app had under this name. Raises UserError for a shape that is none."""
        (stanza,) = self.put_all({name: settings}, app=app, owner=owner)
        return stanza

    def put_all(self, stanzas: Mapping[str, Mapping[str, str]], *, app: str = OWN_APP, owner: str = "admin") -> list[Stanza]:
        """Keeps several stanzas, all or none."""
        rows = []
        for name, settings in stanzas.items():
            check_shape(self.kind, name, settings)
            now = self._clock()
            rows.append(Stanza(kind=self.kind, app=app, name=name, settings=dict(settings), owner=owner, updated=now))
        with self._sessions.begin() as session:
            for row in rows:
                session.execute(delete(Stanza).where(Stanza.kind == self.kind, Stanza.app == app, Stanza.name == row.name))
            session.add_all(rows)
            _raise_version(session)
        return rows

    def delete(self, name: str, app: str = OWN_APP) -> None:
        """Removes a stanza. Raises NotFound."""
        with self._sessions.begin() as session:
            session.delete(self._require(session, name, app))
            _raise_version(session)

    def merged(self) -> Stanzas:
        """Each stanza as a search sees it: apps in the order of their names, then what was defined here; none disabled.

        An app's `[default]` holds for the stanzas of that app; that of props holds for every event, and stays.
        """
        layers: dict[str, Stanzas] = {}
        for row in self.list():
            layers.setdefault(row.app, {})[row.name] = row.settings
        ordered = sorted(layers, key=lambda app: (app == OWN_APP, app))
        return effective(self.kind, [layers[app] for app in ordered])

    def _require(self, session, name: str, app: str) -> Stanza:
        query = select(Stanza).where(Stanza.kind == self.kind, Stanza.app == app, Stanza.name == name)
        found = session.scalar(query)
        if found is None:
            names = session.scalars(select(Stanza.name).where(Stanza.kind == self.kind, Stanza.app == app))
            raise NotFound(f'no stanza "{name}" in {self.kind}', hint=nearest(name, list(names)))
        return found


def effective(kind: str, layers: Iterable[Mapping[str, Mapping[str, str]]]) -> Stanzas:
    """The enabled stanzas of several files of one kind, of which later ones win, with their defaults filled in."""
    merged = merge_conf(layer if kind == "props" else with_defaults(layer) for layer in layers)
    return {name: settings for name, settings in merged.items() if not is_true(settings.get("disabled", "0"))}


def stanzas_version(sessions: SessionFactory) -> int:
    """A number that every change of a stanza raises, also a change made by another process."""
    with sessions() as session:
        found = session.get(Fact, _VERSION)
        return int(found.value) if found else 0


def _raise_version(session) -> None:
    found = session.get(Fact, _VERSION)
    if found is None:
        session.add(Fact(name=_VERSION, value="1"))
    else:
        found.value = str(int(found.value) + 1)


def is_true(text: str) -> bool:
    """Whether a setting's text means yes."""
    return text.strip().lower() in TRUE_WORDS


def tagged_pair(stanza: str) -> tuple[str, str]:
    """Field and value of a tags stanza's name (`host=web%201`)."""
    name, _, value = stanza.partition("=")
    return unquote(name.strip()), unquote(value.strip())


# ---- shapes ----------------------------------------------------------------------------------------------------------


def collection_of(name: str, settings: Mapping[str, str]) -> str:
    """The collection that a stanza of transforms makes a lookup of; an empty string where it makes none.

    A definition that names none is called as its collection is.
    """
    is_collection = settings.get("external_type", "").strip().lower() == "kvstore"
    return settings.get("collection", "").strip() or (name if is_collection else "")


def check_shape(kind: str, name: str, settings: Mapping[str, str]) -> None:
    """Raises UserError unless the stanza's name and settings have the shape that this kind wants."""
    if kind not in SHAPES:
        raise UserError(f'unknown kind of stanza "{kind}", wanted one of: {", ".join(SHAPES)}')
    if not name.strip() or name != name.strip() or len(name) > 500 or "\n" in name:
        raise UserError(f'a stanza of {kind} wants a name of one line and 1 to 500 characters, got "{name[:60]}"')
    for key, value in settings.items():
        if not isinstance(key, str) or not key.strip() or "\n" in key or "=" in key:
            raise UserError(f'[{name}]: a setting wants a name of one line without "=", got "{str(key)[:60]}"')
        if not isinstance(value, str) or len(value) > MAX_SETTING_CHARACTERS:
            raise UserError(f"[{name}]: {key} wants text of at most {MAX_SETTING_CHARACTERS:,} characters")
    if "disabled" in settings:
        _check_bool(name, "disabled", settings["disabled"])
    if name != DEFAULT_STANZA:
        SHAPES[kind](name, settings)


def _check_bool(stanza: str, key: str, value: str) -> None:
    if value.strip().lower() not in TRUE_WORDS | FALSE_WORDS:
        raise UserError(f'[{stanza}]: {key} wants true or false, got "{value}"')


def _check_number(stanza: str, key: str, value: str, minimum: int) -> None:
    if not re.fullmatch(r"-?\d+", value.strip()) or int(value) < minimum:
        raise UserError(f'[{stanza}]: {key} wants a whole number of {minimum} or more, got "{value}"')


def _check_props(name: str, settings: Mapping[str, str]) -> None:
    if name.startswith(("source::", "host::")) and not name.partition("::")[2]:
        raise UserError(f'[{name}]: a pattern is wanted after "::"')
    if "priority" in settings:
        _check_number(name, "priority", settings["priority"], 0)
    for key, value in settings.items():
        prefix, dash, rest = key.partition("-")
        if prefix in ("EXTRACT", "REPORT", "EVAL", "LOOKUP", "FIELDALIAS"):
            if not dash or not rest:
                raise UserError(f'[{name}]: {prefix} wants a name after "-", got "{key}"')
            if not value.strip():
                raise UserError(f"[{name}]: {key} is empty")


def _check_transforms(name: str, settings: Mapping[str, str]) -> None:
    for key, minimum in (("max_matches", 1), ("min_matches", 0), ("max_offset_secs", 0), ("min_offset_secs", 0)):
        if key in settings:
            _check_number(name, key, settings[key], minimum)
    for key in (
        "case_sensitive_match",
        "reverse_lookup_honor_case_sensitive_match",
        "MV_ADD",
        "CLEAN_KEYS",
        "KEEP_EMPTY_VALS",
    ):
        if key in settings:
            _check_bool(name, key, settings[key])


def _check_event_types(name: str, settings: Mapping[str, str]) -> None:
    if not settings.get("search", "").strip():
        raise UserError(f"[{name}]: an event type wants a search, got an empty one")
    if "priority" in settings:
        _check_number(name, "priority", settings["priority"], 0)


def _check_tags(name: str, settings: Mapping[str, str]) -> None:
    if not all(tagged_pair(name)):
        raise UserError(f'[{name}]: tags want a stanza [field=value], got "{name}"')
    for key, value in settings.items():
        if value.strip().lower() not in TRUE_WORDS | FALSE_WORDS:
            raise UserError(f'[{name}]: tag "{key}" wants enabled or disabled, got "{value}"')


def _check_collections(name: str, settings: Mapping[str, str]) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}", name):
        raise UserError(f'a collection name wants letters, digits and _ . -, got "{name}"')
    for key, value in settings.items():
        if key.startswith("field.") and value.strip().lower() not in FIELD_TYPES:
            raise UserError(f'[{name}]: {key} wants one of {", ".join(FIELD_TYPES)}, got "{value}"')
    if "enforceTypes" in settings:
        _check_bool(name, "enforceTypes", settings["enforceTypes"])


SHAPES: dict[str, Callable[[str, Mapping[str, str]], None]] = {
    "props": _check_props,
    "transforms": _check_transforms,
    "eventtypes": _check_event_types,
    "tags": _check_tags,
    "collections": _check_collections,
}
"""The kinds of stanzas, each with what checks its shape; the names are those of the configuration files."""
