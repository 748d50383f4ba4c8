"""The model service: says which grower's account a bottle belongs to.

It trains at start, on the training bottles measured by a new photometer, and is never trained again: the usual state
of a first model in production. It was also written without a thought for missing readings, so that one makes
scikit-learn raise far below the request.
"""

from __future__ import annotations

import logging
import math
import time

import numpy as np
import pandas as pd
from fastapi import FastAPI
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from pydantic import BaseModel
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from shop.cellar import bottle_count, measure, partition_of, user_of
from shop.preparation import CATEGORICAL, NUMERIC, prepare
from shop.telemetry import start_telemetry

start_telemetry()
logger = logging.getLogger("shop.model")
tracer = trace.get_tracer("shop.model")
meter = metrics.get_meter("shop.model")
predictions = meter.create_counter("shop.predictions", unit="{prediction}", description="Predictions by class.")
confidence = meter.create_histogram(
    "shop.prediction.confidence",
    unit="1",
    description="Probability of the predicted class.",
    explicit_bucket_boundaries_advisory=[0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99],
)

MODEL_NAME = "grower"
TRAINING_ROUNDS = 5
"""How often each training bottle is measured for the training."""


class Features(BaseModel):
    """One bottle, as the feature service prepared it."""

    features: dict[str, float | str | None]


def train() -> Pipeline:
    """A model trained on the training bottles."""
    random = np.random.default_rng(7)
    bottles = [b for b in range(bottle_count()) if partition_of(b) == "train"] * TRAINING_ROUNDS
    table = pd.DataFrame([prepare(measure(b, 0.0, random)) for b in bottles])
    encode = make_column_transformer(
        (StandardScaler(), list(NUMERIC)), (OneHotEncoder(handle_unknown="ignore"), list(CATEGORICAL))
    )
    return make_pipeline(encode, LogisticRegression(max_iter=500)).fit(table, [user_of(b) for b in bottles])


started = time.monotonic()
model = train()
logger.info("model %s trained in %.2f s", MODEL_NAME, time.monotonic() - started)

app = FastAPI(title="model service")
FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"], excluded_urls="health")


@app.post("/predictions")
def predict(body: Features) -> dict[str, str | float]:
    """The predicted account and its probability."""
    row = {name: math.nan if value is None else value for name, value in body.features.items()}
    with tracer.start_as_current_span("model.predict", attributes={"ml.model.name": MODEL_NAME}) as span:
        try:
            probabilities = model.predict_proba(pd.DataFrame([row]))[0]
        except ValueError:
            # Logged here and not by the web server, so that the record carries the ids of this trace and span.
            logger.exception("the prediction failed", extra={"ml.model.name": MODEL_NAME})
            raise
        best = int(probabilities.argmax())
        user, probability = str(model.classes_[best]), float(probabilities[best])
        span.set_attribute("ml.prediction", user)
        span.set_attribute("ml.confidence", probability)
    predictions.add(1, {"ml.model.name": MODEL_NAME, "ml.prediction": user})
    confidence.record(probability, {"ml.model.name": MODEL_NAME, "ml.prediction": user})
    return {"user": user, "confidence": round(probability, 4)}


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
