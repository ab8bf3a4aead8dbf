"""Whether two images show the same place, and by which movement one comes to lie on the other.

Two witnesses are asked. Keypoints that pair up and agree on one movement say where the images would overlap
(Lowe 2004; RANSAC: Fischler & Bolles 1981). The pixels there, without the illumination, say whether they do:
rows of red cells can agree on a movement by chance, they do not then look alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from allsight.data.keypoints import reduced_grey, unit_descriptors, visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.records import Box
    from allsight.data.keypoints import Keypoints

_RATIO = 0.8  # Lowe 2004, section 7.1
_TOLERANCE = 3 / 224  # of the longer side: how far an inlier may lie from where the movement puts it
_NOISE = 1 / 224  # of the longer side, standard deviation: finer detail is not compared
_ILLUMINATION = 48 / 224  # of the longer side: a difference over more than a few cells is not compared
_LEAST_AREA = 0.01  # of the image: less in common is not compared
_LARGEST_SCALE = 2.0


@dataclass(frozen=True, slots=True)
class Movement:
    """An affine map from one image onto another.

    Attributes:
        inliers: places on which both images agree, each counted once.
        matrix: float64 (2, 3), from pixels (x, y, 1) of the first reduced image to pixels of the second.
    """

    inliers: int
    matrix: NDArray[np.float64]


def agreed_movement(first: Keypoints, second: Keypoints, *, shear: bool = False) -> Movement | None:
    """The movement on which most paired keypoints agree; None where there is none within reason.

    Args:
        first: keypoints of the image to be moved.
        second: keypoints of the image it is moved onto.
        shear: any affine map instead of shift, turn and scale. It needs more evidence: any three pairs of
            points agree on one, where any two agree on a similarity.
    """
    pairs = _paired(unit_descriptors(first), unit_descriptors(second))
    if len(pairs) < 4:
        return None
    source, target = first.positions[pairs[:, 0]], second.positions[pairs[:, 1]]
    estimate = cv2.estimateAffine2D if shear else cv2.estimateAffinePartial2D
    found, agree = estimate(
        source,
        target,
        method=cv2.RANSAC,
        ransacReprojThreshold=_TOLERANCE * max(second.extent),
        maxIters=2000,
        confidence=0.999,
    )
    matrix = np.asarray(found, dtype=np.float64)
    # Where no three or two points agree, OpenCV gives None instead of a matrix.
    if matrix.shape != (2, 3) or not _within_reason(matrix[:, :2] * (max(first.extent) / max(second.extent))):
        return None
    inside = agree.ravel().astype(bool)
    return Movement(min(places(source[inside]), places(target[inside])), matrix)


def likeness(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    *,
    matrix: NDArray[np.float64],
    overlays: tuple[Box | None, Box | None] = (None, None),
) -> float:
    """Correlation in [-1, 1] of two images where one, moved, covers the other; 0 where too little is common.

    Args:
        first: `relief` (h, w) of the image to be moved.
        second: `relief` (h', w') of the image it is moved onto.
        matrix: (2, 3), from pixels (x, y, 1) of the first relief to those of the second; it may mirror.
        overlays: the corner of each that shows no smear, or None.
    """
    size = second.shape[1], second.shape[0]
    covered = visible((first.shape[0], first.shape[1]), overlay=overlays[0])
    both = cv2.warpAffine(covered, matrix, size, flags=cv2.INTER_NEAREST) > 0
    both &= visible((second.shape[0], second.shape[1]), overlay=overlays[1]) > 0
    if np.count_nonzero(both) < _LEAST_AREA * both.size:
        return 0.0
    a = cv2.warpAffine(first, matrix, size)[both].astype(np.float64)
    b = second[both].astype(np.float64)
    a -= a.mean()
    b -= b.mean()
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 0 else 0.0


def relief(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What is smaller than a few cells: reduced grey values without noise and illumination, float32 (h, w)."""
    grey = reduced_grey(image).astype(np.float32)
    side = max(grey.shape)
    window = 2 * round(_ILLUMINATION * side / 2) + 1
    smooth = cv2.GaussianBlur(grey, (0, 0), _NOISE * side)
    return np.asarray(smooth - cv2.blur(grey, (window, window)), dtype=np.float32)


def places(points: NDArray[np.float32]) -> int:
    """Distinct places: SIFT describes one place several times where it has several main directions."""
    return len(np.unique(np.rint(points), axis=0))


def _paired(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.intp]:
    """Indices (M, 2) of descriptors that are each other's nearest, clearly nearer than the second nearest."""
    if min(len(first), len(second)) < 2:
        return np.empty((0, 2), np.intp)
    similarity = first @ second.T
    rows = np.arange(len(first))
    best = similarity.argmax(axis=1)
    mutual = similarity.argmax(axis=0)[best] == rows
    top = similarity[rows, best]
    similarity[rows, best] = -1
    # For vectors of length 1 the squared distance is 2 - 2s.
    clear = 1 - top < _RATIO**2 * (1 - similarity.max(axis=1))
    chosen = np.flatnonzero(mutual & clear)
    return np.stack([chosen, best[chosen]], axis=1)


def _within_reason(linear: NDArray[np.float64]) -> bool:
    """No mirror (it is tried apart) and no scale beyond a factor of two in any direction.

    Args:
        linear: (2, 2), between coordinates in which both images have the same longer side.
    """
    scales = np.linalg.svd(linear, compute_uv=False)
    return bool(np.linalg.det(linear) > 0 and scales[0] < _LARGEST_SCALE and scales[1] > 1 / _LARGEST_SCALE)
