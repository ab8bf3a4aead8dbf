"""Resizing as a matrix, so that what was computed after it can be carried back to the image before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def resizing_matrix(before: int, after: int, *, interpolation: str) -> NDArray[np.float32]:
    """float32 (after, before): antialiased resizing of a line of pixels.

    Pillow's, applied to the unit vectors; it is the same as that of `Preprocessing`, but for rounding.

    Args:
        before: pixels of the line.
        after: pixels it is resized to.
        interpolation: "bilinear" or "bicubic".

    >>> resizing_matrix(4, 2, interpolation="bilinear").sum(axis=1).tolist()
    [1.0, 1.0]
    """
    from PIL import Image

    kind = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[interpolation]
    lines = Image.fromarray(np.eye(before, dtype=np.float32))
    return np.asarray(lines.resize((after, before), kind), dtype=np.float32).T
