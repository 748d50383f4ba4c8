"""A trained model: the estimator and everything needed to apply, explain, compare and train it again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from sightline.ml.preparation import Preparation
from sightline.ml.targets import Classes

USER = "user"
APP = "app"


@dataclass(slots=True)
class Model:
    """`estimator` is scikit-learn's (or one of ours with the same contract); the rest is plain data, kept as JSON.

    A model that was fitted but not saved has no name and version 0. `statistics` describe the training rows per field:
    the reference for drift.
    """

    algorithm: str
    estimator: Any
    preparation: Preparation
    parameters: dict[str, Any]
    options: dict[str, str]
    features: list[str]
    target: str | None = None
    by: list[str] = field(default_factory=list)
    classes: Classes | None = None
    rows: int = 0
    statistics: dict[str, Any] = field(default_factory=dict)
    training_search: str = ""
    trained_at: float = 0.0
    training_s: float = 0.0
    library_version: str = ""
    name: str = ""
    version: int = 0
    owner: str = ""
    app: str = "search"
    sharing: str = USER
    scores: list[dict[str, Any]] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The matrix's columns: number fields and `field=value` for categories."""
        return self.preparation.columns

    @property
    def required_fields(self) -> list[str]:
        """The fields that `apply` reads."""
        return [*self.preparation.fields, *(name for name in self.by if name not in self.preparation.fields)]

    def metadata(self) -> dict[str, Any]:
        """Everything but the estimator, the scores and the size, as plain JSON values."""
        return {
            **{name: getattr(self, name) for name in PLAIN_FIELDS},
            "columns": list(self.columns),
            "preparation": self.preparation.to_json(),
            "classes": self.classes.to_json() if self.classes else None,
        }

    @staticmethod
    def from_metadata(metadata: dict[str, Any], estimator: Any, scores: list[dict[str, Any]]) -> Model:
        """The model again. Keys that are not known here, written by a later version, are ignored."""
        return Model(
            estimator=estimator,
            preparation=Preparation.from_json(metadata["preparation"]),
            classes=Classes.from_json(metadata.get("classes")),
            scores=scores,
            size_bytes=metadata.get("size_bytes", 0),
            **{name: metadata[name] for name in PLAIN_FIELDS if name in metadata},
        )


PLAIN_FIELDS = tuple(
    entry.name
    for entry in dataclasses.fields(Model)
    if entry.name not in ("estimator", "preparation", "classes", "scores", "size_bytes")
)
"""The fields of a model that JSON keeps as they are."""
