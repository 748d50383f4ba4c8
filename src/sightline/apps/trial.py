"""Tries one search: reads and plans it with the real parser and planner, as far as the engine's own SQL, and reads no row.

What a search names and is not there (a macro, a lookup, a saved search, a model, an index to write to) is replaced by a
stand-in, so that the rest is tried too and the search can be said to need just that. Every word of a search is taken to be a
field that some event has, because without data nothing else is known about fields.
"""

from __future__ import annotations

import contextlib
import re
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import pyarrow as pa

from sightline.apps import tokens
from sightline.apps.contents import Search
from sightline.apps.differences import bound_of_run, differences_of
from sightline.apps.holes import Hole, fillings
from sightline.catalog.conf import Stanzas, merge_conf
from sightline.catalog.knowledge import MacroText, SavedText, macro_of_stanza
from sightline.catalog.stanzas import check_shape
from sightline.errors import LanguageError, SearchError, SightlineError, UserError
from sightline.search import registry
from sightline.search.context import SPLUNK_REFUSES
from sightline.search.engine import SearchEngine
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.source import Macros, read_source
from sightline.search.syntax.tree import Pipeline, Stage

RUNS, NEEDS, UNKNOWN, REFUSED = "runs", "needs", "unknown_command", "refused"
STATES = (RUNS, NEEDS, UNKNOWN, REFUSED)
REFUSED_AS_WELL = "Splunk refuses this as well: "
"""Begins the reason where a search breaks a documented rule of the language."""
TRY_LIMIT_S = 20
"""Processor time for one search; the slowest of 13,000 published ones takes three seconds."""
MAX_WORDS = 100
"""Fields that a trial supposes."""
MAX_COMPUTED_FIELDS = 100
"""Computed fields of a trial's answer, of which the engine takes some milliseconds for each."""
MAX_READ_FIELDS = 20
"""Fields of a trial's answer that are only read; every one makes the engine's work longer."""

_MARK = re.compile(r"sightlinehole(\d+)x")
_CALL = re.compile(r"```.*?```|`([^`]*)`", re.S)
_CHOSEN_MACRO = re.compile(r"([^(]*\$[A-Za-z_][\w.:-]*\$[^(]*)(\(.*\))?", re.S)
"""What stands between back-ticks where a dashboard token gives the macro's name, or a part of it."""
_WORD = re.compile(r"[A-Za-z_][\w.:{}@-]*")
_LOOKUP = re.compile(r"\blookup\s[^|\]]*")
"""The stages that name a table's fields, also such as are words of the language elsewhere."""
_LOOKED_UP = re.compile(r"(?!(?i:as|output|outputnew)\b)[A-Za-z_][\w.:{}@-]*")
_STORED = frozenset(("index", "_time", "_indextime", "_raw", "host", "source", "sourcetype", "_value", "metric_name"))
_NO_FIELDS = frozenset(("AND", "OR", "NOT", "BY", "by", "AS", "as", "IN", "in", "LIKE", "OUTPUT", "OUTPUTNEW", "WHERE"))
_AFTER_MODEL = frozenset(("where", "by", "groupby", "search", "flat", "acceleration_search", "strict_fields", "in", "as"))
_NO_FIELD = re.compile(r'(?P<where>(?:.*: )?)lookup "(?P<table>[^"]+)" has no field "(?P<field>[^"]+)"; fields: ')
"""How the error of a lookup reads that lacks a field."""
_SCRIPTED = " as a table, for its script is not run"
_ABSENT = re.compile(
    r'(?P<kind>model) "(?P<name>[^"]+)" (?:does not exist|is not there)|there is no (?P<other>model|transforms stanza|namespace) "(?P<its>[^"]+)"'
)
"""How the errors of commands read that name something which has no stand-in."""


@dataclass
class Verdict:
    """What became of one search. `commands` are those it names, in order, each once."""

    name: str
    state: str
    reasons: list[str]
    app: str = ""
    kind: str = ""
    file: str = ""
    commands: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    """Indexes that it reads and that are not there."""
    faulty: bool = False
    """Whether it is refused for a fault of its own, which Splunk refuses as well."""


@dataclass
class AppKnowledge:
    """What an app brings to the searches of all apps: macros, lookups, saved searches; as plain values, fit to be sent."""

    name: str
    macros: dict[tuple[str, int], MacroText] = field(default_factory=dict)
    searches: dict[str, str] = field(default_factory=dict)
    lookups: dict[str, list[str]] = field(default_factory=dict)
    """Each table's columns."""
    props: Stanzas = field(default_factory=dict)
    """Extractions, which hold for the searches of this app only."""


