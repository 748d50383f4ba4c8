"""What the demo sets up is what the program accepts, and its webhook keeps what it is sent."""

from __future__ import annotations

import httpx
from croniter import croniter
from stage.definitions import MISSION, TRAINING, recall_alert, scoring_search, training_search
from stage.webhook import Webhook

from sightline.catalog.saved import check_condition, check_cron


def test_the_mission_is_kept_as_it_was_copied_from_a_page() -> None:
    assert "\N{NO-BREAK SPACE}" in MISSION
    assert MISSION.rstrip().endswith("| mcollect index=my_model_metrics")


def test_every_schedule_is_accepted() -> None:
    for every_s in (10, 15, 60, 300):
        for definition in (scoring_search(30, every_s), recall_alert(30, every_s, "http://127.0.0.1:1/")):
            check_cron(definition["cron"])
    check_condition(recall_alert(30, 60, "http://127.0.0.1:1/")["condition"])


def test_retraining_never_comes_in_the_middle_of_a_short_run() -> None:
    for minute in (0, 1, 30, 59):
        now = 1_790_000_000 // 3600 * 3600 + minute * 60
        cron = training_search(now)["cron"]
        check_cron(cron)
        assert croniter(cron, now).get_next(float) - now >= 58 * 60


def test_the_training_is_on_the_training_partition_and_predicts_the_user() -> None:
    assert 'partition="train"' in TRAINING and " fit RandomForestClassifier user from " in TRAINING
    assert TRAINING.endswith("into usermodel") and "apply usermodel" in MISSION


def test_the_webhook_keeps_json_and_refuses_the_rest() -> None:
    webhook = Webhook()
    try:
        assert httpx.post(webhook.url, json={"name": "a"}).status_code == 204
        assert httpx.post(webhook.url, content=b"\xff").status_code == 400
        assert webhook.received() == [{"name": "a"}]
    finally:
        webhook.close()
