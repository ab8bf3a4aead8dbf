"""`allsight export BUNDLE`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from allsight.cli.console import AsJson, progress_bar, show

if TYPE_CHECKING:
    from allsight.verbs.export import Exported


def export(
    bundle: Annotated[str, typer.Argument(help="Folder that `allsight train` wrote.")],
    to: Annotated[str, typer.Option(help="openvino, onnx, or both with a comma.")] = "openvino",
    int8: Annotated[bool, typer.Option("--int8", help="Also an int8 graph for OpenVINO.")] = False,
    gradients: Annotated[
        bool,
        typer.Option(
            "--gradients", help="Also a graph of gradients, for Integrated Gradients without PyTorch."
        ),
    ] = False,
    data: Annotated[str | None, typer.Option(help="The DATA it was trained on. [where it lay then]")] = None,
    images: Annotated[
        int, typer.Option(min=8, help="Images to calibrate on, and images to try graphs on, at most.")
    ] = 300,
    seed: Annotated[int, typer.Option(help="Of the choice of images.")] = 0,
    json: AsJson = False,
) -> None:
    """Faster graphs without PyTorch, held against it on real images; exit code 4 where they do not agree."""
    from allsight.verbs.export import export as make

    with progress_bar() as progress:
        made = make(
            bundle,
            to=[t.strip() for t in to.split(",") if t.strip()],
            int8=int8,
            gradients=gradients,
            data=data,
            images=images,
            seed=seed,
            progress=progress,
        )
    show(made.to_json(), _table(made), as_json=json)


def _table(made: Exported) -> str:
    from allsight.verbs.export import GRADIENT

    lines = [f"beside PyTorch on {next(iter(made.agreements.values())).n_images} validation images:"]
    for name, found in made.agreements.items():
        maps = "" if found.maps is None else f", rank correlation of maps {found.maps:.4f}"
        verdicts = ""
        if found.verdicts is not None:
            verdicts = (
                f", same verdict {found.verdicts:.1%}, and {found.verdicts_served:.1%} with fp32 asked again for the "
                f"{found.asked_again:.1%} that rounding could turn"
            )
        lines.append(
            f"  {name:<14} same class {found.top1:.2%}, logits within {found.logits:.1e} of their spread"
            f"{maps}{verdicts}, {made.megabytes[name]:.1f} MB"
        )
    if made.gradients is not None:
        lines.append(
            f"  {GRADIENT} on {made.gradients.n_images} images, gradients within {made.gradients.gradients:.1e} of "
            f"their length, {made.megabytes[GRADIENT]:.1f} MB"
        )
    return "\n".join([*lines, f"next: allsight predict {made.bundle} IMAGES"])
