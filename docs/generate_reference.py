"""Writes docs/reference from what the program declares: commands, functions, algorithms, scoring methods, settings.

python docs/generate_reference.py            writes the pages
python docs/generate_reference.py --check    exits with 1 when a page is out of date
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
from pathlib import Path

from sightline import config, ml
from sightline.search import registry

FOLDER = Path(__file__).parent / "reference"
NOTICE = "<!-- Made by docs/generate_reference.py. Edit the docstrings it reads, not this page. -->\n"


def pages() -> dict[str, str]:
    """Every page's text by its file name."""
    registry.load()
    return {
        "commands.md": commands(),
        "functions.md": functions(),
        "aggregates.md": aggregates(),
        "algorithms.md": algorithms(),
        "scores.md": scores(),
        "settings.md": settings(),
    }


def commands() -> str:
    """A section per command."""
    parts = [NOTICE, "# Commands\n"]
    entries = sorted({entry.name: entry for entry in registry.COMMANDS.values()}.values(), key=lambda e: e.name)
    parts.append(" · ".join(f"[{e.name}](#{e.name})" for e in entries) + "\n")
    for entry in entries:
        found = entry.describe()
        parts.append(f"## {entry.name}\n\n{found['summary']}\n")
        if entry.aliases:
            parts.append(f"Also written: {', '.join(f'`{a}`' for a in entry.aliases)}\n")
        parts.append(f"```text\n{found['syntax'] or entry.name}\n```\n")
        if found["example"]:
            parts.append(f"```spl\n{found['example']}\n```\n")
        if found["notes"]:
            parts.append(found["notes"] + "\n")
        shown = [o for o in found["options"] if o["help"] and "accepted for compatibility" not in o["help"]]
        if shown:
            parts.append("| option | default | meaning |\n|---|---|---|")
            for o in shown:
                default = (
                    ""
                    if o["default"] in (None, "")
                    else f"`{str(o['default']).lower() if isinstance(o['default'], bool) else o['default']}`"
                )
                parts.append(f"| `{o['name']}` | {default} | {o['help']} |")
            parts.append("")
        ignored = [f"`{o['name']}`" for o in found["options"] if "accepted for compatibility" in o["help"]]
        if ignored:
            parts.append(f"Accepted and without effect: {', '.join(ignored)}.\n")
    return "\n".join(parts)


def functions() -> str:
    """A section per eval function."""
    return _functions("Functions of eval and where", registry.FUNCTIONS)


def aggregates() -> str:
    """A section per aggregate."""
    return _functions("Aggregates of stats, chart, timechart and mstats", registry.AGGREGATES)


def _functions(title: str, entries: dict) -> str:
    parts = [NOTICE, f"# {title}\n"]
    by_code: dict[object, list[str]] = {}
    for name, entry in entries.items():
        by_code.setdefault(entry.lower, []).append(name)
    for lower, names in sorted(by_code.items(), key=lambda item: item[1][0]):
        found = registry.describe_docstring(lower)
        parts.append(f"## {', '.join(names)}\n\n{found['summary']}\n")
        if found["syntax"]:
            parts.append(f"```text\n{found['syntax']}\n```\n")
        if found["example"]:
            parts.append(f"```spl\n{found['example']}\n```\n")
        if found["notes"]:
            parts.append(found["notes"] + "\n")
    return "\n".join(parts)


def algorithms() -> str:
    """A section per algorithm of fit."""
    parts = [NOTICE, "# Algorithms of fit\n"]
    for name in sorted(ml.ALGORITHMS):
        parts.append(_declared(name, ml.ALGORITHMS[name].describe()))
    return "\n".join(parts)


def scores() -> str:
    """A section per scoring method."""
    parts = [NOTICE, "# Methods of score\n"]
    for name in sorted(ml.SCORERS):
        parts.append(_declared(name, ml.SCORERS[name].describe()))
    return "\n".join(parts)


def _declared(name: str, found: dict) -> str:
    parts = [f"## {name}\n\n{found.get('summary', '')}\n"]
    parameters = found.get("parameters") or []
    if parameters:
        parts.append("| option | type | default | meaning |\n|---|---|---|---|")
        for p in parameters:
            default = "" if p.get("default") is None else f"`{p['default']}`"
            parts.append(f"| `{p['name']}` | {p.get('type', '')} | {default} | {p.get('summary', '')} |")
        parts.append("")
    return "\n".join(parts)


def settings() -> str:
    """A table per section of settings."""
    parts = [
        NOTICE,
        "# Settings\n",
        "A setting is written in `sightline.toml` in the data directory, under its section's name, or given as the",
        "environment variable `SIGHTLINE_<SECTION>_<NAME>`, which wins.\n",
    ]
    for section in dataclasses.fields(config.Settings):
        if section.name == "data":
            continue
        cls = section.default_factory  # type: ignore[union-attr]
        parts.append(f"## {section.name}\n\n{inspect.getdoc(cls)}\n")
        parts.append("| setting | default | reason |\n|---|---|---|")
        reasons = _attribute_docstrings(cls)
        for f in dataclasses.fields(cls):
            parts.append(f"| `{f.name}` | `{f.default}` | {reasons.get(f.name, '')} |")
        parts.append("")
    return "\n".join(parts)


def _attribute_docstrings(cls: type) -> dict[str, str]:
    """The strings that stand below the attributes of a class."""
    body = ast.parse(inspect.getsource(cls)).body[0].body  # type: ignore[attr-defined]
    found = {}
    for before, after in zip(body, body[1:], strict=False):
        is_text = (
            isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
        )
        if isinstance(before, ast.AnnAssign) and is_text:
            found[before.target.id] = " ".join(after.value.value.split())  # type: ignore[attr-defined]
    return found


def main() -> int:
    """Write the pages, or say which are out of date."""
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        wanted = text.rstrip() + "\n"
        if path.exists() and path.read_text() == wanted:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(wanted)
    if "--check" in sys.argv and stale:
        print(f"out of date: {', '.join(stale)}; run python docs/generate_reference.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
