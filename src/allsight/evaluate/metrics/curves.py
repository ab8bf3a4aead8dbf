"""Points of the curves a page draws, thinned so that a file stays small."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allsight.evaluate.metrics import calibration
from allsight.evaluate.metrics.metric import Floats, Labels, Measure, ratio

MOST_POINTS = 200


class Points(NamedTuple):
    """A curve, (k,) each, k ≤ MOST_POINTS."""

    x: Floats
    y: Floats


def roc(scores: Floats, positive: NDArray[np.bool_]) -> Points | None:
    """False positive rate and sensitivity from (0, 0) to (1, 1); None where a side has no images."""
    if positive.all() or not positive.any():
        return None
    from sklearn.metrics import roc_curve

    false_positive_rate, sensitivity, _ = roc_curve(positive, scores)
    return thin(Points(false_positive_rate, sensitivity))


def precision_recall(scores: Floats, positive: NDArray[np.bool_]) -> Points | None:
    """Recall and precision by rising recall, from (0, 1); None where nothing is positive."""
    if not positive.any():
        return None
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(positive, scores)
    return thin(Points(recall[::-1], precision[::-1]))


def thin(points: Points, *, most: int = MOST_POINTS) -> Points:
    """At most `most` of the points, both ends kept, spread evenly along the curve's length."""
    if len(points.x) <= most:
        return points
    steps = np.abs(np.diff(points.x)) + np.abs(np.diff(points.y))
    along = np.concatenate([[0.0], np.cumsum(steps)])
    kept = np.unique(np.searchsorted(along, np.linspace(0.0, along[-1], most)))
    kept[-1] = len(points.x) - 1
    return Points(points.x[kept], points.y[kept])


def reliability_measure(probabilities: Floats, labels: Labels) -> Measure:
    """Weights (B, n) to what each bin of top-1 confidence holds, (B, BINS) each.

    Keys: `images` (weight), `confidence` (mean), `accuracy` (share named right); NaN where a bin is empty.
    """
    errors_of = calibration.prepare(probabilities, labels)

    def measure(weights: Floats) -> dict[str, Floats]:
        errors = errors_of(weights)
        return {
            "images": errors.images,
            "confidence": ratio(errors.confidence, errors.images),
            "accuracy": ratio(errors.right, errors.images),
        }

    return measure
