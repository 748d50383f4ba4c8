"""Apps of objects: bringing in what an archive holds, and giving the catalog's objects as one."""

from __future__ import annotations

import io
import shutil
import tarfile
import uuid
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from sightline.apps.exporting import file_name, files_of
from sightline.apps.moving import bring
from sightline.catalog import Catalog
from sightline.errors import UserError
from sightline.web.api.load import receive
from sightline.web.parts import Administrator, Parts, WithParts

router = APIRouter(prefix="/apps", tags=["apps"])

MAX_NAME_CHARACTERS = 100


@router.post("/import")
async def import_app(
    request: Request,
    parts: WithParts,
    identity: Administrator,
    name: str = "upload",
    app: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Brings the objects of the archive in the body into the catalog, and says what became of each.

    `name` is what an app without a name of its own is called, `app` replaces every name. With `dry_run` nothing is kept.
    """
    folder = parts.directory.run / "uploads" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        archive = folder / f"{file_name(Path(name).name[:MAX_NAME_CHARACTERS])}.tgz"
        await receive(request, archive, parts.settings.web.max_upload_bytes)
        outcome = await run_in_threadpool(_bring, parts, archive, app, identity.name, dry_run)
    finally:
        await run_in_threadpool(shutil.rmtree, folder, True)
    counts = {kind: vars(count) for kind, count in outcome.counts.items()}
    if not dry_run:
        parts.scheduler.wake()
        parts.log.record("sightline:audit", action="import app", user=identity.name, app=app or name, counts=counts)
    return outcome.as_json()


def _bring(parts: Parts, archive: Path, app: str | None, owner: str, dry_run: bool) -> Any:
    return bring(archive, parts.directory.path, parts.catalog, app_name=app, owner=owner, dry_run=dry_run)


@router.get("/export")
def export_apps(parts: WithParts, _: Administrator, app: str | None = None) -> Response:
    """The catalog's objects as an archive of apps, or those of one app."""
    return Response(archive_of(parts.catalog, app), media_type="application/gzip")


def archive_of(catalog: Catalog, app: str | None) -> bytes:
    """A compressed archive with a folder for each app."""
    apps, _ = files_of(catalog)
    if app is not None and app not in apps:
        raise UserError(f'there is nothing of an app "{app}", apps: {", ".join(sorted(apps)) or "none"}')
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, files in apps.items():
            if app in (None, name):
                for path, content in files.items():
                    member = tarfile.TarInfo(f"{file_name(name)}/{path}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
