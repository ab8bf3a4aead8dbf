"""Which pairs of many images are worth matching in full: those whose keypoints choose each other.

Every keypoint looks for its nearest neighbour among those of all images. The search is an inverted file (Sivic &
Zisserman, "Video Google", ICCV 2003): descriptors are shortened by principal components, filed under the nearest
of some centres, and compared only with what is filed close by. Two images are a candidate pair when two of these
choices agree on how one image would lie on the other, a form of weak geometric consistency (Jégou et al.,
"Hamming embedding and weak geometric consistency for large scale image search", ECCV 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from allsight.core.progress import silent
from allsight.data.keypoints import mirrored
from allsight.data.loading import in_order
from allsight.data.sweep import one_thread_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from allsight.core.progress import Progress
    from allsight.data.keypoints import Keypoints

_DIMENSIONS = 32  # of 128; they keep 0.84 of the variance
_PROBES = 4  # files looked into for each keypoint
_BLOCK = 1 << 16  # keypoints in hand at a time
_NEIGHBOURS = 8  # choices of the same pair of images that each choice is compared with
_SEED = 0

# When two choices agree; loose, because SIFT's angle and size are: what passes is matched in full.
_TURN = np.pi / 6
_SCALE = 1.6
_APART = 0.02  # of the longer side: two choices of one place are one choice
_OFF = 0.3  # of their distance


@dataclass(frozen=True)
class _Filed:
    """Keypoints of many images, one row each.

    Attributes:
        descriptors: uint8 (M, 128).
        frames: float32 (M, 4), x, y and size in units of the image's longer side, angle in radians.
        owners: int (M,), which image each is of.
    """

    descriptors: NDArray[np.uint8]
    frames: NDArray[np.float32]
    owners: NDArray[np.intp]


@dataclass(frozen=True)
class _Index:
    """Shortened descriptors filed under centres.

    Attributes:
        mean: float32 (128,).
        axes: float32 (128, D), the principal components.
        centres: float32 (L, D) of length 1.
        order: int (M,), the rows by the centre they are filed under.
        vectors: float32 (M, D) of length 1, in that order.
        starts: int (L + 1,), where each centre's file starts in that order.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    centres: NDArray[np.float32]
    order: NDArray[np.intp]
    vectors: NDArray[np.float32]
    starts: NDArray[np.intp]


def candidate_pairs(
    images: Sequence[Keypoints],
    others: Sequence[Keypoints] | None = None,
    *,
    mirror: bool = False,
    what: str = "searching repeats",
    progress: Progress = silent,
) -> NDArray[np.intp]:
    """Pairs of images worth matching in full.

    Args:
        images: keypoints of the images in question.
        others: keypoints of those they may overlap; None for one another.
        mirror: look for mirror images instead.
        what: what `progress` is told is being done.
        progress: is told how many images are done.

    Returns:
        int (P, 2), sorted: index in `images`, index in `others`; for one another the smaller index first.
    """
    asking = _filed(images)
    filed = asking if others is None else _filed(others)
    if not len(asking.owners) or not len(filed.owners):
        return np.empty((0, 2), np.intp)
    queries = _filed([mirrored(image) for image in images]).descriptors if mirror else asking.descriptors
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(queries), _BLOCK)]
    found: list[NDArray[np.intp]] = []
    with one_thread_each():
        index = _build_index(filed.descriptors)

        def choose(block: slice) -> NDArray[np.intp]:
            barred = (asking.owners[block], filed.owners) if others is None else None
            return _nearest(index, queries[block], barred=barred)

        for block, rows in zip(blocks, in_order(choose, blocks), strict=True):
            found.append(rows)
            progress(what, int(asking.owners[block][-1]) + 1, len(images))
    chosen = np.concatenate(found)
    ends = np.stack([np.arange(len(chosen)), chosen], axis=1)[chosen >= 0]
    pairs = np.stack([asking.owners[ends[:, 0]], filed.owners[ends[:, 1]]], axis=1)
    if others is None:  # a choice holds both ways
        swapped = pairs[:, 0] > pairs[:, 1]
        ends[swapped], pairs[swapped] = ends[swapped, ::-1], pairs[swapped, ::-1]
    return _agreed(pairs, asking.frames[ends[:, 0]], filed.frames[ends[:, 1]], mirror=mirror)


