"""Simple XML dashboards: their searches with what they go on from, their inputs' values, their panels in rows.

Enters the bytes of a view; leaves a `View`. Both spellings are read, the one with `<search><query>` and the older one with
`<searchString>`. Entities are not resolved and nothing is fetched; XML that is broken in places is read as far as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from sightline.catalog.stanzas import is_true
from sightline.errors import UserError
from sightline.search.syntax.expressions import quote_string

VISUALS = frozenset(("chart", "table", "single", "event", "list", "map", "viz", "html"))
MAX_BASES = 20
"""Searches that go on from one another; more is a circle."""
_AROUND = {
    "prefix": "prefix", "suffix": "suffix", "valuePrefix": "value_prefix", "valueSuffix": "value_suffix",
    "delimiter": "delimiter",
}  # fmt: skip
_ROOTS = frozenset(("dashboard", "form"))


@dataclass
class ViewSearch:
    """One search of a view: its own text, or a saved search's name, after the search that `base` names."""

    query: str = ""
    id: str = ""
    base: str = ""
    ref: str = ""
    earliest: str = ""
    latest: str = ""
    refresh: str = ""


@dataclass
class Input:
    """One input of a form. `value` is what the token holds before anybody touches it; None when that is nothing."""

    type: str
    token: str
    label: str = ""
    value: str | None = None
    default: list[str] | None = None
    """The values that are chosen at first, without what surrounds them in `value`."""
    select_first: bool = False
    choices: list[tuple[str, str]] = field(default_factory=list)
    """Values with their labels."""
    around: dict[str, str] = field(default_factory=dict)
    """prefix, suffix, value_prefix, value_suffix and delimiter, as far as they are there."""
    earliest: str = ""
    latest: str = ""
    search: ViewSearch | None = None
    label_field: str = ""
    value_field: str = ""
    unread: list[str] = field(default_factory=list)
    """What has no meaning here, in words."""


@dataclass
class Visual:
    """What a panel shows: a chart, a table, a single value, ... `where` is its place in words."""

    kind: str
    where: str
    title: str = ""
    search: ViewSearch | None = None
    options: dict[str, str] = field(default_factory=dict)
    conditional: bool = False
    """Whether it is shown only when a token is set, or not set."""
    drilldown: bool = False
    formats: int = 0
    """Columns that have colours or number formats of their own."""


@dataclass
class Panel:
    """What lies together in one box: a title and one or several visuals."""

    title: str
    visuals: list[Visual]


@dataclass
class View:
    """A dashboard as it was written."""

    name: str
    label: str = ""
    description: str = ""
    refresh_s: float = 0.0
    earliest: str = ""
    latest: str = ""
    rows: list[list[Panel]] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    submit: bool = False
    """Whether what is chosen counts once a button is pressed."""
    searches: list[ViewSearch] = field(default_factory=list)
    """Searches that no visual shows: bases, and those that only set tokens."""
    tokens: dict[str, str] = field(default_factory=dict)
    """What tokens hold at first, as far as that is written anywhere in the view."""
    panel_references: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """What has no meaning here, in words."""

    def visuals(self) -> Iterator[Visual]:
        """Every visual, in reading order."""
        for row in self.rows:
            for panel in row:
                yield from panel.visuals

    def whole_text(self, search: ViewSearch) -> str:
        """A search with the searches that it goes on from put before it. Raises UserError for a base that is not there."""
        texts, current = [], search
        known = {s.id: s for s in self._all_searches() if s.id}
        for _ in range(MAX_BASES):
            texts.append(
                f"| savedsearch {quote_string(current.ref)}" if current.ref and not current.query.strip() else current.query
            )
            if not current.base:
                break
            if current.base not in known:
                raise UserError(f'there is no search with the id "{current.base}" to go on from')
            current = known[current.base]
        else:
            raise UserError(f'the searches that "{search.base}" goes on from form a circle')
        first, *rest = reversed(texts)
        parts = [first.strip(), *(text.strip().removeprefix("|").strip() for text in rest)]
        return " | ".join(part for part in parts if part)

    def range_of(self, search: ViewSearch) -> tuple[str, str]:
        """Earliest and latest of a search: its own, or those of the search that it goes on from."""
        known = {s.id: s for s in self._all_searches() if s.id}
        current: ViewSearch | None = search
        for _ in range(MAX_BASES):
            if current is None or current.earliest or current.latest:
                break
            current = known.get(current.base)
        return (current.earliest, current.latest) if current else ("", "")

    def _all_searches(self) -> Iterator[ViewSearch]:
        yield from self.searches
        yield from (visual.search for visual in self.visuals() if visual.search is not None)


