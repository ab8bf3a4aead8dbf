"""What an explainer hands back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.contracts import Explainer, Runtime
    from allsight.core.records import Box

Fact = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which pixels of N images spoke for a class, and how that was found.

    Attributes:
        method: the explainer's name in the catalog.
        heatmaps: float32 (N, H, W) on the images' own pixels. Positive speaks for the class; negative, where the
            method is signed, against it.
        targets: int64 (N,), the output explained for each image.
        signed: False where the method cannot say "against".
        used: per image, what was used (layer, baseline, steps, samples, seed) and what was measured (completeness
            error, stability), by name; ready for JSON.
        seconds: per image, wall time; images that were computed together share it evenly.
        arrays: per image, what the method found beside the heatmap, by name; empty where there is nothing.
    """

    method: str
    heatmaps: NDArray[np.float32]
    targets: NDArray[np.int64]
    signed: bool
    used: tuple[Mapping[str, Fact], ...]
    seconds: tuple[float, ...]
    arrays: tuple[Mapping[str, NDArray[np.generic]], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One heatmap before its judges: what was explained, by what, and what it takes to try it again.

    Attributes:
        runtime: the model.
        image: uint8 RGB (H, W, 3).
        target: the output explained.
        explainer: the method with its settings.
        heatmap: float32 (H, W), what it said.
        used: what it said of itself; see `Explanation`.
        cells: bool (H, W), where cells lie; None where nobody knows.
        overlay: where the source burnt in a scale bar, or None.
        seed: of every random draw of a measure.
    """

    runtime: Runtime
    image: NDArray[np.uint8]
    target: int
    explainer: Explainer
    heatmap: NDArray[np.float32]
    used: Mapping[str, Fact]
    cells: NDArray[np.bool_] | None = None
    overlay: Box | None = None
    seed: int = 0
