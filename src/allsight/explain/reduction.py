"""Images too large to be explained at their own size: explained smaller, their maps laid back on their own pixels.

No network here sees more than some hundred pixels a side. What lies below that size can change neither an answer nor a
map, but a map of 64 million pixels costs gigabytes, and superpixels and a thousand draws of them take hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST = 1024  # pixels of the longer side


def reduced(image: NDArray[np.uint8], *, longest: int = LONGEST) -> NDArray[np.uint8]:
    """With a longer side of at most so many pixels, each the mean of those that it stands for.

    Args:
        image: uint8 RGB (H, W, 3).
        longest: pixels.
    """
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def laid_back(heatmap: NDArray[np.float32], shape: tuple[int, int], *, parts: bool) -> NDArray[np.float32]:
    """A map of the reduced image on the pixels of the image itself.

    Args:
        heatmap: float32 (h, w).
        shape: (H, W) of the image.
        parts: its values are parts of a whole, so that their sum is kept; else their mean is.
    """
    if heatmap.shape == shape:
        return heatmap
    large = np.asarray(cv2.resize(heatmap, shape[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    if parts:
        large *= np.float32(heatmap.size / large.size)
    return large