class TrialKnowledge:
    """The catalog's knowledge with the apps' objects before it, and stand-ins for what neither has."""

    def __init__(self, base: Any, apps: Sequence[AppKnowledge]) -> None:
        self._base = base
        self._apps = {app.name: app for app in apps}
        self._order: list[AppKnowledge] = list(apps)
        self._words: list[str] = []
        self._text = ""
        self.missing: dict[str, None] = {}
        """What was asked for and is not there, in words (`macro x`)."""
        self.marks: list[str] = []
        """Names of the macros that marks stand for."""
        self._indexes = base.indexes()
        self._stanzas: dict[tuple[str, str], Stanzas] = {}
        self._own = ""
        self._asked: dict[str, list[str]] = {}
        """Fields of tables that are not there, which are asked for elsewhere than in the search itself."""
        self.macros_of_texts: Macros | None = None
        self._scripted: set[str] = set()
        """Lookups that run a script; a table of the same name would do."""

    def begin(self, app: str, text: str) -> None:
        """Prepares for a search of an app, whose objects win over those of others."""
        own, self._own = self._apps.get(app), app
        self._order = [a for a in self._apps.values() if a is own] + [a for a in self._apps.values() if a is not own]
        self.missing, self.marks, self._asked = {}, [], {}
        self.use(text)

    def use(self, text: str) -> None:
        """Sets the words that stand-ins have as fields."""
        self._text = text
        self._words = words_of(text)

    @property
    def words(self) -> list[str]:
        """Field names that the search mentions."""
        return self._words

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)

    def indexes(self) -> dict[str, str]:
        """Every defined index; nobody changes them during a trial."""
        return self._indexes

    def stanzas(self, kind: str) -> Stanzas:
        """The stanzas of a kind; nobody changes them during a trial."""
        key = (kind, self._own if kind == "props" else "")
        if key not in self._stanzas:
            found = self._base.stanzas(kind)
            if kind == "props" and self._own in self._apps:
                found = merge_conf([found, self._apps[self._own].props])
            if kind == "transforms":
                self._scripted = {name for name, settings in found.items() if settings.get("external_cmd")}
                found = {name: settings for name, settings in found.items() if name not in self._scripted}
            self._stanzas[key] = found
        return self._stanzas[key]

    def stanzas_version(self) -> int:
        """A number for each app, whose searches see extractions of their own."""
        return list(self._apps).index(self._own) + 1 if self._own in self._apps else 0

    def macro(self, name: str, argument_count: int) -> Any:
        """A macro, or a mark that stands for one that is not there."""
        for app in self._order:
            if (name, argument_count) in app.macros:
                return app.macros[name, argument_count]
        found = self._base.macro(name, argument_count)
        if found is None:
            shown = f"macro {name}" + (f"({argument_count})" if argument_count else "")
            self.missing[shown] = None
            self.marks.append(shown)
            return MacroText(f"sightlinehole{len(self.marks) - 1}x")
        return found

    def without_chosen_macros(self, text: str) -> str:
        """The text with a mark for each call of a macro whose name a dashboard token gives: which one is not known here."""

        def marked(call: re.Match[str]) -> str:
            match = _CHOSEN_MACRO.fullmatch(call.group(1) or "")
            if match is None:
                return call.group()
            self.missing[f"a macro that a dashboard token names, {match.group(1)}"] = None
            self.marks.append(match.group(1))
            return f"sightlinehole{len(self.marks) - 1}x"

        return _CALL.sub(marked, text)

    def macro_argument_counts(self, name: str) -> list[int]:
        """The numbers of arguments for which this name is a macro."""
        counts = {count for app in self._order for known, count in app.macros if known == name}
        return sorted(counts.union(self._base.macro_argument_counts(name)))

    def macros(self) -> list[str]:
        """Names of all macros."""
        return sorted({name for app in self._order for name, _ in app.macros}.union(self._base.macros()))

    def lookup(self, name: str) -> pa.Table | None:
        """A lookup without rows."""
        for app in self._order:
            columns = app.lookups.get(name, app.lookups.get(f"{name}.csv"))
            if columns is not None:
                return _empty(columns)
        try:
            found = self._base.lookup(name)
        except UserError:
            found = None  # A definition may have a name that no file can have.
        if found is None:
            self.missing[f"lookup {name}" + (_SCRIPTED if name in self._scripted else "")] = None
            named = _LOOKED_UP.findall(" ".join(_LOOKUP.findall(self._text)))
            asked = self._asked.get(name.removesuffix(".csv"), [])
            return _empty(list(dict.fromkeys([*self._words, *named, *self._fields_of_definitions(name), *asked])))
        return found.slice(0, 0)

    def suppose(self, error: UserError) -> bool:
        """Whether the error is that a table which is not there lacks a field, and the table is now supposed to have it."""
        match = _NO_FIELD.match(str(error))
        if match is None or not self.lacks_table(match.group("table")) or not _LOOKED_UP.fullmatch(match.group("field")):
            return False
        asked = self._asked.setdefault(self._file_of(match.group("table")), [])
        if match.group("field") in asked:
            return False
        asked.append(match.group("field"))
        return True

    def lacks_table(self, name: str) -> bool:
        """Whether the table of a lookup was asked for and is not there."""
        told = f"lookup {self._file_of(name)}"
        return any(thing.removesuffix(_SCRIPTED).removesuffix(".csv") == told for thing in self.missing)

    def _file_of(self, name: str) -> str:
        """The name of a lookup's table, without its ending."""
        return self.stanzas("transforms").get(name, {}).get("filename", name).removesuffix(".csv")

    def csv_file(self, name: str) -> pa.Table | None:
        """A file that a search wrote, without rows."""
        found = self._base.csv_file(name)
        if found is None:
            self.missing[f"file {name}"] = None
            return _empty(self._words)
        return found.slice(0, 0)

    def _fields_of_definitions(self, table: str) -> list[str]:
        """The fields that lookup definitions over a table name."""
        found: list[str] = []
        for settings in self.stanzas("transforms").values():
            if settings.get("filename", "").removesuffix(".csv") == table.removesuffix(".csv"):
                found += [settings.get("time_field", ""), *settings.get("fields_list", "").replace(",", " ").split()]
        return found

    def lookups(self) -> list[str]:
        """Names of all lookups."""
        return sorted({name for app in self._order for name in app.lookups}.union(self._base.lookups()))

    def collection(self, name: str) -> pa.Table | None:
        """A collection without rows, with any field: which ones it will have is not declared."""
        found = self._base.collection(name)
        if found is None:
            self.missing[f"collection {name}"] = None
        known = [] if found is None else found.column_names
        return _empty(list(dict.fromkeys(["_key", *known, *self._words])))

    def saved_search(self, name: str) -> Any:
        """A saved search, or one of all events."""
        for app in self._order:
            if name in app.searches:
                # Its words may be fields as well, and its lookups have them.
                text = app.searches[name]
                with contextlib.suppress(UserError):
                    text = read_source(text, self.macros_of_texts).text
                self.use(f"{self._text}\n{text}")
                return SavedText(app.searches[name], "", "")
        found = self._base.saved_search(name)
        if found is None:
            self.missing[f"saved search {name}"] = None
            return SavedText("search *", "", "")
        return found

    def data_model(self, name: str) -> dict[str, Any] | None:
        """A data model, or one with the datasets and fields that the search names."""
        found = self._base.data_model(name)
        if found is None:
            self.missing[f"data model {name}"] = None
            return _supposed_model(name, self._text, self._words)
        return found

    def index_datatype(self, name: str) -> str | None:
        """What an index holds; one that a search writes to must be there."""
        found = self._indexes.get(name)
        if found is None and (match := re.search(r"\b(m?collect|meventcollect)\b", self._text)):
            self.missing[f"index {name}"] = None
            # A search may write events and metrics, each to an index of its own.
            metric = rf"\bm(event)?collect\b[^|]*\bindex\s*=\s*\"?{re.escape(name)}\b"
            return "event" if match.group(1) == "collect" and not re.search(metric, self._text) else "metric"
        return found


