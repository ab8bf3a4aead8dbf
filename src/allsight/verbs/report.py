"""`report`: one self-contained page from the records of a run."""

from __future__ import annotations

from pathlib import Path

from allsight.core.errors import DataError
from allsight.models.bundle import bundle_folder
from allsight.report.page import write_report


def report(run: str | Path, *, bundle: str | Path | None = None, out: str | Path | None = None) -> Path:
    """Write the page of a run; it needs no network and no other file.

    Args:
        run: folder that `allsight evaluate` wrote; an audit.json in it is shown too.
        bundle: folder of the bundle, for its training curves and its card.
        out: the page; by default report.html in `run`.

    Raises:
        DataError: the folder holds no evaluation.

    >>> report("no-such-folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    allsight.core.errors.DataError: 'no-such-folder' is not a folder. Give ...
    """
    folder = Path(run)
    if not folder.is_dir():
        raise DataError(
            f"{str(folder)!r} is not a folder.", hint="Give the folder that `allsight evaluate` wrote."
        )
    return write_report(
        folder,
        bundle=None if bundle is None else bundle_folder(bundle),
        out=None if out is None else Path(out),
    )