def read_view(name: str, content: bytes) -> View | None:
    """The view in a file, or None when the file holds none. Raises UserError for what is not XML."""
    root = parse_xml(content)
    if root.tag == "view":
        raise UserError("is a page of the app's own program, not a dashboard")
    if root.tag == "panel":
        root_panel = etree.Element("dashboard")
        row = etree.SubElement(root_panel, "row")
        row.append(root)
        root = root_panel
    if root.tag not in _ROOTS:
        return None
    return _Reader(name, root).view


def parse_xml(content: bytes) -> etree._Element:
    """The root of a document; entities stay unresolved. Raises UserError."""
    options = {
        "resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False,
        "remove_comments": True, "remove_pis": True,
    }  # fmt: skip
    text = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    try:
        try:
            root = etree.fromstring(text, etree.XMLParser(**options))
        except etree.XMLSyntaxError as error:
            root = etree.fromstring(text, etree.XMLParser(recover=True, **options))
            if root is None:
                raise UserError(f"is not XML: {error}") from None
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UserError(f"is not XML: {error}") from None
    return root


class _Reader:
    def __init__(self, name: str, root: etree._Element) -> None:
        self.view = View(name, _text(root, "label") or name, _text(root, "description"))
        self.view.refresh_s = _seconds(root.get("refresh", ""))
        self.template = _text(root, "searchTemplate")
        for attribute in ("script", "stylesheet"):
            if root.get(attribute):
                self.view.unread.append(f'{attribute} "{root.get(attribute)}"')
        for element in root.iter("search"):
            parent = element.getparent()
            if parent is not None and parent.tag not in VISUALS and parent.tag != "input":
                self.view.searches.append(_search(element))
        for element in root.iter("input"):
            self._input(element)
        self.view.submit = any(is_true(each.get("submitButton", "0")) for each in root.iter("fieldset"))
        for element in root.iter("set"):
            token = element.get("token", "")
            value = _all_text(element)
            if token and "$" not in value:
                self.view.tokens.setdefault(token, value)
        top = (_text(root, "earliestTime"), _text(root, "latestTime"))
        self.view.earliest, self.view.latest = top
        self._rows(root, *top)

    def _input(self, element: etree._Element) -> None:
        type, token = element.get("type", "text"), element.get("token", "")
        found = Input(type, token, _text(element, "label"))
        search = element.find("search")
        if search is None:
            search = element.find("populatingSearch")
        if search is not None:
            found.search = _search(search)
            found.label_field = _text(element, "fieldForLabel") or search.get("fieldForLabel", "")
            found.value_field = _text(element, "fieldForValue") or search.get("fieldForValue", "")
        found.choices = [(each.get("value", _all_text(each)), _all_text(each).strip()) for each in element.findall("choice")]
        found.select_first = is_true(_text(element, "selectFirstChoice") or "0")
        found.around = {ours: _all_text(each) for name, ours in _AROUND.items() if (each := element.find(name)) is not None}
        found.unread = _unread(element)
        default = element.find("default")
        if type == "time":
            if default is not None:
                found.earliest = _text(default, "earliest") or _text(default, "earliestTime")
                found.latest = _text(default, "latest") or _text(default, "latestTime")
                if not len(default):
                    found.earliest = {"Today": "@d", "All time": "0"}.get(_all_text(default).strip(), "")
            prefix = f"{token}." if token else ""
            self.view.tokens.setdefault(f"{prefix}earliest", found.earliest or "-24h@h")
            self.view.tokens.setdefault(f"{prefix}latest", found.latest or "now")
            if not self.view.earliest:
                self.view.earliest, self.view.latest = found.earliest, found.latest
        else:
            found.default, found.value = self._values(element, type, default)
            if token and found.value is not None:
                self.view.tokens.setdefault(token, found.value)
        self.view.inputs.append(found)

    @staticmethod
    def _values(element: etree._Element, type: str, default: etree._Element | None) -> tuple[list[str] | None, str | None]:
        """The default values, and what the token holds at first: the default, or the first choice."""
        several = type in ("multiselect", "checkbox")
        chosen = _all_text(default) if default is not None else _text(element, "initialValue")
        if not chosen.strip() and element.find("initialValue") is not None:
            chosen = _text(element, "initialValue")
        given = bool(chosen.strip())
        if not given:
            choice = element.find("choice")
            # An empty default is a value where something is typed, and nothing chosen elsewhere.
            empty = [""] if type == "text" and default is not None else None
            if choice is None or several:
                return empty, "" if several and choice is not None else None
            chosen = choice.get("value", _all_text(choice))
        chosen = chosen.strip()

        def part(name: str) -> str:
            found = element.find(name)
            return _all_text(found) if found is not None else ""

        pieces = chosen.split(",") if several else [chosen]
        choices = {_all_text(c).strip(): c.get("value", "") for c in element.findall("choice")}
        pieces = [piece.strip() for piece in pieces]
        if not any(piece in choices.values() for piece in pieces):
            pieces = [choices.get(piece, piece) for piece in pieces]
        joined = (part("delimiter") or " ").join(part("valuePrefix") + piece + part("valueSuffix") for piece in pieces)
        return pieces if given else None, part("prefix") + joined + part("suffix")

    def _rows(self, root: etree._Element, earliest: str, latest: str) -> None:
        for row_number, row in enumerate(root.findall("row"), 1):
            panels: list[Panel] = []
            boxes = row.findall("panel")
            for number, box in enumerate(boxes or [row], 1):
                where = f"row {row_number}, panel {number}"
                if box.get("ref"):
                    self.view.panel_references.append(box.get("ref", ""))
                    continue
                hidden = _conditional(row) or _conditional(box)
                # Without <panel> each visual of a row is a box of its own.
                groups = [box] if boxes else [[child] for child in row if child.tag in VISUALS]
                for group in groups:
                    visuals = [
                        self._visual(child, f"{where}, {child.tag}", hidden, earliest, latest)
                        for child in group
                        if child.tag in VISUALS
                    ]
                    title = _text(box, "title") if boxes else ""
                    if visuals:
                        panels.append(Panel(title, visuals))
            if panels:
                self.view.rows.append(panels)

    def _visual(self, element: etree._Element, where: str, hidden: bool, earliest: str, latest: str) -> Visual:
        found = Visual(str(element.tag), where, _text(element, "title"), conditional=hidden or _conditional(element))
        search = element.find("search")
        if search is not None:
            found.search = _search(search)
        elif element.tag != "html":
            found.search = self._older_search(element, earliest, latest)
        for option in element.findall("option"):
            found.options[option.get("name", "")] = _all_text(option).strip()
        if element.tag == "viz":
            found.options["viz"] = element.get("type", "")
        if (fields := _text(element, "fields")) and found.search is not None:
            found.options["fields"] = fields
        found.drilldown = element.find("drilldown") is not None
        found.formats = len(element.findall("format"))
        return found

    def _older_search(self, element: etree._Element, earliest: str, latest: str) -> ViewSearch | None:
        own = _text(element, "searchString") or _text(element, "searchTemplate")
        after = _text(element, "searchPostProcess")
        name = _text(element, "searchName")
        if not (own or after or name or self.template):
            return None
        query = own or ("" if name else self.template)
        if after:
            before = query or (f"| savedsearch {quote_string(name)}" if name else "")
            query, name = f"{before.strip()} | {after.strip().removeprefix('|').strip()}".removeprefix(" | "), ""
        return ViewSearch(
            query,
            ref=name,
            earliest=_text(element, "earliestTime") or earliest,
            latest=_text(element, "latestTime") or latest,
        )


