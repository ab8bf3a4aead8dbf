"""`allsight predict [BUNDLE] IMAGES…`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from allsight.cli import arguments
from allsight.cli.arguments import BUNDLE_AND_IMAGES
from allsight.cli.console import SOME_FAILED, AsJson, progress_bar, say, show
from allsight.core.errors import UsageError

if TYPE_CHECKING:
    from allsight.inference.predictor import Failure, Prediction
    from allsight.verbs.predict import Predicted

_NO_SUSPICION = "ALL –: the model was not told which classes are suspicious, so it gives no suspicion."


def predict(
    bundle_and_images: Annotated[
        list[str], typer.Argument(help=BUNDLE_AND_IMAGES, metavar="[BUNDLE] IMAGES...")
    ],
    batch: Annotated[int, typer.Option(min=1, help="Most images in one forward pass.")] = 16,
    runtime: Annotated[
        str | None, typer.Option(help="pytorch, onnx or openvino. [the fastest that was exported]")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or int8. [the fastest there is]")] = None,
    json: AsJson = False,
) -> None:
    """Class probabilities, prediction set and verdict (answer or refer) for each image. Research use only."""
    from allsight.verbs.predict import predict as answer

    bundle, images = arguments.bundle_and_images(bundle_and_images)
    if not images:
        raise UsageError("No image was given.", hint=f"allsight predict {bundle} IMAGES")
    with progress_bar() as progress:
        predicted = answer(
            bundle,
            images,
            batch=batch,
            runtime=runtime,
            precision=precision,
            found=None if json else _tell,
            progress=progress,
        )
    show(predicted.to_json(), _remarks(predicted), as_json=json)
    for failure in predicted.failed if json else ():
        _tell(failure)
    if predicted.failed:
        raise typer.Exit(SOME_FAILED)


def _tell(found: Prediction | Failure) -> None:
    """An image's line, as soon as there is an answer."""
    from allsight.inference.predictor import Failure

    if isinstance(found, Failure):
        say(f"failed: {found.error}")
        return
    j = found.judgement
    suspicion = "–" if j.suspicion is None else f"{j.suspicion:.3f}"
    reasons = f"  ({'; '.join(j.reasons)})" if j.reasons else ""
    line = f"{found.path}  {j.label} {j.probabilities[j.label]:.3f}  ALL {suspicion}  {j.verdict}{reasons}"
    print(line, flush=True)


def _remarks(predicted: Predicted) -> str:
    """What holds for all of the answers."""
    return "\n".join(
        [
            f"answered by {predicted.model} on {predicted.runtime}, {predicted.precision}",
            *[_NO_SUSPICION] * any(p.judgement.suspicion is None for p in predicted.predictions),
            "Research use only: suspicious means send for flow cytometry, never a diagnosis.",
        ]
    )
