"""Judges every search of a path: runs here, needs something, names an unknown command, or is refused and why.

The work is done in processes of their own with an empty store each, so that no server is needed, several searches are judged
at once, and one that takes its process along is told like any other that cannot run.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.apps.contents import Contents, Problem, Search
from sightline.apps.scratch import scratch_folder
from sightline.apps.trial import (
    NEEDS,
    REFUSED,
    RUNS,
    STATES,
    UNKNOWN,
    AppKnowledge,
    Trial,
    Verdict,
    knowledge_of_app,
)
from sightline.catalog.conf import with_defaults
from sightline.catalog.stanzas import SHAPES, check_shape
from sightline.errors import SightlineError, UserError

CHUNK = 20
"""Searches given to a process at once."""
MAX_PROCESSES = 8
SEARCHES_PER_PROCESS = 60
"""Starting a process takes as long as judging so many."""


@dataclass
class Report:
    """The verdicts on all searches of a path, and what could not be read."""

    verdicts: list[Verdict] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """How many searches are in each state."""
        found = Counter(verdict.state for verdict in self.verdicts)
        return {"total": len(self.verdicts)} | {state: found[state] for state in STATES}

    def faulty(self) -> int:
        """How many searches are refused for a fault of their own, which Splunk refuses as well."""
        return sum(verdict.faulty for verdict in self.verdicts)

    def as_json(self) -> dict[str, Any]:
        """The report's fixed JSON shape."""
        searches = [{"name": v.name, "state": v.state, "reasons": v.reasons} for v in self.verdicts]
        return {"summary": self.counts(), "searches": searches}

    def commands(self) -> list[tuple[str, int, int, int]]:
        """Each command with the searches that name it: all, those that run or need something, and the others."""
        every: Counter[str] = Counter()
        good: Counter[str] = Counter()
        for verdict in self.verdicts:
            for name in verdict.commands:
                every[name] += 1
                good[name] += verdict.state in (RUNS, NEEDS)
        ordered = sorted(every.items(), key=lambda item: (-item[1], item[0]))
        return [(name, count, good[name], count - good[name]) for name, count in ordered]

    def reasons(self, state: str) -> list[tuple[str, int]]:
        """Why searches are in a state, the most frequent first."""
        found = Counter(reason for verdict in self.verdicts if verdict.state == state for reason in verdict.reasons)
        return sorted(found.items(), key=lambda item: (-item[1], item[0]))

    def indexes(self) -> list[str]:
        """Indexes that searches read and that are not there."""
        return sorted({index for verdict in self.verdicts for index in verdict.indexes})


