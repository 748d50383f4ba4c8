"""Our own metrics for Prometheus, at /metrics: what was received, stored, refused, cut and waits, and what the process uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sightline.counts import read_counts
from sightline.journal import JournalWriter, journal_bytes
from sightline.quarantine import Quarantine
from sightline.receivers.acceptance import TOKEN_KINDS, Acceptance, Refused
from sightline.receivers.refusals import Refusals


class Exposition:
    """The counts of this process at the moment of a scrape."""

    def __init__(self, acceptance: Acceptance, journal: JournalWriter, refusals: Refusals, data: Path) -> None:
        self._acceptance = acceptance
        self._journal = journal
        self._refusals = refusals
        self._run = data / "run"
        self._quarantine = Quarantine(data / "quarantine")
        self._registry = CollectorRegistry()
        self._registry.register(self)  # type: ignore[arg-type]
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def collect(self) -> Iterator[Metric]:
        """The metrics that are ours alone."""
        requests = CounterMetricFamily("sightline_journal_requests", "Requests made durable.", labels=["kind"])
        records = CounterMetricFamily("sightline_journal_records", "Records made durable.", labels=["kind"])
        size = CounterMetricFamily("sightline_journal_written_bytes", "Bytes made durable.", labels=["kind"])
        for kind, counts in self._journal.written().items():
            requests.add_metric([kind], counts.requests)
            records.add_metric([kind], counts.records)
            size.add_metric([kind], counts.size_bytes)
        named = ["source", "index", "reason"]
        stored = CounterMetricFamily("sightline_stored_records", "Records stored.", labels=named[:2])
        refused = CounterMetricFamily(
            "sightline_refused_records", "Records refused, by receivers or the engine.", labels=named
        )
        cut = CounterMetricFamily(
            "sightline_cut_records", "Stored records of which something was cut or folded.", labels=named
        )
        sums = Counter(self._refusals.totals())
        sums.update(read_counts(self._run))
        for (outcome, source, index, reason), count in sums.items():
            if outcome == "stored":
                stored.add_metric([source, index], count)
            else:
                (refused if outcome == "refused" else cut).add_metric([source, index, reason], count)
        aside = self._quarantine.totals()
        requests_aside = GaugeMetricFamily(
            "sightline_quarantine_requests", "Requests that cannot be stored and wait for a person."
        )
        requests_aside.add_metric([], aside["requests"])
        bytes_aside = GaugeMetricFamily("sightline_quarantine_bytes", "Their bytes.")
        bytes_aside.add_metric([], aside["bytes"])
        waiting = GaugeMetricFamily("sightline_journal_waiting_bytes", "Bytes that wait to be loaded.")
        waiting.add_metric([], journal_bytes(self._journal.root))
        accepting = GaugeMetricFamily(
            "sightline_accepting", "1 while requests are accepted, 0 while they should come later."
        )
        accepting.add_metric([], 0 if self._journal.refusal() else 1)
        yield from (requests, records, size, stored, refused, cut, requests_aside, bytes_aside, waiting, accepting)

    def routes(self, *, needs_token: bool) -> list[Route]:
        """The route of one listener."""

        def expose(request: Request) -> Response:
            try:
                self._acceptance.grant(request.headers, "metrics", needs_token=needs_token, kinds=("api", *TOKEN_KINDS))
            except Refused as refusal:
                return PlainTextResponse(refusal.message, refusal.status, refusal.headers)
            encode, content_type = choose_encoder(request.headers.get("accept", ""))
            return Response(encode(self._registry), headers={"Content-Type": content_type})

        return [Route("/metrics", expose, methods=["GET"])]
