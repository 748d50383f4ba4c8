"""What a person would set up in Sightline for the shop: an index for the scores, two scheduled searches, one alert."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from shop.preparation import CATEGORICAL, NUMERIC

OUTCOMES_INDEX = "my_latest_data"
SCORES_INDEX = "my_model_metrics"
MODEL = "usermodel"
WORST_ALLOWED_RECALL = 0.8

MISSION = (Path(__file__).resolve().parent.parent / "mission.spl").read_text(encoding="utf-8")
"""Scores the model on the latest labelled outcomes, and writes scores and feature importance as metrics."""

TRAINING = (
    f'index={OUTCOMES_INDEX} partition="train"'
    f" | fit RandomForestClassifier user from {' '.join((*NUMERIC, *CATEGORICAL))} into {MODEL}"
)

WORST_RECALL = (
    f"| mstats latest(_value) AS recall WHERE index={SCORES_INDEX}"
    ' metric_name="mlops.username.score.recall" BY operation'
    " | sort recall | head 1"
)
"""The class that the model recognises worst."""


def training_search(now: float) -> dict[str, Any]:
    """Retrains every hour, an hour from now for the first time, on the last ten minutes of labelled outcomes."""
    return {
        "name": "Train usermodel",
        "description": "Fits usermodel on the latest labelled outcomes.",
        "search": TRAINING,
        "earliest": "-10m",
        "latest": "now",
        "cron": f"{(time.localtime(now).tm_min - 1) % 60} * * * *",
        "enabled": True,
    }


def scoring_search(window_s: int, every_s: int) -> dict[str, Any]:
    """Scores the model on the last `window_s` seconds."""
    return {
        "name": "Score usermodel",
        "description": "Confusion matrix, precision, recall and feature importance of usermodel, as metrics.",
        "search": MISSION,
        "earliest": f"-{window_s}s",
        "latest": "now",
        "cron": cron(every_s),
        "enabled": True,
    }


def recall_alert(window_s: int, every_s: int, webhook_url: str) -> dict[str, Any]:
    """Fires when the recall of any class is below what is allowed."""
    return {
        "name": "usermodel no longer recognises a user",
        "description": f"The recall of a class fell below {WORST_ALLOWED_RECALL}.",
        "search": f"{WORST_RECALL} | where recall < {WORST_ALLOWED_RECALL}",
        "earliest": f"-{window_s}s",
        "latest": "now",
        "cron": cron(every_s),
        "condition": {"kind": "rows", "relation": "greater than", "quantity": 0},
        "throttle_s": 0,
        "severity": "critical",
        "actions": [{"kind": "webhook", "url": webhook_url}],
        "enabled": True,
    }


def cron(every_s: int) -> str:
    """A schedule of every `every_s` seconds; below a minute with a field of seconds in front."""
    return f"*/{every_s} * * * * *" if every_s < 60 else f"*/{every_s // 60} * * * *"
