"""Builds every part in start-up order; the only file that knows them all.

`serve` prepares the data directory, makes the first administrator and becomes the supervisor, which keeps two processes
running. The engine process has the store, the loader, searches, the HTTP API and the schedule; the front process has
every listener and the journal. `open_offline` builds the engine's parts in this process, for the command line.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlencode

from sightline.clock import system_clock
from sightline.config import ListenSettings, Settings, load_settings
from sightline.datadir import DataDirectory
from sightline.errors import EnvironmentTrouble, SightlineError, UserError
from sightline.supervisor import REFUSED, Child, become_supervisor, end_with_supervisor

if TYPE_CHECKING:
    from sightline.catalog import Catalog
    from sightline.search.engine import Result, SearchEngine
    from sightline.search.jobs import Job, JobManager
    from sightline.watch.scheduler import RunOutcome, RunRequest

ADMIN = "admin"
LOOK_S = 0.2
"""How often the command line looks how far its search is, and whether it is to end."""
GIVE_BACK = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_TRIM_THRESHOLD_": "1048576"}
"""For the C library: give large blocks back to the system when they are freed. Left alone it keeps what a few large requests
needed for good: a front that had taken seven of 60 MiB held 240 MB."""
GIVE_BACK_ENGINE = {"JE_MALLOC_CONF": "dirty_decay_ms:300"}
"""The same for the engine's allocator, which keeps freed memory for 5 s and then gives it back when it is next asked for some:
the engine held 1.1 GB long after a burst, of which it used 0.4. Given back at once it would be fetched again for every insert."""
LISTENERS = tuple(field.name for field in fields(ListenSettings))
Tell = Callable[[str], None]


def serve(data: Path, overrides: dict[str, dict[str, Any]], tell: Tell) -> NoReturn:
    """Runs the server until Ctrl-C or SIGTERM ends the process. `tell` gets the lines a person should see.

    Raises UserError for a directory or a setting that cannot be used, EnvironmentTrouble for a port that is taken.
    """
    directory = DataDirectory(data)
    settings = load_settings(directory.path, overrides)
    lock = directory.lock()
    check_listeners(settings.listen)
    (directory.run / "address").write_text(page_address(settings) + "\n")
    for line in _greeting(directory, settings):
        tell(line)
    arguments = [str(directory.path), json.dumps(overrides)]
    command = [sys.executable, "-m", "sightline.app"]
    children = [
        # The engine inherits the lock: as long as one of them lives, no other program opens the directory.
        Child(
            "engine",
            [*command, "engine", *arguments, str(lock)],
            inherited=(lock,),
            environment=GIVE_BACK | GIVE_BACK_ENGINE,
        ),
        Child("front", [*command, "front", *arguments], environment=GIVE_BACK),
    ]
    become_supervisor(children, directory.run)


def check_listeners(listen: ListenSettings) -> None:
    """Raises UserError for an address that is none, EnvironmentTrouble naming a port that is taken."""
    taken: dict[tuple[str, int, socket.SocketKind], str] = {}
    for name in LISTENERS:
        address = getattr(listen, name)
        if address == "off":
            continue
        host, port = parse_address(name, address)
        kind = socket.SOCK_DGRAM if name.endswith("_udp") else socket.SOCK_STREAM
        if (host, port, kind) in taken:
            raise UserError(f'listeners "{taken[host, port, kind]}" and "{name}" have the same address {address}')
        taken[host, port, kind] = name
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                option = "--" + name.replace("_", "-")
                raise EnvironmentTrouble(
                    f"port {port} on {host} cannot be used for {option}: {error.strerror.lower()};"
                    f" {option} H:P takes another one, {option} off does without"
                ) from error


def parse_address(name: str, text: str) -> tuple[str, int]:
    """Host and port of `host:port`; an IPv6 host is in brackets. Raises UserError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f'listener "{name}" wants host:port or off, got "{text}"')
    return host.strip("[]"), int(port)


def page_address(settings: Settings) -> str:
    """Where people reach the page."""
    if settings.web.public_url:
        return settings.web.public_url.rstrip("/")
    if settings.listen.http == "off":
        return ""
    host, port = parse_address("http", settings.listen.http)
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{reachable}:{port}"


def login_link(catalog: Catalog, directory: Path, user: str = ADMIN) -> str:
    """A link that signs a user in once, at the address of the running or last server."""
    known = directory / "run" / "address"
    address = known.read_text().strip() if known.exists() else page_address(load_settings(directory))
    return f"{address}/login?code={catalog.accounts.create_link(user)}"


