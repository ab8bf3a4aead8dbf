"""What an image looks like before any network sees it: sharp, bright, coloured, and with cells of what size.

Every figure can be said to a person in one plain sentence, so that an image can be refused for a reason. All are taken
from the image brought to one size, so that they do not depend on how many pixels a camera has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from allsight.core.errors import ImageError
from allsight.core.progress import Progress, silent
from allsight.data.cells import BLACK, labelled, nucleus_mask
from allsight.data.loading import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample

_SIDE = 224  # pixels of the longer side for everything but cells
_SIDE_OF_CELLS = 112  # the same nuclei are found as at 224, at a quarter of the cost


class Appearance(NamedTuple):
    """Figures of one image.

    Attributes:
        sharpness: standard deviation of the Laplacian of the grey image, in grey levels (Pech-Pacheco et al., "Diatom
            autofocusing in brightfield microscopy", ICPR 2000, without the square).
        brightness: mean grey level, 0 to 255.
        light: 95th percentile of the darkest colour channel there, 0 to 255: the empty slide.
        contrast: standard deviation of the grey levels.
        redness: mean a* of CIELAB; negative is green.
        yellowness: mean b* of CIELAB; negative is blue.
        black: share of pixels that are black, in per cent.
        cells: separate stained nuclei found.
        nucleus: median diameter of them, in per cent of the longer side; 0 without any.
    """

    sharpness: float
    brightness: float
    light: float
    contrast: float
    redness: float
    yellowness: float
    black: float
    cells: float
    nucleus: float


def appearance(image: NDArray[np.uint8]) -> Appearance:
    """Look at one image.

    Args:
        image: uint8 RGB (H, W, 3).
    """
    small = _brought_to(image, _SIDE)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    brightness, contrast = (float(v[0, 0]) for v in cv2.meanStdDev(grey))
    _, sharpness = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    tiny = _brought_to(small, _SIDE_OF_CELLS)
    lab = cv2.mean(cv2.cvtColor(tiny.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB))
    brightest = cv2.max(cv2.max(tiny[..., 0], tiny[..., 1]), tiny[..., 2])
    light = min(_percentile(tiny[..., channel], 95) for channel in range(3))
    areas = labelled(nucleus_mask(tiny))[1][1:]
    diameter = 2 * np.sqrt(np.median(areas) / np.pi) / max(tiny.shape[:2]) if len(areas) else 0.0
    return Appearance(
        sharpness=float(sharpness[0, 0]),
        brightness=brightness,
        light=light,
        contrast=contrast,
        redness=lab[1],
        yellowness=lab[2],
        black=100 * float((brightest <= BLACK).mean()),
        cells=float(len(areas)),
        nucleus=100 * float(diameter),
    )


def looks_of(
    dataset: Dataset, samples: Sequence[Sample], *, most: int = 1000, progress: Progress = silent
) -> dict[str, Appearance]:
    """Look at images of a data set, at most so many of them, spread evenly.

    Returns:
        By sample name; those that cannot be read are left out.
    """
    chosen = [samples[i * len(samples) // most] for i in range(most)] if len(samples) > most else [*samples]

    def attempt(sample: Sample) -> Appearance | None:
        try:
            return appearance(dataset.read(sample))
        except ImageError:
            return None

    found = {}
    for done, (sample, look) in enumerate(zip(chosen, in_order(attempt, chosen), strict=True), start=1):
        if look is not None:
            found[sample.name] = look
        progress("appearance", done, len(chosen))
    return found


def _brought_to(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """With a longer side of `side` pixels."""
    height, width = image.shape[:2]
    factor = side / max(height, width)
    if factor == 1:
        return image
    shape = (max(1, round(width * factor)), max(1, round(height * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, shape, interpolation=how), dtype=np.uint8)


def _percentile(channel: NDArray[np.uint8], share: int) -> float:
    """Of whole grey levels, from their histogram."""
    counts = np.bincount(channel.ravel(), minlength=256).cumsum()
    return float(np.searchsorted(counts, counts[-1] * share / 100))