class TrialStore:
    """The store as a trial sees it: empty, and every word of the search is a field of text."""

    def __init__(self, store: Any, knowledge: TrialKnowledge) -> None:
        self._store = store
        self._knowledge = knowledge

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def json_paths(self, table: str, indexes: Sequence[str] | None = None) -> Mapping[str, frozenset[str]]:
        """The words of the search."""
        return {word: frozenset(("String",)) for word in self._knowledge.words if word not in _STORED}


class Trial:
    """Judges searches, one after the other. Not for use by several threads."""

    def __init__(self, store: Any, base: Any, models: Any, settings: Any, apps: Sequence[AppKnowledge]) -> None:
        self._knowledge = TrialKnowledge(base, apps)
        self._store = TrialStore(store, self._knowledge)
        self._engine = SearchEngine(self._store, self._knowledge, models, settings)
        self._knowledge.macros_of_texts = self._engine.macros

    def judge(self, search: Search) -> Verdict:
        """What becomes of a search here. Never raises for what the search holds."""
        verdict = Verdict(search.name, REFUSED, [], search.app, search.kind, search.file)
        try:
            with _time_limit(TRY_LIMIT_S):
                self._judge(search, verdict)
        except _TooSlow:
            verdict.state, verdict.reasons = REFUSED, [f"planning it takes longer than {TRY_LIMIT_S} s"]
        except registry.UnknownCommand as error:
            verdict.state, verdict.reasons = UNKNOWN, [_with_hint(error)]
        except LanguageError as error:
            verdict.state, verdict.faulty, verdict.reasons = REFUSED, True, [REFUSED_AS_WELL + _with_hint(error)]
        except UserError as error:
            verdict.state, verdict.reasons = REFUSED, [_with_hint(error)]
        except Exception as error:  # A bug of the planner is told as one; the searches after it are still tried.
            verdict.state, verdict.reasons = REFUSED, [f"a fault of the planner: {_first_line(error)}"]
        return verdict

    def _judge(self, search: Search, verdict: Verdict) -> None:
        knowledge = self._knowledge
        given = tokens.fill_known(search.text, search.tokens) if search.kind == "dashboard" else search.text
        knowledge.begin(search.app, given)
        text = read_source(knowledge.without_chosen_macros(given), self._engine.macros).text
        holes = [Hole(m.start(), m.end()) for m in _MARK.finditer(text)]
        stages = _stages_of(text)
        verdict.commands = [name for name in dict.fromkeys(s.name for s in stages) if not _MARK.fullmatch(name)]
        if self._names_no_command(verdict):
            return
        knowledge.use(text)
        unfilled = sorted([*holes, *_token_holes(text)], key=lambda hole: hole.start)
        trials: list[Iterable[tuple[str, bool]]] = [[(text, False)]] if not holes else []
        if unfilled:
            trials.append(fillings(text, unfilled))
        if search.kind == "dashboard" and given != search.text:
            # What a token holds at first may be nothing that fits; people choose something that does.
            trials.append(self._all_tokens_open(search))
        self._try_all(trials, verdict)
        if verdict.state in (RUNS, NEEDS):
            verdict.reasons = [f"needs {name}" for name in knowledge.missing] + verdict.reasons
            for bound in dict.fromkeys((search.earliest, search.latest)):
                bound_of_run(bound, verdict.reasons.append)

    def _names_no_command(self, verdict: Verdict) -> bool:
        """Whether it names commands that do not run here; then that is all there is to say."""
        known = registry.COMMANDS.keys()
        unknown = [n for n in verdict.commands if n not in known and n not in registry.REFUSALS and "$" not in n]
        refused = [n for n in verdict.commands if n not in known and n in registry.REFUSALS]
        if unknown:
            verdict.state = UNKNOWN
            verdict.reasons = [f'there is no command "{name}"' for name in unknown]
        elif refused:
            verdict.state = REFUSED
            verdict.reasons = [_with_hint(registry.REFUSALS[name].error(name)) for name in refused]
        return bool(unknown or refused)

    def _all_tokens_open(self, search: Search) -> Iterator[tuple[str, bool]]:
        text = read_source(self._knowledge.without_chosen_macros(search.text), self._engine.macros).text
        holes = sorted(
            [*_token_holes(text), *(Hole(m.start(), m.end()) for m in _MARK.finditer(text))], key=lambda hole: hole.start
        )
        yield from fillings(text, holes)

    def _try_all(self, trials: Sequence[Iterable[tuple[str, bool]]], verdict: Verdict) -> None:
        """Plans the texts one after the other until one does; else the error that most of them have is told.

        An error that is the same whatever the holes hold has nothing to do with them, and leaving out their stages must not
        hide it. What one way to fill a hole makes of the search, another one does not.
        """
        needed = dict(self._knowledge.missing)
        found: dict[str, tuple[int, UserError]] = {}
        for texts in trials:
            errors: set[str] = set()
            for text, left_out in texts:
                if left_out and len(errors) == 1:
                    continue
                self._knowledge.missing = dict(needed)
                try:
                    differences = self._plan(text, verdict)
                except UserError as error:
                    count, first = found.get(str(error), (0, error))
                    found[str(error)] = count + 1, first
                    errors.add(str(error))
                    further = self._after_base(text, error, verdict)
                    if further is None:
                        further = self._without_absent(text, error, verdict)
                    if further is None:
                        continue
                    differences = further
                verdict.state = NEEDS if self._knowledge.missing else RUNS
                verdict.reasons = list(differences)
                if left_out and not needed:
                    verdict.reasons.append("what stands around its dashboard tokens was not tried")
                return
        self._knowledge.missing = {}
        _, told = max(found.values(), key=lambda counted: counted[0])
        raise told

    def _plan(self, text: str, verdict: Verdict) -> list[str]:
        """Plans a text down to the engine's statement; gives the differences. Raises UserError."""
        for _ in range(MAX_WORDS):
            try:
                return self._planned(text, verdict)
            except UserError as error:
                if not self._knowledge.suppose(error):
                    raise self._without_supposed_fields(error) from error
        return self._planned(text, verdict)

    def _without_supposed_fields(self, error: UserError) -> UserError:
        """The error without a list of fields that were only supposed for a table which is not there."""
        match = _NO_FIELD.match(str(error))
        if match is None or not self._knowledge.lacks_table(match.group("table")) or not isinstance(error, SearchError):
            return error
        told = error.with_message(
            f'{match.group("where")}lookup "{match.group("table")}" is not there, and "{match.group("field")}" is no name of a field'
        )
        told.hint = ""
        return told

    def _planned(self, text: str, verdict: Verdict) -> list[str]:
        knowledge = self._knowledge
        knowledge.use(text)
        context = self._engine.context(earliest="-24h", latest="now", dry=True)
        prepared = self._engine.prepare(text, context)
        statement, _ = context.statement(prepared.relation, _fields_to_try(prepared.relation))
        try:
            used = {key: table for key, table in context.tables.items() if key in statement}
            # The first pass resolves names and types; the others would only make the statement faster.
            self._store.query(f"EXPLAIN QUERY TREE passes = 1, dump_passes = 0 {statement}", tables=used)
        except SightlineError as error:
            raise SearchError(f"the engine refuses its statement: {_first_line(error)}") from error
        found: dict[str, None] = {}
        for stage in _stages_within(prepared.pipeline):
            try:
                command = registry.read_command(stage)
            except SearchError:
                continue  # It stands in brackets with places to fill in, and is read when they are.
            written = stage.text[stage.arguments.start : stage.arguments.end]
            for difference in differences_of(command, written, has_subsearch=bool(stage.subsearches)):
                found[difference] = None
        for message in context.messages:
            if message.text.startswith(SPLUNK_REFUSES):
                found[message.text] = None
            match = re.match(r'there is no (?:metric )?index "([^"]+)"', message.text)
            if match:
                verdict.indexes = list(dict.fromkeys([*verdict.indexes, match.group(1)]))
        return list(found)

    def _after_base(self, text: str, error: SightlineError, verdict: Verdict) -> list[str] | None:
        """A search that goes on from another one, as those of dashboards do, is tried after all events."""
        if "needs rows to work on" not in str(error):
            return None
        try:
            differences = self._plan("search * | " + text.lstrip().removeprefix("|"), verdict)
        except UserError:
            return None
        self._knowledge.missing["the search that it goes on from"] = None
        return differences

    def _without_absent(self, text: str, error: SightlineError, verdict: Verdict) -> list[str] | None:
        """A model, or a named extraction, that is not there is left out of the trial together with its stage."""
        for _ in range(5):
            match = _ABSENT.search(str(error))
            if match is None:
                return None
            kind, name = match["kind"] or match["other"], match["name"] or match["its"]
            stage = next((s for s in _stages_of(text) if name in text[s.arguments.start : s.arguments.end]), None)
            if stage is None:
                return None
            self._knowledge.missing[f"{kind} {name}"] = None
            text = f"{text[: stage.name_span.start]} search * {text[stage.arguments.end :]}"
            try:
                return self._plan(text, verdict)
            except UserError as following:
                error = following
        return None


