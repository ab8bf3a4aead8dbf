"""The image that stands for "nothing here", from which Integrated Gradients sets out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from allsight.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Baseline = Literal["white_field", "background", "black", "blurred"]
BASELINES: tuple[str, ...] = get_args(Baseline)

_BLUR = 0.1  # of the shorter side, standard deviation: no cell of a field survives it
_BRIGHTEST = 0.25  # share of the image taken for its background


def baseline_of(image: NDArray[np.uint8], kind: Baseline) -> NDArray[np.float32]:
    """A baseline in pixel values, float32 (H, W, 3) in [0, 255].

    - `white_field`: 255 everywhere, what the camera sees without a slide: optical density 0, no stain at all. It is
      the same for all images and hides no colour.
    - `background`: the median colour of the image's brightest quarter, everywhere: this slide without its cells.
      Nothing of the background's own colour can be attributed, so a model that cheats by it goes unseen.
    - `black`: 0 everywhere. On cells cut out on black it makes the surroundings' attribution zero by construction.
    - `blurred`: the image through a Gaussian a tenth of its shorter side wide: colours without cells.

    Args:
        image: uint8 RGB (H, W, 3).
        kind: which.

    Raises:
        UsageError: no such baseline.
    """
    if kind == "white_field":
        return np.full(image.shape, 255, dtype=np.float32)
    if kind == "black":
        return np.zeros(image.shape, dtype=np.float32)
    if kind == "background":
        colours = image.reshape(-1, 3)
        brightness = colours.sum(axis=1, dtype=np.int64)
        bright = colours[brightness >= np.quantile(brightness, 1 - _BRIGHTEST)]
        return np.broadcast_to(np.median(bright, axis=0).astype(np.float32), image.shape).copy()
    if kind == "blurred":
        import cv2

        width = _BLUR * min(image.shape[:2])
        return cv2.GaussianBlur(image.astype(np.float32), (0, 0), width).astype(np.float32, copy=False)
    raise UsageError(f"There is no baseline called {kind!r}.", hint=f"Known: {', '.join(BASELINES)}.")
