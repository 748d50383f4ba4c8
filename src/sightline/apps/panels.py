"""Dashboards of Simple XML and Dashboard Studio as dashboards of this program, with what could not be brought.

Our dashboards have panels with a search, a chart and a place on a grid of 24 columns, and inputs whose tokens stay in the
searches. Any other token holds what it holds at first, and one without a first value is filled so that the search can be planned.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from sightline.apps.differences import bound_of_run
from sightline.apps.inputs import WRITES, Held, convert_inputs
from sightline.apps.simple_xml import Panel, View, Visual
from sightline.catalog.dashboards import MAX_COLUMNS, MAX_PANELS
from sightline.errors import UserError

_CHARTS = {
    "line": "line", "area": "area", "column": "column", "bar": "bar", "pie": "pie", "scatter": "scatter", "bubble": "scatter",
    "radialGauge": "single", "fillerGauge": "single", "markerGauge": "single", "timeline": "scatter",
}  # fmt: skip
_VISUALS = {"table": "table", "single": "single", "event": "table", "list": "table", "map": "table", "viz": "table"}
_HEIGHTS = {"single": 5, "table": 9}
_HEIGHT = 8
_MIN_WIDTH = 3
_CARRIED = frozenset((
    "charting.chart", "charting.chart.stackMode", "charting.axisY.minimumNumber", "charting.axisY.maximumNumber",
    "charting.legend.placement", "unit", "underLabel", "rangeValues", "rangeColors", "fields", "viz",
    "drilldown", "height", "link.visible", "refresh.display", "charting.drilldown", "list.drilldown", "raw.drilldown",
    "table.drilldown",
))  # fmt: skip
_RED = re.compile(r"(0x|#)?(d9[0-9a-f]{4}|dc4e41|d93f3c|af575a|ff0000|f00|d41f1f)\Z", re.I)
_AMBER = re.compile(r"(0x|#)?(f[0-9a-f]be34|f7bc38|f8be34|f58f39|f1813f|d16f18|ffff00|ff0)\Z", re.I)
_TIME_TOKEN = re.compile(r"\$[\w.]*?(earliest|latest)\$\Z")

Losses = list[tuple[str, str]]
"""What could not be brought: the panel and element in words, empty for the dashboard itself, and what it is."""


def convert_view(view: View) -> tuple[dict[str, Any], Losses]:
    """The definition of a dashboard, and what could not be brought."""
    lost = [("", f"{text} is left out") for text in view.unread]
    inputs, held, told = convert_inputs(view)
    lost += [("", text) for text in told]
    panels: list[dict[str, Any]] = []
    top = 0
    for row in view.rows:
        top = _place_row(row, view, held, top, panels, lost)
    if len(panels) > MAX_PANELS:
        lost.append(("", f"panels beyond the first {MAX_PANELS} are left out, of {len(panels)}"))
        panels = panels[:MAX_PANELS]
    for search in view.searches:
        if search.id and not _is_base(search.id, view) and search.query.strip():
            lost.append(("", f'the search "{search.id}", which no panel shows, is left out'))
    unused = {name for visual in view.visuals() for name in visual.options if name and name not in _CARRIED}
    if unused:
        lost.append(("", f"options of charts and tables without meaning here: {', '.join(sorted(unused))}"))
    definition = {
        "earliest": bound_of_run(_literal(view.earliest), lambda text: lost.append(("", text))) or "-24h",
        "latest": bound_of_run(_literal(view.latest), lambda text: lost.append(("", text))) or "now",
        "refresh_s": view.refresh_s,
        "inputs": inputs,
        "submit": view.submit and bool(inputs),
        "panels": panels,
    }
    return definition, lost


def _is_base(id: str, view: View) -> bool:
    searches = [*view.searches, *(v.search for v in view.visuals() if v.search is not None)]
    return any(search.base == id for search in searches)


def _place_row(row: list[Panel], view: View, held: Held, top: int, panels: list[dict[str, Any]], lost: Losses) -> int:
    """Puts the panels of a row side by side, what lies in one box one below the other; gives the row below."""
    boxes = [(panel, made) for panel in row if (made := _panels_of(panel, view, held, lost))]
    if not boxes:
        return top
    per_line = max(1, min(len(boxes), MAX_COLUMNS // _MIN_WIDTH))
    for first in range(0, len(boxes), per_line):
        line = boxes[first : first + per_line]
        width = MAX_COLUMNS // len(line)
        bottom = top
        for column, (_, made) in enumerate(line):
            y = top
            wide = width if column < len(line) - 1 else MAX_COLUMNS - width * (len(line) - 1)
            for panel in made:
                height = _HEIGHTS.get(panel["chart"], _HEIGHT)
                panel |= {"id": f"panel-{len(panels) + 1}", "x": column * width, "y": y, "w": wide, "h": height}
                panels.append(panel)
                y += height
            bottom = max(bottom, y)
        top = bottom
    return top


def _panels_of(panel: Panel, view: View, held: Held, lost: Losses) -> list[dict[str, Any]]:
    made = []
    for visual in panel.visuals:
        shown = f"{visual.where}{f' ({visual.title})' if visual.title else ''}"

        def tell(what: str, shown: str = shown) -> None:
            lost.append((shown, what))

        if visual.kind == "html":
            tell("the text is left out")
        elif visual.search is None:
            tell("it has no search and is left out")
        else:
            title = visual.title or (panel.title if not made else "") or panel.title or visual.where
            try:
                text = view.whole_text(visual.search)
            except UserError as error:
                tell(f"{error.message}; it is left out")
                continue
            if not text.strip():
                tell("its search is empty and it is left out")
            elif (found := _panel(visual, title, text, view, held, tell)) is not None:
                made.append(found)
    return made


def _panel(
    visual: Visual, title: str, text: str, view: View, held: Held, tell: Callable[[str], None]
) -> dict[str, Any] | None:
    text, open_tokens = held.filled(text)
    if (open_tokens or visual.conditional or held.waits(text)) and WRITES.search(text):
        # There it runs when somebody has filled the form; here it would run whenever the page is opened.
        tell("it writes once its tokens are filled in, and is left out")
        return None
    if open_tokens:
        tell(f"the tokens {', '.join(f'${name}$' for name in open_tokens)} have no first value and were filled to fit")
    options = visual.options
    chart = _VISUALS.get(visual.kind, "table")
    if visual.kind == "chart":
        given = options.get("charting.chart", "column")
        chart = _CHARTS.get(given, "table")
        if given not in _CHARTS:
            tell(f'a chart of type "{given}" is shown as a table')
        elif given != chart:
            tell(f"a chart of type {given} is shown as {chart}")
    elif visual.kind in ("map", "viz"):
        tell(f"a {options.get('viz') or visual.kind} is shown as a table")
    if fields := _field_list(options.get("fields", "")):
        text += "\n| table " + " ".join(fields)
    panel: dict[str, Any] = {"title": held.known(title)[:200], "search": text, "chart": chart}
    assert visual.search is not None
    earliest, latest = view.range_of(visual.search)
    for name, value in (("earliest", earliest), ("latest", latest)):
        if value and (held.is_open(value) or not _TIME_TOKEN.match(value.strip())):
            own = held.known(value)
            if "$" not in own or held.is_open(own):
                panel[name] = bound_of_run(own.strip(), tell)
    if options.get("unit") or options.get("underLabel"):
        panel["unit"] = options.get("unit") or options.get("underLabel")
    panel["options"] = _options(options)
    if visual.conditional:
        tell("it is always shown, not only while a token is set")
    if visual.drilldown:
        tell("its drilldown is left out")
    if visual.formats:
        tell(f"colours and formats of {visual.formats} column{'s' if visual.formats > 1 else ''} are left out")
    return panel


def _options(options: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options.get("charting.chart.stackMode") in ("stacked", "stacked100"):
        found["stacked"] = True
    for name, ours in (("charting.axisY.minimumNumber", "min"), ("charting.axisY.maximumNumber", "max")):
        try:
            found[ours] = float(options[name])
        except (KeyError, ValueError):
            continue
    if options.get("charting.legend.placement") == "none":
        found["legend"] = False
    thresholds = _thresholds(options.get("rangeValues", ""), options.get("rangeColors", ""))
    if thresholds:
        found["thresholds"] = thresholds
    return found


def _thresholds(values: str, colours: str) -> list[dict[str, Any]]:
    """Bounds above which a single value is red or amber; other colours say nothing here."""
    try:
        bounds, names = json.loads(values), json.loads(colours)
    except ValueError:
        return []
    if not isinstance(bounds, list) or not isinstance(names, list) or len(names) != len(bounds) + 1:
        return []
    found = []
    for bound, name in zip(bounds, names[1:], strict=True):
        tone = "error" if _RED.match(str(name)) else "warn" if _AMBER.match(str(name)) else ""
        if tone and isinstance(bound, int | float):
            found.append({"value": bound, "tone": tone})
    return found


def _field_list(text: str) -> list[str]:
    """The columns that a table shows: `a, b` or a JSON list."""
    from sightline.search.syntax.arguments import print_name

    text = text.strip()
    if text.startswith("["):
        try:
            given = [str(name) for name in json.loads(text)]
        except ValueError:
            return []
    else:
        given = [name.strip().strip('"') for name in text.split(",")]
    return [print_name(name) for name in given if name and "$" not in name]


def _literal(text: str) -> str:
    return "" if "$" in text else text.strip()
