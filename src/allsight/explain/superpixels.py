"""Regions that LIME hides or shows: small enough to part a nucleus from its surroundings, never cut through both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COMPACTNESS = (
    20.0  # against colour distance in Lab: at 10, red cells and background merge into ragged regions
)
_SMOOTHING = 1 / 224  # of the longer side, standard deviation
_LARGEST_SIDE = (
    448  # larger images are shrunk for segmentation: outlines need no finer pixels, SLIC would take long
)


def superpixels(image: NDArray[np.uint8], *, count: int) -> NDArray[np.int32]:
    """About `count` regions by SLIC, int32 (H, W), numbered from 0 without gaps. No randomness in it.

    Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", TPAMI 2012.

    Args:
        image: uint8 RGB (H, W, 3).
        count: how many are wished for.
    """
    import cv2
    from skimage.segmentation import slic

    height, width = image.shape[:2]
    scale = min(1.0, _LARGEST_SIDE / max(height, width))
    small = image
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    labels = slic(
        small,
        n_segments=count,
        compactness=_COMPACTNESS,
        sigma=_SMOOTHING * max(small.shape[:2]),
        channel_axis=-1,
    )
    if scale < 1:
        labels = cv2.resize(labels.astype(np.int32), (width, height), interpolation=cv2.INTER_NEAREST)
    numbers: NDArray[np.intp] = np.unique(labels, return_inverse=True)[1]
    return numbers.reshape(height, width).astype(np.int32)