def _search(element: etree._Element) -> ViewSearch:
    query = element.find("query")
    text = _all_text(query) if query is not None else ("" if len(element) else _all_text(element))
    return ViewSearch(
        text,
        element.get("id", ""),
        element.get("base", ""),
        element.get("ref", ""),
        _text(element, "earliest"),
        _text(element, "latest"),
        _text(element, "refresh"),
    )


def _unread(element: etree._Element) -> list[str]:
    """What of an input's element says something that inputs here cannot."""
    told = []
    if _conditional(element):
        told.append("is always shown")
    if element.find("change") is not None:
        told.append("sets no other tokens when it changes")
    if is_true(_text(element, "allowCustomValues") or "0"):
        told.append("takes none but its own choices")
    return told


def _conditional(element: etree._Element) -> bool:
    return element.get("depends") is not None or element.get("rejects") is not None


def _text(element: etree._Element, name: str) -> str:
    found = element.find(name)
    return _all_text(found).strip() if found is not None else ""


def _all_text(element: etree._Element) -> str:
    return "".join(element.itertext())


def _seconds(text: str) -> float:
    """A refresh interval such as `30`, `30s`, `5m`; 0 for none."""
    text = text.strip().lower()
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(text[-1:], 0)
    number = text[:-1] if unit else text
    return float(number) * (unit or 1) if number.replace(".", "", 1).isdigit() else 0.0
