"""Metrics of how scores order images, each class against the rest: area under ROC, average precision.

Both are sums over the positives i of a function of how much weight scores at least as high as i, so the
scores are sorted once and every resample costs two cumulative sums. Equal scores are one threshold, as in
scikit-learn.

A class without positives, or for the ROC without negatives, has no area: NaN, and the mean is over the
others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allsight.evaluate.metrics.metric import Family, Floats, Labels, Metric, mean_over_defined, ratio

_TOLERANCE = 1e-9  # 1 − 0.9 is a little less than 0.1 in floating point; the limit itself is allowed


@dataclass(frozen=True, slots=True)
class Ranking:
    """Images of a binary problem sorted by falling score.

    Attributes:
        positives: indices of the P positive images, highest score first.
        negatives: the same of the N negative ones.
        positives_at: (P,) how many positives score at least as high as each positive.
        negatives_at: (P,) how many negatives do.
        negatives_above: (P,) how many negatives score higher.
    """

    positives: NDArray[np.intp]
    negatives: NDArray[np.intp]
    positives_at: NDArray[np.intp]
    negatives_at: NDArray[np.intp]
    negatives_above: NDArray[np.intp]


class RankedWeights(NamedTuple):
    """Weight that scores at least as high as each positive; arrays (B, P), totals (B, 1)."""

    own: Floats
    positives_at: Floats
    negatives_at: Floats
    negatives_above: Floats
    positives: Floats
    negatives: Floats


class Areas(NamedTuple):
    """Areas under the curves of each class against the rest, (B, C)."""

    auc: Floats
    ap: Floats


def rank(scores: Floats, positive: NDArray[np.bool_]) -> Ranking:
    """Sort images (n,) by score and count, for each positive, what scores as high and higher."""
    order = np.argsort(-scores, kind="stable")
    positives, negatives = order[positive[order]], order[~positive[order]]
    falling = -scores[positives]
    return Ranking(
        positives=positives,
        negatives=negatives,
        positives_at=np.searchsorted(falling, falling, side="right"),
        negatives_at=np.searchsorted(-scores[negatives], falling, side="right"),
        negatives_above=np.searchsorted(-scores[negatives], falling, side="left"),
    )


def weigh(ranking: Ranking, weights: Floats) -> RankedWeights:
    """What weights (B, n) make of a ranking."""
    own = weights[:, ranking.positives]
    positives = _running_sum(own)
    negatives = _running_sum(weights[:, ranking.negatives])
    return RankedWeights(
        own=own,
        positives_at=positives[:, ranking.positives_at],
        negatives_at=negatives[:, ranking.negatives_at],
        negatives_above=negatives[:, ranking.negatives_above],
        positives=positives[:, -1:],
        negatives=negatives[:, -1:],
    )


def _running_sum(values: Floats) -> Floats:
    """(B, n) → (B, n + 1), beginning with 0."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def auc(ranked: RankedWeights) -> Floats:
    """Probability that a positive scores higher than a negative, equal scores counting half, (B,)."""
    below = ranked.negatives - (ranked.negatives_at + ranked.negatives_above) / 2
    pairs = (ranked.positives * ranked.negatives)[:, 0]
    return ratio(np.einsum("bp,bp->b", ranked.own, below), pairs)


def average_precision(ranked: RankedWeights) -> Floats:
    """Precision at the score of each positive, averaged over the positives, (B,)."""
    called = ranked.positives_at + ranked.negatives_at
    precision = np.divide(ranked.positives_at, called, out=np.zeros_like(called), where=called > 0)
    return ratio(np.einsum("bp,bp->b", ranked.own, precision), ranked.positives[:, 0])


def sensitivity_at(ranked: RankedWeights, *, specificity: float) -> Floats:
    """Highest sensitivity of any threshold whose specificity is at least `specificity` (in [0, 1]), (B,).

    A positive is found by some allowed threshold exactly when the threshold at its own score is allowed.
    """
    found = np.einsum("bp,bp->b", ranked.own, allowed_at(ranked, specificity=specificity).astype(np.float64))
    return np.where(ranked.negatives[:, 0] > 0, ratio(found, ranked.positives[:, 0]), np.nan)


def allowed_at(ranked: RankedWeights, *, specificity: float) -> NDArray[np.bool_]:
    """Whether a threshold at each positive's score keeps `specificity`, (B, P)."""
    return np.asarray(ranked.negatives_at <= (1.0 - specificity + _TOLERANCE) * ranked.negatives)


def prepare(probabilities: Floats, labels: Labels) -> Callable[[Floats], Areas]:
    """Weights (B, n) to areas (B, C), each class against the rest."""
    rankings = [rank(probabilities[:, c], labels == c) for c in range(probabilities.shape[1])]

    def areas(weights: Floats) -> Areas:
        ranked = [weigh(ranking, weights) for ranking in rankings]
        return Areas(
            auc=np.stack([auc(r) for r in ranked], axis=-1),
            ap=np.stack([average_precision(r) for r in ranked], axis=-1),
        )

    return areas


FAMILY = Family(
    prepare=prepare,
    overall=(
        Metric(
            name="auc_macro",
            title="AUC, macro",
            higher_is_better=True,
            definition="Mean over the classes of the area under the ROC curve of the class against the rest.",
            source="Hanley & McNeil 1982, doi 10.1148/radiology.143.1.7063747; one-vs-rest, unweighted mean",
            of=lambda areas: mean_over_defined(areas.auc),
        ),
        Metric(
            name="map",
            title="Mean average precision",
            higher_is_better=True,
            definition=(
                "Mean over the classes of average precision: precision at each threshold, "
                "weighted by the recall gained there."
            ),
            source="scikit-learn average_precision_score; no interpolation",
            of=lambda areas: mean_over_defined(areas.ap),
        ),
    ),
    per_class=(
        Metric(
            name="auc",
            title="AUC",
            higher_is_better=True,
            definition="Area under the ROC curve of the class against the rest.",
            source="Hanley & McNeil 1982, doi 10.1148/radiology.143.1.7063747",
            of=lambda areas: areas.auc,
        ),
        Metric(
            name="ap",
            title="Average precision",
            higher_is_better=True,
            definition="Precision at each threshold, weighted by the recall gained there.",
            source="scikit-learn average_precision_score; no interpolation",
            of=lambda areas: areas.ap,
        ),
    ),
)
