"""What every explainer does first and last: check its arrays, keep batches small, bring maps onto pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.core.errors import UsageError
from allsight.core.records import Outputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime

_MOST_IMAGES = 8  # more at once are no faster on a CPU
_MOST_PIXELS = 8 * 600 * 600  # of one batch; a forward pass holds some ten floats a pixel and channel of it


def check_inputs(images: NDArray[np.uint8], targets: NDArray[np.int64]) -> None:
    """Raise unless there are N uint8 RGB images (N, H, W, 3) and N whole numbers (N,).

    Raises:
        UsageError: says what was expected and what came.
    """
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or 0 in images.shape:
        raise UsageError(
            f"Images must be uint8 RGB (N, H, W, 3), these are {images.dtype} {images.shape}.",
            hint="Read them with allsight.data.images.read_image and stack those of one size.",
        )
    if targets.shape != images.shape[:1] or targets.dtype.kind not in "iu":
        raise UsageError(
            f"Targets must be {len(images)} whole numbers, one for each image, not {targets.dtype} {targets.shape}."
        )


def check_targets(targets: NDArray[np.int64], *, n_classes: int) -> None:
    """Raise unless every target is an output of the model.

    Raises:
        UsageError: names the first that is not.
    """
    wrong = targets[(targets < 0) | (targets >= n_classes)]
    if len(wrong):
        raise UsageError(
            f"The model has outputs 0 to {n_classes - 1}, the target {wrong[0]} is none of them."
        )


def batches(n: int, *, pixels: int) -> Iterator[slice]:
    """Slices of at most eight of `n` images of `pixels` pixels each, fewer where images are large.

    >>> [(s.start, s.stop) for s in batches(10, pixels=224 * 224)]
    [(0, 8), (8, 10)]
    >>> [(s.start, s.stop) for s in batches(3, pixels=2000 * 1000)]
    [(0, 1), (1, 2), (2, 3)]
    """
    size = max(1, min(_MOST_IMAGES, _MOST_PIXELS // pixels))
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


def run_in_batches(runtime: Runtime, images: NDArray[np.uint8]) -> Iterator[tuple[slice, Outputs]]:
    """Forward passes over images (N, H, W, 3) with bounded memory: which images, and their outputs."""
    for part in batches(len(images), pixels=images.shape[1] * images.shape[2]):
        yield part, runtime.run(images[part])


def on_pixels(maps: NDArray[np.float32], *, height: int, width: int) -> NDArray[np.float32]:
    """Feature maps (N, h, w) stretched over images of (height, width), bilinear; float32 (N, height, width).

    Preprocessing stretches an image to a square, so stretching back covers the whole image.
    """
    import cv2

    stretched = [cv2.resize(m, (width, height), interpolation=cv2.INTER_LINEAR) for m in maps]
    return np.stack(stretched).astype(np.float32, copy=False)


def no_gradients(runtime: Runtime, *, method: str) -> UsageError:
    """What to raise where a method needs gradients and the runtime has none."""
    return UsageError(
        f"{method} needs gradients, and the runtime {type(runtime).__name__} gives none.",
        hint="Explain with the runtime pytorch, export a graph of them (--gradients), or take cam or lime.",
    )
