"""Thirty searches, each beside the SQL an expert would write for the same tables, and beside DuckDB over Parquet of the same data.

    python -m benchmarks.searches --events 20e6 [--write]
    python -m benchmarks.searches --events 2e6,20e6,100e6 --duckdb-up-to 20e6 --write

DuckDB is no dependency: `pip install duckdb` beside Sightline, or leave that column out with `--duckdb-up-to 0`.

The events are loaded once into `--folder` and used again; a run that was stopped goes on where it was. The runs of the three
alternate, so that the machine's mood is the same for all; the best of a few counts. Before every run the engine forgets which
granules matched last time, because nobody asks the same question twice in a row; a cold run also begins without the files in
memory. The answers of the three must be equal. Times are wall times in milliseconds; CPU times are kept beside them.

The goals: against the SQL a median under 1.1 times plus 10 ms and nothing over 2 times; faster than DuckDB in 25 of
the 30, for a rare word 50 times.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks import events as data
from benchmarks.common import RESULTS, machine
from benchmarks.report import document, ratio
from benchmarks.search_cases import CASES, Case
from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import load_settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine
from sightline.store import EmbeddedStore

DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
LONG_S = 5.0
"""A search that takes longer than this runs once warm instead of several times."""
_FORGET = "SYSTEM DROP QUERY CONDITION CACHE"
_FORGET_FILES = ("SYSTEM DROP MARK CACHE", "SYSTEM DROP UNCOMPRESSED CACHE", "SYSTEM DROP INDEX MARK CACHE",
                 "SYSTEM DROP INDEX UNCOMPRESSED CACHE", "SYSTEM DROP TEXT INDEX CACHES")  # fmt: skip


@dataclass
class Run:
    """One run of one side."""

    wall_ms: float
    cpu_ms: float
    table: pa.Table


class Sides:
    """The three ways to get an answer, over one size of the data."""

    def __init__(self, folder: Path, events: int, *, duckdb: bool) -> None:
        self.folder, self.events = folder, events
        settings = load_settings(folder)
        self.store = EmbeddedStore(folder / "engine", settings)
        # What merges leave depends on when they ran; unmerged blocks are the same in every run.
        self.store.execute("SYSTEM STOP MERGES")
        self.catalog = Catalog(folder)
        data.save_knowledge(self.catalog)
        with _told(f"{events:,} events"):
            data.load(self.store, events)
        knowledge = CatalogKnowledge(self.catalog)
        self.engine = SearchEngine(self.store, knowledge, ModelRegistry(folder / "models"), settings)
        self.now = data.end_of(events)
        hour = data.START + 36_000 if events >= 1_000_000 else data.START
        first = f"FROM sightline.events WHERE index = 'web' AND _time >= fromUnixTimestamp64Micro(toInt64({hour}000000))"
        self.given = {
            "{id}": self.store.query(f"SELECT trace_id {first} ORDER BY _time LIMIT 1 OFFSET 500")["trace_id"][0].as_py(),
            "{hour}": str(hour),
            "{until}": str(hour + 3600),
            "{hosts}": EmbeddedStore.table_function("hosts"),
            "{watched}": EmbeddedStore.table_function("watched"),
        }
        self.lookups = {name: knowledge.lookup(name) for name in ("hosts", "watched")}
        self.parquet: dict[str, Path] = {}
        if duckdb:
            with _told("Parquet files"):
                self.parquet = data.export(self.store, folder, events)
        self.duck = self._open_duckdb() if duckdb else None
        # What a process loads once is no cost of its first search.
        self.engine.run("index=web | head 1 | stats count by host", latest=self.now, now=self.now)

    def _open_duckdb(self) -> Any:
        try:
            import duckdb
        except ImportError:
            sys.exit("DuckDB is not here: pip install duckdb, or leave it out with --duckdb-up-to 0")
        connection = duckdb.connect()
        connection.execute(f"SET threads = {os.cpu_count()}; SET TimeZone = 'UTC'; SET parquet_metadata_cache = true")
        for name, path in self.parquet.items():
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")
        for name, table in self.lookups.items():
            connection.register(name, table)
        return connection

    def close(self) -> None:
        """Free the directory."""
        if self.duck is not None:
            self.duck.close()
        self.catalog.close()
        self.store.close()

    def filled(self, text: str) -> str:
        """The text with its placeholders replaced."""
        for name, value in self.given.items():
            text = text.replace(name, value)
        return text

    def ours(self, case: Case) -> pa.Table:
        """The search. It reads what the size has: a larger size's events may lie in the same table."""
        return self.engine.run(self.filled(case.search), latest=self.now, now=self.now).table

    def sql(self, case: Case) -> pa.Table:
        """The expert's SQL, with the same bound of time."""
        bound = f"_time < fromUnixTimestamp64Micro(toInt64({self.now:.0f}000000))"
        text = case.sql
        for index in ("web", "app"):
            text = text.replace(f"WHERE index = '{index}'", f"WHERE index = '{index}' AND {bound}")
        return self.store.query(self.filled(text), tables=self.lookups)

    def duckdb(self, case: Case) -> pa.Table:
        """DuckDB's answer."""
        return self.duck.sql(self.filled(case.duckdb)).to_arrow_table()

    def forget(self, *, files: bool) -> None:
        """Make the engine forget earlier answers, and with `files` also what it and the system hold of the files."""
        for statement in (_FORGET, *(_FORGET_FILES if files else ())):
            self.store.execute(statement)
        if files:
            for path in [*(self.folder / "engine" / "store").rglob("*.*"), *self.parquet.values()]:
                if path.is_file():
                    descriptor = os.open(path, os.O_RDONLY)
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                    os.close(descriptor)
            if self.duck is not None:
                self.duck.close()
                self.duck = self._open_duckdb()


