"""Places in an image that can be found again after a shift, a turn, a change of scale or of exposure.

SIFT (Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004) by OpenCV, its descriptors
compared by the Hellinger kernel (RootSIFT: Arandjelović & Zisserman, "Three things everyone should know to
improve object retrieval", CVPR 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.records import Box

MOST = 500
"""Keypoints kept of one image, the strongest."""
LONGEST_SIDE = 512
"""Side in pixels to which larger images are reduced before matching."""
_CONTRAST = 0.02  # half of SIFT's default: pale red cells out of focus must give keypoints too
_MARGIN = 0.02  # of the longer side: a keypoint beside the scale bar already sees it
_STEPS = 512  # RootSIFT values in [0, 1] are stored in steps of 1/512; those above 255/512 hardly occur


@dataclass(frozen=True, slots=True)
class Keypoints:
    """The strongest keypoints of one image, strongest first.

    Attributes:
        positions: float32 (N, 2), x and y in pixels of the reduced image.
        sizes: float32 (N,), diameter in pixels of the reduced image.
        angles: float32 (N,), main direction in radians, from x towards y.
        descriptors: uint8 (N, 128), RootSIFT in steps of 1/512.
        extent: height and width of the reduced image in pixels.
        reduction: side of the reduced image / side of the image, at most 1.
    """

    positions: NDArray[np.float32]
    sizes: NDArray[np.float32]
    angles: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    extent: tuple[int, int]
    reduction: float


def describe(image: NDArray[np.uint8], *, overlay: Box | None = None) -> Keypoints:
    """Keypoints of an image.

    Args:
        image: uint8 RGB (H, W, 3).
        overlay: a corner to leave out, because every image of the set has the same thing there.
    """
    grey = reduced_grey(image)
    height, width = grey.shape
    sift = cv2.SIFT.create(nfeatures=MOST, contrastThreshold=_CONTRAST, enable_precise_upscale=True)
    found, descriptors = sift.detectAndCompute(grey, visible((height, width), overlay=overlay))
    frames = np.array([(*k.pt, k.size, k.angle, k.response) for k in found], np.float32).reshape(-1, 5)
    order = np.lexsort((frames[:, 3], frames[:, 1], frames[:, 0], -frames[:, 4]))[:MOST]
    frames = frames[order]
    return Keypoints(
        positions=frames[:, :2].copy(),
        sizes=frames[:, 2].copy(),
        angles=np.radians(frames[:, 3]),
        descriptors=_root_sift(np.asarray(descriptors[order], np.float32))
        if found
        else np.empty((0, 128), np.uint8),
        extent=(height, width),
        reduction=max(height, width) / max(image.shape[:2]),
    )


def mirrored(keypoints: Keypoints) -> Keypoints:
    """The keypoints of the image's mirror image (left and right exchanged), without a second detection.

    A descriptor holds 4 × 4 places × 8 directions in a frame turned to the keypoint's own angle. A mirror
    reverses the places across that angle and the sense of the directions.
    """
    places = keypoints.descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
    last = np.float32(keypoints.extent[1] - 1)
    return Keypoints(
        positions=np.column_stack([last - keypoints.positions[:, 0], keypoints.positions[:, 1]]),
        sizes=keypoints.sizes,
        angles=np.float32(np.pi) - keypoints.angles,
        descriptors=places[..., -np.arange(8) % 8].reshape(-1, 128),
        extent=keypoints.extent,
        reduction=keypoints.reduction,
    )


def unit_descriptors(keypoints: Keypoints) -> NDArray[np.float32]:
    """Descriptors as float32 (N, 128) of length 1."""
    values = keypoints.descriptors.astype(np.float32)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(lengths, 1), dtype=np.float32)


def reduced_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey values (h, w) of an RGB image, the longer side at most `LONGEST_SIDE`."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    reduction = LONGEST_SIDE / max(grey.shape)
    if reduction < 1:
        height, width = (max(1, round(side * reduction)) for side in grey.shape)
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, dtype=np.uint8)


def visible(extent: tuple[int, int], *, overlay: Box | None) -> NDArray[np.uint8]:
    """255 where the smear shows, 0 in the overlay and close to it; uint8 (H, W)."""
    mask = np.full(extent, 255, dtype=np.uint8)
    if overlay is not None:
        rows, columns = overlay.pixels(*extent)
        margin = round(_MARGIN * max(extent))
        top, left = max(rows.start - margin, 0), max(columns.start - margin, 0)
        mask[top : rows.stop + margin, left : columns.stop + margin] = 0
    return mask


def _root_sift(descriptors: NDArray[np.float32]) -> NDArray[np.uint8]:
    share = descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-7)
    return np.asarray(np.minimum(np.rint(np.sqrt(share) * _STEPS), 255), dtype=np.uint8)
