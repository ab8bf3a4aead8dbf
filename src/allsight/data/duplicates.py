"""Images that show the same thing twice: byte-identical files, overlapping fields, copies from another set.

What is found depends on pixels alone and is kept in the cache under the hashes of all files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from allsight.core.progress import silent
from allsight.core.provenance import fingerprint
from allsight.data.alignment import places
from allsight.data.hashing import content_hashes
from allsight.data.kept import kept, pixels_fingerprint
from allsight.data.matching import align, look_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.progress import Progress

_VERSION = "2"  # of all that matching does: raised when its results change
_LEAST_INLIERS = 4  # on one similarity
_MANY_INLIERS = 8
_LEAST_LIKENESS = 0.35  # where many places agree
_LEAST_LIKENESS_OF_FEW = 0.5  # where few do: one large cell laid on another reached 0.48
_LEAST_INLIERS_SHEARED = 10  # on one affine map

Row = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two images that show, in part, the same field.

    Attributes:
        a: name of the first image.
        b: name of the second.
        inliers: places found in both that agree on one movement.
        likeness: correlation of the pixels where they overlap, in [-1, 1].
        movement: affine map from pixels (x, y, 1) of `a` to pixels (x, y) of `b`, in rows; it may mirror.
    """

    a: str
    b: str
    inliers: int
    likeness: float
    movement: tuple[Row, Row]


@dataclass(frozen=True, slots=True)
class Overlaps:
    """All overlaps inside a data set.

    Attributes:
        pairs: sorted by name; byte-identical images are paired too.
        groups: images connected by pairs, two or more names each, sorted.
        unreadable: what was wrong, by name, for images that could not be read.
    """

    pairs: tuple[Overlap, ...]
    groups: tuple[tuple[str, ...], ...]
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """Of which image of another set an image is a copy.

    Attributes:
        image: name of the image.
        original: the other set's image with most inliers, the first of equals; None where none agrees.
        inliers: places found in both that agree on one affine map; 0 where there is no original.
        likeness: correlation of the pixels where they overlap, in [-1, 1]; 0 where there is no original.
        mirrored: whether left and right are exchanged.
    """

    image: str
    original: str | None
    inliers: int = 0
    likeness: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class _Matches:
    found: tuple[Match, ...]


def exact_duplicates(hashes: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Groups of byte-identical images, two or more names each, sorted.

    >>> exact_duplicates({"b": "77", "c": "12", "a": "77"})
    (('a', 'b'),)
    """
    names = defaultdict(list)
    for name in sorted(hashes):
        names[hashes[name]].append(name)
    return tuple(sorted(tuple(group) for group in names.values() if len(group) > 1))


def connected(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """What hangs together by pairs, directly or through others; sorted.

    >>> connected([("d", "c"), ("a", "b"), ("e", "d")])
    (('a', 'b'), ('c', 'd', 'e'))
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = list(pairs)
    names = sorted({name for pair in pairs for name in pair})
    place = {name: i for i, name in enumerate(names)}
    rows, columns = ([place[pair[side]] for pair in pairs] for side in (0, 1))
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False) if names else (0, [])
    groups = defaultdict(list)
    for name, number in zip(names, component, strict=True):
        groups[number].append(name)
    return tuple(sorted(tuple(group) for group in groups.values()))


def find_overlaps(dataset: Dataset, hashes: Mapping[str, str], *, progress: Progress = silent) -> Overlaps:
    """Images that show the same field, in whole or in part: shifted, turned, mirrored, scaled, exposed anew.

    Two images count as overlapping when at least 4 places agree on one similarity and the pixels that then lie
    on each other correlate by 0.5 or more; by 0.35 or more where at least 8 places agree.

    Args:
        dataset: its `overlay` is left out of the comparison.
        hashes: content hash by name; images without one are not looked at.
        progress: is told how far the work is.
    """
    key = fingerprint(["overlaps", _VERSION, pixels_fingerprint(dataset, hashes)])
    return kept(Overlaps, "overlaps", key=key, compute=lambda: _find_overlaps(dataset, hashes, progress))


def match_against(dataset: Dataset, other: Dataset, *, progress: Progress = silent) -> tuple[Match, ...]:
    """For each readable image the image of another set that it was made from, if one is found.

    Copies may be shifted, turned, mirrored, zoomed, sheared and exposed anew: at least 10 places must agree on
    one affine map, and the pixels that then lie on each other correlate by 0.35 or more.

    Args:
        dataset: the images in question.
        other: where originals are looked for.
        progress: is told how far the work is.
    """
    sides = [pixels_fingerprint(d, content_hashes(d, progress=progress)) for d in (dataset, other)]
    key = fingerprint(["matches", _VERSION, *sides])
    return kept(_Matches, "matches", key=key, compute=lambda: _find_originals(dataset, other, progress)).found


def _find_overlaps(dataset: Dataset, hashes: Mapping[str, str], progress: Progress) -> Overlaps:
    identical = [(group[0], copy) for group in exact_duplicates(hashes) for copy in group[1:]]
    seen = look_at(dataset, hashes.keys() - {copy for _, copy in identical}, progress=progress)
    best: dict[tuple[str, str], Overlap] = {}
    for mirror in (False, True):
        for found in align(seen, mirror=mirror, least=_LEAST_INLIERS, progress=progress):
            overlap = Overlap(found.first, found.second, found.inliers, found.likeness, _rows(found.matrix))
            if _convincing(overlap) and _beats(overlap, best.get((overlap.a, overlap.b))):
                best[overlap.a, overlap.b] = overlap
    for original, copy in identical:
        if original in seen.keypoints:
            inliers = places(seen.keypoints[original].positions)
            best[original, copy] = Overlap(original, copy, inliers, 1.0, ((1, 0, 0), (0, 1, 0)))
    unreadable = dict(seen.unreadable)
    unreadable |= {copy: unreadable[original] for original, copy in identical if original in unreadable}
    return Overlaps(tuple(best[pair] for pair in sorted(best)), connected(best), unreadable)


def _find_originals(dataset: Dataset, other: Dataset, progress: Progress) -> _Matches:
    copies = look_at(dataset, {sample.name for sample in dataset.samples}, progress=progress)
    originals = look_at(other, {sample.name for sample in other.samples}, progress=progress)
    best = {name: Match(name, None) for name in copies.keypoints}
    for mirror in (False, True):
        least = _LEAST_INLIERS_SHEARED
        for found in align(copies, originals, mirror=mirror, shear=True, least=least, progress=progress):
            match = Match(found.first, found.second, found.inliers, found.likeness, found.mirrored)
            if _convincing(match) and _beats(match, best[match.image]):
                best[match.image] = match
    return _Matches(tuple(best.values()))


def _convincing(found: Overlap | Match) -> bool:
    least = _LEAST_LIKENESS if found.inliers >= _MANY_INLIERS else _LEAST_LIKENESS_OF_FEW
    return found.likeness >= least


def _beats(new: Overlap | Match, known: Overlap | Match | None) -> bool:
    return known is None or new.inliers > known.inliers


def _rows(matrix: NDArray[np.float64]) -> tuple[Row, Row]:
    first, second = (tuple(round(float(value), 4) for value in row) for row in matrix)
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])
