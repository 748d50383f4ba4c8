"""What can be asked: the requests of fit, apply, score and sample, checked as far as that goes without the rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sightline.errors import UserError

MODEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NAMESPACES = ("", "app", "user")


@dataclass(frozen=True, slots=True)
class FitRequest:
    """`fit <algorithm> <options> [<target>] [from] <features> [by ...] [as <output_name>] [into <model>]`.

    `target` is None where no `from` was written. `features` may hold globs. Empty texts mean: not written.
    """

    algorithm: str
    options: Mapping[str, Any] = field(default_factory=dict)
    target: str | None = None
    features: list[str] = field(default_factory=list)
    by: list[str] = field(default_factory=list)
    output_name: str = ""
    model_name: str = ""
    namespace: str = ""

    @property
    def required_fields(self) -> list[str]:
        """The fields (and globs) that training reads."""
        names = [*([self.target] if self.target else []), *self.features, *self.by]
        return list(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, with which search text, and when (seconds since the epoch)."""

    owner: str = "admin"
    app: str = "search"
    search: str = ""
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """`apply [app:|user:]<model> [as <output_name>] <options>`; `version` None is the latest."""

    model: str
    output_name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    namespace: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """`score <method> <actual...> against <predicted...> <options>`; both lists may hold globs."""

    method: str
    actual: list[str] = field(default_factory=list)
    predicted: list[str] = field(default_factory=list)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def required_fields(self) -> list[str]:
        """The fields (and globs) that scoring reads; with a formula, the names in it."""
        in_formula = [name for name in re.findall(r"[A-Za-z_]\w*", str(self.options.get("formula", ""))) if name != "C"]
        return list(dict.fromkeys([*self.actual, *self.predicted, *in_formula]))


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """`sample <options> [by <field>]`. A bare number stands for `count` when whole, for `ratio` otherwise."""

    options: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""


def split_model_name(text: str) -> tuple[str, str]:
    """Namespace and name of `app:churn`, `user:churn` or `churn`. Raises UserError naming what is wrong."""
    namespace, colon, name = text.rpartition(":")
    if colon and namespace not in ("app", "user"):
        raise UserError(f'model "{text}": the namespace must be app or user, got "{namespace}"')
    check_model_name(name)
    return namespace, name


def check_model_name(name: str) -> None:
    """Letters, digits and underscores, not beginning with a digit."""
    if not MODEL_NAME.fullmatch(name):
        raise UserError(
            f'model name "{name}" must begin with a letter or underscore and hold only letters, digits and underscores'
        )
