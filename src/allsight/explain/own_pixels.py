"""Maps of an image that was reduced (`Preprocessing.reduced`), laid back on its own pixels.

What lies below the size that a network sees can change neither an answer nor a map, but a map of 64 million pixels
costs gigabytes, and superpixels and a thousand draws of them take hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
