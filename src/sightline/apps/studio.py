"""Dashboards of Dashboard Studio: JSON in an XML envelope, read into the same shape as Simple XML."""

from __future__ import annotations

import re
from typing import Any

import orjson

from sightline.apps.simple_xml import MAX_BASES, Input, Panel, View, ViewSearch, Visual, parse_xml
from sightline.errors import UserError
from sightline.search.syntax.expressions import quote_string

_KINDS = {
    "table": "table", "singlevalue": "single", "singlevalueicon": "single", "singlevalueradial": "single",
    "line": "chart", "area": "chart", "bar": "chart", "column": "chart", "pie": "chart", "scatter": "chart",
    "bubble": "chart", "map": "map", "choropleth.map": "map", "choropleth.svg": "map", "markdown": "html", "image": "html",
    "rectangle": "html", "ellipse": "html", "events": "event", "timeline": "chart", "fillergauge": "single",
    "markergauge": "single", "punchcard": "table",
}  # fmt: skip
_SHAPES = ("html",)


def read_studio(name: str, content: bytes) -> View | None:
    """The view in a file, or None when it is not one of Dashboard Studio. Raises UserError for JSON that is none."""
    if b'version="2"' not in content[:2000]:
        return None
    root = parse_xml(content)
    definition = root.find("definition")
    if root.tag != "dashboard" or definition is None:
        return None
    try:
        found = orjson.loads("".join(definition.itertext()))
    except orjson.JSONDecodeError as error:
        raise UserError(f"its definition is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UserError("its definition wants a JSON object")
    label = root.find("label")
    return _read(name, "".join(label.itertext()).strip() if label is not None else "", found)


def _read(name: str, label: str, definition: dict[str, Any]) -> View:
    view = View(name, str(definition.get("title") or label or name), str(definition.get("description") or ""))
    sources = _objects(definition.get("dataSources"))
    defaults = _object(_object(_object(definition.get("defaults")).get("dataSources")).get("ds.search"))
    common = _object(_object(defaults.get("options")).get("queryParameters"))
    for input in _objects(definition.get("inputs")).values():
        _read_input(input, view, sources, common)
    view.submit = bool(_object(_object(definition.get("layout")).get("options")).get("submitButton"))
    shown: set[str] = set()
    visuals = _objects(definition.get("visualizations"))
    for number, id in enumerate(_order(definition, visuals), 1):
        visual = visuals[id]
        kind = _KINDS.get(str(visual.get("type", "")).rpartition("splunk.")[2], "viz")
        found = Visual(kind, f"visual {number}, {visual.get('type', '?')}", str(visual.get("title") or ""))
        found.options = {"viz": str(visual.get("type", ""))}
        if kind == "chart":
            found.options["charting.chart"] = str(visual.get("type", "")).rpartition(".")[2]
        source = _object(visual.get("dataSources")).get("primary")
        if isinstance(source, str) and source in sources:
            found.search = _search(source, sources, common)
            shown.add(source)
        found.drilldown = bool(visual.get("eventHandlers"))
        if kind not in _SHAPES:
            view.rows.append([Panel("", [found])])
    for id in sources:
        if id not in shown and (search := _search(id, sources, common)) is not None:
            search.id = id
            view.searches.append(search)
    return view


def _search(id: str, sources: dict[str, dict[str, Any]], common: dict[str, Any]) -> ViewSearch | None:
    """A data source's search with what it goes on from in front."""
    texts: list[str] = []
    earliest = latest = ""
    for _ in range(MAX_BASES):
        source = _object(sources.get(id))
        options = _object(source.get("options"))
        times = _object(options.get("queryParameters"))
        earliest, latest = earliest or str(times.get("earliest") or ""), latest or str(times.get("latest") or "")
        if source.get("type") == "ds.savedSearch" and options.get("ref"):
            texts.append(f"| savedsearch {quote_string(options['ref'])}")
        else:
            texts.append(str(options.get("query") or ""))
        if not isinstance(options.get("extend"), str):
            break
        id = options["extend"]
    first, *rest = [text.strip() for text in reversed(texts)]
    parts = [first, *(text.removeprefix("|").strip() for text in rest)]
    text = " | ".join(part for part in parts if part)
    if not text:
        return None
    return ViewSearch(
        text,
        earliest=earliest or str(common.get("earliest") or ""),
        latest=latest or str(common.get("latest") or ""),
    )


def _read_input(input: dict[str, Any], view: View, sources: dict[str, dict[str, Any]], common: dict[str, Any]) -> None:
    options = _object(input.get("options"))
    token = str(options.get("token") or "")
    default = options.get("defaultValue")
    kind = str(input.get("type", "")).rpartition(".")[2]
    found = Input(kind, token, str(input.get("title") or ""))
    if kind == "timerange":
        found.earliest, _, found.latest = str(default or "-24h@h,now").partition(",")
        view.tokens[f"{token}.earliest"], view.tokens[f"{token}.latest"] = found.earliest, found.latest
        if not view.earliest:
            view.earliest, view.latest = found.earliest, found.latest
    elif token:
        items = options.get("items")
        listed = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        found.choices = [(str(item.get("value", "")), str(item.get("label") or "")) for item in listed]
        found.around = {"delimiter": ","}
        found.select_first = bool(options.get("selectFirstSearchResult"))
        source = _object(input.get("dataSources")).get("primary")
        if isinstance(source, str) and source in sources:
            found.search = _search(source, sources, common)
            # Without names of its own a list takes what its formulas name, of which only the plain ones are read.
            found.label_field, found.value_field = (_field(options.get(name)) for name in ("label", "value"))
        if default is not None:
            found.default = [str(each) for each in default] if isinstance(default, list) else [str(default)]
            if kind == "multiselect" and len(found.default) == 1:
                found.default = found.default[0].split(",")
        if default is None:
            default = found.choices[0][0] if found.choices else None
        if default is not None:
            found.value = ",".join(map(str, default)) if isinstance(default, list) else str(default)
            view.tokens.setdefault(token, found.value)
    view.inputs.append(found)


def _field(formula: Any) -> str:
    """The field of a formula such as `> primary | seriesByName("host")`."""
    found = re.search(r"seriesByName\(\s*[\"']([^\"']+)[\"']\s*\)", str(formula or ""))
    return found.group(1) if found else ""


def _order(definition: dict[str, Any], visuals: dict[str, dict[str, Any]]) -> list[str]:
    """Names of visuals as they lie on the page, from the top; those without a place at the end."""
    layout = _object(definition.get("layout"))
    places = [entry for entry in layout.get("structure") or () if isinstance(entry, dict)]
    for inner in _objects(layout.get("layoutDefinitions")).values():
        places += [entry for entry in inner.get("structure") or () if isinstance(entry, dict)]

    def place(entry: dict[str, Any]) -> tuple[float, float]:
        position = _object(entry.get("position"))
        return float(position.get("y") or 0), float(position.get("x") or 0)

    ordered = [str(entry.get("item")) for entry in sorted(places, key=place)]
    return [id for id in dict.fromkeys(ordered) if id in visuals] + [id for id in visuals if id not in ordered]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> dict[str, dict[str, Any]]:
    return {str(k): v for k, v in _object(value).items() if isinstance(v, dict)}
