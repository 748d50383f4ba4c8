"""The HTTP API as Python calls."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from sightline.errors import EnvironmentTrouble, NotFound, SearchError, Span, UserError

POLL_FIRST_S = 0.02
POLL_MAX_S = 1.0
CHUNK_BYTES = 1024 * 1024
ENDED = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Job:
    """A search on the server as it stands; `state` is queued, running, done, failed or cancelled."""

    sid: str
    state: str
    progress: float
    result_count: int
    messages: list[dict[str, Any]]
    details: Mapping[str, Any]
    """Everything the server says of the job."""


class Client:
    """A running server, asked with an API token. Safe to use from several threads."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 60.0) -> None:
        """`url` is the address of the page, such as `http://127.0.0.1:8000`; `timeout_s` bounds one request."""
        if not url.startswith(("http://", "https://")):
            raise UserError(f'a url wants to begin with http:// or https://, got "{url}"')
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=timeout_s
        )

    def search(
        self,
        text: str,
        *,
        earliest: str = "",
        latest: str = "",
        max_count: int = 0,
        on_progress: Callable[[Job], None] | None = None,
        display: bool = False,
    ) -> pa.Table:
        """Runs a search to its end and gives its rows. A search that is interrupted is cancelled on the server.

        `max_count` keeps the newest events of a search for events; 0 keeps all. `display` gives fields that `fieldformat`
        shows in another way as the shown texts. Raises SearchError when the search is wrong or fails.
        """
        job = self.start(text, earliest=earliest, latest=latest, max_count=max_count)
        try:
            job = self.wait(job.sid, on_progress)
        except BaseException:
            with contextlib.suppress(Exception):
                self.cancel(job.sid)
            raise
        if job.state != "done":
            raise failure_of(job)
        return self.results(job.sid, display=display)

    def start(self, text: str, *, earliest: str = "", latest: str = "", max_count: int = 0) -> Job:
        """Starts a search and returns at once."""
        body = {"search": text, "earliest": earliest, "latest": latest, "max_count": max_count}
        return _job(self._call("POST", "/search/jobs", json=body))

    def job(self, sid: str) -> Job:
        """A search as it stands."""
        return _job(self._call("GET", f"/search/jobs/{sid}"))

    def wait(self, sid: str, on_progress: Callable[[Job], None] | None = None) -> Job:
        """Waits for the end of a search."""
        wait_s = POLL_FIRST_S
        while True:
            job = self.job(sid)
            if on_progress:
                on_progress(job)
            if job.state in ENDED:
                return job
            time.sleep(wait_s)
            wait_s = min(wait_s * 1.5, POLL_MAX_S)

    def cancel(self, sid: str) -> None:
        """Cancels a search; one that has ended is not an error."""
        self._call("DELETE", f"/search/jobs/{sid}")

    def results(self, sid: str, *, display: bool = False) -> pa.Table:
        """The rows of a search; with `display` as people are to see them."""
        params = {"format": "arrow", "display": "true" if display else "false"}
        with self._stream("GET", f"/search/jobs/{sid}/export", params=params) as answer:
            return pa.ipc.open_stream(_Reader(answer.iter_bytes(CHUNK_BYTES))).read_all()

    def export(self, sid: str, form: str) -> Iterator[bytes]:
        """The rows as csv, json, jsonl or arrow, piece by piece."""
        with self._stream("GET", f"/search/jobs/{sid}/export", params={"format": form}) as answer:
            yield from answer.iter_bytes(CHUNK_BYTES)

    def explain(self, text: str, *, earliest: str = "", latest: str = "") -> list[dict[str, str]]:
        """Each stage of a search, planned but not run: name and text."""
        body = {"search": text, "earliest": earliest, "latest": latest}
        return self._call("POST", "/search/explain", json=body)["stages"]

    def suggest(self, text: str) -> tuple[int, list[dict[str, str]]]:
        """What may stand at the end of a search text: where the replaced part begins, and label, kind, insert, detail."""
        answer = self._call("POST", "/search/suggest", json={"search": text})
        return answer["start"], answer["options"]

    def load(
        self,
        path: Path | str,
        *,
        index: str,
        sourcetype: str = "",
        time_field: str = "",
        on_progress: Callable[[int], None] | None = None,
    ) -> int:
        """Loads a file (CSV, JSON lines, Parquet or text) into an index and gives the number of its rows.

        `on_progress` is told the bytes sent so far.
        """
        path = Path(path)
        params = {"index": index, "filename": path.name, "sourcetype": sourcetype, "time_field": time_field}

        def pieces() -> Iterator[bytes]:
            sent = 0
            with path.open("rb") as file:
                while piece := file.read(CHUNK_BYTES):
                    yield piece
                    sent += len(piece)
                    if on_progress:
                        on_progress(sent)

        headers = {"Content-Type": "application/octet-stream"}
        # The engine reads the whole file after the last byte; how long that takes depends on the file alone.
        timeout = httpx.Timeout(self._http.timeout.connect, read=None)
        return self._call("POST", "/load", params=params, content=pieces(), headers=headers, timeout=timeout)["rows"]

    def import_app(self, archive: Path | str, *, name: str, app: str = "", dry_run: bool = False) -> dict[str, Any]:
        """Brings the objects of a Splunk app's archive into the catalog, and gives what became of each kind and object.

        `name` is what an app without a name of its own is called, `app` replaces every name.
        """
        params = {"name": name, "dry_run": dry_run} | ({"app": app} if app else {})
        # Every search is planned before anything is kept; a large pack takes minutes.
        timeout = httpx.Timeout(self._http.timeout.connect, read=None)
        with Path(archive).open("rb") as file:
            pieces = iter(lambda: file.read(CHUNK_BYTES), b"")
            headers = {"Content-Type": "application/gzip"}
            return self._call("POST", "/apps/import", params=params, content=pieces, headers=headers, timeout=timeout)

    def export_apps(self, app: str = "") -> bytes:
        """The catalog's objects, or those of one app, as a compressed archive with a folder for each app."""
        with self._stream("GET", "/apps/export", params={"app": app} if app else {}) as answer:
            return answer.read()

    def get(self, path: str, **params: Any) -> Any:
        """Any other resource of the API, such as `/alerts`."""
        return self._call("GET", path, params=params)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if answer.is_error:
            raise _error(answer)
        return answer.json()

    @contextlib.contextmanager
    def _stream(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(method, path, **options) as answer:
                if answer.is_error:
                    answer.read()
                    raise _error(answer)
                yield answer
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.HTTPError) -> EnvironmentTrouble:
        place = str(self._http.base_url).removesuffix("/api/v1/")
        return EnvironmentTrouble(f"no answer from {place}: {str(error) or type(error).__name__}")


