"""Files appear whole or not at all, and caches live in one place."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allsight.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ELSEWHERE = "Choose another --out, or mend the rights of this one."


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved onto it when the block ends well, removed when it does not.

    The data is on disk before the name points to it, so a killed process leaves the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Before the work: can a folder be made here, or written to where it is there already?

    Raises:
        UsageError: it cannot.
    """
    nearest = folder.absolute()
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    if not nearest.is_dir():
        raise UsageError(
            f"Cannot write to {str(folder)!r}: {str(nearest)!r} is a file and no folder.", hint=_ELSEWHERE
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(
            f"Cannot write to {str(folder)!r}: {str(nearest)!r} may not be written to.", hint=_ELSEWHERE
        )


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all; bytes of a file's name that are no text as JSON escapes them."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document, whole or not at all."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def cache_folder() -> Path:
    """Where results that can be computed again are kept: $ALLSIGHT_CACHE, or the platform's cache folder."""
    chosen = os.environ.get("ALLSIGHT_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("allsight"))
