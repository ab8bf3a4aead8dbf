"""`predict`: from image files to answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allsight.core.errors import ImageError
from allsight.core.progress import Progress, silent
from allsight.data.images import image_paths, read_image
from allsight.inference.cascade import open_answering
from allsight.inference.predictor import Failure, Prediction
from allsight.models.bundle import bundle_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True)
class Predicted:
    """The answers of one model.

    Attributes:
        model: its name.
        runtime: what ran it.
        precision: "fp32" or "int8".
        predictions: one per readable image, in the order given.
        failed: one per unreadable file.
    """

    model: str
    runtime: str
    precision: str
    predictions: tuple[Prediction, ...]
    failed: tuple[Failure, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of `predict --json`."""
        return {
            "model": self.model,
            "runtime": self.runtime,
            "precision": self.precision,
            "predictions": [p.to_json() for p in self.predictions],
            "failed": [f.to_json() for f in self.failed],
        }


def predict(
    bundle: str | Path,
    images: str | Path | Iterable[str | Path],
    *,
    batch: int = 16,
    runtime: str | None = None,
    precision: str | None = None,
    found: Callable[[Prediction | Failure], None] | None = None,
    progress: Progress = silent,
) -> Predicted:
    """Answer for each image how suspicious it is, or why a person must look.

    Args:
        bundle: folder of the bundle.
        images: files, or folders whose image files are taken; one alone or several.
        batch: most images in one forward pass.
        runtime: "pytorch", "onnx" or "openvino"; None takes the fastest that the bundle was exported for.
        precision: "fp32" or "int8"; None takes the fastest there is.
        found: given each answer as soon as it is there, so that an interruption loses none.
        progress: told after each image.

    Returns:
        Answers in the order given; files that are no readable images are named in `failed`.

    Raises:
        BundleError: no bundle, a damaged one, or one that was not exported for this runtime.
        UsageError: no such runtime or precision.
        MissingDependencyError: the runtime's library is not installed.

    >>> import tempfile
    >>> from allsight.verbs.train import train
    >>> folder = tempfile.mkdtemp()
    >>> _ = train("synthetic:1?images=72&patients=24&size=64", out=folder, backbone="tiny",
    ...           weights="none", freeze=True)
    >>> predict(folder, ["no-such-file.png"]).failed[0].path
    'no-such-file.png'
    """
    paths = image_paths(images)
    answering = open_answering(bundle_folder(bundle), runtime=runtime, precision=precision)
    predictions: list[Prediction] = []
    failed: list[Failure] = []
    for done, (path, answer) in enumerate(answering.answers(paths, read=read_image, batch=batch), start=1):
        if isinstance(answer, ImageError):
            failed.append(Failure(str(path), str(answer)))
        else:
            predictions.append(Prediction(str(path), answer))
        if found is not None:
            found(failed[-1] if isinstance(answer, ImageError) else predictions[-1])
        progress("images", done, len(paths))
    return Predicted(
        answering.config.name,
        answering.served.name,
        answering.served.precision,
        tuple(predictions),
        tuple(failed),
    )
