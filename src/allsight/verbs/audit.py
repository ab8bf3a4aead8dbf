"""`data audit`: repeats, leaks and shortcuts of a data set."""

from __future__ import annotations

from pathlib import Path

from allsight.core.files import check_writable, write_json
from allsight.core.progress import Progress, silent
from allsight.data.source import open_dataset
from allsight.evaluate.audit import Audit
from allsight.evaluate.audit import audit as examine

AUDIT_FILE = "audit.json"


def audit(
    data: str,
    *,
    against: str | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Audit:
    """What a data set hides: byte-identical files, overlapping fields, leaks, and what can be told without cells.

    Args:
        data: "taleqani:PATH" or another DATA.
        against: another DATA in which originals of these images are looked for.
        out: folder for audit.json, or None to write nothing.
        seed: of the shortcut controls.
        progress: told how far it is.

    >>> found = audit("synthetic:1?images=72&patients=24&size=64")
    >>> found.groups.n_repeats
    0
    """
    if out is not None:
        check_writable(Path(out))
    dataset = open_dataset(data)
    found = examine(
        dataset,
        name=data,
        against=None if against is None else open_dataset(against),
        seed=seed,
        progress=progress,
    )
    if out is not None:
        write_json(Path(out) / AUDIT_FILE, found.to_json())
    return found
