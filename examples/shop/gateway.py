"""The gateway: the shop's front door. Asks the feature service and the model service, and keeps the book."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.concurrency import run_in_threadpool
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from pydantic import BaseModel

from shop.records import Records
from shop.telemetry import start_telemetry

start_telemetry()
logger = logging.getLogger("shop.gateway")

FEATURES_URL = os.environ.get("SHOP_FEATURES_URL", "http://127.0.0.1:8202")
MODEL_URL = os.environ.get("SHOP_MODEL_URL", "http://127.0.0.1:8203")
TIMEOUT_S = 8.0


class Bottle(BaseModel):
    """A bottle to be recognised."""

    bottle: int
    warehouse: str
    readings: dict[str, float | None]


class Outcome(BaseModel):
    """Whose bottle it really was."""

    user: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.records = Records(Path(os.environ.get("SHOP_DATA", ".")) / "records.db")
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        app.state.client = client
        yield
    app.state.records.close()


app = FastAPI(title="gateway", lifespan=lifespan)
FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"], excluded_urls="health")


async def ask(method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The answer of another service; 502 when it failed, 504 when it took too long."""
    try:
        response = await app.state.client.request(method, url, json=body)
        response.raise_for_status()
    except httpx.TimeoutException as error:
        raise HTTPException(504, f"{url} did not answer within {TIMEOUT_S} s") from error
    except httpx.HTTPStatusError as error:
        logger.error("%s %s answered %d", method, url, error.response.status_code)
        raise HTTPException(502, f"{url} answered {error.response.status_code}") from error
    except httpx.HTTPError as error:
        logger.error("%s %s failed: %s", method, url, str(error) or type(error).__name__)
        raise HTTPException(502, f"{url} failed") from error
    return response.json()


@app.post("/predictions")
async def predict(bottle: Bottle) -> dict[str, Any]:
    """Whose bottle is this? The answer's id is for telling the truth later."""
    features = await ask("POST", f"{FEATURES_URL}/features", {"readings": bottle.readings})
    warehouse = await ask("GET", f"{FEATURES_URL}/warehouses/{bottle.warehouse}")
    prediction = await ask("POST", f"{MODEL_URL}/predictions", {"features": features})
    id = uuid.uuid4().hex
    trace_id = trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)
    await run_in_threadpool(
        app.state.records.add_prediction,
        id,
        time.time(),
        bottle.bottle,
        features,
        prediction["user"],
        prediction["confidence"],
        trace_id,
    )
    logger.info(
        "bottle %d is %s",
        bottle.bottle,
        prediction["user"],
        extra={"bottle": bottle.bottle, "predicted": prediction["user"], "confidence": prediction["confidence"]},
    )
    return {"id": id, **prediction, "warehouse": warehouse}


@app.post("/predictions/{id}/outcome", status_code=204)
async def outcome(id: str, body: Outcome) -> None:
    """Note whose bottle it really was."""
    if not await run_in_threadpool(app.state.records.add_outcome, id, body.user):
        raise HTTPException(404, f'no prediction "{id}"')


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
