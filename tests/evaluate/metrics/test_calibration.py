"""Calibration error, Brier score and log loss, against scikit-learn, torchmetrics and the paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import brier_score_loss, log_loss

from allsight.evaluate.metrics import calibration
from allsight.evaluate.metrics.families import measure_of
from allsight.evaluate.metrics.metric import Floats, Labels

from .cases import Case, cases


def ece_in_words(probabilities: Floats, labels: Labels, weights: Floats) -> float:
    """Guo et al. 2017, equations 1 to 3, bin by bin: I_m = ((m − 1) / M, m / M]."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    error = 0.0
    for m in range(1, 16):
        inside = (confidence > (m - 1) / 15) & (confidence <= m / 15)
        if inside.any():
            share = np.average(right[inside], weights=weights[inside])
            mean = np.average(confidence[inside], weights=weights[inside])
            error += weights[inside].sum() / weights.sum() * abs(share - mean)
    return float(error)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_brier_and_log_loss_are_those_of_scikit_learn(case: Case) -> None:
    values = measure_of(case.probabilities, case.labels, only=["brier", "nll"])(case.weights)
    classes = range(case.probabilities.shape[1])
    for row, (probabilities, labels, weights) in enumerate(case.rows()):
        judge = brier_score_loss(
            np.eye(len(classes))[labels], probabilities, sample_weight=weights, scale_by_half=False
        )
        assert values["brier"][row] == pytest.approx(judge, abs=1e-12)
        judge = log_loss(labels, probabilities, sample_weight=weights, labels=classes)
        assert values["nll"][row] == pytest.approx(judge, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_calibration_error_is_that_of_its_paper(case: Case) -> None:
    values = measure_of(case.probabilities, case.labels, only=["ece"])(case.weights)["ece"]
    for row, (probabilities, labels, weights) in enumerate(case.rows()):
        if not (np.abs(probabilities.max(axis=1) * 15 % 1 - 0.5) > 0.499).any():  # away from the bins' edges
            assert values[row] == pytest.approx(ece_in_words(probabilities, labels, weights), abs=1e-12)


def test_bins_are_closed_on_the_right() -> None:
    confidence = np.array([1.0, 0.8, 0.6])  # 15/15, 12/15, 9/15
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    images = calibration.prepare(probabilities, np.zeros(3, dtype=np.intp))(np.ones((1, 3))).images[0]
    assert np.flatnonzero(images).tolist() == [8, 11, 14]


def test_a_wrong_certainty_has_a_finite_loss() -> None:
    values = measure_of(np.eye(2)[[1]], np.array([0]))(np.ones((1, 1)))
    assert values["nll"][0] == pytest.approx(-np.log(np.finfo(np.float64).eps))
    assert values["brier"][0] == 2.0
    assert values["ece"][0] == 1.0


def test_torchmetrics_agrees() -> None:
    from allsight.core.torchvision_ops import ensure

    ensure()
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    rng = np.random.default_rng(7)
    probabilities, labels = rng.dirichlet(np.ones(4), size=500), rng.integers(4, size=500)
    judge = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(labels), num_classes=4, n_bins=15, norm="l1"
    )
    assert measure_of(probabilities, labels)(np.ones((1, 500)))["ece"][0] == pytest.approx(
        float(judge), abs=1e-6
    )