def _fields_to_try(relation: Relation) -> list[str]:
    """Fields for the trial's statement: those that are computed, up to a bound, and some that are only read, which cannot be wrong."""
    computed = [name for name, value in relation.fields.items() if not isinstance(value, Column)]
    # Those that the search itself makes come first; configuration may bring many hundreds more.
    computed = sorted(computed, key=lambda name: name not in relation.made)[:MAX_COMPUTED_FIELDS]
    read = [name for name, value in relation.fields.items() if isinstance(value, Column)]
    return computed + read[:MAX_READ_FIELDS]


def _stages_of(text: str) -> list[Stage]:
    """Every stage of a text, also in brackets; none when it has no structure, which planning then tells."""
    try:
        return list(_stages_within(parse_pipeline(read_source(text))))
    except SearchError:
        return []


def _stages_within(pipeline: Pipeline) -> Iterator[Stage]:
    for stage in pipeline.stages:
        yield stage
        for inner, _ in stage.subsearches.values():
            yield from _stages_within(inner)


def _token_holes(text: str) -> list[Hole]:
    """Dashboard tokens that are left in a text. `$$` is a plain dollar sign, and a subsearch of `map` has fields so."""
    blanked = text.replace("$$", "  ")
    return [Hole(m.start(), m.end()) for m in tokens.TOKEN.finditer(blanked)]


