"""A control: a heatmap drawn by lot. No explanation is worth anything that does not beat it."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Explainer
from allsight.core.errors import UsageError
from allsight.core.explanation import Explanation, Fact
from allsight.core.progress import Progress, silent
from allsight.explain.inputs import check_inputs, check_targets, on_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RandomControl(Explainer):
    """Independent uniform values on a coarse grid, stretched over the image as class activation maps are.

    Coarse, because single random pixels never hide a whole cell and would be too easy a rival. What is drawn hangs
    on the image's bytes, the target and the seed, never on the model.

    Args:
        grid: cells of the grid along each side; 14 is what networks of this kind have at 448 pixels.
        seed: of every random draw. The same seed gives the same bytes.
    """

    control: ClassVar[bool] = True
    signed: ClassVar[bool] = False

    grid: int = 14
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that mean nothing."""
        if self.grid < 2:
            raise UsageError(f"The grid must have at least 2 cells along a side, not {self.grid}.")

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
        heatmaps = np.empty((n, height, width), dtype=np.float32)
        for i, (image, target) in enumerate(zip(images, targets.tolist(), strict=True)):
            drawn = self._generator(image, target).random((1, self.grid, self.grid), dtype=np.float32)
            heatmaps[i] = on_pixels(drawn, height=height, width=width)[0]
            progress("random_control", i + 1, n)
        used: dict[str, Fact] = {"grid": f"{self.grid} x {self.grid}", "seed": self.seed}
        seconds = (time.perf_counter() - started) / n
        return Explanation(
            "random_control",
            heatmaps,
            targets,
            self.signed,
            used=(used,) * n,
            seconds=(seconds,) * n,
            arrays=({},) * n,
        )

    def _generator(self, image: NDArray[np.uint8], target: int) -> np.random.Generator:
        shape_and_settings = f"{image.shape} {target} {self.seed}".encode()
        digest = hashlib.sha256(shape_and_settings + image.tobytes()).digest()
        return np.random.default_rng(int.from_bytes(digest, "big"))
