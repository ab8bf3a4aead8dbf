"""The direction of imports: a room uses itself and the rooms above it, and never the package root."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import allsight.core

ROOMS = (
    "core",
    "data",
    "models",
    "inference",
    "explain",
    "evaluate",
    "scale",
    "report",
    "verbs",
    "service",
    "cli",
)
SOURCE = Path(allsight.core.__file__).parents[1]
FILES = sorted(p for p in SOURCE.rglob("*.py") if p.parent != SOURCE)


def imported(path: Path) -> set[str]:
    """Dotted names of everything a file imports from this package, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            found |= {f"{module}.{a.name}" for a in node.names} if module == "allsight" else {module}
    return {name for name in found if name.split(".")[0] == "allsight"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_upwards(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0]
    allowed = ROOMS[: ROOMS.index(room) + 1]
    for name in imported(path):
        target = name.split(".")[1] if "." in name else "(the package root)"
        assert target in allowed, f"{room} imports {name}; it may import {', '.join(allowed)}"


def test_every_room_is_listed() -> None:
    assert {p.parent.name for p in SOURCE.glob("*/__init__.py")} <= set(ROOMS)
