"""Rules of sourcetypes: which there are, whether the file is in force as it is, and what they would make of a text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from sightline.store.rulebook import read_checked
from sightline.store.trying import SHOWN, try_text
from sightline.web.parts import Parts, WithParts

router = APIRouter(prefix="/sourcetypes", tags=["sourcetypes"])
MAX_SHOWN = 1_000


class Trial(BaseModel):
    """A text, and the rules to try on it: those in force where none are given."""

    model_config = ConfigDict(extra="forbid")

    text: str
    sourcetype: str = ""
    source: str = ""
    host: str = ""
    index: str = "main"
    header: str = ""
    rules: str | None = None
    limit: int = Field(SHOWN, ge=0, le=MAX_SHOWN)


@router.get("")
def rules(parts: WithParts) -> dict[str, Any]:
    """Every rule in force, and why the file as it is now is not in force, where that is so."""
    current = parts.loader.rules.current()
    listed = [
        dict(zip(("sourcetype", "from", "does", "description"), rule.described(), strict=True)) for rule in current.all
    ]
    return {"rules": sorted(listed, key=lambda rule: rule["sourcetype"]), "problem": parts.loader.rules.problem}


@router.post("/try")
async def try_rules(trial: Trial, parts: WithParts) -> dict[str, Any]:
    """What a text would become: events with their times and fields, and what is masked, dropped, routed. Stores nothing."""
    return await run_in_threadpool(_try, trial, parts)


def _try(trial: Trial, parts: Parts) -> dict[str, Any]:
    settings, query = parts.settings.rules, parts.store.query
    if trial.rules is None:
        current = parts.loader.rules.current()
    else:
        current = read_checked(trial.rules, "rules", settings, query)
    found = try_text(
        query,
        current,
        trial.text.encode(),
        sourcetype=trial.sourcetype,
        source=trial.source,
        host=trial.host,
        index=trial.index,
        header=trial.header,
        limit=trial.limit,
        route_problem=parts.catalog.route_problem,
    )
    return asdict(found)
