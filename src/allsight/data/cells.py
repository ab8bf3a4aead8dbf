"""Where the leukocytes lie: thresholded stain, cleaned by shape. Not a ground truth; needs no training.

Nuclei take up green light and let blue light pass, more so than anything else on a Romanowsky-stained smear.
In optical density (Ruifrok & Johnston, "Quantification of histochemical staining by color deconvolution", 2001),
where stains add, that difference does not depend on how bright the lamp is. Red cells, grey, blue or pink, take up
red light as much as green or let both pass. The threshold is Otsu's ("A threshold selection method from gray-level
histograms", 1979). What was measured, and what this cannot do, is in docs/cells.md.
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
_REDDEST = 0.2  # in density: more than red cells reach, less than nuclei of most stains
_SET_APART = 2.0  # times: how much darker nuclei are than red cells taken for them
BLACK = 12  # in [0, 255]: pixels no brighter were blacked out
_CUT_OUT = 0.5  # of the image: with more black, a cell was cut out and its slide is gone
_SMALLEST = 0.002  # of the image: less is a platelet, debris or a shrunken nucleus
_FRAGMENT = 0.1  # of the usual nucleus: less is a platelet, a granule or a piece, in a field as in a crop
_SMALLEST_KEPT_OUT = 0.0008  # of the image: what is kept out of the background all the same
_LARGEST_HOLE = 0.002  # of the image
_OPENING = 0.006  # of the longer side: thinner bridges are cut
_APART = 0.8  # of the median nuclear radius: centres of two nuclei are not closer
_SHALLOW = 0.2  # of the median nuclear radius: a maximum less deep is an outline's unevenness
_CYTOPLASM = 0.8  # of the median nuclear radius: how far a cell is taken to reach beyond its nucleus


def nucleus_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Leukocyte nuclei of a stained smear on a bright background or cut out on black, bool (H, W).

    Args:
        image: uint8 RGB (H, W, 3).
    """
    nuclei = _stained(_density(image), least=_SMALLEST)
    areas = _areas(nuclei).astype(np.float64)
    if not len(areas):
        return nuclei
    # Of the object that a stained pixel lies in on average; where that is a clump, of the largest disc inside one.
    depth = float(cv2.distanceTransform(nuclei.astype(np.uint8), cv2.DIST_L2, 3).max())
    usual = min(float((areas**2).sum() / areas.sum()), np.pi * depth**2)
    return _objects(nuclei, least=_FRAGMENT * usual)


def nucleus_count(image: NDArray[np.uint8]) -> int:
    """How many nuclei there are: touching ones told apart by their shape, close lobes of one nucleus taken as one.

    Counted are the markers of a watershed on the distance transform (Vincent & Soille 1991): its maxima, none of
    them near a higher one. Nothing needs to be flooded for a count.

    Args:
        image: uint8 RGB (H, W, 3).
    """
    nuclei = nucleus_mask(image).astype(np.uint8)
    depth = cv2.distanceTransform(nuclei, cv2.DIST_L2, 5)
    objects, labels = cv2.connectedComponents(nuclei, connectivity=8)
    if objects == 1:
        return 0
    radius = float(np.median([depth[labels == label].max() for label in range(1, objects)]))
    highest = cv2.dilate(depth, _disc(2 * max(1, round(_APART * radius)) + 1))
    peaks = (depth >= highest) & (depth > _SHALLOW * radius)
    joined = cv2.dilate(peaks.astype(np.uint8), np.ones((3, 3), np.uint8))  # a flat top is one peak
    return int(cv2.connectedComponents(joined, connectivity=8)[0]) - 1


