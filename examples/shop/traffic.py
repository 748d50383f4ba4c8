"""The load: bottles arriving at the gateway at a steady rate, a little later the truth about each, and a clerk who
counts the northern warehouse.

Bottles do not wait for each other: a slow answer delays nobody else, as with real customers.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np

from shop.cellar import bottle_count, measure, user_of, warehouse_of
from shop.scenario import DEFAULT_LENGTH_S, Scenario

logger = logging.getLogger("shop.traffic")

GAP_SHARE = 0.04
"""Share of bottles with a missing reading, once gaps have begun."""
GAP_READING = "flavanoids"
TRUTH_DELAY_S = 2.0
"""Mean time until the truth is known."""
REPORT_S = 10.0
COUNT_EVERY_S = 2.5
COUNTED_WAREHOUSE = "north"


async def one_bottle(client: httpx.AsyncClient, scenario: Scenario, random: np.random.Generator, seen: Counter) -> None:
    """One bottle's life: measured, recognised, and then known. Adds to `seen` what became of it."""
    now = time.time()
    bottle = int(random.integers(bottle_count()))
    readings: dict[str, float | None] = dict(measure(bottle, scenario.wear(now), random))
    if scenario.gaps(now) and random.random() < GAP_SHARE:
        readings[GAP_READING] = None
    body = {"bottle": bottle, "warehouse": warehouse_of(bottle), "readings": readings}
    try:
        response = await client.post("/predictions", json=body)
        if response.status_code != 200:
            seen["failed"] += 1
            return
        answer = response.json()
        seen["right" if answer["user"] == user_of(bottle) else "wrong"] += 1
        await asyncio.sleep(random.exponential(TRUTH_DELAY_S))
        await client.post(f"/predictions/{answer['id']}/outcome", json={"user": user_of(bottle)})
    except httpx.HTTPError as error:
        seen["unanswered"] += 1
        logger.warning("the gateway did not answer: %s", error)


async def count_forever(features_url: str, scenario: Scenario) -> None:
    """Count a warehouse again and again, once stocktaking has begun."""
    async with httpx.AsyncClient(base_url=features_url, timeout=15) as client:
        while True:
            await asyncio.sleep(COUNT_EVERY_S)
            if scenario.stocktaking(time.time()):
                try:
                    await client.post(f"/warehouses/{COUNTED_WAREHOUSE}/stocktaking")
                except httpx.HTTPError as error:
                    logger.warning("the count was not finished: %s", error)


async def send_forever(gateway_url: str, rate_per_s: float, scenario: Scenario) -> None:
    """Send bottles until cancelled, `rate_per_s` of them in the mean."""
    random = np.random.default_rng()
    seen: Counter = Counter()
    alive: set[asyncio.Task] = set()
    last_report = time.monotonic()
    async with httpx.AsyncClient(base_url=gateway_url, timeout=15) as client:
        while True:
            await asyncio.sleep(random.exponential(1 / rate_per_s))
            task = asyncio.create_task(one_bottle(client, scenario, random, seen))
            alive.add(task)
            task.add_done_callback(alive.discard)
            if time.monotonic() - last_report >= REPORT_S:
                logger.info("bottles: %s", ", ".join(f"{n} {what}" for what, n in sorted(seen.items())))
                seen.clear()
                last_report = time.monotonic()


async def play(gateway_url: str, features_url: str, rate_per_s: float, scenario: Scenario) -> None:
    """Send bottles and count stock, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send_forever(gateway_url, rate_per_s, scenario))
        tasks.create_task(count_forever(features_url, scenario))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m shop.traffic", description="Send bottles to the gateway.")
    parser.add_argument("--gateway", default="http://127.0.0.1:8201", help="address of the gateway")
    parser.add_argument("--features", default="http://127.0.0.1:8202", help="address of the feature service")
    parser.add_argument("--rate", type=float, default=12.0, help="bottles per second")
    parser.add_argument("--note", type=Path, help="file to note the moment in (epoch seconds) at which the story begins")
    parser.add_argument("--length", type=float, default=DEFAULT_LENGTH_S, help="seconds the whole story takes")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    bottle_count()  # Loads the data set, which takes a moment, before the clock starts.
    scenario = Scenario(time.time(), arguments.length)
    if arguments.note:
        hidden = arguments.note.with_suffix(".new")
        hidden.write_text(repr(scenario.started_at))
        hidden.rename(arguments.note)
    asyncio.run(play(arguments.gateway, arguments.features, arguments.rate, scenario))


if __name__ == "__main__":
    main()
