"""Ten typical searches over five million events, each against hand-written SQL on the same tables in the same run.

    python benchmarks/searches.py [--events 5000000] [--repeat 5] [--write]

The goal is a time under 1.2 times that of the SQL plus 15 ms. The SQL is what a person who knows the tables would write.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from common import Knowledge, report

from sightline.config import load_settings
from sightline.search.engine import SearchEngine
from sightline.store import EmbeddedStore

START = 1_700_000_000
"""Seconds since the epoch of the first event; one event every 20 ms."""

EVENTS = """
INSERT INTO sightline.events (`index`, _time, _indextime, host, source, sourcetype, _raw, fields)
SELECT 'web', fromUnixTimestamp64Micro(toInt64({start}) * 1000000 + number * 20000), now64(3),
       concat('web-', toString(number % 20)), '/var/log/access.log', 'access',
       concat('GET /api/v1/items/', toString(cityHash64(number) % 100000), ' ', toString(status), ' ', toString(ms), 'ms user-', toString(user),
              if(cityHash64(number, 7) % 250000 = 0, ' needle', '')),
       concat('{{"status":', toString(status), ',"duration_ms":', toString(ms), ',"user":"user-', toString(user),
              '","service":"', ['gateway', 'features', 'model', 'billing', 'search'][number % 5 + 1],
              '","bytes":', toString(cityHash64(number, 3) % 50000), ',"method":"', ['GET', 'POST', 'PUT'][number % 3 + 1], '"}}')::JSON
FROM (SELECT number, [200, 200, 200, 200, 200, 200, 200, 304, 404, 500][cityHash64(number, 1) % 10 + 1] AS status,
             round(exp(cityHash64(number, 2) % 1000 / 120), 1) + 0.05 AS ms, cityHash64(number, 4) % 20000 AS user
      FROM numbers({first}, {count}))
"""

W = "FROM sightline.events WHERE `index` = 'web'"
STATUS, MS = "fields.status.:Int64", "fields.duration_ms.:Float64"
USER, SERVICE = "fields.user.:String", "fields.service.:String"

SEARCHES: list[tuple[str, str, str]] = [
    ("count of a value", "index=web status=500 | stats count", f"SELECT count() {W} AND {STATUS} = 500"),
    ("group by a number", "index=web | stats count by status", f"SELECT {STATUS} AS s, count() {W} AND s IS NOT NULL GROUP BY s ORDER BY s"),
    ("latency by host", "index=web | stats avg(duration_ms) p95(duration_ms) count by host",
     f"SELECT host, avg({MS}), quantileExact(0.95)({MS}), count() {W} GROUP BY host ORDER BY host"),
    ("requests over time", "index=web | timechart span=1h count by status",
     f"SELECT toStartOfHour(_time) AS t, {STATUS} AS s, count() {W} GROUP BY t, s ORDER BY t, s"),
    ("a rare word", "index=web needle | head 20 | table _time host _raw",
     f"SELECT _time, host, _raw {W} AND hasAllTokens(lowerUTF8(_raw), 'needle') ORDER BY _time DESC LIMIT 20"),
    ("top users", "index=web | top limit=10 user",
     f"SELECT {USER} AS u, count() AS c, c * 100 / sum(c) OVER () {W} AND u IS NOT NULL GROUP BY u ORDER BY c DESC LIMIT 10"),
    ("share of slow requests", "index=web | eval slow=if(duration_ms>500, 1, 0) | stats sum(slow) AS slow count by service",
     f"SELECT {SERVICE} AS s, sum(if({MS} > 500, 1, 0)), count() {W} AND s IS NOT NULL GROUP BY s ORDER BY s"),
    ("newest errors", "index=web status>=500 | head 100 | table _time host user",
     f"SELECT _time, host, {USER} {W} AND {STATUS} >= 500 ORDER BY _time DESC LIMIT 100"),
    ("distinct users", "index=web | stats dc(user) AS users by service | sort -users",
     f"SELECT {SERVICE} AS s, uniqExact({USER}) AS users {W} AND s IS NOT NULL GROUP BY s ORDER BY users DESC"),
    ("one hour of one service", f"index=web service=model earliest={START + 36000} latest={START + 39600} | stats avg(duration_ms) by method",
     f"SELECT fields.method.:String AS m, avg({MS}) {W} AND lower({SERVICE}) = 'model' AND _time >= toDateTime64({START + 36000}, 6, 'UTC') "
     f"AND _time < toDateTime64({START + 39600}, 6, 'UTC') AND m IS NOT NULL GROUP BY m ORDER BY m"),
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="keep the results under benchmarks/results")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sightline-bench-"))
    try:
        rows = run(folder, arguments.events, arguments.repeat)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report("searches", {"events": arguments.events, "repeat": arguments.repeat}, rows, write=arguments.write)


def run(folder: Path, events: int, repeat: int) -> list[dict]:
    settings = load_settings(folder)
    store = EmbeddedStore(folder / "engine", settings)
    started = time.perf_counter()
    for first in range(0, events, 1_000_000):
        store.execute(EVENTS.format(start=START, first=first, count=min(1_000_000, events - first)))
    store.execute("OPTIMIZE TABLE sightline.events FINAL")
    print(json.dumps({"loaded": events, "seconds": round(time.perf_counter() - started, 1)}))
    engine = SearchEngine(store, Knowledge({"web": "event"}), None, settings)
    now = float(START + events // 50 + 1)
    rows = []
    for name, search, sql in SEARCHES:
        ours, theirs = [], []
        for _ in range(repeat):
            # Alternating the two keeps the machine's mood the same for both.
            began = time.perf_counter()
            engine.run(search, now=now)
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            store.query(sql)
            theirs.append(time.perf_counter() - began)
        mine, peer = statistics.median(ours) * 1000, statistics.median(theirs) * 1000
        rows.append(
            {
                "search": name,
                "ours_ms": round(mine, 1),
                "sql_ms": round(peer, 1),
                "ratio": round(mine / peer, 2),
                "within_goal": mine <= peer * 1.2 + 15,
            }
        )
    store.close()
    return rows


if __name__ == "__main__":
    main()
