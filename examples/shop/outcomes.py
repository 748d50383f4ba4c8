"""The batch job: writes every prediction whose truth is known, features and all, to a Splunk HEC endpoint.

A record is marked as delivered when the endpoint has accepted it, so a stop or a refusal loses nothing; at worst a
batch whose answer got lost is sent again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import time
from pathlib import Path
from typing import Any

import httpx
from opentelemetry import trace

from shop.cellar import partition_of, warehouse_of
from shop.records import Record, Records
from shop.telemetry import start_telemetry

logger = logging.getLogger("shop.outcomes")
tracer = trace.get_tracer("shop.outcomes")

BATCH_ROWS = 500


def hec_event(record: Record, index: str) -> dict[str, Any]:
    """One event: the features, what was predicted, and whose bottle it was (`user`)."""
    return {
        "time": round(record.time, 3),
        "host": socket.gethostname(),
        "source": "shop.outcomes",
        "sourcetype": "shop:outcome",
        "index": index,
        "event": {
            **record.features,
            "user": record.user,
            "predicted": record.predicted,
            "confidence": record.confidence,
            "partition": partition_of(record.bottle),
            "bottle": record.bottle,
            "warehouse": warehouse_of(record.bottle),
            "trace_id": record.trace_id,
        },
    }


def deliver(records: Records, client: httpx.Client, index: str) -> int:
    """Send what is complete, in batches. Returns how many records went. Raises httpx.HTTPError on a refusal."""
    delivered = 0
    while batch := records.undelivered(BATCH_ROWS):
        with tracer.start_as_current_span("outcomes.deliver", attributes={"shop.records": len(batch)}):
            body = "\n".join(json.dumps(hec_event(record, index)) for record in batch)
            client.post("/services/collector/event", content=body).raise_for_status()
            records.mark_delivered([record.id for record in batch])
        delivered += len(batch)
    return delivered


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m shop.outcomes", description="Deliver labelled outcomes. The token is read from SHOP_HEC_TOKEN."
    )
    parser.add_argument("--data", type=Path, default=Path("."), help="folder of the gateway's book")
    parser.add_argument("--hec", default="http://127.0.0.1:8088", help="address of the HEC endpoint")
    parser.add_argument("--index", default="my_latest_data", help="index to write to")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between runs; 0 runs once")
    arguments = parser.parse_args()
    start_telemetry()
    records = Records(arguments.data / "records.db")
    headers = {"Authorization": f"Splunk {os.environ['SHOP_HEC_TOKEN']}"}
    with httpx.Client(base_url=arguments.hec, headers=headers, timeout=10) as client:
        while True:
            try:
                count = deliver(records, client, arguments.index)
                if count:
                    logger.info("delivered %d outcomes", count, extra={"records": count})
            except httpx.HTTPError as error:
                logger.warning("the outcomes stay for the next run: %s", error)
                if not arguments.every:
                    raise SystemExit(1) from error
            if not arguments.every:
                return
            time.sleep(arguments.every)


if __name__ == "__main__":
    main()
