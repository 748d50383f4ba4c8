"""Imports point down only, and the two large libraries are imported in one place each."""

import ast
from pathlib import Path

import sightline

ROOT = Path(sightline.__file__).parent
LAYERS = (
    ("errors", "clock"),
    ("config", "segments", "machinecode"),
    ("journal", "datadir", "supervisor", "sourcetypes", "counts"),
    ("quarantine", "backups"),
    ("ml", "store"),
    ("catalog",),
    ("receivers", "search"),
    ("watch", "traces", "apps"),
    ("web", "shell"),
    ("app", "cli", "__main__"),
)
BESIDE = {"client": {"errors"}, "telemetry": set()}
"""Packages beside the layers, with all they may import."""
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
ONE_PLACE = {"chdb": "store", "clickhouse_connect": "store", "sklearn": "ml", "skops": "ml"}
SAME_LAYER = {("cli", "app"), ("__main__", "cli")}


def imports():
    """(file, its part, what it imports, the imported part or None) for every import of the package."""
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        part = relative.parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{relative}: imports are written in full"
                if node.module == "sightline":
                    names = [f"sightline.{alias.name}" for alias in node.names]
                else:
                    names = [node.module]
            for name in names:
                pieces = name.split(".")
                inside = pieces[1] if pieces[0] == "sightline" and len(pieces) > 1 else None
                yield str(relative), part, name, inside


def test_imports_point_down():
    wrong = []
    for file, part, name, target in imports():
        if target is None or target == part or target.startswith("__version__") or part == "__init__":
            continue
        if part in BESIDE:
            if target not in BESIDE[part]:
                wrong.append(f"{file} imports {name}")
        elif target in BESIDE:
            if RANK[part] < RANK["app"]:
                wrong.append(f"{file} imports {name}")
        elif RANK[target] >= RANK[part] and (part, target) not in SAME_LAYER:
            wrong.append(f"{file} imports {name}")
    assert wrong == []


def test_each_large_library_is_imported_in_one_place():
    wrong = [
        f"{file} imports {name}" for file, part, name, _ in imports() if ONE_PLACE.get(name.split(".")[0], part) != part
    ]
    assert wrong == []


def test_no_module_is_too_long():
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in ROOT.rglob("*.py")}
    assert {name: lines for name, lines in lengths.items() if lines > 800} == {}


def test_every_module_says_what_it_is():
    silent = [
        str(p.relative_to(ROOT))
        for p in ROOT.rglob("*.py")
        if p.read_text().strip() and not ast.get_docstring(ast.parse(p.read_text()))
    ]
    assert silent == []