def timed(work: Callable[[], pa.Table]) -> Run:
    """One run with its wall and CPU time; all three sides run in this process, so its CPU time is theirs."""
    before, cpu = time.perf_counter(), _cpu_s()
    table = work()
    return Run((time.perf_counter() - before) * 1000, (_cpu_s() - cpu) * 1000, table)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextmanager
def _told(what: str):
    began = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - began:.1f} s", flush=True)


# ---- one search --------------------------------------------------------------------------------------------------------


def measure(sides: Sides, case: Case, repeat: int, *, cold: bool) -> dict[str, Any]:
    """The numbers of one search; the answers are compared on the way."""
    works = {"ours": sides.ours, "sql": sides.sql} | ({"duckdb": sides.duckdb} if sides.duck is not None else {})
    runs: dict[str, list[Run]] = {side: [] for side in works}
    row: dict[str, Any] = {"search": case.name}
    for side, work in works.items():
        if cold:
            sides.forget(files=True)
            row[f"{side}_cold_ms"] = round(timed(lambda work=work: work(case)).wall_ms, 1)
    for _ in range(repeat):
        for side, work in works.items():
            if len(runs[side]) > 0 and runs[side][0].wall_ms > LONG_S * 1000:
                continue
            sides.forget(files=False)
            runs[side].append(timed(lambda work=work: work(case)))
    for side, done in runs.items():
        row[f"{side}_ms"] = round(min(run.wall_ms for run in done), 1)
        row[f"{side}_cpu_ms"] = round(min(run.cpu_ms for run in done), 1)
    row["rows"] = runs["ours"][0].table.num_rows
    if case.compared:
        answers = {side: normalised(done[0].table) for side, done in runs.items()}
        if case.pivoted:
            answers = {side: as_cells(rows, runs[side][0].table.column_names, side) for side, rows in answers.items()}
        row["differs"] = [side for side, rows in answers.items() if not same(answers["ours"], rows)]
    return row


def normalised(table: pa.Table) -> list[tuple]:
    """Rows as comparable tuples in an order of their own."""
    names = [name for name in table.column_names if not name.endswith("{}")]
    return sorted((tuple(_plain(row[name]) for name in names) for row in table.select(names).to_pylist()), key=repr)


def as_cells(rows: list[tuple], names: list[str], side: str) -> list[tuple]:
    """Rows of (key, name, number): what SQL gives, and what a search's table with a column for each name says."""
    if side == "ours":
        titles = [(n, name) for n, name in enumerate(names) if n and not name.startswith("_")]
        rows = [(row[0], name, row[n]) for row in rows for n, name in titles if row[n]]
    return sorted(((key, name if isinstance(name, str) else f"{name:g}", n) for key, name, n in rows), key=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, list):
        return tuple(sorted(map(str, value)))
    return value


