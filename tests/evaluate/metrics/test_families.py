"""What holds for every metric."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from allsight.evaluate.metrics.families import OVERALL, PER_CLASS, measure_of

from .cases import Case, cases

DESIGN = (
    "accuracy balanced_accuracy precision_macro recall_macro f1_macro f1_weighted auc_macro map ece brier nll"
)


def test_the_names_are_those_of_the_design() -> None:
    assert list(OVERALL) == DESIGN.split()
    assert set(PER_CLASS) == {"precision", "recall", "f1", "specificity", "support", "auc", "ap"}


@pytest.mark.parametrize("name", [*OVERALL, *PER_CLASS])
def test_each_metric_says_what_it_is(name: str) -> None:
    metric = (OVERALL | PER_CLASS)[name]
    assert metric.title
    assert metric.source
    assert metric.definition.endswith(".")


@settings(max_examples=40, deadline=None)
@given(cases())
def test_an_image_of_weight_two_is_two_images_and_of_weight_zero_none(case: Case) -> None:
    counts = np.round(case.weights[:1]).astype(np.intp)
    counts[0, 0] += 1
    times = np.repeat(np.arange(len(case.labels)), counts[0])
    weighted = measure_of(case.probabilities, case.labels)(counts.astype(np.float64))
    repeated = measure_of(case.probabilities[times], case.labels[times])(np.ones((1, len(times))))
    for name, value in weighted.items():
        np.testing.assert_allclose(value, repeated[name], atol=1e-9, err_msg=name)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_doubling_every_weight_changes_nothing(case: Case) -> None:
    measure = measure_of(case.probabilities, case.labels)
    once, twice = measure(case.weights), measure(2 * case.weights)
    for name in OVERALL:
        np.testing.assert_allclose(once[name], twice[name], atol=1e-9, err_msg=name)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_a_perfect_model_is_at_the_better_end_and_no_model_beyond_it(case: Case) -> None:
    perfect = measure_of(np.eye(case.probabilities.shape[1])[case.labels], case.labels)(case.weights)
    values = measure_of(case.probabilities, case.labels)(case.weights)
    for name, metric in OVERALL.items():
        sign = 1 if metric.higher_is_better else -1
        defined = ~np.isnan(values[name])
        assert (sign * (perfect[name] - values[name])[defined] >= -1e-9).all(), name
        np.testing.assert_allclose(perfect[name][defined], 1.0 if metric.higher_is_better else 0.0, atol=1e-9)


def test_only_the_metrics_asked_for_are_measured() -> None:
    values = measure_of(np.eye(2), np.array([0, 1]), only=["f1_macro", "auc"])(np.ones((1, 2)))
    assert set(values) == {"f1_macro", "auc"}
