"""Where the leukocytes lie: thresholded stain, cleaned by shape. Not a ground truth; needs no training.

Nuclei take up green light and let blue light pass, more so than anything else on a Romanowsky-stained smear.
In optical density (Ruifrok & Johnston, "Quantification of histochemical staining by color deconvolution", 2001),
where stains add, that difference does not depend on how bright the lamp is. Red cells, grey, blue or pink, take up
red light as much as green or let both pass. The threshold is Otsu's (1979).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WEIGHTS = (-0.25, 1.0, -1.0)  # of red, green and blue density
_NOISE = 1 / 224  # of the longer side, standard deviation of the smoothing
_LEAST_CONTRAST = 0.06  # in density: an image whose threshold is lower has no nucleus
_SMALLEST = 0.002  # of the image: less is a platelet, debris or a shrunken nucleus
_SMALLEST_KEPT_OUT = 0.0008  # of the image: what is kept out of the background all the same
_LARGEST_HOLE = 0.002  # of the image
_OPENING = 0.006  # of the longer side: thinner bridges are cut
_CYTOPLASM = 0.8  # of the median nuclear radius: how far a cell is taken to reach beyond its nucleus


def nucleus_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Leukocyte nuclei of a stained smear on a bright background, bool (H, W).

    Args:
        image: uint8 RGB (H, W, 3).
    """
    return _stained(image, least=_SMALLEST)


def cell_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Leukocytes with their cytoplasm, bool (H, W): all that is close to a nucleus, generously.

    Args:
        image: uint8 RGB (H, W, 3).
    """
    nuclei = _stained(image, least=_SMALLEST_KEPT_OUT)
    _, _, stats, _ = cv2.connectedComponentsWithStats(nuclei.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if not len(areas):
        return nuclei
    reach = _CYTOPLASM * float(np.sqrt(np.median(areas) / np.pi))
    distance = cv2.distanceTransform((~nuclei).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(distance <= reach, dtype=np.bool_)


def _stained(image: NDArray[np.uint8], *, least: float) -> NDArray[np.bool_]:
    stain = _nuclear_stain(image)
    most = float(np.percentile(stain[::2, ::2], 99.9))
    if most <= _LEAST_CONTRAST:
        return np.zeros(stain.shape, dtype=np.bool_)
    levels = np.clip(stain * (255 / most), 0, 255).astype(np.uint8)
    level, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return _cleaned(stain > max(level / 255 * most, _LEAST_CONTRAST), least=least)


def _nuclear_stain(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Density of green without that of blue and a part of that of red, float32 (H, W)."""
    smooth = cv2.GaussianBlur(image, (0, 0), _NOISE * max(image.shape[:2])).astype(np.float32)
    light = np.percentile(smooth[::3, ::3].reshape(-1, 3), 95, axis=0).astype(np.float32)
    density = -np.log((np.minimum(smooth, light) + 1) / (light + 1))
    return np.asarray(density @ np.array(_WEIGHTS, np.float32), dtype=np.float32)


def _cleaned(mask: NDArray[np.bool_], *, least: float) -> NDArray[np.bool_]:
    """Without thin bridges and small objects, and with small holes filled."""
    width = max(3, 2 * round(_OPENING * max(mask.shape)) + 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc)
    objects = _objects(opened, least=least * mask.size)
    holes = ~objects & ~_objects((~objects).astype(np.uint8), least=_LARGEST_HOLE * mask.size, connectivity=4)
    return objects | holes


def _objects(mask: NDArray[np.generic], *, least: float, connectivity: int = 8) -> NDArray[np.bool_]:
    """The connected objects of at least so many pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        np.asarray(mask, np.uint8), connectivity=connectivity
    )
    large = stats[:, cv2.CC_STAT_AREA] >= least
    large[0] = False
    return np.asarray(large[labels], dtype=np.bool_)
