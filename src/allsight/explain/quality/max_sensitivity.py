"""Max-sensitivity: Yeh, Hsieh, Suggala, Inouye & Ravikumar, "On the (in)fidelity and sensitivity of explanations",
NeurIPS 2019 (arXiv 1901.09392).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Measure
from allsight.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.explanation import Case


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MaxSensitivity(Measure):
    """The largest change of the heatmap when the image gets noise that nobody sees, relative to the heatmap.

    Necessary and not sufficient: a heatmap that does not look at the image is never changed.

    Args:
        radius: largest change of a pixel, as a share of the full scale of 255.
        samples: noisy images, each of which is explained.
    """

    higher_is_better: ClassVar[bool] = False
    span: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    meaning: ClassVar[str] = (
        "How much of the heatmap changes at most when the image gets noise too weak to be seen."
    )
    source: ClassVar[str] = "Yeh et al., On the (in)fidelity and sensitivity of explanations, NeurIPS 2019"
    repeats: ClassVar[bool] = True

    radius: float = 0.02
    samples: int = 3

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that mean nothing."""
        if self.samples < 1 or not 1 / 255 <= self.radius <= 1:
            raise UsageError(
                f"There must be at least 1 sample and a radius from 1/255 to 1, not {self.samples} and {self.radius}."
            )

    def score(self, case: Case) -> float | None:
        """The largest relative change, at least 0; None where the heatmap is zero, or not finite on a noisy image."""
        noisy = noisy_images(
            case.image, radius=self.radius * 255, samples=self.samples, rng=np.random.default_rng(case.seed)
        )
        targets = np.full(self.samples, case.target, dtype=np.int64)
        return largest_change(
            case.heatmap, case.explainer.explain(case.runtime, noisy, targets=targets).heatmaps
        )


def noisy_images(
    image: NDArray[np.uint8], *, radius: float, samples: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The image with independent uniform noise of ±radius on every value, uint8 (samples, H, W, 3).

    Rounded and cut off at 0 and 255: it has to be an image that a camera can give.
    """
    noise = rng.uniform(-radius, radius, size=(samples, *image.shape))
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def largest_change(heatmap: NDArray[np.float32], others: NDArray[np.float32]) -> float | None:
    """max over k of ‖others[k] − heatmap‖ ÷ ‖heatmap‖, Frobenius; None where the heatmap is 0 or a value not finite.

    Args:
        heatmap: (H, W).
        others: (K, H, W).
    """
    size = np.linalg.norm(heatmap.astype(np.float64))
    change = np.linalg.norm((others.astype(np.float64) - heatmap).reshape(len(others), -1), axis=1).max()
    return float(change / size) if size > 0 and np.isfinite(change / size) else None
