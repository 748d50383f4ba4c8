"""Dashboards, and the bundled ones that a new catalog starts with.

A bundled dashboard is a JSON file beside this module. It is installed once: a person may then change or delete it, and
the next start leaves that alone.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

from sqlalchemy import select

from sightline.catalog.database import SessionFactory
from sightline.catalog.inputs import check_inputs
from sightline.catalog.models import Dashboard, Fact
from sightline.clock import Clock
from sightline.errors import NotFound, UserError, nearest

BUNDLED = Path(__file__).parent / "dashboards"
CHARTS = ("line", "area", "bar", "column", "table", "single", "heatmap", "pie", "scatter")
MAX_PANELS = 100
MAX_COLUMNS = 24


class Dashboards:
    """The dashboards of one catalog."""

    def __init__(self, sessions: SessionFactory, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def list(self) -> list[Dashboard]:
        """Every dashboard, by title."""
        with self._sessions() as session:
            return list(session.scalars(select(Dashboard).order_by(Dashboard.title)))

    def get(self, dashboard_id: int) -> Dashboard:
        """The dashboard with this number. Raises NotFound."""
        with self._sessions() as session:
            return self._require(session, dashboard_id)

    def create(self, title: str, definition: dict[str, Any], description: str = "", owner: str = "admin") -> Dashboard:
        """A new dashboard. Raises UserError naming the panel that is wrong."""
        now = self._clock()
        dashboard = Dashboard(
            title=_check_title(title),
            description=description,
            definition=check_definition(definition),
            owner=owner,
            created=now,
            updated=now,
        )
        with self._sessions.begin() as session:
            dashboard.view = _fresh_view(session, "search", dashboard.title)
            session.add(dashboard)
        return dashboard

    def own(self) -> list[Dashboard]:
        """Every dashboard that was not bundled, by app and view; each has a view's name."""
        with self._sessions.begin() as session:
            rows = list(session.scalars(select(Dashboard).where(Dashboard.bundled.is_(None)).order_by(Dashboard.id)))
            for row in rows:
                # Those of before views had names.
                if row.view is None:
                    row.view = _fresh_view(session, row.app, row.title)
                    session.flush()
            return sorted(rows, key=lambda row: (row.app, row.view))

    def find(self, app: str, view: str) -> Dashboard | None:
        """The dashboard of this name in an app, or None."""
        with self._sessions() as session:
            return session.scalar(select(Dashboard).where(Dashboard.app == app, Dashboard.view == view))

    def put(
        self, app: str, view: str, title: str, definition: dict[str, Any], description: str = "", owner: str = "admin"
    ) -> tuple[Dashboard, bool]:
        """The dashboard of this name in an app, made or replaced; and whether it is new."""
        if not view.strip() or len(view) > 200:
            raise UserError(f'the name of a view wants 1 to 200 characters, got "{view[:40]}"')
        values = {"title": _check_title(title), "description": description, "definition": check_definition(definition)}
        now = self._clock()
        with self._sessions.begin() as session:
            found = session.scalar(select(Dashboard).where(Dashboard.app == app, Dashboard.view == view))
            if found is None:
                made = Dashboard(**values, owner=owner, app=app, view=view, created=now, updated=now)
                session.add(made)
                return made, True
            for name, value in values.items():
                setattr(found, name, value)
            found.updated = now
            return found, False

    def update(self, dashboard_id: int, **values: Any) -> Dashboard:
        """Changes `title`, `description` or `definition`."""
        with self._sessions.begin() as session:
            dashboard = self._require(session, dashboard_id)
            if "title" in values:
                dashboard.title = _check_title(values["title"])
            if "description" in values:
                dashboard.description = values["description"]
            if "definition" in values:
                dashboard.definition = check_definition(values["definition"])
            dashboard.updated = self._clock()
            return dashboard

    def delete(self, dashboard_id: int) -> None:
        """Removes a dashboard. Raises NotFound."""
        with self._sessions.begin() as session:
            session.delete(self._require(session, dashboard_id))

    def install_bundled(self) -> None:
        """Puts in each bundled dashboard that was never put in before."""
        for path in sorted(BUNDLED.glob("*.json")):
            fact = f"bundled dashboard {path.stem}"
            with self._sessions.begin() as session:
                if session.get(Fact, fact) is not None:
                    continue
                content = json.loads(path.read_text())
                now = self._clock()
                session.add(Fact(name=fact, value="installed"))
                session.add(
                    Dashboard(
                        title=content["title"],
                        description=content["description"],
                        definition=check_definition(content["definition"]),
                        bundled=path.stem,
                        created=now,
                        updated=now,
                    )
                )

    @staticmethod
    def _require(session, dashboard_id: int) -> Dashboard:
        dashboard = session.get(Dashboard, dashboard_id)
        if dashboard is None:
            raise NotFound(f"no dashboard {dashboard_id}")
        return dashboard