def same(mine: list[tuple], theirs: list[tuple]) -> bool:
    """Whether two answers are equal, numbers to nine digits."""
    if len(mine) != len(theirs):
        return False
    return all(_same_cell(a, b) for one, other in zip(mine, theirs, strict=True) for a, b in zip(one, other, strict=True))


def _same_cell(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-3)
    return a == b


# ---- a size, and the report --------------------------------------------------------------------------------------------


def run(folder: Path, events: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """All searches over one size. What an earlier run of the same commit measured is kept."""
    began = time.perf_counter()
    kept = folder / f"measured-{events}.json"
    about = machine()
    earlier = json.loads(kept.read_text()) if kept.exists() else {}
    rows = earlier.get("rows", []) if earlier.get("commit") == about["commit"] and not arguments.again else []
    sides = Sides(folder, events, duckdb=events <= float(arguments.duckdb_up_to))
    try:
        for case in CASES:
            if arguments.only not in case.name or any(row["search"] == case.name for row in rows):
                continue
            wrong = sides.engine.check(sides.filled(case.search))
            if wrong:
                print(f"{case.name}: {wrong[0]['message']}", flush=True)
                continue
            row = measure(sides, case, arguments.repeat, cold=arguments.cold)
            rows.append(row)
            kept.write_text(json.dumps({"commit": about["commit"], "rows": rows}))
            print(json.dumps(row), flush=True)
        size = sides.store.query("SELECT sum(bytes_on_disk) AS b FROM system.parts WHERE active AND table = 'events'")["b"][
            0
        ].as_py()
    finally:
        sides.close()
    return {
        "events": events,
        "machine": about,
        "repeat": arguments.repeat,
        "store_bytes": size,
        "parquet_bytes": sum(path.stat().st_size for path in sides.parquet.values()),
        "seconds": round(time.perf_counter() - began, 1),
        "rows": rows,
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The goals and how far they are met."""
    excess = [ratio(row) for row in rows]
    found: dict[str, Any] = {
        "searches": len(rows),
        "median_ratio": round(statistics.median(excess), 2),
        "worst_ratio": round(max(excess), 2),
        "over_twice": [row["search"] for row, ratio in zip(rows, excess, strict=True) if ratio > 2],
        "differing": [row["search"] for row in rows if row.get("differs")],
    }
    if all("duckdb_ms" in row for row in rows):
        rare = {case.name for case in CASES if case.rare}
        found["faster_than_duckdb"] = sum(row["ours_ms"] < row["duckdb_ms"] for row in rows)
        found["slower_than_duckdb"] = [row["search"] for row in rows if row["ours_ms"] >= row["duckdb_ms"]]
        found["rare_words_faster"] = [round(row["duckdb_ms"] / row["ours_ms"], 1) for row in rows if row["search"] in rare]
    return found


def keep(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the sizes into the results file, beside those measured before, and give all of them."""
    path = RESULTS / "searches.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    sizes = {size["events"]: size for size in content.get("sizes", [])} | {size["events"]: size for size in results}
    content = {"benchmark": "searches", "sizes": [sizes[events] for events in sorted(sizes)]}
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", default="20e6", help="one size, or several with commas")
    parser.add_argument("--repeat", type=int, default=3, help="warm runs of each side")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "sightline-benchmark")
    parser.add_argument("--duckdb-up-to", default="20e6", help="largest size that DuckDB takes part in")
    parser.add_argument("--only", default="", help="only searches whose name contains this")
    parser.add_argument("--no-cold", dest="cold", action="store_false", help="leave out the runs without files in memory")
    parser.add_argument("--again", action="store_true", help="measure also what was measured for this commit")
    parser.add_argument("--write", action="store_true", help="keep the results, and write docs/benchmarks.md")
    parser.add_argument("--fresh", action="store_true", help="drop the folder first")
    arguments = parser.parse_args()
    if arguments.fresh:
        shutil.rmtree(arguments.folder, ignore_errors=True)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    results = []
    for size in arguments.events.split(","):
        results.append(run(arguments.folder, int(float(size)), arguments))
        if results[-1]["rows"]:
            print(
                json.dumps(
                    {"events": results[-1]["events"], "seconds": results[-1]["seconds"]} | summary(results[-1]["rows"]),
                    indent=1,
                )
            )
    if arguments.write:
        DOCUMENT.write_text(document(keep(results)))


if __name__ == "__main__":
    main()
