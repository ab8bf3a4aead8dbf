"""`predict`: from image files to answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allsight.core.progress import Progress, silent
from allsight.data.images import image_paths
from allsight.inference.predictor import Failure, Prediction, Predictor

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Predicted:
    """The answers of one model.

    Attributes:
        model: its name.
        predictions: one per readable image, in the order given.
        failed: one per unreadable file.
    """

    model: str
    predictions: tuple[Prediction, ...]
    failed: tuple[Failure, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of `predict --json`."""
        return {
            "model": self.model,
            "predictions": [p.to_json() for p in self.predictions],
            "failed": [f.to_json() for f in self.failed],
        }


def predict(
    bundle: str | Path, images: Iterable[str | Path], *, batch: int = 16, progress: Progress = silent
) -> Predicted:
    """Answer for each image how suspicious it is, or why a person must look.

    Args:
        bundle: folder of the bundle.
        images: files, or folders whose image files are taken.
        batch: most images in one forward pass.
        progress: told after each image.

    Returns:
        Answers in the order given; files that are no readable images are named in `failed`.

    Raises:
        BundleError: no bundle, or a damaged one.

    >>> import tempfile
    >>> from allsight.verbs.train import train
    >>> folder = tempfile.mkdtemp()
    >>> _ = train("synthetic:1?images=72&patients=24&size=64", out=folder, backbone="tiny",
    ...           weights="none", freeze=True)
    >>> predict(folder, ["no-such-file.png"]).failed[0].path
    'no-such-file.png'
    """
    paths = image_paths(Path(p) for p in images)
    predictor = Predictor.open(Path(bundle))
    predictions: list[Prediction] = []
    failed: list[Failure] = []
    for done, result in enumerate(predictor.predict(paths, batch=batch), start=1):
        if isinstance(result, Failure):
            failed.append(result)
        else:
            predictions.append(result)
        progress("images", done, len(paths))
    return Predicted(predictor.config.name, tuple(predictions), tuple(failed))
