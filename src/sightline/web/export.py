"""Results as bytes, batch by batch: CSV, JSON, JSON lines, Arrow; and as cells of JSON.

Times stay seconds since the epoch in every one of them, so that nothing is lost. In CSV several values of a field are
lines of one cell.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv as arrow_csv
from starlette.responses import Response

from sightline.errors import UserError

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
}


def export(schema: pa.Schema, batches: Iterable[pa.RecordBatch], form: str) -> Iterator[bytes]:
    """The rows in one of the forms of MEDIA_TYPES. Raises UserError for another, before the first byte."""
    writers = {"csv": _csv, "json": _json, "jsonl": _jsonl, "arrow": _arrow}
    if form not in writers:
        raise UserError(f'unknown format "{form}", wanted one of: {", ".join(writers)}')
    return writers[form](schema, batches)


def json_response(value: Any) -> Response:
    """A large answer, written at once: the framework's own way walks every cell twice."""
    return Response(orjson.dumps(value), media_type="application/json")


def cell(value: Any) -> Any:
    """A value as JSON has it: what is not a number is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def rows_of(table: pa.Table | pa.RecordBatch) -> list[list[Any]]:
    """The rows as lists of JSON cells."""
    columns = [[cell(value) for value in column.to_pylist()] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(table.num_rows)]


def _csv(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    buffer = io.BytesIO()
    flat = pa.schema([pa.field(f.name, pa.string() if pa.types.is_list(f.type) else f.type) for f in schema])
    with arrow_csv.CSVWriter(buffer, flat, write_options=arrow_csv.WriteOptions(quoting_style="needed")) as writer:
        for batch in batches:
            columns = [_joined(column) for column in batch.columns]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=flat))
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    # The header is written at once also when there is no row.
    if rest := buffer.getvalue():
        yield rest


def _joined(column: pa.Array) -> pa.Array:
    if pa.types.is_list(column.type):
        return pa.array([None if v is None else "\n".join(map(str, v)) for v in column.to_pylist()], pa.string())
    return column


def _objects(schema: pa.Schema, batch: pa.RecordBatch) -> Iterator[bytes]:
    names = schema.names
    for row in rows_of(batch):
        yield orjson.dumps({name: value for name, value in zip(names, row, strict=True) if value is not None})


def _jsonl(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    for batch in batches:
        if batch.num_rows:
            yield b"\n".join(_objects(schema, batch)) + b"\n"


def _json(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    lead = b"[\n"
    for batch in batches:
        if batch.num_rows:
            yield lead + b",\n".join(_objects(schema, batch))
            lead = b",\n"
    yield b"[]\n" if lead == b"[\n" else b"\n]\n"


def _arrow(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
