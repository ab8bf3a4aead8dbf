"""The folder that `explain` fills: what an earlier run wrote there makes room, whatever else lies there stays."""

from __future__ import annotations

import json
import re
from pathlib import Path

from allsight.core.errors import UsageError

DOCUMENT_FILE, FOLDER = "explanations.json", "explanations"
_OF_AN_IMAGE = re.compile(r"\d{4,}-.*")  # its folder of maps, and its picture of all methods


def check_folder(folder: Path) -> None:
    """See that a folder is new, empty or an earlier run's.

    Raises:
        UsageError: it holds something else.
    """
    if folder.is_dir() and any(folder.iterdir()) and _written(folder) is None:
        raise UsageError(
            f"{str(folder)!r} is not empty, and no {DOCUMENT_FILE} in it says what an earlier run wrote.",
            hint="Choose another --out, or empty the folder.",
        )


def clear(folder: Path) -> None:
    """Remove what an earlier run wrote, its document last; nothing where there is none that can be read."""
    files = _written(folder)
    if files is None:
        return
    for file in files:
        file.unlink(missing_ok=True)
    for place in {file.parent for file in files} - {folder}:
        remove_if_empty(place)
    (folder / DOCUMENT_FILE).unlink()


def remove_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _written(folder: Path) -> list[Path] | None:
    """Maps and pictures that the document names, beside it wherever it was moved to; None without a document."""
    try:
        record = json.loads((folder / DOCUMENT_FILE).read_text(encoding="utf-8"))
        maps = [Path(e[kind]) for e in record["explanations"] for kind in ("heatmap", "overlay")]
        strips = [Path(strip) for strip in record["strips"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return [
        *(folder / m.parent.name / m.name for m in maps if _OF_AN_IMAGE.fullmatch(m.parent.name)),
        *(folder / s.name for s in strips if _OF_AN_IMAGE.fullmatch(s.name)),
    ]
