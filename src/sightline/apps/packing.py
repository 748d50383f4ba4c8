"""A path as one archive, for a server that does the import, and an archive of apps as their files."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sightline.apps.contents import Problem, name_of_path, wanted_files
from sightline.apps.exporting import Files
from sightline.apps.reading import ARCHIVES, read_files
from sightline.errors import EnvironmentTrouble


@contextmanager
def packed(path: Path) -> Iterator[tuple[Path, str, list[Problem]]]:
    """An archive of the files at a path that may hold objects, the name of an app that has none, and what cannot be read."""
    problems: list[Problem] = []
    if path.is_file() and path.name.lower().endswith(ARCHIVES):
        yield path, name_of_path(path), problems
        return
    with tempfile.TemporaryDirectory(prefix="sightline-pack-") as folder:
        target = Path(folder) / "app.tgz"
        with tarfile.open(target, "w:gz") as archive:
            for file in read_files(path, wanted_files(path), lambda file, text: problems.append(Problem(file, text))):
                try:
                    content = file.read()
                except EnvironmentTrouble as error:
                    problems.append(Problem(file.name, str(error)))
                    continue
                member = tarfile.TarInfo(file.name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        yield target, name_of_path(path), problems


def unpacked(archive: bytes) -> dict[str, Files]:
    """The files of each app in an archive that a server gave. Raises EnvironmentTrouble for one that is broken."""
    found: dict[str, Files] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
            for member in members:
                app, _, name = member.name.partition("/")
                body = members.extractfile(member)
                if body is not None and name and ".." not in name.split("/"):
                    found.setdefault(app, {})[name] = body.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise EnvironmentTrouble(f"the server's archive cannot be read: {error}") from error
    return found
