"""Curves stay the curves they were after thinning."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from allsight.evaluate.metrics import calibration, curves


def _binary(
    n: int,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    rng = np.random.default_rng(11)
    positive = rng.random(n) < 0.3
    return rng.normal(size=n) + 1.2 * positive, positive


@pytest.mark.parametrize("n", [10, 5000])
def test_the_area_under_a_thinned_roc_curve_is_the_auc(n: int) -> None:
    scores, positive = _binary(n)
    points = curves.roc(scores, positive)
    assert points is not None
    assert len(points.x) <= curves.MOST_POINTS
    assert (points.x[0], points.y[0], points.x[-1], points.y[-1]) == (0, 0, 1, 1)
    assert auc(points.x, points.y) == pytest.approx(roc_auc_score(positive, scores), abs=2e-3)


@pytest.mark.parametrize("n", [10, 5000])
def test_the_area_under_a_thinned_precision_recall_curve_is_the_average_precision(n: int) -> None:
    scores, positive = _binary(n)
    points = curves.precision_recall(scores, positive)
    assert points is not None
    assert len(points.x) <= curves.MOST_POINTS
    assert (points.x[0], points.y[0], points.x[-1]) == (0, 1, 1)
    area = (np.diff(points.x) * points.y[1:]).sum()
    assert area == pytest.approx(average_precision_score(positive, scores), abs=1e-2)


def test_a_side_without_images_has_no_curve() -> None:
    scores = np.array([0.1, 0.2])
    assert curves.roc(scores, np.array([True, True])) is None
    assert curves.roc(scores, np.array([False, False])) is None
    assert curves.precision_recall(scores, np.array([False, False])) is None
    assert curves.precision_recall(scores, np.array([True, True])) is not None


def test_the_bins_of_the_reliability_plot_add_up_to_the_calibration_error() -> None:
    rng = np.random.default_rng(13)
    probabilities, labels = rng.dirichlet(np.ones(3), size=200), rng.integers(3, size=200)
    bins = curves.reliability_measure(probabilities, labels)(np.ones((1, 200)))
    gaps = np.nan_to_num(np.abs(bins["accuracy"] - bins["confidence"]))
    errors = calibration.prepare(probabilities, labels)(np.ones((1, 200)))
    assert (gaps * bins["images"]).sum() / 200 == pytest.approx(
        calibration.expected_calibration_error(errors)[0], abs=1e-12
    )
    assert bins["images"].sum() == 200