def check(
    contents: Contents, data: Path | None = None, on_progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Report:
    """Judges the searches of contents, with the catalog of a data directory when one is given.

    `on_progress` is told how many were judged, and of how many. The catalog is read and not changed.
    """
    searches = list(contents.searches())
    report = Report(problems=list(contents.problems))
    for app in contents.apps:
        report.problems += [Problem(name, text) for name, text in app.view_problems.items() if ":" in name]
    if not searches:
        return report
    with scratch_catalog(contents, data) as (scratch, problems):
        report.problems += problems
        models = data / "models" if data is not None and (data / "models").is_dir() else scratch / "models"
        start = _Start(scratch, models, [_app_knowledge(app) for app in contents.apps])
        verdicts: dict[int, Verdict] = {}
        for position, verdict in _judged(searches, start):
            verdicts[position] = verdict
            on_progress(len(verdicts), len(searches))
    report.verdicts = [verdicts[position] for position in range(len(searches))]
    return report


def _app_knowledge(app: Any) -> AppKnowledge:
    found = knowledge_of_app(app.name, {kind: with_defaults(stanzas) for kind, stanzas in app.stanzas.items()})
    for name, read in app.lookups.items():
        try:
            header = read()[:65536].decode("utf-8-sig", "replace").split("\n", 1)[0]
        except SightlineError:
            continue
        found.lookups[name] = [column.strip().strip('"') for column in header.rstrip("\r").split(",")]
    return found


@contextmanager
def scratch_catalog(contents: Contents, data: Path | None) -> Iterator[tuple[Path, list[Problem]]]:
    """A catalog with what a data directory has and the contents' stanzas and data models; and what of them is not right."""
    from sightline.apps.importing import put_data_models, put_stanzas
    from sightline.catalog import Catalog

    problems: list[Problem] = []

    def tell(kind: str, name: str, text: str) -> None:
        problems.append(Problem(f"{kind} [{name}]", text))

    with scratch_folder(data) as folder:
        catalog = Catalog(folder)
        try:
            for app in contents.apps:
                # Extractions hold for their own app's searches; of the rest every app sees all.
                put_stanzas(app, app.name, catalog, tell, kinds=[kind for kind in SHAPES if kind != "props"])
                for stanza, settings in app.stanzas.get("props", {}).items():
                    try:
                        check_shape("props", stanza, settings)
                    except UserError as error:
                        tell("props", stanza, error.message)
                put_data_models(app, app.name, catalog, tell)
        finally:
            catalog.close()
        yield folder, problems


# -- processes


@dataclass
class _Start:
    """What a process needs to begin."""

    scratch: Path
    models: Path
    apps: list[AppKnowledge]


_trial: Trial | None = None


def _begin(start: _Start) -> None:
    """Builds this process's trial, over an empty store."""
    global _trial
    from sightline.catalog import Catalog
    from sightline.catalog.knowledge import CatalogKnowledge
    from sightline.clock import system_clock
    from sightline.config import Settings
    from sightline.ml import ModelRegistry
    from sightline.store import EmbeddedStore

    own = Path(tempfile.mkdtemp(prefix="engine-", dir=start.scratch))
    settings = Settings(data=own)
    store = EmbeddedStore(own, settings)
    knowledge = CatalogKnowledge(Catalog(start.scratch))
    _trial = Trial(store, knowledge, ModelRegistry(start.models, system_clock), settings, start.apps)


def _judge(searches: Sequence[Search]) -> list[Verdict]:
    assert _trial is not None
    return [_trial.judge(search) for search in searches]


def _judged(searches: Sequence[Search], start: _Start) -> Iterator[tuple[int, Verdict]]:
    """Every search's position and verdict, as they come."""
    waiting = [list(range(at, min(at + CHUNK, len(searches)))) for at in range(0, len(searches), CHUNK)]
    processes = min(MAX_PROCESSES, os.cpu_count() or 1, max(1, len(searches) // SEARCHES_PER_PROCESS))
    while waiting:
        # After a process has ended on its own, what it had is tried one by one, to find the search that ended it.
        left: list[list[int]] = []
        with _pool(processes, start) as pool:
            running: dict[Future[list[Verdict]], list[int]] = {}
            for chunk in waiting:
                try:
                    running[pool.submit(_judge, [searches[at] for at in chunk])] = chunk
                except BrokenProcessPool:
                    left.append(chunk)
            for future in as_completed(running):
                chunk = running[future]
                try:
                    yield from zip(chunk, future.result(), strict=True)
                except BrokenProcessPool:
                    left.append(chunk)
        if len(left) == len(waiting) and all(len(chunk) == 1 for chunk in left):
            yield from _one_by_one(searches, [at for chunk in left for at in chunk], start)
            return
        waiting = [[at] for chunk in left for at in chunk]
        processes = 1


def _one_by_one(searches: Sequence[Search], positions: Sequence[int], start: _Start) -> Iterator[tuple[int, Verdict]]:
    for at in positions:
        search = searches[at]
        try:
            with _pool(1, start) as pool:
                yield at, pool.submit(_judge, [search]).result()[0]
        except BrokenProcessPool:
            reason = "planning it ends the process that does it"
            yield at, Verdict(search.name, REFUSED, [reason], search.app, search.kind, search.file)


def _pool(processes: int, start: _Start) -> ProcessPoolExecutor:
    # Neither the command line nor the server can be forked: both have threads, and the engine does not survive it.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(start,))


__all__ = ["NEEDS", "REFUSED", "RUNS", "UNKNOWN", "Report", "check", "scratch_catalog"]
