"""Saved models: files under one directory, every version kept up to a bound, written so that a crash leaves old or new.

    <root>/<app>/<shared | user-<owner>>/<name>/<version>/model.json        everything that is plain data
                                                          estimator.skops   the estimator, see persistence.py
                                                          scores.jsonl      scores recorded since, one per line

A version's directory is prepared beside its place and renamed into it, and never changes afterwards but for its scores.
Look-up without a namespace finds the owner's private model first, then the one shared in the app.
Safe for several threads and processes: a version number is taken by whoever renames first.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
import urllib.parse
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from sightline.clock import Clock, system_clock
from sightline.errors import EnvironmentTrouble, NotFound, UserError, nearest
from sightline.ml.model import APP, USER, Model
from sightline.ml.preparation import Limits
from sightline.ml.requests import check_model_name

METADATA = "model.json"
ESTIMATOR = "estimator.skops"
SCORES = "scores.jsonl"
CACHED_BYTES = 1024 * 1024 * 1024
"""File bytes of estimators kept in memory, so that a search that applies a model again does not read it again."""


class ModelRegistry:
    """The saved models of one data directory."""

    def __init__(
        self, root: Path, clock: Clock = system_clock, *, limits: Limits | None = None, keep_versions: int = 20
    ) -> None:
        self._root = Path(root)
        self._clock = clock
        self.limits = limits or Limits()
        self._keep_versions = keep_versions
        self._cache: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def now(self) -> float:
        """The time by the registry's clock, in seconds since the epoch."""
        return self._clock()

    def save(self, name: str, model: Model, owner: str, app: str = "search", sharing: str = USER) -> int:
        """Keeps the model as the next version of `name` and gives the version's number; it is on disk on return.

        `sharing` is `user` (private to the owner) or `app`. The oldest versions beyond the bound are removed.
        Raises UserError for a bad name or a model above the size limit, EnvironmentTrouble when the disk refuses.
        """
        check_model_name(name)
        if sharing not in (USER, APP):
            raise UserError(f'sharing must be user or app, got "{sharing}"')
        from sightline.ml.persistence import dump_estimator  # Late: it imports scikit-learn, listing models does not.

        content = dump_estimator(model.estimator)
        if len(content) > self.limits.max_model_bytes:
            raise UserError(
                f'model "{name}" takes {len(content) / 2**20:.1f} MiB, the limit is '
                f"{self.limits.max_model_bytes / 2**20:.1f} MiB",
                "fewer or smaller trees make a smaller model",
            )
        digest = hashlib.sha256(content).hexdigest()
        folder = self._folder(name, owner, app, sharing)
        model.name, model.owner, model.app, model.sharing = name, owner, app, sharing
        model.trained_at = model.trained_at or self._clock()
        model.size_bytes = len(content)
        prepared = folder / f".new-{uuid.uuid4().hex}"
        try:
            prepared.mkdir(parents=True)
            _write(prepared / ESTIMATOR, content)
            while True:
                model.version = max(self._version_numbers(folder), default=0) + 1
                metadata = {**model.metadata(), "sha256": digest, "size_bytes": len(content)}
                _write(prepared / METADATA, orjson.dumps(metadata, option=_JSON))
                _sync(prepared)
                try:
                    prepared.rename(folder / f"{model.version:06d}")
                    break
                except OSError as error:
                    if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                        raise
            for path in (folder, folder.parent, folder.parent.parent):
                _sync(path)
        except OSError as error:
            shutil.rmtree(prepared, ignore_errors=True)
            raise EnvironmentTrouble(f'model "{name}" could not be saved: {error}') from error
        self._remember(digest, model.estimator, len(content))
        self._prune(folder)
        return model.version

    def load(self, name: str, owner: str, namespace: str = "", *, app: str = "search", version: int | None = None) -> Model:
        """The named model with its estimator. Raises NotFound, or UserError when its files may not be loaded."""
        place = self._find(name, owner, namespace, app, version)
        metadata = _read_metadata(place)
        digest = metadata.get("sha256", "")
        with self._lock:
            cached = self._cache.get(digest)
            if cached:
                self._cache.move_to_end(digest)
        if cached:
            estimator = cached[0]
        else:
            from sightline.ml.persistence import load_estimator

            try:
                content = (place / ESTIMATOR).read_bytes()
            except OSError as error:
                raise EnvironmentTrouble(f'model "{name}" cannot be read: {error}') from error
            if hashlib.sha256(content).hexdigest() != digest:
                raise EnvironmentTrouble(f'model "{name}" is damaged: {place / ESTIMATOR} is not what was written')
            estimator = load_estimator(content, f'model "{name}"')
            self._remember(digest, estimator, len(content))
        return Model.from_metadata(metadata, estimator, _read_scores(place))

    def describe(
        self, name: str, owner: str, namespace: str = "", *, app: str = "search", version: int | None = None
    ) -> dict[str, Any]:
        """The metadata and scores of the named model, without its estimator. Raises NotFound."""
        place = self._find(name, owner, namespace, app, version)
        return {**_read_metadata(place), "scores": _read_scores(place)}

    def list(self, owner: str | None = None, app: str | None = None) -> list[dict[str, Any]]:
        """The latest version of every model that `owner` may read (None: all), by name. A damaged one has `error`."""
        found = []
        for folder, folder_app, folder_owner in self._folders():
            if (owner is not None and folder_owner not in (None, owner)) or (app is not None and folder_app != app):
                continue
            numbers = self._version_numbers(folder)
            if not numbers:
                continue
            place = folder / f"{max(numbers):06d}"
            try:
                found.append({**_read_metadata(place), "scores": _read_scores(place)})
            except EnvironmentTrouble as error:
                sharing = APP if folder_owner is None else USER
                found.append(
                    {
                        "name": folder.name,
                        "app": folder_app,
                        "owner": folder_owner or "",
                        "sharing": sharing,
                        "error": str(error),
                    }
                )
        return sorted(found, key=lambda model: (model["name"], model["app"], model["sharing"], model["owner"]))

    def versions(self, name: str, owner: str, namespace: str = "", *, app: str = "search") -> list[dict[str, Any]]:
        """The metadata and scores of every kept version, oldest first. Raises NotFound."""
        folder = self._find(name, owner, namespace, app, None).parent
        places = [folder / f"{number:06d}" for number in sorted(self._version_numbers(folder))]
        return [{**_read_metadata(place), "scores": _read_scores(place)} for place in places]

    def delete(self, name: str, owner: str, namespace: str = "", *, app: str = "search") -> str:
        """Removes every version and says so. Raises NotFound."""
        folder = self._find(name, owner, namespace, app, None).parent
        trash = folder.parent / f".deleted-{uuid.uuid4().hex}"
        try:
            folder.rename(trash)
        except OSError as error:
            raise EnvironmentTrouble(f'model "{name}" could not be deleted: {error}') from error
        shutil.rmtree(trash, ignore_errors=True)
        return f'deleted model "{name}"'

    def record_scores(
        self,
        name: str,
        owner: str,
        scores: Mapping[str, float],
        namespace: str = "",
        *,
        app: str = "search",
        version: int | None = None,
        time: float | None = None,
    ) -> None:
        """Adds a score per metric to the model's history, with the time now or the one given. Raises NotFound."""
        place = self._find(name, owner, namespace, app, version)
        now = self._clock() if time is None else time
        lines = b"".join(
            orjson.dumps({"time": now, "metric": metric, "value": float(value)}) + b"\n" for metric, value in scores.items()
        )
        try:
            handle = os.open(place / SCORES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(handle, lines)  # One write of a few lines with O_APPEND: writers do not mix.
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise EnvironmentTrouble(f'scores of model "{name}" could not be recorded: {error}') from error

    def exists(self, name: str, owner: str, namespace: str = "", *, app: str = "search") -> bool:
        """Whether `load` would find the model."""
        try:
            self._find(name, owner, namespace, app, None)
        except NotFound:
            return False
        return True

    def _folder(self, name: str, owner: str, app: str, sharing: str) -> Path:
        return self._root / _file_name(app) / ("shared" if sharing == APP else f"user-{_file_name(owner)}") / name

    def _folders(self) -> Iterator[tuple[Path, str, str | None]]:
        """Every model's folder with its app and owner (None: shared)."""
        if not self._root.is_dir():
            return
        for app in sorted(self._root.iterdir()):
            if not app.is_dir() or app.name.startswith("."):
                continue
            for group in sorted(app.iterdir()):
                if group.name == "shared":
                    owner = None
                elif group.name.startswith("user-"):
                    owner = urllib.parse.unquote(group.name.removeprefix("user-"))
                else:
                    continue
                for folder in sorted(group.iterdir()):
                    if folder.is_dir() and not folder.name.startswith("."):
                        yield folder, urllib.parse.unquote(app.name), owner

    def _find(self, name: str, owner: str, namespace: str, app: str, version: int | None) -> Path:
        check_model_name(name)
        if namespace not in ("", USER, APP):
            raise UserError(f'the namespace of model "{name}" must be app or user, got "{namespace}"')
        for sharing in (namespace,) if namespace else (USER, APP):
            folder = self._folder(name, owner, app, sharing)
            numbers = self._version_numbers(folder)
            if not numbers:
                continue
            if version is None:
                return folder / f"{max(numbers):06d}"
            if version in numbers:
                return folder / f"{version:06d}"
            kept = ", ".join(map(str, sorted(numbers)))
            raise NotFound(f'model "{name}" has no version {version}, kept are: {kept}')
        known = [model["name"] for model in self.list(owner, app)]
        called = f"{namespace}:{name}" if namespace else name
        raise NotFound(f'model "{called}" does not exist', nearest(name, known))

    @staticmethod
    def _version_numbers(folder: Path) -> list[int]:
        try:
            return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
        except FileNotFoundError:
            return []

    def _prune(self, folder: Path) -> None:
        for number in sorted(self._version_numbers(folder))[: -self._keep_versions]:
            shutil.rmtree(folder / f"{number:06d}", ignore_errors=True)

    def _remember(self, digest: str, estimator: Any, size_bytes: int) -> None:
        with self._lock:
            self._cache[digest] = (estimator, size_bytes)
            self._cache.move_to_end(digest)
            while len(self._cache) > 1 and sum(size for _, size in self._cache.values()) > CACHED_BYTES:
                self._cache.popitem(last=False)


_JSON = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_INDENT_2


def _file_name(text: str) -> str:
    """Any text as the name of one directory; a leading dot is escaped too, so that `..` stays inside."""
    quoted = urllib.parse.quote(text, safe="")
    return "%2E" + quoted[1:] if quoted.startswith(".") else quoted


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_metadata(place: Path) -> dict[str, Any]:
    try:
        return orjson.loads((place / METADATA).read_bytes())
    except FileNotFoundError:
        raise NotFound(f'model "{place.parent.name}" version {place.name} does not exist') from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise EnvironmentTrouble(f"{place / METADATA} cannot be read: {error}") from error


def _read_scores(place: Path) -> list[dict[str, Any]]:
    try:
        lines = (place / SCORES).read_bytes().split(b"\n")
    except OSError:
        return []
    scores = []
    for line in lines:
        try:
            scores.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue  # A line cut by a crash, and the empty one at the end.
    return scores
