"""Scraping: metrics that targets expose as Prometheus text or OpenMetrics, fetched at intervals.

What to scrape is written in `<data>/scrape.yml` in the words of Prometheus' own `scrape_configs`, so that an existing file
can be used. Leaves: each exposition as it came, with its target's labels, in the journal; the engine takes it apart. Beside
it Prometheus' own three series of a scrape: `up`, `scrape_duration_seconds`, `scrape_samples_scraped`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import yaml

from sightline.clock import Clock
from sightline.config import IngestSettings
from sightline.errors import UserError
from sightline.receivers.acceptance import Acceptance, Refused

log = logging.getLogger(__name__)

FILE = "scrape.yml"
_SOURCE = "prometheus:scrape"
_ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
_SAMPLE = re.compile(rb"^[A-Za-z_:]", re.M)
_NAME = re.compile(rb"^([A-Za-z_:][A-Za-z0-9_:]*)", re.M)
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MAX_TARGETS = 5_000
"""Targets at most; more want more than one process."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One step of relabelling, as Prometheus defines it."""

    action: str = "replace"
    source_labels: tuple[str, ...] = ()
    separator: str = ";"
    regex: re.Pattern[str] = re.compile("(.*)")
    target_label: str = ""
    replacement: str = "$1"
    modulus: int = 0

    def apply(self, labels: dict[str, str]) -> dict[str, str] | None:
        """The labels after this step; None for a target that is dropped."""
        value = self.separator.join(labels.get(name, "") for name in self.source_labels)
        match = self.regex.fullmatch(value)
        if self.action in ("keep", "drop"):
            return labels if (match is not None) == (self.action == "keep") else None
        if self.action in ("labeldrop", "labelkeep"):
            return {k: v for k, v in labels.items() if (self.regex.fullmatch(k) is not None) == (self.action == "labelkeep")}
        if self.action == "labelmap":
            mapped = {_filled(self.replacement, m): v for k, v in labels.items() if (m := self.regex.fullmatch(k))}
            return labels | mapped
        changed = dict(labels)
        if self.action == "hashmod":
            changed[self.target_label] = str(int.from_bytes(hashlib.md5(value.encode()).digest()[8:], "big") % self.modulus)
        elif self.action in ("lowercase", "uppercase"):
            changed[self.target_label] = value.lower() if self.action == "lowercase" else value.upper()
        elif match is not None:
            changed[_filled(self.target_label, match)] = _filled(self.replacement, match)
        return {k: v for k, v in changed.items() if v != ""}