class _Reader:
    """Pieces of bytes as the file that Arrow reads from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while (size < 0 or have < size) and (piece := next(self._pieces, None)) is not None:
            parts.append(piece)
            have += len(piece)
        found = b"".join(parts)
        self._rest = b"" if size < 0 else found[size:]
        return found if size < 0 else found[:size]

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def failure_of(job: Job) -> SearchError:
    """Why a search ended without an answer."""
    if job.state == "cancelled":
        return SearchError("the search was cancelled")
    for message in job.messages:
        if message.get("severity") == "error":
            return _search_error(message.get("text", ""), message, message.get("hint") or "")
    return SearchError("the search failed")


def _job(values: dict[str, Any]) -> Job:
    return Job(
        values["sid"],
        values["state"],
        float(values.get("progress") or 0.0),
        int(values.get("result_count") or 0),
        list(values.get("messages") or ()),
        values,
    )


def _error(answer: httpx.Response) -> Exception:
    try:
        error = answer.json()["error"]
        message, kind, hint = error["message"], error.get("kind", ""), error.get("hint", "")
    except (ValueError, KeyError, TypeError):
        return EnvironmentTrouble(f"HTTP {answer.status_code} from {answer.url.host}, which is not an answer of Sightline")
    if kind == "search":
        return _search_error(message, error.get("position") or {}, hint)
    if answer.status_code == 404:
        return NotFound(message, hint)
    if answer.status_code >= 500 or answer.status_code == 429:
        return EnvironmentTrouble(message)
    return UserError(message, hint)


def _search_error(message: str, place: Mapping[str, Any], hint: str) -> SearchError:
    start, end = place.get("start"), place.get("end")
    return SearchError(message, Span(start, end) if start is not None and end is not None else None, hint=hint)