def cell_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Leukocytes with their cytoplasm, bool (H, W): all that is close to a nucleus, generously.

    Args:
        image: uint8 RGB (H, W, 3).
    """
    nuclei = _stained(_density(image), least=_SMALLEST_KEPT_OUT)
    areas = _areas(nuclei)
    if not len(areas):
        return nuclei
    reach = _CYTOPLASM * float(np.sqrt(np.median(areas) / np.pi))
    distance = cv2.distanceTransform((~nuclei).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(distance <= reach, dtype=np.bool_)


def _density(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Optical density of red, green and blue against the image's own light, float32 (H, W, 3); 0 where black."""
    smooth = cv2.GaussianBlur(image, (0, 0), _NOISE * max(image.shape[:2]))
    black = cv2.inRange(smooth, (0, 0, 0), (BLACK, BLACK, BLACK)) > 0
    cut_out = black.mean() > _CUT_OUT  # no slide is left to read the light from
    light = np.full(3, 255.0) if cut_out else np.percentile(smooth[::3, ::3].reshape(-1, 3), 95, axis=0)
    light = light.astype(np.float32)
    levels = np.arange(256, dtype=np.float32)[:, None]
    density = cv2.LUT(smooth, -np.log((np.minimum(levels, light) + 1) / (light + 1))[None])
    if black.any():
        density[black] = 0
    return np.asarray(density, dtype=np.float32)


def _stained(density: NDArray[np.float32], *, least: float) -> NDArray[np.bool_]:
    stain = np.asarray(density @ np.array(_WEIGHTS, np.float32), dtype=np.float32)
    most = float(np.percentile(stain[::2, ::2], 99.9))
    if most <= _LEAST_CONTRAST:
        return np.zeros(stain.shape, dtype=np.bool_)
    levels = np.clip(stain * (255 / most), 0, 255).astype(np.uint8)
    threshold = _otsu(levels) / 255 * most
    above = levels[stain > threshold]
    upper = _otsu(above)
    paler, darker = _classes(above, threshold=upper)
    # Where nuclei are few, Otsu's two classes are slide and red cells; the nuclei are a third, far above both.
    if paler / 255 * most < _REDDEST and darker > _SET_APART * paler:
        threshold = upper / 255 * most
    return _cleaned(stain > max(threshold, _LEAST_CONTRAST), least=least)


def _otsu(levels: NDArray[np.uint8]) -> float:
    """Otsu's threshold, in [0, 255]: above it is the upper class."""
    column = np.ascontiguousarray(levels).reshape(-1, 1)
    return cv2.threshold(column, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]


def _classes(levels: NDArray[np.uint8], *, threshold: float) -> tuple[float, float]:
    """Mean of the values up to the threshold and of those above; one mean twice where a class is empty."""
    upper = levels > threshold
    if upper.all() or not upper.any():
        return float(levels.mean()), float(levels.mean())
    return float(levels[~upper].mean()), float(levels[upper].mean())


def _cleaned(mask: NDArray[np.bool_], *, least: float) -> NDArray[np.bool_]:
    """Without thin bridges and small objects, and with small holes filled."""
    width = max(3, 2 * round(_OPENING * max(mask.shape)) + 1)
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _disc(width))
    objects = _objects(opened, least=least * mask.size)
    holes = ~objects & ~_objects((~objects).astype(np.uint8), least=_LARGEST_HOLE * mask.size, connectivity=4)
    return objects | holes


def _disc(width: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)), dtype=np.uint8)


def _areas(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pixels in each connected object."""
    return labelled(mask)[1][1:]


def _objects(mask: NDArray[np.generic], *, least: float, connectivity: int = 8) -> NDArray[np.bool_]:
    """The connected objects of at least so many pixels."""
    labels, areas = labelled(mask, connectivity=connectivity)
    large = areas >= least
    large[0] = False
    return np.asarray(large[labels], dtype=np.bool_)


def labelled(
    mask: NDArray[np.generic], *, connectivity: int = 8
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The connected object of each pixel, int32 (H, W), and the pixels of each object; 0 is where there is none.

    Counted apart from the labelling: together OpenCV takes three times as long for small images.
    """
    n, labels = cv2.connectedComponents(np.asarray(mask, np.uint8), connectivity=connectivity)
    return np.asarray(labels, dtype=np.int32), np.bincount(labels.ravel(), minlength=n)
