"""The feature service: prepares a bottle's readings, and knows what else lies in its warehouse.

Counting a warehouse's stock holds the archive's lock while it waits for a hand-held scanner, so requests for that
warehouse wait too. It is a common mistake (a transaction kept open across slow work), and the telemetry shows it:
`archive.read` is slow exactly while `archive.count` runs.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from fastapi import FastAPI, HTTPException
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from pydantic import BaseModel

from shop.cellar import WAREHOUSES, bottle_count, measure, warehouse_of
from shop.preparation import prepare
from shop.telemetry import start_telemetry

start_telemetry()
logger = logging.getLogger("shop.features")
tracer = trace.get_tracer("shop.features")

SCANNER_S = 0.9
"""How long one round of counting waits for the scanner, with the lock held."""
LOCK_TIMEOUT_S = 5.0


class Readings(BaseModel):
    """What the laboratory sends. A reading that failed is null."""

    readings: dict[str, float | None]


class Archive:
    """What lies in the warehouses: one SQLite file for each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._build()

    def mean_alcohol(self, warehouse: str) -> tuple[float, int]:
        """Mean alcohol of the warehouse's bottles, and how many there are. Waits while the warehouse is locked."""
        query = "SELECT avg(alcohol), count(*) FROM bottles"
        attributes = {"db.system.name": "sqlite", "db.query.text": query, "shop.warehouse": warehouse}
        with tracer.start_as_current_span("archive.read", kind=trace.SpanKind.CLIENT, attributes=attributes):
            with closing(self._connect(warehouse)) as connection:
                mean, count = connection.execute(query).fetchone()
        return float(mean), int(count)

    def take_stock(self, warehouse: str) -> None:
        """Count the warehouse, locking it for as long as that takes."""
        with tracer.start_as_current_span("archive.count", attributes={"shop.warehouse": warehouse}):
            with closing(self._connect(warehouse)) as connection:
                connection.execute("BEGIN EXCLUSIVE")
                time.sleep(SCANNER_S)  # The scanner is slow; the mistake is to hold the lock meanwhile.
                connection.execute("UPDATE bottles SET counted = counted + 1")
                connection.execute("COMMIT")

    def _connect(self, warehouse: str) -> sqlite3.Connection:
        return sqlite3.connect(self._folder / f"{warehouse}.db", timeout=LOCK_TIMEOUT_S, isolation_level=None)

    def _build(self) -> None:
        random = np.random.default_rng(0)
        for warehouse in WAREHOUSES:
            (self._folder / f"{warehouse}.db").unlink(missing_ok=True)
            with closing(self._connect(warehouse)) as connection:
                connection.execute("CREATE TABLE bottles (id INTEGER PRIMARY KEY, alcohol REAL, counted INTEGER)")
                connection.execute("BEGIN")
                connection.executemany(
                    "INSERT INTO bottles VALUES (?, ?, 0)",
                    [(b, measure(b, 0.0, random)["alcohol"]) for b in range(bottle_count()) if warehouse_of(b) == warehouse],
                )
                connection.execute("COMMIT")


archive = Archive(Path(os.environ.get("SHOP_DATA", ".")))


app = FastAPI(title="feature service")
FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"], excluded_urls="health")


@app.post("/features")
def features(body: Readings) -> dict[str, float | str | None]:
    """Features of a bottle."""
    missing = sorted(name for name, value in body.readings.items() if value is None)
    if missing:
        logger.warning("readings are missing: %s", ", ".join(missing), extra={"missing": missing})
    return prepare(body.readings)


@app.get("/warehouses/{warehouse}")
def warehouse(warehouse: str) -> dict[str, float | int]:
    """What else lies in the warehouse."""
    mean, count = archive.mean_alcohol(known(warehouse))
    return {"mean_alcohol": round(mean, 3), "bottles": count}


@app.post("/warehouses/{warehouse}/stocktaking", status_code=204)
def stocktaking(warehouse: str) -> None:
    """Count the warehouse's stock."""
    archive.take_stock(known(warehouse))


def known(warehouse: str) -> str:
    if warehouse not in WAREHOUSES:
        raise HTTPException(404, f'no warehouse "{warehouse}", wanted one of: {", ".join(WAREHOUSES)}')
    return warehouse


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
