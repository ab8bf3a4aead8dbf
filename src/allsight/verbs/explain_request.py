"""What `explain` is asked for, checked before anything heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allsight.core.errors import UsageError
from allsight.models.bundle import bundle_folder, read_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def check_request(
    bundle: str | Path,
    images: Sequence[Path],
    *,
    data: str | None,
    run: str | Path | None,
    target: str | None,
) -> None:
    """See that there is one source of images, and that the model knows the class.

    Args:
        bundle: folder of the bundle.
        images: files or folders.
        data: a DATA.
        run: a folder that `evaluate` wrote.
        target: a class; None asks for none.

    Raises:
        BundleError: a class is asked for, and there is no bundle or a damaged one.
        UsageError: no source or several, or no such class.
    """
    given = [name for name, value in (("images", images), ("data", data), ("a run", run)) if value]
    if len(given) != 1:
        raise UsageError(
            f"Give images, data or a run: one of them, not {' and '.join(given) or 'none'}.",
            hint="allsight explain [BUNDLE] IMAGES, or explain BUNDLE --data DATA, or explain BUNDLE --run RUN",
        )
    if target is not None and target not in (classes := read_config(bundle_folder(bundle)).classes):
        raise UsageError(f"The model has no class called {target!r}.", hint=f"It knows {', '.join(classes)}.")