@dataclass(frozen=True, slots=True)
class Job:
    """One entry of `scrape_configs`."""

    name: str
    targets: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """Addresses with the labels that their group gives them."""
    interval_s: float = 60.0
    timeout_s: float = 10.0
    scheme: str = "http"
    path: str = "/metrics"
    params: tuple[tuple[str, str], ...] = ()
    honor_labels: bool = False
    rules: tuple[Rule, ...] = ()
    metric_rules: tuple[Rule, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """Where to fetch, and the labels of what comes back."""

    url: str
    labels: dict[str, str]
    job: Job


def read_jobs(path: Path) -> list[Job]:
    """The jobs that a file describes; none when it is not there. Raises UserError naming the place of a mistake."""
    if not path.exists():
        return []
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise UserError(f"{path} wants scrape_configs, got something else")
    common = loaded.get("global") or {}
    return [_job(one, common, f"{path}: scrape_configs[{n}]") for n, one in enumerate(loaded.get("scrape_configs") or [])]


def targets_of(jobs: list[Job]) -> list[Target]:
    """Every target of the jobs, after relabelling."""
    found = []
    for job in jobs:
        for address, extra in job.targets:
            labels: dict[str, str] | None = {
                "__address__": address,
                "__scheme__": job.scheme,
                "__metrics_path__": job.path,
                "job": job.name,
                **{f"__param_{name}": value for name, value in job.params},
                **dict(extra),
            }
            for rule in job.rules:
                labels = rule.apply(labels) if labels is not None else None
            if labels is None or not labels.get("__address__"):
                continue
            labels.setdefault("instance", labels["__address__"])
            params = {k.removeprefix("__param_"): v for k, v in labels.items() if k.startswith("__param_")}
            url = httpx.URL(f"{labels['__scheme__']}://{labels['__address__']}{labels['__metrics_path__']}", params=params)
            found.append(Target(str(url), {k: v for k, v in labels.items() if not k.startswith("__")}, job))
    if len(found) > _MAX_TARGETS:
        raise UserError(f"{len(found)} targets are more than the {_MAX_TARGETS} that one process scrapes")
    return found


class Scraper:
    """Scrapes targets until it is closed. Belongs to one event loop."""

    def __init__(self, acceptance: Acceptance, jobs: list[Job], settings: IngestSettings, clock: Clock) -> None:
        self._acceptance = acceptance
        self._settings = settings
        self._clock = clock
        self._targets = targets_of(jobs)
        self._clients = {
            verify: httpx.AsyncClient(verify=verify, follow_redirects=True, trust_env=False)
            for verify in {target.job.verify for target in self._targets}
        }
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._scrape_for_ever(target)) for target in self._targets]

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()

    async def _scrape_for_ever(self, target: Target) -> None:
        # Targets of one interval are spread over it, the same way at every start.
        generator = random.Random(target.url + orjson.dumps(target.labels, option=orjson.OPT_SORT_KEYS).decode())
        next_at = time.monotonic() + generator.random() * min(target.job.interval_s, 15.0)
        while True:
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))
            try:
                await self.scrape(target)
            except Exception:
                log.exception("scraping %s failed", target.url)
            next_at = max(next_at + target.job.interval_s, time.monotonic())

    async def scrape(self, target: Target) -> None:
        """Fetch a target once and journal what it exposes, or that it does not."""
        started, now_ms = time.monotonic(), int(self._clock() * 1000)
        try:
            text = await self._fetch(target)
        except (httpx.HTTPError, Refused, OSError) as error:
            log.info("%s cannot be scraped: %s", target.url, error)
            self._acceptance.refused(Refused(502, f"{target.url}: {error or type(error).__name__}"), _SOURCE)
            text, up = b"", 0
        else:
            text, up = kept(text, target.job.metric_rules), 1
        samples = len(_SAMPLE.findall(text))
        own = f"up {up}\nscrape_duration_seconds {time.monotonic() - started:.6f}\nscrape_samples_scraped {samples}\n"
        head = orjson.dumps({"labels": target.labels, "honor": target.job.honor_labels, "time_ms": now_ms})
        body = b"\n".join((head, text.rstrip(b"\n"), own.encode()))
        try:
            await self._acceptance.store("scrape", body, _SOURCE, records=samples + 3)
        except Refused as refusal:
            log.warning("a scrape of %s is lost: %s", target.url, refusal.message)

    async def _fetch(self, target: Target) -> bytes:
        client = self._clients[target.job.verify]
        headers = {"Accept": _ACCEPT, **dict(target.job.headers)}
        pieces, size = [], 0
        async with client.stream("GET", target.url, headers=headers, timeout=target.job.timeout_s) as answer:
            if answer.status_code != 200:
                raise Refused(502, f"HTTP {answer.status_code}")
            async for piece in answer.aiter_bytes():
                size += len(piece)
                if size > self._settings.max_body_bytes:
                    raise Refused(413, f"the exposition is larger than {self._settings.max_body_bytes} bytes")
                pieces.append(piece)
        return b"".join(pieces).replace(b"\r\n", b"\n").decode("utf-8", "replace").encode()


def kept(text: bytes, rules: tuple[Rule, ...]) -> bytes:
    """The exposition without the metrics that `metric_relabel_configs` drop by their name."""
    if not rules:
        return text
    dropped = [
        name for name in set(_NAME.findall(text)) if any(rule.apply({"__name__": name.decode()}) is None for rule in rules)
    ]
    if not dropped:
        return text
    return re.sub(rb"^(?:" + b"|".join(sorted(dropped)) + rb")(?=[ {\t]).*\n?", b"", text, flags=re.M)


# ---- the file