def words_of(text: str) -> list[str]:
    """The words of a text that may be names of fields: none that is called, that is a command, or that is a compared value."""
    found: dict[str, None] = {}
    for match in _WORD.finditer(text):
        word, after, before = match.group(), text[match.end() : match.end() + 1], text[match.start() - 1 : match.start()]
        if after == "(" or before == "=" or word in _NO_FIELDS or word in registry.COMMANDS or "sightlinehole" in word:
            continue
        if not word.endswith((".", ":", "-")):
            found[word] = None
    return list(found)[:MAX_WORDS]


def _empty(columns: Sequence[str]) -> pa.Table:
    return pa.table({name: pa.array([], pa.string()) for name in dict.fromkeys(columns) if name})


def _supposed_model(name: str, text: str, words: Sequence[str]) -> dict[str, Any]:
    """A data model as a search supposes it: a root dataset, further ones below it, each word a field of the root."""
    named = re.findall(rf"(?i:datamodel|pivot)[\s=:\"']*{re.escape(name)}[.\s\"]+([A-Za-z]\w*)", text)
    below = [part for word in words if "." in word and (part := word.split(".")[0]) != name]
    listed = [d for d in dict.fromkeys([*named, *below]) if d.lower() not in _AFTER_MODEL]
    datasets = [d for d in listed if re.fullmatch(r"\w+", d, re.ASCII)] or [name]
    fields = dict.fromkeys(word.rpartition(".")[2].strip("{}") for word in words)
    described = [{"fieldName": f, "owner": datasets[0], "type": "string"} for f in fields if re.fullmatch(r"\w+", f)]
    objects = [
        {
            "objectName": dataset,
            "displayName": dataset,
            "parentName": "BaseEvent" if position == 0 else datasets[0],
            "fields": described if position == 0 else [],
            "calculations": [],
            "constraints": [{"search": "*", "owner": dataset}] if position == 0 else [],
        }
        for position, dataset in enumerate(datasets)
    ]
    return {"modelName": name, "displayName": name, "objects": objects}


