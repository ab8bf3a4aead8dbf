"""Metrics of one binary question: is the image suspicious, that is, of any class that means leukemia?

The score is the sum of the suspicious classes' probabilities. The decision that sensitivity and specificity
speak of is the model's own: the class it names is a suspicious one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from allsight.evaluate.metrics import decisions, ranking
from allsight.evaluate.metrics.metric import Floats, Labels, Measure

SPECIFICITIES = (0.90, 0.95)


def suspicion(probabilities: Floats, *, suspicious: NDArray[np.bool_]) -> Floats:
    """Probability (n,) that an image is of a suspicious class, from probabilities (n, C) and a mask (C,)."""
    return np.asarray(probabilities[:, suspicious].sum(axis=1))


def at_specificity(specificity: float) -> str:
    """The key of sensitivity at a fixed specificity.

    >>> at_specificity(0.95)
    'sensitivity_at_specificity_0.95'
    """
    return f"sensitivity_at_specificity_{specificity:.2f}"


def measure_of(probabilities: Floats, labels: Labels, *, suspicious: NDArray[np.bool_]) -> Measure:
    """Weights (B, n) to the metrics of suspicion, (B,) each, NaN where a side has no images.

    Keys: `sensitivity`, `specificity`, `auc`, `ap` and one `at_specificity` each.
    """
    truth = suspicious[labels]
    named = suspicious[probabilities.argmax(axis=1)]
    confusion_of = decisions.prepare(np.eye(2)[named.astype(np.intp)], truth.astype(np.intp))
    ranks = ranking.rank(suspicion(probabilities, suspicious=suspicious), truth)

    def measure(weights: Floats) -> dict[str, Floats]:
        recall = decisions.recall(confusion_of(weights))
        ranked = ranking.weigh(ranks, weights)
        return {
            "sensitivity": recall[..., 1],
            "specificity": recall[..., 0],
            "auc": ranking.auc(ranked),
            "ap": ranking.average_precision(ranked),
        } | {at_specificity(s): ranking.sensitivity_at(ranked, specificity=s) for s in SPECIFICITIES}

    return measure


def threshold_at(
    probabilities: Floats, labels: Labels, *, suspicious: NDArray[np.bool_], specificity: float
) -> float | None:
    """Lowest suspicion that, taken as the threshold, keeps `specificity` on these images; calls are `>=` it.

    None where no image is unsuspicious, or where no threshold that finds anything keeps the specificity.
    """
    truth = suspicious[labels]
    if truth.all():
        return None
    score = suspicion(probabilities, suspicious=suspicious)
    found = ranking.rank(score, truth)
    allowed = ranking.allowed_at(ranking.weigh(found, np.ones((1, len(labels)))), specificity=specificity)[0]
    return float(score[found.positives][allowed].min()) if allowed.any() else None