def _greeting(directory: DataDirectory, settings: Settings) -> list[str]:
    """Makes the first administrator where there is none, and says where to go."""
    from sightline.catalog import Catalog

    catalog = Catalog(directory.path)
    try:
        if not catalog.accounts.list():
            catalog.accounts.create(ADMIN, "admin")
        lines = [
            f"{name.replace('_', '/')} listens on {getattr(settings.listen, name)}"
            for name in LISTENERS
            if getattr(settings.listen, name) != "off"
        ]
        address = page_address(settings)
        if not address:
            return lines
        # Nobody has a password or a session: without a link nobody could ever get in.
        if catalog.accounts.nobody_can_enter():
            return [*lines, f"open {login_link(catalog, directory.path)}", "(the link signs in once)"]
        return [*lines, f"open {address}/"]
    finally:
        catalog.close()


# -- the front process


def run_front(data: Path, overrides: dict[str, dict[str, Any]]) -> None:
    """The process that listens: receivers, journal, and the way to the engine. Never imports the engine."""
    from sightline.catalog.token_source import TokenSource
    from sightline.receivers.front import run_front as run

    directory = DataDirectory(data)
    settings = load_settings(directory.path, overrides)
    run(settings, TokenSource(directory.catalog))


# -- the engine process


@contextlib.contextmanager
def open_parts(directory: DataDirectory, settings: Settings) -> Iterator[Any]:
    """Everything but the listeners, in start-up order; closed in the reverse one. Gives `web.parts.Parts`."""
    from sightline.catalog import Catalog
    from sightline.catalog.knowledge import CatalogKnowledge
    from sightline.ml import ModelRegistry
    from sightline.search.engine import SearchEngine
    from sightline.search.jobs import JobManager
    from sightline.search.names import KnownNames
    from sightline.store import EmbeddedStore
    from sightline.store.loading import Loader
    from sightline.watch.internal_log import InternalLog
    from sightline.watch.retention import Retention
    from sightline.watch.scheduler import Scheduler
    from sightline.web.parts import Parts
    from sightline.web.surroundings import Program

    clock = system_clock
    with contextlib.ExitStack() as closing:
        catalog = closing.enter_context(contextlib.closing(Catalog(directory.path, clock)))
        store = closing.enter_context(EmbeddedStore(directory.path / "engine", settings))
        models = ModelRegistry(directory.path / "models", clock)
        log = closing.enter_context(contextlib.closing(InternalLog(store.append_events, clock)))
        loader = Loader(store, settings, clock, log.record, catalog.route_problem)
        engine = SearchEngine(store, CatalogKnowledge(catalog), models, settings, clock)
        jobs = JobManager(engine, settings, clock, directory.path, on_done=lambda job: _audit(log, job))
        closing.callback(jobs.close)
        address = page_address(settings)
        scheduler = Scheduler(
            catalog,
            lambda request: run_scheduled(jobs, request),
            log,
            settings.watch,
            clock,
            lambda text, outcome: _results_link(address, text, outcome),
            address,
        )
        closing.callback(scheduler.close)
        parts = Parts(
            settings=settings,
            directory=directory,
            clock=clock,
            catalog=catalog,
            store=store,
            models=models,
            engine=engine,
            names=KnownNames(engine),
            jobs=jobs,
            scheduler=scheduler,
            log=log,
            loader=loader,
            retention=Retention(catalog, store, settings.retention, clock, log.record),
            started=clock(),
        )
        engine.surroundings = Program(parts)
        yield parts


def run_engine(data: Path, overrides: dict[str, dict[str, Any]], lock: int | None = None) -> None:
    """The process that owns the store. `lock` is the inherited descriptor of the directory's lock."""
    import uvicorn

    from sightline.watch.upkeep import Upkeep
    from sightline.web.app import create_app

    directory = DataDirectory(data)
    settings = load_settings(directory.path, overrides)
    if lock is None:
        directory.lock()
    directory.socket.unlink(missing_ok=True)
    # Uploads that a crash cut short; who sent them was told that they failed.
    shutil.rmtree(directory.run / "uploads", ignore_errors=True)
    with open_parts(directory, settings) as parts, contextlib.ExitStack() as closing:
        parts.loader.start()
        closing.callback(parts.loader.stop)
        parts.scheduler.start()
        upkeep = Upkeep(parts.catalog, parts.store, parts.jobs, parts.retention, settings.retention.interval_s)
        upkeep.start()
        closing.callback(upkeep.close)
        config = uvicorn.Config(
            create_app(parts),
            uds=str(directory.socket),
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
            server_header=False,
            date_header=False,
        )
        uvicorn.Server(config).run()


@contextlib.contextmanager
def open_offline(data: Path) -> Iterator[Offline]:
    """The engine's parts in this process. Raises DirectoryHeld when a server has the directory open."""
    directory = DataDirectory(data)
    settings = load_settings(directory.path)
    directory.lock()
    try:
        with open_parts(directory, settings) as parts:
            # What a server acknowledged and did not get to load belongs to the answer.
            parts.loader.load_waiting()
            yield Offline(parts)
    finally:
        directory.unlock()


