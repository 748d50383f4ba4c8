"""Searches as jobs: queued, run in the background, watched, cancelled, paged through, and forgotten after a while.

Results are spooled to Arrow files in the job's folder as they come, so that memory stays bounded and a page can be read
while the search still runs. For events the job keeps the newest ones up to a count, and a histogram over all of them.
"""

from __future__ import annotations

import itertools
import logging
import shutil
import threading
import time as wall
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sightline.clock import Clock, system_clock
from sightline.config import Settings
from sightline.errors import EnvironmentTrouble, NotFound, SearchError, SightlineError
from sightline.search.commands.subsearch import cell_text
from sightline.search.context import Context, Message
from sightline.search.engine import Prepared, SearchEngine, is_absent, step_times
from sightline.search.planner import values as v
from sightline.search.planner.buckets import TimeBuckets
from sightline.search.planner.presentation import DISPLAY_PREFIX
from sightline.search.planner.relation import is_second_name
from sightline.search.planner.values import Type
from sightline.search.previews import AFTER_S as PREVIEW_AFTER_S
from sightline.search.previews import Preview, previews
from sightline.search.time import TimeSpan
from sightline.store.engine_errors import DiskLimitExceeded, MemoryLimitExceeded

log = logging.getLogger(__name__)

SPOOL_ROWS = 20_000
"""Rows per spooled file: small enough that a page reads little, large enough to compress and to be few."""
TIMELINE_BUCKETS = 100
"""Most buckets of a job's histogram, about what a screen can show apart."""
TOP_VALUES = 10
"""Values listed for a field."""
CANCEL_INTERVAL_S = 0.2
"""How often a cancelled search's statement is killed again while it still runs."""
JOBS_LIMIT = 1_000
"""Jobs kept at once; the oldest finished ones make room."""

_SPANS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400, 604800, 2592000]


@dataclass
class Job:
    """One run of a search. Times are seconds since the epoch; `progress` is between 0 and 1."""

    sid: str
    search: str
    user: str
    app: str
    earliest: str | float | None
    latest: str | float | None
    created: float
    folder: Path
    label: str = ""
    max_count: int | None = None
    state: str = "queued"
    """queued, running, done, failed or cancelled."""
    progress: float = 0.0
    kind: str = "table"
    fields: list[tuple[str, pa.DataType]] = field(default_factory=list)
    present: set[str] = field(default_factory=set)
    parts: list[tuple[int, Path]] = field(default_factory=list)
    """Spooled files with their numbers of rows."""
    result_count: int = 0
    event_count: int | None = None
    scanned_rows: int = 0
    messages: list[Message] = field(default_factory=list)
    error: dict[str, Any] | None = None
    started: float | None = None
    run_duration_s: float = 0.0
    engine_s: float = 0.0
    python_s: float = 0.0
    last_touched: float = 0.0
    ttl_s: float = 0.0
    """How long the result of a finished job stays after it was last read."""
    timeline: dict[str, Any] | None = None
    earliest_time: float | None = None
    latest_time: float | None = None
    prepared: Prepared | None = None
    preview: Preview | None = None
    """What the search gives over its newest events, while it has no rows of its own."""
    cancel_asked: bool = False
    finished: threading.Event = field(default_factory=threading.Event)

    @property
    def previewed(self) -> bool:
        """Whether a preview stands for the rows."""
        return self.preview is not None and not self.parts and not self.finished.is_set()

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        messages = [m.describe() for m in self.messages]
        if self.error is not None:
            messages.insert(0, {"severity": "error", **self.error})
        running = self.started is not None and not self.finished.is_set()
        return {
            "sid": self.sid,
            "search": self.search,
            "user": self.user,
            "app": self.app,
            "label": self.label,
            "earliest": self.earliest,
            "latest": self.latest,
            "earliest_time": self.earliest_time,
            "latest_time": self.latest_time,
            "state": self.state,
            "progress": self.progress,
            "kind": self.kind,
            "result_count": self.result_count,
            "event_count": self.event_count if self.event_count is not None else self.result_count,
            "scanned_rows": self.scanned_rows,
            "run_duration_s": wall.time() - self.started if running and self.started else self.run_duration_s,
            "engine_ms": round(self.engine_s * 1000, 1),
            "python_ms": round(self.python_s * 1000, 1),
            "preview": {"rows": self.preview.table.num_rows, "share": self.preview.share} if self.previewed else None,
            "messages": messages,
            "error": self.error,
            "created": self.created,
            "presentation": self.prepared.relation.presentation.describe() if self.prepared else {"marks": [], "icons": []},
        }