def _job(given: Any, common: dict[str, Any], where: str) -> Job:
    if not isinstance(given, dict):
        raise UserError(f"{where} wants a mapping")
    known = {
        "job_name", "static_configs", "scrape_interval", "scrape_timeout", "scheme", "metrics_path", "params", "honor_labels",
        "relabel_configs", "metric_relabel_configs", "basic_auth", "authorization", "bearer_token", "tls_config",
    }  # fmt: skip
    if unknown := sorted(set(given) - known):
        raise UserError(f"{where}: {', '.join(unknown)} is not supported, wanted only: {', '.join(sorted(known))}")
    name = given.get("job_name")
    if not isinstance(name, str) or not name:
        raise UserError(f"{where} wants a job_name")
    interval_s = _seconds(given.get("scrape_interval", common.get("scrape_interval", "1m")), f"{where}.scrape_interval")
    timeout_s = _seconds(given.get("scrape_timeout", common.get("scrape_timeout", "10s")), f"{where}.scrape_timeout")
    targets = []
    for n, group in enumerate(given.get("static_configs") or []):
        labels = tuple((str(k), str(v)) for k, v in (group.get("labels") or {}).items())
        if not isinstance(group.get("targets"), list):
            raise UserError(f"{where}.static_configs[{n}] wants a list of targets")
        targets += [(str(address), labels) for address in group["targets"]]
    metric_rules = tuple(_rules(given, "metric_relabel_configs", where))
    for rule in metric_rules:
        if rule.action not in ("keep", "drop") or rule.source_labels != ("__name__",):
            raise UserError(f"{where}.metric_relabel_configs: only keep and drop by __name__ are supported")
    return Job(
        name,
        tuple(targets),
        interval_s,
        min(timeout_s, interval_s),
        str(given.get("scheme", "http")),
        str(given.get("metrics_path", "/metrics")),
        tuple((str(k), str(v)) for k, values in (given.get("params") or {}).items() for v in values[:1]),
        bool(given.get("honor_labels", False)),
        tuple(_rules(given, "relabel_configs", where)),
        metric_rules,
        tuple(_headers(given, where)),
        not (given.get("tls_config") or {}).get("insecure_skip_verify", False),
    )


def _rules(given: dict[str, Any], key: str, where: str) -> list[Rule]:
    actions = ("replace", "keep", "drop", "labelmap", "labeldrop", "labelkeep", "hashmod", "lowercase", "uppercase")
    found = []
    for n, one in enumerate(given.get(key) or []):
        place = f"{where}.{key}[{n}]"
        action = str(one.get("action", "replace")).lower()
        if action not in actions:
            raise UserError(f'{place}: there is no action "{action}", wanted one of: {", ".join(actions)}')
        try:
            regex = re.compile(str(one.get("regex", "(.*)")), re.S)
        except re.error as error:
            raise UserError(f"{place}: the regex is none: {error}") from error
        if action in ("replace", "hashmod", "lowercase", "uppercase") and not one.get("target_label"):
            raise UserError(f"{place}: {action} wants a target_label")
        if action == "hashmod" and int(one.get("modulus", 0)) < 1:
            raise UserError(f"{place}: hashmod wants a modulus of 1 or more")
        found.append(
            Rule(
                action,
                tuple(map(str, one.get("source_labels") or ())),
                str(one.get("separator", ";")),
                regex,
                str(one.get("target_label", "")),
                str(one.get("replacement", "$1")),
                int(one.get("modulus", 0)),
            )
        )
    return found


def _headers(given: dict[str, Any], where: str) -> list[tuple[str, str]]:
    def secret(section: dict[str, Any], name: str) -> str:
        file = section.get(f"{name}_file")
        if not file:
            return str(section.get(name, ""))
        try:
            return Path(file).read_text().strip()
        except OSError as error:
            raise UserError(f"{where}: {name}_file cannot be read: {error}") from error

    if basic := given.get("basic_auth"):
        pair = f"{basic.get('username', '')}:{secret(basic, 'password')}"
        return [("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")]
    if bearer := given.get("bearer_token"):
        return [("Authorization", f"Bearer {bearer}")]
    if authorization := given.get("authorization"):
        return [("Authorization", f"{authorization.get('type', 'Bearer')} {secret(authorization, 'credentials')}")]
    return []


def _seconds(text: Any, where: str) -> float:
    parts = re.findall(r"(\d+)(ms|s|m|h|d)", str(text))
    if not parts or "".join(a + b for a, b in parts) != str(text):
        raise UserError(f'{where} wants a duration such as 15s or 1m, got "{text}"')
    seconds = sum(int(number) * _UNITS_S[unit] for number, unit in parts)
    if seconds < 0.1:
        raise UserError(f"{where} wants at least 100ms, got {text}")
    return seconds


def _filled(template: str, match: re.Match[str]) -> str:
    """A replacement with `$1` and `${1}` filled in."""
    return re.sub(r"\$(?:\{(\w+)\}|(\d+))", lambda m: match.group(int(m.group(1) or m.group(2))) or "", template)