def _agreed(
    pairs: NDArray[np.intp], first: NDArray[np.float32], second: NDArray[np.float32], *, mirror: bool
) -> NDArray[np.intp]:
    """Pairs of images of which two choices agree on one similarity."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs, a, b = pairs[order], first[order].copy(), second[order]
    if mirror:
        a[:, 0], a[:, 3] = -a[:, 0], np.pi - a[:, 3]
    turn, scale = b[:, 3] - a[:, 3], b[:, 2] / a[:, 2]
    good = np.zeros(len(pairs), bool)
    for step in range(1, _NEIGHBOURS + 1):
        one, two = slice(None, -step), slice(step, None)
        turned = np.abs((turn[two] - turn[one] + np.pi) % (2 * np.pi) - np.pi)
        scaled = np.abs(np.log(scale[two] / scale[one]))
        # Ways from place to place as complex numbers: turning and scaling is multiplying.
        way_a, way_b = (side[two, 0] - side[one, 0] + 1j * (side[two, 1] - side[one, 1]) for side in (a, b))
        off = np.abs(way_b - way_a * scale[one] * np.exp(1j * turn[one]))
        good[one] |= (
            (pairs[two] == pairs[one]).all(axis=1)
            & (turned < _TURN)
            & (scaled < np.log(_SCALE))
            & (np.minimum(np.abs(way_a), np.abs(way_b)) > _APART)
            & (off < _OFF * np.abs(way_b))
        )
    return np.unique(pairs[good], axis=0)


def _filed(images: Sequence[Keypoints]) -> _Filed:
    frames = [
        np.column_stack([image.positions, image.sizes, image.angles])
        / np.array([*[max(image.extent)] * 3, 1], np.float32)
        for image in images
    ]
    return _Filed(
        descriptors=np.vstack([np.empty((0, 128), np.uint8), *(i.descriptors for i in images)]),
        frames=np.vstack([np.empty((0, 4), np.float32), *frames]),
        owners=np.repeat(np.arange(len(images)), [len(f) for f in frames]),
    )


def _build_index(descriptors: NDArray[np.uint8]) -> _Index:
    sample = descriptors[:: max(1, len(descriptors) // 50_000)].astype(np.float32)
    mean = sample.mean(axis=0)
    _, components = np.linalg.eigh((sample - mean).T @ (sample - mean))
    axes = np.ascontiguousarray(components[:, ::-1][:, :_DIMENSIONS], dtype=np.float32)
    short = _shortened(descriptors, mean=mean, axes=axes)
    # Centres drawn from the descriptors themselves follow their density, which is all that is asked of them.
    count = max(1, round(len(short) ** 0.5))
    centres = short[np.sort(np.random.default_rng(_SEED).choice(len(short), size=count, replace=False))]
    home = _nearest_centres(short, centres, count=1)[:, 0]
    order = np.argsort(home, kind="stable")
    starts = np.searchsorted(home[order], np.arange(count + 1))
    return _Index(mean, axes, centres, order, short[order], starts)


def _nearest(
    index: _Index, queries: NDArray[np.uint8], *, barred: tuple[NDArray[np.intp], NDArray[np.intp]] | None
) -> NDArray[np.intp]:
    """Row of the nearest filed descriptor of each query; -1 where none is filed close by.

    Args:
        index: the filed descriptors.
        queries: uint8 (N, 128).
        barred: owners of the queries and of all rows; no query may choose a row of its own owner.
    """
    short = _shortened(queries, mean=index.mean, axes=index.axes)
    probes = _nearest_centres(short, index.centres, count=_PROBES)
    asked = np.argsort(probes, axis=None, kind="stable")
    bounds = np.searchsorted(probes.ravel()[asked], np.arange(len(index.centres) + 1))
    best = np.full(len(queries), -1, np.float32)
    row = np.full(len(queries), -1, np.intp)
    for centre in range(len(index.centres)):
        asking = asked[bounds[centre] : bounds[centre + 1]] // probes.shape[1]
        file = slice(index.starts[centre], index.starts[centre + 1])
        if not len(asking) or file.start == file.stop:
            continue
        similarity = short[asking] @ index.vectors[file].T
        nearest = similarity.argmax(axis=1)
        if barred is not None:  # compared in full only where the nearest is barred
            own = np.flatnonzero(barred[0][asking] == barred[1][index.order[file]][nearest])
            others = similarity[own]
            others[barred[0][asking][own, None] == barred[1][index.order[file]]] = -1
            similarity[own] = others
            nearest[own] = others.argmax(axis=1)
        value = similarity[np.arange(len(asking)), nearest]
        better = value > best[asking]
        best[asking[better]] = value[better]
        row[asking[better]] = index.order[file][nearest[better]]
    return row


def _shortened(
    descriptors: NDArray[np.uint8], *, mean: NDArray[np.float32], axes: NDArray[np.float32]
) -> NDArray[np.float32]:
    short = (descriptors.astype(np.float32) - mean) @ axes
    lengths = np.linalg.norm(short, axis=1, keepdims=True)
    return np.asarray(short / np.maximum(lengths, 1e-7), dtype=np.float32)


def _nearest_centres(
    vectors: NDArray[np.float32], centres: NDArray[np.float32], *, count: int
) -> NDArray[np.intp]:
    """Indices (N, count) of the nearest centres; fewer columns where there are fewer centres."""
    nearest = np.empty((len(vectors), min(count, len(centres))), np.intp)
    for start in range(0, len(vectors), 4096):
        similarity = vectors[start : start + 4096] @ centres.T
        rows = np.arange(len(similarity))
        for column in range(nearest.shape[1]):  # for a few, faster than a partial sort
            nearest[start + rows, column] = best = similarity.argmax(axis=1)
            similarity[rows, best] = -2
    return nearest
