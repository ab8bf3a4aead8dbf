"""Areas under curves, against scikit-learn and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from allsight.evaluate.metrics import ranking
from allsight.evaluate.metrics.families import measure_of

from .cases import Case, cases


@settings(max_examples=80, deadline=None)
@given(cases())
def test_areas_are_those_of_scikit_learn_class_by_class(case: Case) -> None:
    areas = ranking.prepare(case.probabilities, case.labels)(case.weights)
    for row, (probabilities, labels, weights) in enumerate(case.rows()):
        for c in range(probabilities.shape[1]):
            positive, score = labels == c, probabilities[:, c]
            if positive.all() or not positive.any():
                assert np.isnan(areas.auc[row, c])
            else:
                judge = roc_auc_score(positive, score, sample_weight=weights)
                assert areas.auc[row, c] == pytest.approx(judge, abs=1e-9)
            if positive.any():
                judge = average_precision_score(positive, score, sample_weight=weights)
                assert areas.ap[row, c] == pytest.approx(judge, abs=1e-9)
            else:
                assert np.isnan(areas.ap[row, c])


@settings(max_examples=40, deadline=None)
@given(cases())
def test_macro_is_the_mean_over_classes_that_have_an_area(case: Case) -> None:
    values = measure_of(case.probabilities, case.labels)(case.weights)
    for overall, per_class in (("auc_macro", "auc"), ("map", "ap")):
        for value, of_classes in zip(values[overall], values[per_class], strict=True):
            defined = of_classes[~np.isnan(of_classes)]
            expected = defined.mean() if len(defined) else np.nan
            assert value == pytest.approx(expected, nan_ok=True)


@settings(max_examples=80, deadline=None)
@given(cases(most_classes=2))
def test_sensitivity_at_a_specificity_is_the_best_point_of_the_roc_curve(case: Case) -> None:
    ranked = ranking.weigh(ranking.rank(case.probabilities[:, 1], case.labels == 1), case.weights)
    for wanted in (0.0, 0.5, 0.9, 0.95, 1.0):
        found = ranking.sensitivity_at(ranked, specificity=wanted)
        for row, (probabilities, labels, weights) in enumerate(case.rows()):
            if len(np.unique(labels)) < 2:
                assert np.isnan(found[row])
                continue
            false_alarms, sensitivity, _ = roc_curve(
                labels == 1, probabilities[:, 1], sample_weight=weights, drop_intermediate=False
            )
            assert found[row] == pytest.approx(sensitivity[1 - false_alarms >= wanted - 1e-9].max(), abs=1e-9)


def test_a_share_of_false_alarms_at_its_very_limit_is_allowed() -> None:
    # One of ten negatives is called: a specificity of 0.9, though 1 − 0.9 is 0.09999999999999998 in binary.
    scores = np.array([0.9, 0.8, *np.linspace(0.1, 0.5, 9)])
    positive = np.arange(11) == 1
    ranked = ranking.weigh(ranking.rank(scores, positive), np.ones((1, 11)))
    assert ranking.sensitivity_at(ranked, specificity=0.90) == pytest.approx([1.0])
    assert ranking.sensitivity_at(ranked, specificity=0.91) == pytest.approx([0.0])


def test_equal_scores_count_half() -> None:
    ranked = ranking.weigh(
        ranking.rank(np.array([0.5, 0.5, 0.5]), np.array([True, False, False])), np.ones((1, 3))
    )
    assert ranking.auc(ranked) == pytest.approx([0.5])
    assert ranking.average_precision(ranked) == pytest.approx([1 / 3])


def test_a_solved_case() -> None:
    # Positives at places 1 and 3: precision 1/1 and 2/3 there, and one of four pairs in the wrong order.
    scores, positive = np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
    ranked = ranking.weigh(ranking.rank(scores, positive), np.ones((1, 4)))
    assert ranking.average_precision(ranked) == pytest.approx([(1 + 2 / 3) / 2])
    assert ranking.auc(ranked) == pytest.approx([3 / 4])
    assert ranking.sensitivity_at(ranked, specificity=0.9) == pytest.approx([1 / 2])
    assert ranking.sensitivity_at(ranked, specificity=0.5) == pytest.approx([1.0])


def test_torchmetrics_agrees() -> None:
    from allsight.core.torchvision_ops import ensure

    ensure()
    import torch
    from torchmetrics.functional import classification as judge

    rng = np.random.default_rng(5)
    labels = rng.integers(4, size=400)
    probabilities = rng.dirichlet(np.ones(4), size=400)
    probabilities[np.arange(400), labels] += 0.3
    probabilities = np.round(probabilities / probabilities.sum(axis=1, keepdims=True), 2)  # ties
    p, y = torch.from_numpy(probabilities), torch.from_numpy(labels)
    areas = ranking.prepare(probabilities, labels)(np.ones((1, 400)))
    auc = judge.multiclass_auroc(p, y, num_classes=4, average="none", validate_args=False)
    ap = judge.multiclass_average_precision(p, y, num_classes=4, average="none", validate_args=False)
    np.testing.assert_allclose(areas.auc[0], auc.numpy(), atol=1e-6)
    np.testing.assert_allclose(areas.ap[0], ap.numpy(), atol=1e-6)
    ranked = ranking.weigh(ranking.rank(probabilities[:, 1], labels == 1), np.ones((1, 400)))
    at_90, _ = judge.binary_sensitivity_at_specificity(p[:, 1], (y == 1).long(), min_specificity=0.90)
    assert ranking.sensitivity_at(ranked, specificity=0.90)[0] == pytest.approx(float(at_90), abs=1e-6)
