"""Which images of two sets, or of one, show the same place: keypoints, candidates, movements, pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from allsight.core.progress import silent
from allsight.data.alignment import agreed_movement, likeness, relief
from allsight.data.candidates import candidate_pairs
from allsight.data.keypoints import describe, mirrored
from allsight.data.loading import in_order
from allsight.data.sweep import one_thread_each, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.progress import Progress
    from allsight.data.alignment import Movement
    from allsight.data.keypoints import Keypoints

_BATCH = 64  # pairs handed to a thread at a time: one takes less time than handing it over
_READ = 128  # images kept in memory while pixels are compared

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Seen:
    """The keypoints of a data set's readable images.

    Attributes:
        dataset: where pixels can be read again.
        keypoints: by sample name.
        unreadable: what was wrong, by sample name.
    """

    dataset: Dataset
    keypoints: Mapping[str, Keypoints]
    unreadable: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Alignment:
    """One image lies on another.

    Attributes:
        first: name of the image that is moved.
        second: name of the image that it is moved onto.
        inliers: places on which both agree.
        likeness: correlation of the pixels where they overlap.
        mirrored: whether the movement exchanges left and right.
        matrix: float64 (2, 3), from pixels (x, y, 1) of the first image to those of the second.
    """

    first: str
    second: str
    inliers: int
    likeness: float
    mirrored: bool
    matrix: NDArray[np.float64]


def look_at(dataset: Dataset, names: Container[str], *, progress: Progress = silent) -> Seen:
    """Find the keypoints of the named images."""
    swept = sweep(
        dataset,
        lambda pixels: describe(pixels, overlay=dataset.overlay),
        samples=[sample for sample in dataset.samples if sample.name in names],
        what="finding keypoints",
        progress=progress,
    )
    return Seen(dataset, swept.results, swept.unreadable)


def align(
    seen: Seen,
    others: Seen | None = None,
    *,
    mirror: bool = False,
    shear: bool = False,
    least: int,
    progress: Progress = silent,
) -> list[Alignment]:
    """Pairs of images whose keypoints agree on a movement, and how alike they look after it.

    Args:
        seen: the images that are moved.
        others: the images that they are moved onto; None for one another, each pair once.
        mirror: look for mirror images instead.
        shear: any affine map instead of shift, turn and scale.
        least: places that must agree.
        progress: is told how far the work is.
    """
    what = "mirrored repeats" if mirror else "repeats"
    plain = list(seen.keypoints.values())
    targets = plain if others is None else list(others.keypoints.values())
    pairs = candidate_pairs(
        plain,
        None if others is None else targets,
        mirror=mirror,
        what=f"searching {what}",
        progress=progress,
    )
    images = [mirrored(keypoints) for keypoints in plain] if mirror else plain

    def move(pair: NDArray[np.intp]) -> Movement | None:
        return agreed_movement(images[pair[0]], targets[pair[1]], shear=shear)

    moved = _each(move, pairs, what=f"matching {what}", progress=progress)
    kept = [(*pair, m) for pair, m in zip(pairs.tolist(), moved, strict=True) if m and m.inliers >= least]
    compare = _comparison(seen, seen if others is None else others, mirror=mirror)
    return _each(compare, kept, what=f"comparing {what}", progress=progress)


def _comparison(
    seen: Seen, others: Seen, *, mirror: bool
) -> Callable[[tuple[int, int, Movement]], Alignment]:
    """Asks the pixels about a movement on which keypoints agree."""
    names, other_names = list(seen.keypoints), list(others.keypoints)
    see, see_other = _reliefs(seen.dataset), _reliefs(others.dataset)
    overlays = seen.dataset.overlay, others.dataset.overlay

    def compare(proposal: tuple[int, int, Movement]) -> Alignment:
        name, other, movement = names[proposal[0]], other_names[proposal[1]], proposal[2]
        first, second = seen.keypoints[name], others.keypoints[other]
        matrix = movement.matrix
        if mirror:
            matrix = matrix @ np.array([[-1, 0, first.extent[1] - 1], [0, 1, 0], [0, 0, 1]])
        value = likeness(see(name), see_other(other), matrix=matrix, overlays=overlays)
        full = np.column_stack([matrix[:, :2] * first.reduction, matrix[:, 2]]) / second.reduction
        return Alignment(name, other, movement.inliers, value, mirror, full)

    return compare


def _reliefs(dataset: Dataset) -> Callable[[str], NDArray[np.float32]]:
    samples = {sample.name: sample for sample in dataset.samples}

    @lru_cache(_READ)
    def see(name: str) -> NDArray[np.float32]:
        return relief(dataset.read(samples[name]))

    return see


def _each(
    function: Callable[[T], R], items: Sequence[T] | NDArray[Any], *, what: str, progress: Progress
) -> list[R]:
    """`map` over all cores, in batches."""
    batches = [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
    results: list[R] = []
    with one_thread_each():
        for batch in in_order(lambda batch: [function(item) for item in batch], batches):
            results += batch
            progress(what, len(results), len(items))
    return results
