"""Sends the notices of alerts: a webhook with SPL's body, any channel that apprise knows by its URL, or a letter.

Deliveries are queued and sent by a few threads, so that a slow receiver holds up neither the schedule nor the others.
A failed try is repeated with doubling waits; a refusal that will not change (4xx other than 408, 425 and 429, 5xx of a mail
server) is not.
Every end of a delivery is told to `on_end`. A full queue refuses the notice and says so the same way.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from sightline import __version__
from sightline.config import WatchSettings
from sightline.errors import EnvironmentTrouble, UserError
from sightline.watch.mail import Letter, Rejected, send_letter
from sightline.watch.texts import as_text

MAX_WAITING = 1000
SENDERS = 2
REPEATABLE = frozenset({408, 425, 429})
MAX_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Notice:
    """What an alert has to say once, through one action."""

    alert_id: int
    action: Mapping[str, Any]
    sid: str
    search_name: str
    app: str
    owner: str
    results_link: str
    severity: str
    detail: str
    result: Mapping[str, Any]
    id: int = 0
    """Its number among the notices that wait in the catalog."""
    rows: Sequence[Mapping[str, Any]] = ()
    """All rows that an e-mail carries; the other actions tell of `result` alone."""

    def as_dict(self) -> dict[str, Any]:
        """For keeping as JSON; `Notice(**values)` makes it again."""
        return asdict(self)

    def webhook_body(self) -> dict[str, Any]:
        """The body of SPL's webhook action: the result is the first row, its values as text."""
        return {
            "sid": self.sid,
            "search_name": self.search_name,
            "app": self.app,
            "owner": self.owner,
            "results_link": self.results_link,
            "result": {name: as_text(value) for name, value in self.result.items() if value is not None},
        }


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a notice ended."""

    notice: Notice
    delivered: bool
    detail: str
    attempts: int
    duration_s: float
    interrupted: bool = False
    """The server was stopped before it ended; the notice waits for the next start."""


class Refused(Exception):
    """The receiver said no, and will say no again."""


class Notifier:
    """The queue of notices and the threads that send them."""

    def __init__(self, settings: WatchSettings, on_end: Callable[[Delivery], None]) -> None:
        self._settings = settings
        self._on_end = on_end
        self._waiting: queue.Queue[Notice | None] = queue.Queue(MAX_WAITING)
        self._stopping = threading.Event()
        self._client = httpx.Client(timeout=settings.delivery_timeout_s, headers={"User-Agent": f"Sightline/{__version__}"})
        self._threads = [threading.Thread(target=self._work, name=f"notifier-{n}", daemon=True) for n in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def send(self, notice: Notice) -> None:
        """Queues a notice. Returns at once."""
        try:
            self._waiting.put_nowait(notice)
        except queue.Full:
            self._on_end(Delivery(notice, False, f"{MAX_WAITING} notices are waiting already", 0, 0.0))

    def close(self) -> None:
        """Lets tries that are under way end; what is left waits in the catalog for the next start."""
        self._stopping.set()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(timeout=self._settings.delivery_timeout_s + 1)
        self._client.close()

    def _work(self) -> None:
        while (notice := self._waiting.get()) is not None:
            if not self._stopping.is_set():
                self._on_end(self.deliver(notice))

    def deliver(self, notice: Notice) -> Delivery:
        """Sends a notice in this thread, with repeated tries where that may help."""
        began = time.monotonic()
        where = notice.action["kind"]
        if url := notice.action.get("url"):
            where += f" {without_secrets(str(url))}"
        trouble, attempt, interrupted = "", 0, False
        for attempt in range(1, self._settings.delivery_attempts + 1):
            if attempt > 1:
                wait_s = min(self._settings.delivery_backoff_s * 2 ** (attempt - 2), MAX_WAIT_S)
                if self._stopping.wait(wait_s):
                    interrupted, attempt = True, attempt - 1
                    break
            try:
                told = self._try(notice)
                return Delivery(notice, True, f"{where}: {told}", attempt, time.monotonic() - began)
            except (Refused, Rejected) as error:
                trouble = str(error)
                break
            except UserError as error:
                trouble = "; ".join(filter(None, (error.message, error.hint)))
                break
            except (httpx.HTTPError, OSError, EnvironmentTrouble) as error:
                trouble = str(error) or type(error).__name__
        return Delivery(notice, False, f"{where}: {trouble}", attempt, time.monotonic() - began, interrupted)

    def _try(self, notice: Notice) -> str:
        if notice.action["kind"] == "apprise":
            return _send_with_apprise(notice)
        if notice.action["kind"] == "email":
            letter = Letter.of_alert(notice.action, notice.rows, self._settings.mail_from)
            return send_letter(letter, self._settings)
        try:
            answer = self._client.post(str(notice.action["url"]), json=notice.webhook_body())
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Refused(str(error)) from error
        told = f"HTTP {answer.status_code}"
        if answer.is_success:
            return told
        if answer.status_code >= 500 or answer.status_code in REPEATABLE:
            raise OSError(told)
        raise Refused(told)


def _send_with_apprise(notice: Notice) -> str:
    # Takes most of a second to import, and few installations use it.
    import apprise

    channel = apprise.Apprise()
    if not channel.add(str(notice.action["url"])):
        raise Refused("the url is not one that apprise knows")
    rows = "\n".join(f"{name}: {as_text(value)}" for name, value in notice.result.items() if value is not None)
    body = f"{notice.detail}\n{rows}\n{notice.results_link}"
    if not channel.notify(title=f"[{notice.severity}] {notice.search_name}", body=body):
        raise OSError("the channel did not take the notice")
    return "taken"


def without_secrets(url: str) -> str:
    """A URL fit for a log: secrets are often in the path or the query, so only scheme and host stay."""
    scheme, _, rest = url.partition("://")
    host = rest.split("/")[0].split("?")[0].rpartition("@")[2]
    return f"{scheme}://{host}/" + ("…" if "/" in rest and rest.split("/", 1)[1] else "")