def _first_line(error: BaseException) -> str:
    return (str(error).strip().split("\n") or [""])[0][:300] or type(error).__name__


def _with_hint(error: UserError) -> str:
    return str(error) + (f" ({error.hint})" if error.hint else "")


class _TooSlow(BaseException):
    """Not an Exception, so that nothing between takes it for a mistake of the search."""


@contextlib.contextmanager
def _time_limit(limit_s: float) -> Iterator[None]:
    """Ends what runs inside after so much processor time, where signals reach: in the main thread of a process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def knowledge_of_app(name: str, stanzas: Mapping[str, Mapping[str, Mapping[str, str]]]) -> AppKnowledge:
    """What an app's configuration brings to searches: its macros and saved searches."""
    found = AppKnowledge(name)
    for stanza, settings in stanzas.get("macros", {}).items():
        try:
            macro_name, macro = macro_of_stanza(stanza, settings)
        except UserError:
            continue
        found.macros[macro_name, len(macro.arguments)] = macro
    for stanza, settings in stanzas.get("props", {}).items():
        try:
            check_shape("props", stanza, settings)
        except UserError:
            continue
        found.props[stanza] = dict(settings)
    for title, settings in stanzas.get("savedsearches", {}).items():
        if settings.get("search", "").strip():
            found.searches[title] = settings["search"]
    return found