class JobManager:
    """Runs searches in the background. Safe to use from several threads."""

    def __init__(
        self,
        engine: SearchEngine,
        settings: Settings,
        clock: Clock = system_clock,
        data_dir: Path | None = None,
        on_done: Callable[[Job], None] | None = None,
    ) -> None:
        self.engine = engine
        engine.jobs = self
        self.settings = settings
        self.clock = clock
        self.folder = (data_dir or settings.data) / "jobs"
        self.on_done = on_done
        # What an earlier process left has no job any more.
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._pool = ThreadPoolExecutor(settings.search.max_concurrent, thread_name_prefix="search")

    # -- life cycle

    def create(
        self,
        text: str,
        earliest: str | float | None = None,
        latest: str | float | None = None,
        *,
        user: str = "admin",
        app: str = "search",
        max_count: int | None = None,
        label: str = "",
        sid: str = "",
        now: float | None = None,
        ttl_s: float | None = None,
    ) -> Job:
        """Queue a search. A text that cannot be read fails at once with a SearchError, and no job is made.

        `ttl_s` is how long the result stays after it was last read; None is the setting.
        """
        self.engine.verify(text)
        # A time that cannot be read is refused here too.
        self.engine.context(earliest=earliest, latest=latest, now=now)
        self.forget_expired()
        moment = self.clock()
        sid = sid or f"{int(moment)}.{next(self._numbers)}"
        folder = self.folder / sid
        folder.mkdir(parents=True, exist_ok=True)
        job = Job(sid, text, user, app, earliest, latest, moment, folder, label, max_count, last_touched=moment)
        job.ttl_s = max(ttl_s or 0.0, self.settings.search.job_ttl_s)
        with self._lock:
            self._jobs[sid] = job
        self._pool.submit(self._run, job, now)
        return job

    def get(self, sid: str) -> Job:
        """A job, with its progress brought up to date. Raises NotFound."""
        with self._lock:
            job = self._jobs.get(sid)
        if job is None:
            raise NotFound(f'there is no search job "{sid}"; it may have expired')
        job.last_touched = self.clock()
        if job.state == "running":
            progress = self.engine.store.progress(job.sid)
            if progress is not None and progress.total_rows:
                job.scanned_rows = max(job.scanned_rows, progress.read_rows)
                job.progress = max(job.progress, min(0.99, progress.part))
        return job

    def list(self, user: str | None = None) -> list[Job]:
        """Jobs, newest first; only a person's own when named."""
        self.forget_expired()
        with self._lock:
            jobs = [job for job in self._jobs.values() if user is None or job.user == user]
        return sorted(jobs, key=lambda job: job.created, reverse=True)

    def cancel(self, sid: str) -> Job:
        """Ask a job to stop; the engine's statement is killed. A finished job stays as it is."""
        job = self.get(sid)
        if not job.finished.is_set() and not job.cancel_asked:
            job.cancel_asked = True
            threading.Thread(target=self._stop, args=(job,), name=f"cancel {job.sid}", daemon=True).start()
        return job

    def _stop(self, job: Job) -> None:
        """Kill the job's statement until the job has ended: one that is still being planned outlives the first try."""
        while not job.finished.is_set():
            try:
                self.engine.store.cancel(job.sid)
                self.engine.store.cancel(_preview_sid(job))
            except SightlineError:
                log.exception("search %s could not be cancelled", job.sid)
            job.finished.wait(CANCEL_INTERVAL_S)

    def delete(self, sid: str) -> None:
        """Cancel a job and forget it with its results."""
        job = self.cancel(sid)
        job.finished.wait(5)
        with self._lock:
            self._jobs.pop(sid, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    def wait(self, sid: str, timeout_s: float | None = None) -> Job:
        """A job once it has finished, or as it stands when the time is up."""
        job = self.get(sid)
        job.finished.wait(timeout_s)
        return job

    def forget_expired(self) -> None:
        """Drop finished jobs that nobody has looked at for the set time, and the oldest above the limit."""
        now = self.clock()
        with self._lock:
            finished = sorted((j for j in self._jobs.values() if j.finished.is_set()), key=lambda j: j.last_touched)
            expired = [j for j in finished if now - j.last_touched > j.ttl_s]
            excess = len(self._jobs) - JOBS_LIMIT
            if excess > len(expired):
                expired = finished[:excess]
            for job in expired:
                del self._jobs[job.sid]
        for job in expired:
            shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        """Cancel what runs and stop the threads."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            self.cancel(job.sid)
        self._pool.shutdown(wait=True, cancel_futures=True)

    # -- running

    def _run(self, job: Job, now: float | None) -> None:
        started = wall.monotonic()
        job.started = wall.time()
        job.state = "running"
        context = None
        try:
            context = self.engine.context(
                earliest=job.earliest, latest=job.latest, now=now, user=job.user, app=job.app, sid=job.sid,
                cancelled=lambda: job.cancel_asked or wall.monotonic() - started > self.settings.search.max_time_s,
            )  # fmt: skip
            context.check_cancelled()
            threading.Thread(target=self._preview, args=(job, context.now), name=f"preview {job.sid}", daemon=True).start()
            prepared = self.engine.prepare(job.search, context)
            job.kind, job.prepared = prepared.kind, prepared
            job.earliest_time = context.overridden_earliest or context.earliest
            job.latest_time = context.overridden_latest or context.latest
            job.scanned_rows = context.rows_to_read(prepared.relation)
            limit = job.max_count if prepared.kind == "events" else None
            names, batches = prepared.batches(limit)
            self._spool(job, names, batches)
            if prepared.kind == "events":
                job.timeline = self._timeline(job, prepared)
                job.event_count = sum(b["count"] for b in job.timeline["buckets"])
            job.state = "done"
            job.progress = 1.0
        except SightlineError as error:
            self._failed(job, error, started)
        except Exception as error:
            log.exception("search %s ended by a bug", job.sid)
            job.state = "failed"
            job.error = {"text": f"internal error: {type(error).__name__}: {error}"}
        finally:
            job.run_duration_s = wall.monotonic() - started
            if context is not None:
                job.messages = list(context.messages)
                times = step_times(context.steps)
                job.engine_s, job.python_s = times["engine_s"], times["python_s"]
            job.last_touched = self.clock()
            job.finished.set()
            if job.run_duration_s > PREVIEW_AFTER_S:
                self.engine.store.cancel(_preview_sid(job))
            if self.on_done is not None:
                try:
                    self.on_done(job)
                except Exception:
                    log.exception("what follows a finished search failed")

    def _preview(self, job: Job, now: float) -> None:
        """Previews of a job that runs for long. They end with it, and what goes wrong in them is the search's to tell."""
        if job.finished.wait(PREVIEW_AFTER_S):
            return

        def make_context(*, dry: bool) -> Context:
            return self.engine.context(
                earliest=job.earliest, latest=job.latest, now=now, user=job.user, app=job.app, sid=_preview_sid(job),
                dry=dry, cancelled=lambda: job.cancel_asked or job.finished.is_set(),
            )  # fmt: skip

        try:
            for found in previews(self.engine, job.search, make_context):
                job.preview = found
        except SightlineError as error:
            log.debug("no preview of search %s: %s", job.sid, error)
        except Exception:
            log.exception("the preview of search %s ended by a bug", job.sid)

    def _failed(self, job: Job, error: SightlineError, started: float) -> None:
        if job.cancel_asked:
            job.state = "cancelled"
            job.error = {"text": "the search was cancelled"}
            return
        job.state = "failed"
        text = str(error)
        if wall.monotonic() - started > self.settings.search.max_time_s:
            text = f"the search ran longer than {self.settings.search.max_time_s:g} s and was stopped"
        if isinstance(error, MemoryLimitExceeded):
            limit = self.settings.search.max_memory_bytes
            text = f"the search needs more than the {limit / 1e6:,.0f} MB of memory that one may use"
        job.error = {"text": text}
        if isinstance(error, MemoryLimitExceeded):
            job.error["hint"] = "search fewer events, keep fewer values, or raise search.max_memory_bytes"
        if isinstance(error, DiskLimitExceeded):
            job.error["text"] = "the search would write more to the disk than one may"
            job.error["hint"] = "search fewer events, keep fewer values, or raise search.max_disk_bytes"
        if isinstance(error, SearchError):
            if error.span is not None:
                line, column = error.span.line_and_column(job.search)
                job.error |= {"start": error.span.start, "end": error.span.end, "line": line, "column": column}
            if error.hint:
                job.error["hint"] = error.hint

    def _spool(self, job: Job, names: list[str], batches: Iterator[pa.RecordBatch]) -> None:
        waiting: list[pa.RecordBatch] = []
        rows = 0
        room_bytes = self.engine.store.disk_limit_bytes()

        def flush() -> None:
            nonlocal rows, room_bytes
            table = pa.Table.from_batches(waiting)
            room_bytes -= table.nbytes
            if room_bytes < 0:
                raise DiskLimitExceeded("its results have no room on the disk")
            path = job.folder / f"part-{len(job.parts):05d}.arrow"
            try:
                with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                    writer.write_table(table)
            except OSError as error:
                raise EnvironmentTrouble(f"results cannot be written to {path}: {error}") from error
            for name, column in zip(table.column_names, table.columns, strict=True):
                if name not in job.present and not is_absent(column):
                    job.present.add(name)
            job.parts.append((table.num_rows, path))
            job.result_count += table.num_rows
            waiting.clear()
            rows = 0

        for batch in batches:
            if not job.fields:
                job.fields = [(f.name, f.type) for f in batch.schema]
            waiting.append(batch)
            rows += batch.num_rows
            # The first rows are shown at once, later ones in larger files.
            if rows >= (SPOOL_ROWS if job.parts else 200):
                flush()
        if waiting:
            flush()
        if not job.fields:
            relation = job.prepared.relation if job.prepared else None
            job.fields = [(name, pa.string()) for name in names if name and relation is not None]

    # -- reading

    def visible_fields(self, job: Job) -> list[tuple[str, pa.DataType]]:
        """The result's columns: for events only those that some row has."""
        fields = [(name, type) for name, type in job.fields if name and not name.startswith(DISPLAY_PREFIX)]
        if job.kind != "events":
            return fields
        return [(name, type) for name, type in fields if name in job.present and not is_second_name(name, job.present)]

    def results(
        self,
        sid: str,
        offset: int = 0,
        count: int | None = 100,
        *,
        sort: str = "",
        descending: bool = False,
        shown: bool = False,
    ) -> pa.Table:
        """Rows of the result from `offset` on (count None: all), maybe sorted by a column.

        With `shown` there are also the texts that people see of fields with a format, as `split_shown` takes them apart.
        """
        job = self.get(sid)
        preview = job.preview
        if job.previewed and preview is not None:
            plain = [n for n in preview.table.column_names if n and (shown or not n.startswith(DISPLAY_PREFIX))]
            return sorted_table(preview.table.select(plain), sort, descending).slice(offset, count)
        names = [name for name, _ in self.visible_fields(job)]
        if shown:
            texts = [DISPLAY_PREFIX + name for name in names]
            names += [name for name, _ in job.fields if name in texts]
        if sort:
            return sorted_table(self._read(job, 0, job.result_count, names), sort, descending).slice(offset, count)
        return self._read(job, offset, job.result_count if count is None else count, names)

    def _read(self, job: Job, offset: int, count: int, names: list[str]) -> pa.Table:
        tables, position = [], 0
        for rows, path in list(job.parts):
            if position + rows > offset and position < offset + count:
                with pa.memory_map(str(path)) as source:
                    table = pa.ipc.open_file(source).read_all()
                start = max(0, offset - position)
                tables.append(table.select(names).slice(start, min(rows, offset + count - position) - start))
            position += rows
        if tables:
            return pa.concat_tables(tables)
        types = dict(job.fields)
        return pa.table({name: pa.array([], types[name]) for name in names})

    def timeline(self, sid: str, by: str = "") -> dict[str, Any]:
        """The histogram of a job's events over time, maybe split by a field's most frequent values."""
        job = self.get(sid)
        if job.kind != "events" or job.prepared is None:
            return {"span_s": 0, "buckets": []}
        if not by and job.timeline is not None:
            return job.timeline
        return self._timeline(job, job.prepared, by)

    def _timeline(self, job: Job, prepared: Prepared, by: str = "") -> dict[str, Any]:
        relation, context = prepared.relation, prepared.context
        time = relation.field("_time")
        if not time.type.is_number:
            return {"span_s": 0, "buckets": [{"start": 0, "count": job.result_count}] if job.result_count else []}
        earliest, latest = job.earliest_time, job.latest_time
        if not earliest or latest is None:
            bounds = relation.aggregated(
                [], [("low", v.agg("min", time, type=Type.FLOAT)), ("high", v.agg("max", time, type=Type.FLOAT))]
            )
            row = context.table_of(bounds, ["low", "high"]).to_pylist()[0]
            if row["low"] is None:
                return {"span_s": 0, "buckets": []}
            earliest, latest = earliest or row["low"], min(latest or row["high"] + 1e-6, row["high"] + 1e-6)
            if relation.field("_time").type.is_number and latest <= earliest:
                latest = earliest + 1
        width = (latest - earliest) / TIMELINE_BUCKETS
        span_s = next((s for s in _SPANS if s >= width), _SPANS[-1])
        keys = [("start", TimeBuckets(TimeSpan(span_s, "s")).value(time))]
        if by:
            keys.append(("by", v.as_text(relation.field(by))))
        counted = relation.aggregated(keys, [("count", v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT))])
        rows = context.table_of(counted, [name for name, _ in keys] + ["count"]).to_pylist()
        buckets: dict[float, dict[str, Any]] = {}
        for row in rows:
            if row["start"] is None:
                continue
            bucket = buckets.setdefault(row["start"], {"start": row["start"], "count": 0})
            bucket["count"] += row["count"]
            if by:
                split = bucket.setdefault("by", {})
                key = row.get("by")
                split["" if key is None else key] = row["count"]
        return {
            "span_s": span_s,
            "earliest": earliest,
            "latest": latest,
            "buckets": sorted(buckets.values(), key=lambda b: b["start"]),
        }

    def field_summary(self, sid: str) -> list[dict[str, Any]]:
        """For each field of the kept rows: type, number of rows that have it, distinct values and the top ones."""
        table = self.results(sid, 0, None)
        found = []
        for name, column in zip(table.column_names, table.columns, strict=True):
            values = column.combine_chunks()
            rows_with = len(values) - values.null_count
            if pa.types.is_list(values.type):
                lengths = pc.list_value_length(values)
                rows_with = pc.sum(pc.greater(pc.fill_null(lengths, 0), 0)).as_py() or 0
                values = values.flatten()
            counts = values.drop_null().value_counts()
            top: list[dict[str, Any]] = []
            if len(counts):
                numbers = counts.field("counts")
                best = pc.select_k_unstable(pa.table({"n": numbers}), min(TOP_VALUES, len(counts)), [("n", "descending")])
                top = [
                    {"value": cell_text(counts[i.as_py()]["values"].as_py()), "count": numbers[i.as_py()].as_py()}
                    for i in best
                ]
            found.append(
                {
                    "name": name,
                    "type": column_kind(name, column.type),
                    "count": rows_with,
                    "coverage": rows_with / table.num_rows if table.num_rows else 0.0,
                    "distinct": len(counts),
                    "top": top,
                }
            )
        found.sort(key=lambda f: (f["name"].startswith("_"), -f["coverage"], f["name"]))
        return found


def sorted_table(table: pa.Table, name: str, descending: bool) -> pa.Table:
    """The rows by a column; as they are where there is no such column."""
    if name not in table.column_names:
        return table
    key = table.column(name)
    if pa.types.is_list(key.type):
        key = pa.chunked_array([pa.array([cell_text(x) or None for x in key.to_pylist()], pa.string())])
    return table.take(pc.sort_indices(pa.table({"key": key}), [("key", "descending" if descending else "ascending")]))


def _preview_sid(job: Job) -> str:
    """The name under which previews run in the engine: what they read is no progress of the search."""
    return f"{job.sid}.preview"


def column_kind(name: str, type: pa.DataType) -> str:
    """number, string, time, multi or bool: what the page needs to show a column."""
    if name in ("_time", "_indextime") and (pa.types.is_floating(type) or pa.types.is_integer(type)):
        return "time"
    if pa.types.is_boolean(type):
        return "bool"
    if pa.types.is_integer(type) or pa.types.is_floating(type):
        return "number"
    if pa.types.is_list(type):
        return "multi"
    return "string"
