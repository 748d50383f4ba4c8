"""Loading a file into an index: the body is the file, streamed to disk and then read by the engine."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from sightline.errors import Forbidden, UserError
from sightline.web.failures import TooLarge
from sightline.web.parts import Asking, Parts, WithParts

router = APIRouter(prefix="/load", tags=["load"])


@router.post("", status_code=201)
async def load(
    request: Request,
    parts: WithParts,
    identity: Asking,
    index: str,
    filename: str,
    sourcetype: str = "",
    time_field: str = "",
) -> dict[str, Any]:
    """Adds the rows of the file in the body to an index, all or none, and gives their number.

    The kind of file follows from the ending of `filename`: CSV, JSON lines, Parquet, or else text with an event a line.
    """
    if identity.indexes and index not in identity.indexes:
        raise Forbidden(f'token "{identity.token_name}" may load into {", ".join(identity.indexes)}, not into "{index}"')
    folder = parts.directory.run / "uploads"
    folder.mkdir(exist_ok=True)
    name = Path(filename).name
    if not name:
        raise UserError("filename wants the name of a file, got an empty one")
    staged = folder / uuid.uuid4().hex / name
    staged.parent.mkdir()
    try:
        size = await receive(request, staged, parts.settings.web.max_upload_bytes)
        rows = await run_in_threadpool(load_file, parts, staged, index, sourcetype, time_field)
    finally:
        staged.unlink(missing_ok=True)
        staged.parent.rmdir()
    parts.log.record(
        "sightline:audit", action="load", user=identity.name, index=index, file=name, rows=rows, size_bytes=size
    )
    return {"index": index, "rows": rows, "size_bytes": size}


def load_file(
    parts: Parts,
    path: Path,
    index: str,
    sourcetype: str,
    time_field: str,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> int:
    """Loads a file of this machine; an index that is not defined becomes one of events.

    `on_progress` is told rows, bytes read and bytes in all now and then.
    """
    parts.catalog.indexes.ensure(index, parts.catalog.indexes.datatype(index) or "event")
    return parts.store.load_file(
        path,
        index=index,
        sourcetype=sourcetype or None,
        time_field=time_field or None,
        source=path.name,
        on_progress=on_progress,
    )


async def receive(request: Request, path: Path, limit: int) -> int:
    """Writes the body to a file, piece by piece, and gives its size. Raises TooLarge beyond the limit."""
    size = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise TooLarge(f"the file has more than {limit} bytes")
            await run_in_threadpool(file.write, chunk)
    return size