class Offline:
    """What the command line does with an opened data directory."""

    def __init__(self, parts: Any) -> None:
        self._parts = parts

    @property
    def engine(self) -> SearchEngine:
        """Runs searches."""
        return self._parts.engine

    def search(self, text: str, earliest: str, latest: str, tell: Callable[[float], None] = lambda _: None) -> Result:
        """Run a search to its end, telling now and then what part is done; Ctrl-C cancels it, and leaves as KeyboardInterrupt
        when it has stopped."""
        sid, cancelled = uuid.uuid4().hex, threading.Event()
        store = self.engine.store
        # In a thread of its own: Python hears of Ctrl-C between its own steps, and the engine's may take long. Waiting is such a
        # step only where it has an end, for another thread may have got the signal.
        with ThreadPoolExecutor(1) as beside:
            running = beside.submit(
                self.engine.run, text, earliest=earliest or None, latest=latest or None, sid=sid, cancelled=cancelled.is_set
            )
            try:
                while wait([running], timeout=LOOK_S).not_done:
                    progress = store.progress(sid)
                    tell(progress.part if progress else 0.0)
                return running.result()
            except KeyboardInterrupt:
                cancelled.set()
                # One that is still being planned outlives the first try.
                while not running.done():
                    store.cancel(sid)
                    wait([running], timeout=LOOK_S)
                raise

    def suggest(self, text: str) -> tuple[int, list[dict[str, str]]]:
        """What may stand at the end of a search text: where the replaced part begins, and the suggestions."""
        found = self._parts.names.suggest(text)
        return found["start"], found["options"]

    def load_file(self, path: Path, index: str, sourcetype: str, time_field: str, progress: Callable[[int], None]) -> int:
        """Loads one file, telling the bytes read so far, and gives the number of rows."""
        from sightline.web.api.load import load_file

        return load_file(self._parts, path, index, sourcetype, time_field, lambda _rows, done, _all: progress(done))


def run_scheduled(jobs: JobManager, request: RunRequest) -> RunOutcome:
    """Runs a scheduled search as a job, to its end."""
    from sightline.watch.scheduler import RunOutcome

    job = jobs.create(
        request.search,
        request.earliest or None,
        request.latest or None,
        user=request.owner,
        app=request.app,
        max_count=request.max_rows,
        label=request.label,
        now=request.now,
        ttl_s=request.keep_s,
    )
    job = jobs.wait(job.sid)
    described = job.describe()
    messages = [m["text"] for m in described["messages"] if m["severity"] != "error"]
    common = {
        "run_time_s": job.run_duration_s,
        "messages": messages,
        "scanned_rows": job.scanned_rows,
        "earliest_time": job.earliest_time,
        "latest_time": job.latest_time,
    }
    if job.state != "done":
        error = job.error["text"] if job.error else f"the search was {job.state}"
        return RunOutcome(job.sid, error=error, **common)
    rows = jobs.results(job.sid, 0, request.max_rows).to_pylist()
    return RunOutcome(job.sid, described["event_count"], rows, **common)


def _audit(log: Any, job: Job) -> None:
    described = job.describe()
    log.record(
        "sightline:audit",
        action="search",
        user=job.user,
        app=job.app,
        sid=job.sid,
        label=job.label or None,
        search=job.search,
        state=job.state,
        result_count=described["result_count"],
        event_count=described["event_count"],
        scanned_rows=job.scanned_rows,
        run_time_s=round(job.run_duration_s, 6),
        engine_s=round(job.engine_s, 6),
        python_s=round(job.python_s, 6),
        error=job.error["text"] if job.error else None,
    )


def _results_link(address: str, text: str, outcome: RunOutcome) -> str:
    # The job expires; the search over the same range shows the same rows as long as they are stored.
    values = {"q": text, "earliest": outcome.earliest_time, "latest": outcome.latest_time}
    return f"{address}/search?{urlencode({k: v for k, v in values.items() if v is not None})}"


def main(arguments: list[str]) -> None:
    """Entry of a child process: `engine` or `front`, the data directory, settings as JSON, and the lock."""
    name, data, overrides = arguments[0], Path(arguments[1]), json.loads(arguments[2])
    logging.basicConfig(level=logging.WARNING, format=f"{name}: %(levelname)s %(name)s: %(message)s")
    end_with_supervisor()
    try:
        if name == "engine":
            run_engine(data, overrides, int(arguments[3]) if len(arguments) > 3 else None)
        else:
            run_front(data, overrides)
    except UserError as error:
        # Starting again would end the same way.
        print(f"error: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    except SightlineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