def check_definition(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition with defaults filled in, ready to draw. Raises UserError naming the panel or input that is wrong.

    Panels lie on a grid of 24 columns: `x`, `w` in columns, `y`, `h` in rows. Panels without a place go below. With `submit`
    the values of the inputs count once a button is pressed, and not one by one.
    """
    known = ("earliest", "latest", "refresh_s", "inputs", "submit", "panels")
    for name in definition:
        if name not in known:
            raise UserError(f'a dashboard definition has no "{name}"', hint=nearest(name, known))
    panels = definition.get("panels", [])
    if not isinstance(panels, list) or len(panels) > MAX_PANELS:
        raise UserError(f"panels wants a list of at most {MAX_PANELS}")
    checked, bottom, ids = [], 0, set()
    for number, panel in enumerate(panels, start=1):
        where = f"panel {number}"
        if not isinstance(panel, dict) or not str(panel.get("search", "")).strip():
            raise UserError(f"{where} wants a search")
        chart = panel.get("chart", "table")
        if chart not in CHARTS:
            raise UserError(f'{where} has unknown chart "{chart}", wanted one of: {", ".join(CHARTS)}')
        place = {name: panel.get(name, default) for name, default in (("x", 0), ("y", bottom), ("w", 12), ("h", 8))}
        for name, value in place.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise UserError(f'{where}: {name} wants a whole number of 0 or more, got "{value}"')
        if not 1 <= place["w"] <= MAX_COLUMNS - place["x"]:
            raise UserError(f"{where}: x + w wants at most {MAX_COLUMNS}, got {place['x'] + place['w']}")
        panel_id = str(panel.get("id") or f"panel-{number}")
        if panel_id in ids:
            raise UserError(f'{where}: id "{panel_id}" is used twice')
        ids.add(panel_id)
        bottom = max(bottom, place["y"] + place["h"])
        checked.append({"title": "", "options": {}} | panel | {"id": panel_id, "chart": chart} | place)
    return {
        "earliest": str(definition.get("earliest", "-24h")),
        "latest": str(definition.get("latest", "now")),
        "refresh_s": float(definition.get("refresh_s", 0)),
        "inputs": check_inputs(definition.get("inputs", [])),
        "submit": bool(definition.get("submit", False)),
        "panels": checked,
    }


def _fresh_view(session, app: str, title: str) -> str:
    """A name for files, made of a title, that no other dashboard of the app has."""
    stem = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:100] or "dashboard"
    taken = set(session.scalars(select(Dashboard.view).where(Dashboard.app == app)))
    return next(name for n in itertools.count(1) if (name := stem if n == 1 else f"{stem}_{n}") not in taken)


def _check_title(title: str) -> str:
    if not title.strip() or len(title) > 200:
        raise UserError(f'a title wants 1 to 200 characters, got "{title[:40]}"')
    return title.strip()
