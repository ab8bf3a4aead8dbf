"""Metrics of whether probabilities mean what they say: calibration error, Brier score, log loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from allsight.evaluate.metrics.metric import Family, Floats, Labels, Metric, ratio

BINS = 15  # Guo et al. 2017, section 5


class Errors(NamedTuple):
    """Sums over images; resamples in the leading dimension.

    Attributes:
        images: (B, BINS) weight in each bin of top-1 confidence; bin m holds (m / BINS, (m + 1) / BINS].
        right: (B, BINS) weight of those whose class is named right.
        confidence: (B, BINS) their summed top-1 confidence.
        squared: (B,) sum of the squared distance between probabilities and the one-hot label.
        log: (B,) sum of −ln(probability of the label).
    """

    images: Floats
    right: Floats
    confidence: Floats
    squared: Floats
    log: Floats


def prepare(probabilities: Floats, labels: Labels) -> Callable[[Floats], Errors]:
    """Weights (B, n) to the sums that calibration is measured by."""
    n, classes = probabilities.shape
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    bins = np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)
    in_bin = np.eye(BINS)[bins]
    squared = ((probabilities - np.eye(classes)[labels]) ** 2).sum(axis=1)
    own = probabilities[np.arange(n), labels]
    log = -np.log(np.clip(own, np.finfo(np.float64).eps, 1.0))
    columns = np.concatenate(
        [in_bin, in_bin * right[:, None], in_bin * confidence[:, None], squared[:, None], log[:, None]],
        axis=1,
    )

    def errors(weights: Floats) -> Errors:
        sums = weights @ columns
        per_bin = sums[..., : 3 * BINS].reshape(*sums.shape[:-1], 3, BINS)
        return Errors(
            per_bin[..., 0, :], per_bin[..., 1, :], per_bin[..., 2, :], sums[..., -2], sums[..., -1]
        )

    return errors


def _total(errors: Errors) -> Floats:
    return np.asarray(errors.images.sum(axis=-1))


def expected_calibration_error(errors: Errors) -> Floats:
    """Σ over bins of |right − confidence| / images, (B,)."""
    return ratio(
        np.abs(errors.right - errors.confidence).sum(axis=-1), _total(errors)
    )  # Guo et al. 2017, eq. 3


def brier(errors: Errors) -> Floats:
    """Mean squared distance, summed over the classes, in [0, 2], (B,)."""
    return ratio(errors.squared, _total(errors))


def log_loss(errors: Errors) -> Floats:
    """Mean −ln(probability of the label), (B,)."""
    return ratio(errors.log, _total(errors))


FAMILY = Family(
    prepare=prepare,
    overall=(
        Metric(
            name="ece",
            title="Calibration error (ECE)",
            higher_is_better=False,
            definition=(
                f"Mean distance between confidence in the named class and the share named right, "
                f"over {BINS} equally wide bins of confidence, each weighted by its number of images."
            ),
            source="Guo et al. 2017, arXiv 1706.04599",
            of=expected_calibration_error,
        ),
        Metric(
            name="brier",
            title="Brier score",
            higher_is_better=False,
            definition=(
                "Mean over the images of the squared distance between the probabilities and the label, "
                "summed over all classes: 0 is perfect, 2 the worst."
            ),
            source="Brier 1950, doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
            of=brier,
        ),
        Metric(
            name="nll",
            title="Log loss (NLL)",
            higher_is_better=False,
            definition=(
                "Mean over the images of −ln of the probability of the label, which is kept above 2.2e-16."
            ),
            source="scikit-learn log_loss",
            of=log_loss,
        ),
    ),
)
