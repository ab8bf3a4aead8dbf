"""`allsight demo`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from allsight.cli.console import AsJson, progress_bar, show


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything it writes.")] = Path("demo"),
    images: Annotated[int, typer.Option(min=64, help="Generated fields.")] = 960,
    patients: Annotated[int, typer.Option(min=20, help="Generated patients.")] = 48,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier demonstration.")] = False,
    json: AsJson = False,
) -> None:
    """The whole way on generated smears: train, evaluate on unseen patients, report. No network, no data needed."""
    from allsight.verbs.demo import demo as go

    with progress_bar() as progress:
        shown = go(
            out=out, images=images, patients=patients, seed=seed, overwrite=overwrite, progress=progress
        )
    metrics, protocol = shown.evaluation.metrics, shown.evaluation.protocol
    lines = [
        f"{protocol['n_images']} generated fields of {protocol['n_groups']} patients the model has not seen:"
    ]
    for name in ("accuracy", "f1_macro", "auc_macro"):
        e = metrics[name]
        lines.append(f"  {name:<10} {e.value:.3f}  95 % interval {e.low:.3f} to {e.high:.3f}")
    for name, control in shown.evaluation.controls.items():
        lines.append(f"  {name} alone reaches accuracy {control.accuracy:.3f}")
    lines += [f"time: {shown.seconds:.0f} s", f"report: {shown.report}"]
    show(shown.to_json(), "\n".join(lines), as_json=json)
