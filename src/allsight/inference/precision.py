"""The precisions that graphs come in, and what to say when one is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allsight.core.errors import BundleError, UsageError
from allsight.models.bundle import BUILTIN, bundle_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FP32, INT8 = "fp32", "int8"
PRECISIONS = (INT8, FP32)  # the fastest first


def check_precision(there: Sequence[str], wanted: str | None, *, runtime: str, folder: Path) -> str:
    """The precision to open.

    Args:
        there: what the bundle holds for this runtime, the fastest first.
        wanted: what was asked for; None takes the first.
        runtime: its name.
        folder: of the bundle.

    Raises:
        UsageError: there is no precision of that name.
        BundleError: the bundle was not exported in it.
    """
    if wanted is not None and wanted not in PRECISIONS:
        raise UsageError(f"There is no precision called {wanted!r}.", hint=f"Known: {', '.join(PRECISIONS)}.")
    if not there or (wanted is not None and wanted not in there):
        exists = ", ".join(there) or "none"
        int8 = " --int8" if wanted == INT8 else ""
        copied = f"cp -r {folder} MY-BUNDLE, then: " if folder == bundle_folder(BUILTIN) else ""
        place = "MY-BUNDLE" if copied else folder
        raise BundleError(
            f"{str(folder)!r} holds no graph for {runtime}{f' in {wanted}' if wanted else ''}; there is: {exists}.",
            hint="PyTorch runs fp32 only."
            if runtime == "pytorch"
            else f"Make one: {copied}allsight export {place} --to {runtime}{int8}",
        )
    return wanted or there[0]
