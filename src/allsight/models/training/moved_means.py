"""A linear head for a new place from few of its images: the old place's class means, moved and then corrected.

Another stain and microscope move all classes of the embedding much alike. So the classes' means are taken as the old
means, moved as a whole by the mean difference, and corrected class by class as far as the new images bear it: the old
means count as so many images of each class, a number chosen by folds that keep groups together. The spread within
classes stays that of the old place, which has seen many more images. The head is the linear discriminant of these means
(Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 1936).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Fold = tuple[NDArray[np.int64], NDArray[np.int64]]

CANDIDATES = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True, slots=True)
class MovedHead:
    """logits = embedding · weightᵀ + bias.

    Attributes:
        weight: float32 (C, D).
        bias: float32 (C,).
        old_images: as how many images of each class the old means were counted; None where the old head was kept,
            because none of the fitted ones proved better.
        log_loss: mean over the folds, each at its best temperature, by candidate; that of the old head under None.
    """

    weight: Floats
    bias: Floats
    old_images: float | None
    log_loss: dict[float | None, float]


def fit_moved_head(
    embeddings: Floats,
    labels: NDArray[np.int64],
    *,
    turned: Floats,
    groups: NDArray[np.str_],
    projection: Floats,
    centres: Floats,
    old: tuple[Floats, Floats],
    temperature: Callable[[Floats, NDArray[np.int64]], float],
    seed: int,
    folds: int = 5,
) -> MovedHead:
    """Fit on images of a new place.

    Args:
        embeddings: (n, D), what the choice is tried on.
        labels: (n,) in [0, C); classes may be missing, their means then only move.
        turned: (n, D), what is learned from: the mean embedding of each image's turned and mirrored copies, say.
        groups: (n,), never divided between folds; two or more different ones.
        projection: (D, k), whitens the spread within classes of the old place.
        centres: (C, k), the old means after projection.
        old: weight (C, D) and bias (C,) of the old head, itself a candidate.
        temperature: the best one for logits (m, C) and labels (m,).
        seed: of the folds.
        folds: at most; fewer where there are fewer groups.
    """
    from scipy.special import log_softmax

    points = turned @ projection

    def head(rows: NDArray[np.int64], candidate: float) -> tuple[Floats, Floats]:
        means = _means(points[rows], labels[rows], centres=centres, old_images=candidate)
        return (projection @ means.T).T, -(means**2).sum(axis=1) / 2

    tried: dict[float | None, Floats] = {
        candidate: np.empty((len(labels), len(centres)), dtype=np.float32) for candidate in CANDIDATES
    }
    for known, held_back in grouped_folds(labels, groups, folds=folds, seed=seed):
        for candidate in CANDIDATES:
            tried[candidate][held_back] = _logits(embeddings[held_back], *head(known, candidate))
    tried[None] = _logits(embeddings, *old)
    scales = {candidate: temperature(logits, labels) for candidate, logits in tried.items()}
    for candidate in CANDIDATES:  # few images never make a head surer than its model of means and spread
        scales[candidate] = max(1.0, scales[candidate])
    rows = np.arange(len(labels))
    losses = {
        candidate: -float(
            log_softmax(logits.astype(np.float64) / scales[candidate], axis=1)[rows, labels].mean()
        )
        for candidate, logits in tried.items()
    }
    best = min(losses, key=losses.__getitem__)
    weight, bias = old if best is None else head(rows, best)
    scale = 1.0 if best is None else scales[best]
    return MovedHead((weight / scale).astype(np.float32), (bias / scale).astype(np.float32), best, losses)


def grouped_folds(
    labels: NDArray[np.int64], groups: NDArray[np.str_], *, folds: int, seed: int
) -> list[Fold]:
    """Places of the images to learn from and of those held back, for each fold; at most as many as there are groups."""
    from sklearn.model_selection import GroupKFold

    n = min(folds, len(np.unique(groups)))
    return list(GroupKFold(n, shuffle=True, random_state=seed).split(labels, labels, groups))


def _means(points: Floats, labels: NDArray[np.int64], *, centres: Floats, old_images: float) -> Floats:
    """Means (C, k) of the classes: the old ones, moved by the mean difference, and the new ones, by their weights."""
    counts = np.bincount(labels, minlength=len(centres))
    present = np.flatnonzero(counts)
    new = np.stack([points[labels == c].mean(axis=0) for c in present])
    means = centres + (new - centres[present]).mean(axis=0)
    share = (counts[present] / (counts[present] + old_images))[:, None]
    means[present] = share * new + (1 - share) * means[present]
    return np.asarray(means, dtype=np.float32)


def _logits(embeddings: Floats, weight: Floats, bias: Floats) -> Floats:
    return np.asarray(embeddings @ weight.T + bias, dtype=np.float32)
