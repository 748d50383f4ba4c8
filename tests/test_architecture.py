"""The shape of the code: imports point down only, and each outside library stays in its room."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "sightline"
LAYERS = [
    {"clock", "errors", "__init__"},
    {"config"},
    {"datadir"},
    {"journal"},
    {"ml", "store"},
    {"catalog"},
    {"receivers", "search"},
    {"watch", "traces"},
    {"web", "client"},
    {"supervisor"},
    {"app"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ROOMS = {"chdb": "store", "clickhouse_connect": "store", "sklearn": "ml", "skops": "ml", "sqlalchemy": "catalog", "grpc": "receivers"}
"""A library and the only package that may import it."""
LINE_LIMIT = 800


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imports(path: Path) -> list[str]:
    """Absolute names of what a module imports, those inside functions too, those for type checking not."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_down_and_stay_in_their_rooms(path: Path) -> None:
    own = package_of(path)
    for name in imports(path):
        first, *rest = name.split(".")
        if first == "sightline" and rest:
            other = rest[0]
            if other in LEVEL and other != own:
                assert LEVEL[other] < LEVEL[own] or {other, own} <= {"watch", "traces"}, f"{path.name} of {own} imports {name}"
        elif first in ROOMS:
            assert own == ROOMS[first], f"{first} may be imported in {ROOMS[first]} only, and {path} imports it"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_modules_say_what_they_are_and_stay_readable(path: Path) -> None:
    text = path.read_text()
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"
    assert text.count("\n") <= LINE_LIMIT, f"{path} is longer than {LINE_LIMIT} lines"


def test_every_package_has_a_level() -> None:
    packages = {package_of(path) for path in modules()}
    assert packages <= set(LEVEL), packages - set(LEVEL)
