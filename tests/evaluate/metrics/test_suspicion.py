"""The binary question, against scikit-learn on the summed probability."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import average_precision_score, recall_score, roc_auc_score

from allsight.evaluate.metrics import suspicion

from .cases import Case, cases


@settings(max_examples=60, deadline=None)
@given(cases(least_classes=3))
def test_metrics_of_suspicion_are_those_of_scikit_learn(case: Case) -> None:
    suspicious = np.arange(case.probabilities.shape[1]) > 0
    values = suspicion.measure_of(case.probabilities, case.labels, suspicious=suspicious)(case.weights)
    for row, (probabilities, labels, weights) in enumerate(case.rows()):
        truth, named = labels > 0, probabilities.argmax(axis=1) > 0
        score = suspicion.suspicion(probabilities, suspicious=suspicious)
        np.testing.assert_allclose(score, 1 - probabilities[:, 0], atol=1e-12)
        if truth.any():
            judge = recall_score(truth, named, sample_weight=weights)
            assert values["sensitivity"][row] == pytest.approx(judge, abs=1e-12)
            judge = average_precision_score(truth, score, sample_weight=weights)
            assert values["ap"][row] == pytest.approx(judge, abs=1e-9)
        else:
            assert np.isnan(values["sensitivity"][row])
        if not truth.all():
            judge = recall_score(~truth, ~named, sample_weight=weights)
            assert values["specificity"][row] == pytest.approx(judge, abs=1e-12)
        if len(np.unique(truth)) == 2:
            judge = roc_auc_score(truth, score, sample_weight=weights)
            assert values["auc"][row] == pytest.approx(judge, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_the_threshold_gives_what_is_said_of_it(case: Case) -> None:
    suspicious = np.arange(case.probabilities.shape[1]) > 0
    measure = suspicion.measure_of(case.probabilities, case.labels, suspicious=suspicious)
    truth = suspicious[case.labels]
    score = suspicion.suspicion(case.probabilities, suspicious=suspicious)
    for wanted in suspicion.SPECIFICITIES:
        value = measure(np.ones((1, len(truth))))[suspicion.at_specificity(wanted)][0]
        threshold = suspicion.threshold_at(
            case.probabilities, case.labels, suspicious=suspicious, specificity=wanted
        )
        if threshold is None:
            assert np.isnan(value) or value == 0.0
        else:
            called = score >= threshold
            assert (~called[~truth]).mean() >= wanted - 1e-9
            assert called[truth].mean() == pytest.approx(value)
