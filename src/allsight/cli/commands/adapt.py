"""`allsight adapt BUNDLE DATA`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allsight.cli.console import AsJson, progress_bar, show

if TYPE_CHECKING:
    from allsight.evaluate.bootstrap import Estimate
    from allsight.verbs.adapt import Adapted


def adapt(
    bundle: Annotated[str, typer.Argument(help="Bundle, or builtin.")],
    data: Annotated[str, typer.Argument(help="DATA of the new place: a few dozen images, best with labels.")],
    out: Annotated[Path, typer.Option(help="Folder of the new bundle.")],
    seed: Annotated[int, typer.Option(help="Of the folds and the bootstrap.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    json: AsJson = False,
) -> None:
    """Fit head, calibration and limits to another laboratory, and say with intervals whether it helped."""
    from allsight.verbs.adapt import adapt as fit

    with progress_bar() as progress:
        adapted = fit(bundle, data, out=out, seed=seed, overwrite=overwrite, progress=progress)
    show(adapted.to_json(), _told(adapted), as_json=json)


def _told(adapted: Adapted) -> str:
    lines = [f"{adapted.bundle}: adapted to {adapted.n_images} images in {adapted.n_groups} groups"]
    brought = adapted.brought
    for name, gain in brought.gain.items():
        before, after = brought.before[name], brought.after[name]
        lines.append(f"  {name}: before {_figure(before)}, after {_figure(after)}, gain {_figure(gain)}")
    return "\n".join([*lines, *adapted.notes, f"next: allsight export {adapted.bundle} --data DATA --int8"])


def _figure(found: Estimate) -> str:
    if found.value is None:
        return "undefined"
    return f"{found.value:.3f}" + ("" if found.low is None else f" ({found.low:.3f} to {found.high:.3f})")
