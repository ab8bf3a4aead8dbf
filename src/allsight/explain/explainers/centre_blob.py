"""A control: the middle of the image, always. Where images are centred on cells it is hard to beat."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Explainer
from allsight.core.errors import UsageError
from allsight.core.explanation import Explanation, Fact
from allsight.core.progress import Progress, silent
from allsight.explain.inputs import check_inputs, check_targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CentreBlob(Explainer):
    """A round Gaussian in the middle of the image. It looks neither at the model nor at the image.

    Args:
        spread: standard deviation as a share of the image's shorter side.
    """

    control: ClassVar[bool] = True
    signed: ClassVar[bool] = False

    spread: float = 0.25

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that mean nothing."""
        if not 0 < self.spread < float("inf"):
            raise UsageError(f"The spread must be a share of the shorter side above 0, not {self.spread}.")

    def explain(
        self,
        runtime: Runtime,
        images: NDArray[np.uint8],
        *,
        targets: NDArray[np.int64],
        progress: Progress = silent,
    ) -> Explanation:
        """Heatmaps of N images, values in [0, 1]; see `Explainer.explain`. The model only says how many classes."""
        check_inputs(images, targets)
        started = time.perf_counter()
        check_targets(targets, n_classes=runtime.run(images[:1]).logits.shape[1])
        n, height, width = images.shape[:3]
        deviation = self.spread * min(height, width)
        heatmaps = np.repeat(gaussian(height, width, deviation=deviation)[None], n, axis=0)
        progress("centre_blob", n, n)
        used: dict[str, Fact] = {"standard_deviation": deviation}
        seconds = (time.perf_counter() - started) / n
        return Explanation(
            "centre_blob",
            heatmaps,
            targets,
            self.signed,
            used=(used,) * n,
            seconds=(seconds,) * n,
            arrays=({},) * n,
        )


def gaussian(height: int, width: int, *, deviation: float) -> NDArray[np.float32]:
    """A round Gaussian in the middle, 1 at its top, float32 (height, width); `deviation` in pixels."""
    y = np.arange(height)[:, None] - (height - 1) / 2
    x = np.arange(width) - (width - 1) / 2
    return np.exp(-(y**2 + x**2) / (2 * deviation**2)).astype(np.float32)
