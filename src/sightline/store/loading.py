"""Loads closed journal segments into the engine, oldest first, each with one statement that may be repeated.

Hides: replay, deduplication, and what to do with a segment the engine refuses. Enters: the journal's folder.
Leaves: rows, ledger counts, and frames the engine cannot read in the quarantine folder with the reason beside them.

A segment's name is the deduplication token of its insert, so a crash anywhere between the insert and the removal of
the file costs one repeated statement. A segment that fails is cut in halves until the bad frames stand alone; each
piece has a token of its own, and a marker file makes a later run cut the same pieces instead of trying the whole.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from sightline.clock import Clock, system_clock
from sightline.config import Settings
from sightline.errors import EnvironmentTrouble
from sightline.journal import LOADED, Cut, Segment, closed_segments, recover, segment_files
from sightline.quarantine import Quarantine, SetAside, is_retried
from sightline.segments import Damage, Frame, check_frames, runs_of
from sightline.sourcetypes import FILE, FollowedRules
from sightline.store import compiled, decoding, guard
from sightline.store.embedded import EmbeddedStore
from sightline.store.engine_errors import EngineBusy, EngineError, MemoryLimitExceeded, QueryCancelled
from sightline.store.guard import Fold, Guard, Sender
from sightline.store.ledger import Ledger, LedgerRow, counted_before, frame_index, merge, source_of
from sightline.store.promotion import JSON_COLUMNS, SAMPLE_ROWS, PromotedField
from sightline.store.rulebook import RouteProblem, RuleBook, read_checked
from sightline.store.ruling import Ruling

if TYPE_CHECKING:
    from sightline.store.direct import DirectDecoder, Rows

log = logging.getLogger(__name__)

_POLL_S = 0.05
_RECOVER_INTERVAL_S = 1.0
_FLUSH_INTERVAL_S = 10.0
_RETRY_S = 2.0
_MEMORY_TRIES = 3
_LEARN_INTERVAL_S = 10.0
_LEARN_RARELY_S = 160.0
"""How often a kind's segments are looked into for fields worth a column, and how rarely where looking has found nothing new for
long: a look by a statement costs up to 500 ms of a processor."""
_CUT = ".cut"
_PIECE = ".piece"
CUT_REASONS = {
    "text": "the text of an event was longer than ingest.max_event_bytes",
    "characters": "bytes were no text in UTF-8",
    "value": "a value was longer than ingest.max_value_bytes, in a record over ingest.max_fields_bytes",
    "fields": "the fields of a record were longer than ingest.max_fields_bytes",
}
"""What the ledger says of each kind of mark that `store/decode/careful_fields.py` leaves on a record."""
_PIECE_BYTES = 10 * 1024 * 1024
"""A segment that a large request made larger than others is loaded in ranges of frames of this size, which bounds the engine's
memory. No setting: one that was loaded half way must be cut at the same places after a restart."""
_ROUND_S = 5.0
"""How long a round takes up segments, so that a long backlog does not keep recovery and the ledger waiting."""


class Loader:
    """Loads in threads of its own between `start` and `stop`; `load_waiting` does one round in the caller's."""

    def __init__(
        self,
        store: EmbeddedStore,
        settings: Settings,
        clock: Clock = system_clock,
        record: Callable[..., None] = lambda *_, **__: None,
        route_problem: RouteProblem = lambda _token, _index: "",
    ) -> None:
        """`record` gets what a person should know: a sourcetype, and the fields of an event. `route_problem` says why what
        a token sends may not go to an index. Raises UserError for rules that cannot be read and never could.
        """
        self._store = store
        self._record = record
        self._journal = settings.data / "journal"
        self.quarantine = Quarantine(settings.data / "quarantine")
        self._threads = settings.ingest.load_threads
        self.rules = FollowedRules(
            settings.data,
            lambda text: read_checked(text, FILE, settings.rules, store.query),
            lambda problem: record("sightline:sourcetypes", action="refused", file=FILE, reason=problem),
        )
        self._rules = RuleBook(self.rules, store.query, route_problem)
        self._journal.mkdir(parents=True, exist_ok=True)
        self._stopping = threading.Event()
        self._pausing = threading.Event()
        self._moving = threading.Lock()
        self._large = threading.Lock()
        self._retry_at: dict[str, float] = {}
        self._memory_failures: dict[str, int] = {}
        self._learn_at: dict[str, float] = {}
        self._learn_after: dict[str, float] = {}
        self._learning = {kind: threading.Lock() for kind in decoding.KINDS}
        self._thread: threading.Thread | None = None
        self.ledger = Ledger(store, self._journal, clock)
        self._guard = Guard(store, settings.ingest, clock)
        self._direct: DirectDecoder | None = None
        self._ingest = settings.ingest
        self._folds: dict[str, dict[Sender, Fold]] = {segment.name: {} for segment in closed_segments(self._journal)}
        """What is folded of segments that were tried. Of those of an earlier process nothing but what it wrote down."""
        for left in (*self._journal.glob(f"*/*{_PIECE}"), *self._journal.glob(f"*/*{guard.LOOKED_AT}")):
            left.unlink(missing_ok=True)
        self.last_error = ""
        """Why the latest segment that failed did; empty when none is tried again."""

    def start(self) -> None:
        """Begin loading in the background."""
        self._thread = threading.Thread(target=self._work, name="loader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the segments being loaded, write the ledger, and end."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
        self.ledger.flush()

    def load_waiting(self) -> int:
        """Load every segment that is closed now, dead writers' included; returns how many were loaded."""
        recover(self._journal, self._tell_cut)
        loaded = 0
        while some := self._load_round():
            loaded += some
        return loaded

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No segment is between the journal and the store: each is wholly here or there. Receiving goes on."""
        self._pausing.set()
        try:
            with self._moving:
                yield
        finally:
            self._pausing.clear()

    # Inside

    def _work(self) -> None:
        recovered_at = flushed_at = 0.0
        while not self._stopping.is_set():
            loaded = 0
            try:
                now = time.monotonic()
                if now - recovered_at >= _RECOVER_INTERVAL_S:
                    recover(self._journal, self._tell_cut)
                    recovered_at = now
                with self._moving:
                    loaded = self._load_round()
                    if now - flushed_at >= _FLUSH_INTERVAL_S:
                        self.ledger.flush()
                        flushed_at = now
            except Exception as error:
                # A loader that ends would stop everything; what failed here is still on disk and comes again.
                self.last_error = str(error)
                log.exception("loading of the journal failed; trying again in %s s", _RETRY_S)
                self._stopping.wait(_RETRY_S)
            if not loaded or self._pausing.is_set():
                self._stopping.wait(_POLL_S)

    def _load_round(self) -> int:
        """Load what is closed, and what is closed meanwhile, for a while: a segment waits for a thread and not for those beside it."""
        running: set[Future[bool]] = set()
        tried: set[str] = set()
        loaded = 0
        end = time.monotonic() + _ROUND_S
        with ThreadPoolExecutor(self._threads, thread_name_prefix="load") as pool:
            while True:
                now = time.monotonic()
                ending = now > end or self._stopping.is_set() or self._pausing.is_set()
                free = 0 if ending else self._threads - len(running)
                for segment in closed_segments(self._journal) if free else ():
                    if free and segment.name not in tried and self._retry_at.get(segment.name, 0.0) <= now:
                        tried.add(segment.name)
                        running.add(pool.submit(self._load, segment))
                        free -= 1
                if not running:
                    return loaded
                done, running = wait(running, _POLL_S, FIRST_COMPLETED)
                loaded += sum(one.result() for one in done)

    def _load(self, segment: Segment) -> bool:
        # A request with a record that is very large takes the engine fifteen times its size: one such at a time.
        try:
            is_large = segment.path.stat().st_size > _PIECE_BYTES
        except FileNotFoundError:
            return False
        with self._large if is_large else contextlib.nullcontext():
            return self._load_one(segment)

    def _load_one(self, segment: Segment) -> bool:
        if self._stopping.is_set() or self._pausing.is_set():
            return False
        cut_marker = segment.path.with_suffix(_CUT)
        rows: list[LedgerRow] = []
        try:
            if segment.kind not in decoding.KINDS:
                known = ", ".join(decoding.KINDS)
                raise EnvironmentTrouble(f'the segment is of kind "{segment.kind}", this program knows: {known}')
            frames, damages = check_frames(segment.path)
            if damages:
                # From now on its pieces are loaded, and never the whole.
                cut_marker.touch()
                rows += [self._set_aside_damage(segment, damage) for damage in damages]
            folds = self._folds_of(segment, frames)
            started = time.monotonic()
            if cut_marker.exists() or folds or len(runs_of(frames, _PIECE_BYTES)) > 1:
                rows += self._load_pieces(segment, frames, folds)
            else:
                try:
                    rows = self._load_whole(segment, segment.path, segment.name, frames)
                except EngineError as error:
                    if self._comes_back(segment, error):
                        raise
                    cut_marker.touch()
                    rows = self._load_pieces(segment, frames, {})
            self._look(segment, frames, time.monotonic() - started)
        except (EngineError, EnvironmentTrouble, OSError) as error:
            self.last_error = f"{segment.name}: {error}"
            if segment.name not in self._retry_at:
                self._record("sightline:journal", action="waits", segment=segment.name, reason=str(error))
            self._retry_at[segment.name] = time.monotonic() + _RETRY_S
            log.warning("segment %s is not loaded yet: %s", segment.name, error)
            return False
        if is_retried(segment.writer):
            rows += counted_before(segment.kind, frames)
        self.ledger.add(segment.name, rows)
        if segment.kind in decoding.KINDS and decoding.KINDS[segment.kind].has_positions:
            segment.path.rename(segment.path.with_suffix(LOADED))
        else:
            segment.path.unlink(missing_ok=True)
        cut_marker.unlink(missing_ok=True)
        segment.path.with_suffix(guard.SUFFIX).unlink(missing_ok=True)
        self._folds.pop(segment.name, None)
        self._retry_at.pop(segment.name, None)
        self._memory_failures.pop(segment.name, None)
        if not self._retry_at:
            self.last_error = ""
        return True

    def _promoted(self, kind: str) -> Sequence[PromotedField]:
        return self._store.promoted.of(decoding.KINDS[kind].table)

    def _learn(self, kind: str, path: Path, frames: Sequence[Frame], ruling: Ruling | None) -> None:
        """Now and then, look which fields most records have, so that these records have columns for them already. Who comes
        meanwhile waits: without the columns, the first segments would take longer than that to load and read."""
        with self._learning[kind]:
            now = time.monotonic()
            if self._learn_at.get(kind, 0.0) <= now:
                self._learn_at[kind] = now + _LEARN_INTERVAL_S
                self._look_for_fields(kind, path, frames, ruling)

    def _look_for_fields(self, kind: str, path: Path, frames: Sequence[Frame], ruling: Ruling | None) -> None:
        try:
            sample = self._sample(kind, path, frames, ruling)
        except EngineError as error:
            # Whatever is wrong with the records is found, told and dealt with where they are loaded.
            log.info("%s gives no sample: %s", path.name, error)
            return
        found = self._store.promoted.learn(decoding.KINDS[kind].table, sample)
        waited = _LEARN_INTERVAL_S if found else min(2 * self._learn_after.get(kind, _LEARN_INTERVAL_S / 2), _LEARN_RARELY_S)
        self._learn_after[kind] = waited
        self._learn_at[kind] = time.monotonic() + waited

    def _sample(self, kind: str, path: Path, frames: Sequence[Frame], ruling: Ruling | None) -> pa.Table:
        """Some records of a segment, as `PromotedFields.learn` wants them."""
        if ruling is None:
            counts = itertools.accumulate(frame.records for frame in frames)
            enough = 1 + sum(1 for _ in itertools.takewhile(lambda count: count < SAMPLE_ROWS, counts))
            rows = self._read_directly(kind, path, frames[:enough], ())
            if rows is not None:
                column = JSON_COLUMNS[decoding.KINDS[kind].table]
                return rows.table.select(["index", column]).rename_columns(["index", "object"]).slice(0, SAMPLE_ROWS)
        sql, settings = decoding.sample_statement(kind, path, ruling)
        return self._store.query(sql, settings=settings)

    def _comes_back(self, segment: Segment, error: EngineError) -> bool:
        """Whether the error is of the moment and not of the segment. A segment that is itself too large for memory
        looks like a moment without memory; after a few tries it is cut."""
        if isinstance(error, EngineBusy | QueryCancelled):
            return True
        if isinstance(error, MemoryLimitExceeded):
            failures = self._memory_failures[segment.name] = self._memory_failures.get(segment.name, 0) + 1
            return failures < _MEMORY_TRIES
        return error.message == "the store is closed"

    def _folds_of(self, segment: Segment, frames: list[Frame]) -> dict[Sender, Fold]:
        """What is folded of a segment: decided once, so that whoever loads it again cuts it the same way."""
        decided = self._folds.get(segment.name)
        if not decided:
            decided = self._guard.decide(segment, frames, anew=decided is None)
            self._folds[segment.name] = decided
        return decided

    def _look(self, segment: Segment, frames: list[Frame], loaded_s: float) -> None:
        for (token, index), fold in self._guard.look(segment, frames, loaded_s):
            log.warning("index %s, token %s: %s", index, token or "-", fold.reason)
            self._record("sightline:journal", action="folds", token=token or None, target_index=index, reason=fold.reason)

    def _load_whole(
        self, segment: Segment, path: Path, token: str, frames: list[Frame], fold: Fold | None = None
    ) -> list[LedgerRow]:
        ruling = self._rules.ruling(segment.kind, path, [frame.token for frame in frames])
        self._learn(segment.kind, path, frames, ruling)
        applied = {} if fold is None else {"applied": fold.applied}
        promoted = self._promoted(segment.kind)
        rows = self._read_directly(segment.kind, path, frames, promoted) if ruling is None and fold is None else None
        if rows is not None:
            sql = decoding.insert_of(segment.kind, rows.columns, rows.select)
            settings = decoding.insert_settings(segment.kind)
            stored = self._store.insert(sql, token=token, settings=settings, tables=rows.tables)
        else:
            sql, settings = decoding.insert_statement(segment.kind, path, ruling, promoted, **applied)
            stored = self._store.insert(sql, token=token, settings=settings)
        rows = self._rows_of(segment.kind, path, frames, stored, ruling)
        if fold is not None:
            table = decoding.KINDS[segment.kind].table
            select = fold.applied(decoding.select_statement(segment.kind, path, ruling))
            count = f"SELECT countIf({fold.folded(JSON_COLUMNS[table])}) AS folded FROM ({select})"
            folded = self._store.query(count, settings=settings)["folded"][0].as_py()
            source, index = source_of(segment.kind), frame_index(segment.kind, frames[0].index)
            rows.append(LedgerRow(source, frames[0].token, index, cut=folded, reason=fold.reason))
        return rows

    def _read_directly(
        self, kind: str, path: Path, frames: Sequence[Frame], promoted: Sequence[PromotedField]
    ) -> Rows | None:
        """The rows of a segment that needs no statement to be read."""
        if kind not in compiled.KINDS:
            return None
        try:
            if not compiled.is_ready():
                return None
            return self._decoder().rows(kind, path, frames, promoted)
        except EngineError:
            raise
        except Exception:
            # A fault of the compiler, or of what it compiles, must not hold up what was acknowledged: a statement reads the same.
            log.exception("%s is not read by compiled functions", path.name)
            return None

    def _decoder(self) -> DirectDecoder:
        if self._direct is None:
            # A server that gets nothing of these kinds does without.
            from sightline.store.direct import DirectDecoder

            self._direct = DirectDecoder(self._ingest, self._store.query)
        return self._direct

    def _rows_of(self, kind: str, path: Path, frames: list[Frame], stored: int, ruling: Ruling | None) -> list[LedgerRow]:
        """What became of the frames of a file of which so many rows were stored."""
        if decoding.KINDS[kind].counts_lines or (ruling and ruling.judges):
            return self._counted(kind, path, frames, stored, ruling)
        rows = _counts(kind, frames)
        received = sum(row.received for row in rows)
        if stored != received and rows:
            # The receiver counted otherwise than the engine: the difference is told, on the largest row.
            log.error("%s: %s records received, %s stored", path.name, received, stored)
            largest = max(rows, key=lambda row: row.received)
            rows.append(
                LedgerRow(
                    largest.source,
                    largest.token,
                    largest.index,
                    stored=stored - received,
                    refused=received - stored,
                    reason="the engine decoded another number of records than were received",
                )
            )
        return rows

    def _counted(self, kind: str, path: Path, frames: list[Frame], stored: int, ruling: Ruling | None) -> list[LedgerRow]:
        """The rows of a segment of which only the engine knows how many events it holds, or which of them it stores."""
        pairs = {(frame.token, frame_index(kind, frame.index)) for frame in frames}
        if len(pairs) == 1 and not (ruling and ruling.judges):
            ((token, index),) = pairs
            return [LedgerRow(source_of(kind), token, index, received=stored, stored=stored)]
        found = self._store.query(decoding.count_statement(kind, path, ruling), settings=decoding.settings(kind))
        rows = []
        for row in found.to_pylist():
            count, refusal = row["count"], row["refusal"]
            counts = {"refused": count, "reason": refusal} if refusal else {"stored": count}
            rows.append(LedgerRow(source_of(kind), row["token"], row["index"], received=count, **counts))
        return rows

    def _load_pieces(self, segment: Segment, frames: list[Frame], folds: dict[Sender, Fold]) -> list[LedgerRow]:
        rows: list[LedgerRow] = []
        senders = guard.runs(segment.kind, frames) if folds else [(0, len(frames))]
        ranges = [
            (first + low, first + high) for first, last in senders for low, high in runs_of(frames[first:last], _PIECE_BYTES)
        ][::-1]
        while ranges:
            low, high = ranges.pop()
            if low >= high:
                continue
            piece = self._cut_out(segment, frames, low, high)
            try:
                fold = folds.get((frames[low].token, frame_index(segment.kind, frames[low].index)))
                rows += self._load_whole(segment, piece, f"{segment.name}:{low}-{high}", frames[low:high], fold)
            except EngineError as error:
                if isinstance(error, EngineBusy | QueryCancelled) or error.message == "the store is closed":
                    raise
                if high - low == 1:
                    rows += self._load_carefully(segment, piece, f"{segment.name}:{low}-{high}", frames[low], error)
                else:
                    middle = (low + high) // 2
                    ranges += [(middle, high), (low, middle)]
            finally:
                piece.unlink(missing_ok=True)
        return rows

    def _load_carefully(
        self, segment: Segment, piece: Path, token: str, frame: Frame, error: EngineError
    ) -> list[LedgerRow]:
        """Load a request of which some record is over a bound, or would not become JSON, by the statement that makes it fit.
        One that even this cannot take is set aside, for the first error."""
        ruling = self._rules.ruling(segment.kind, piece, [frame.token])
        sql, settings = decoding.insert_statement(segment.kind, piece, ruling, self._promoted(segment.kind), careful=True)
        try:
            stored = self._store.insert(sql, token=token, settings=settings)
            cuts = self._store.query(decoding.cuts_statement(segment.kind, piece, ruling), settings=settings).to_pylist()
        except EngineError as again:
            if isinstance(again, EngineBusy | QueryCancelled) or again.message == "the store is closed":
                raise
            log.warning("%s: the careful statement fails too: %s", piece.name, again)
            return [self._set_aside(segment, frame, error)]
        rows = self._rows_of(segment.kind, piece, [frame], stored, ruling)
        source, index = source_of(segment.kind), frame_index(segment.kind, frame.index)
        rows += [LedgerRow(source, frame.token, index, cut=c["count"], reason=CUT_REASONS[c["reason"]]) for c in cuts]
        return rows

    def _cut_out(self, segment: Segment, frames: list[Frame], low: int, high: int) -> Path:
        piece = segment.path.with_name(f"{segment.path.stem}.{low}-{high}{_PIECE}")
        with segment.path.open("rb") as source, piece.open("wb") as target:
            # One by one: there may be damage between them.
            for frame in frames[low:high]:
                source.seek(frame.offset)
                target.write(source.read(frame.end - frame.offset))
        return piece

    def _set_aside(self, segment: Segment, frame: Frame, error: EngineError) -> LedgerRow:
        index = frame_index(segment.kind, frame.index)
        one = self.quarantine.set_aside(
            segment,
            frame.offset,
            frame.end,
            error.message,
            index=index,
            token=frame.token,
            records=frame.records,
            received_ms=frame.received_ms,
        )
        return self._told(one, frame.records)

    def _set_aside_damage(self, segment: Segment, damage: Damage) -> LedgerRow:
        frame = damage.frame
        one = self.quarantine.set_aside(
            segment,
            damage.offset,
            damage.end,
            damage.reason,
            index=frame_index(segment.kind, frame.index) if frame else "",
            token=frame.token if frame else "",
            records=frame.records if frame else 0,
            received_ms=frame.received_ms if frame else 0,
            damaged=True,
        )
        # Records that nobody can count are one, as they are for the receivers.
        return self._told(one, one.records or 1)

    def _told(self, one: SetAside, records: int) -> LedgerRow:
        log.error("set aside %s with %s records: %s", one.name, one.records, one.reason)
        self._record(
            "sightline:journal",
            action="set aside",
            name=one.name,
            reason=one.reason,
            kind=one.kind,
            token=one.token or None,
            target_index=one.index or None,
            records=one.records,
            size_bytes=one.size_bytes,
        )
        return LedgerRow(
            source_of(one.kind), one.token, one.index, received=records, refused=records, reason=one.reason[:300]
        )

    def _tell_cut(self, cut: Cut) -> None:
        log.warning("cut %s bytes off segment %s: %s", cut.size_bytes, cut.segment, cut.reason)
        self._record(
            "sightline:journal",
            action="cut",
            segment=cut.segment,
            offset=cut.offset,
            size_bytes=cut.size_bytes,
            reason=cut.reason,
        )


def _counts(kind: str, frames: list[Frame]) -> list[LedgerRow]:
    return merge(
        LedgerRow(
            source_of(kind),
            frame.token,
            frame_index(kind, frame.index),
            received=frame.records,
            stored=frame.records,
        )
        for frame in frames
    )


def is_empty(journal: Path) -> bool:
    """Whether nothing waits: no segment, open or closed."""
    return not segment_files(journal)
