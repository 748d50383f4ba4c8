"""docs/benchmarks.md, written from the results that are kept under benchmarks/results."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.search_cases import CASES

_EXTRA_MS = 10
_HEAD = """# How fast searches are

`python -m benchmarks.searches` writes this page. It measures {count} searches in the proportions in which commands occur in real ones,
over web logs with 20 fields (seven of ten events) and JSON events. Each runs beside the SQL that an expert would write for the same
tables, and beside DuckDB over Parquet files of the same events with a column of the right type for each field. The answers are compared;
a difference would stand below the table. Times are milliseconds of wall time, the best of {repeat} runs that alternate, so that
the engine may hold columns decompressed (512 MB at most); in a cold run neither it nor the system holds anything of the files in memory.

Measured on {cores} cores with {memory_gib:g} GiB of memory, {system}, Python {python}, commit {commit}.
"""


def document(content: dict[str, Any]) -> str:
    """The page for all sizes that were measured."""
    sizes = content["sizes"]
    largest = max(
        (size for size in sizes if any("duckdb_ms" in row for row in size["rows"])), default=sizes[-1], key=_events
    )
    text = [_HEAD.format(count=len(largest["rows"]), repeat=largest["repeat"], **largest["machine"])]
    text += [f"## {_events(largest):,} events\n", _goals(largest), _table(largest)]
    if len(sizes) > 1:
        text += ["## Other sizes\n", _scaling(sizes)]
    text += ["## The searches\n", *(f"- **{case.name}**: `{case.search}`" for case in CASES)]
    return "\n".join(text) + "\n"


def _events(size: dict[str, Any]) -> int:
    return size["events"]


def ratio(row: dict[str, Any]) -> float:
    """How many times the SQL's time a search takes, beyond what reading and planning it may cost."""
    return max(0.0, row["ours_ms"] - _EXTRA_MS) / row["sql_ms"]


def _goals(size: dict[str, Any]) -> str:
    rows = size["rows"]
    lines = [
        f"The store takes {size['store_bytes'] / 1e9:.1f} GB. Beyond {_EXTRA_MS} ms for reading and planning, a search takes"
        f" {statistics.median(map(ratio, rows)):.2f} times as long as its SQL (median), at most {max(map(ratio, rows)):.2f} times."
    ]
    if all("duckdb_ms" in row for row in rows):
        rare = {case.name for case in CASES if case.rare}
        faster = sum(row["ours_ms"] < row["duckdb_ms"] for row in rows)
        words = " and ".join(f"{row['duckdb_ms'] / row['ours_ms']:.0f}" for row in rows if row["search"] in rare)
        lines.append(f"It is faster than DuckDB in {faster} of {len(rows)}; for a rare word {words} times.")
    different = [f"{row['search']} ({', '.join(row['differs'])})" for row in rows if row.get("differs")]
    if different:
        lines.append(f"Answers that differ: {'; '.join(different)}.")
    return " ".join(lines) + "\n"


def _table(size: dict[str, Any]) -> str:
    duckdb = any("duckdb_ms" in row for row in size["rows"])
    cold = any("ours_cold_ms" in row for row in size["rows"])
    heads = ["search", "Sightline", "SQL", "ratio"] + (["DuckDB", "factor"] if duckdb else [])
    heads += ["cold", "SQL cold"] + (["DuckDB cold"] if duckdb else []) if cold else []
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for row in size["rows"]:
        cells = [row["search"], _ms(row["ours_ms"]), _ms(row["sql_ms"]), f"{ratio(row):.2f}"]
        if duckdb:
            cells += [_ms(row.get("duckdb_ms")), f"{row['duckdb_ms'] / row['ours_ms']:.1f}" if "duckdb_ms" in row else ""]
        if cold:
            cells += [_ms(row.get("ours_cold_ms")), _ms(row.get("sql_cold_ms"))]
            cells += [_ms(row.get("duckdb_cold_ms"))] if duckdb else []
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _scaling(sizes: list[dict[str, Any]]) -> str:
    commits = ", ".join(f"{_events(size) / 1e6:g} M at commit {size['machine']['commit']}" for size in sizes)
    heads = [
        "search",
        *(f"{_events(size) / 1e6:g} M" for size in sizes),
        *(f"SQL, {_events(size) / 1e6:g} M" for size in sizes),
    ]
    lines = [f"Measured: {commits}.", "", "| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    rows = [{row["search"]: row for row in size["rows"]} for size in sizes]
    for case in CASES:
        found = [one.get(case.name, {}) for one in rows]
        cells = [case.name, *(_ms(row.get("ours_ms")) for row in found), *(_ms(row.get("sql_ms")) for row in found)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _ms(value: float | None) -> str:
    """Milliseconds with three significant digits."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
