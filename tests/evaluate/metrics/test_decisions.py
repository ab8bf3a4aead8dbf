"""Metrics of the named class, against scikit-learn and torchmetrics."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

from allsight.evaluate.metrics import decisions
from allsight.evaluate.metrics.families import OVERALL, PER_CLASS, measure_of
from allsight.evaluate.metrics.metric import Floats, Labels

from .cases import Case, cases


def _balanced_accuracy(labels: Labels, named: Labels, weights: Floats) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class is named that no image has
        return float(balanced_accuracy_score(labels, named, sample_weight=weights))


@settings(max_examples=60, deadline=None)
@given(cases())
def test_overall_metrics_are_those_of_scikit_learn(case: Case) -> None:
    overall = [metric.name for metric in decisions.FAMILY.overall]
    values = measure_of(case.probabilities, case.labels, only=overall)(case.weights)
    for row, (probabilities, labels, weights) in enumerate(case.rows()):
        named = probabilities.argmax(axis=1)
        present: dict[str, Any] = {"labels": np.unique(labels), "sample_weight": weights, "zero_division": 0}
        precision, recall, f1, _ = precision_recall_fscore_support(labels, named, average="macro", **present)
        weighted = f1_score(labels, named, average="weighted", **present)
        expected = {
            "accuracy": accuracy_score(labels, named, sample_weight=weights),
            "balanced_accuracy": _balanced_accuracy(labels, named, weights),
            "precision_macro": precision,
            "recall_macro": recall,
            "f1_macro": f1,
            "f1_weighted": weighted,
        }
        assert {name: value[row] for name, value in values.items()} == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_confusion_and_per_class_metrics_are_those_of_scikit_learn(case: Case) -> None:
    classes = case.probabilities.shape[1]
    confusion = decisions.prepare(case.probabilities, case.labels)(case.weights)
    for row, (probabilities, labels, weights) in enumerate(case.rows()):
        named = probabilities.argmax(axis=1)
        judge = confusion_matrix(labels, named, labels=range(classes), sample_weight=weights)
        np.testing.assert_allclose(confusion[row], judge, atol=1e-12)
        present = np.unique(labels)
        precision, recall, f1, _ = precision_recall_fscore_support(
            labels, named, labels=present, sample_weight=weights, zero_division=0
        )
        np.testing.assert_allclose(decisions.precision(confusion)[row, present], precision, atol=1e-12)
        np.testing.assert_allclose(decisions.recall(confusion)[row, present], recall, atol=1e-12)
        np.testing.assert_allclose(decisions.f1(confusion)[row, present], f1, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(cases())
def test_specificity_of_a_class_is_the_recall_of_the_rest(case: Case) -> None:
    specificity = decisions.specificity(decisions.prepare(case.probabilities, case.labels)(case.weights))
    named = case.probabilities.argmax(axis=1)
    for c in range(case.probabilities.shape[1]):
        rest = case.weights * (case.labels != c)
        with np.errstate(invalid="ignore"):
            expected = (rest * (named != c)).sum(axis=1) / rest.sum(axis=1)
        np.testing.assert_allclose(specificity[:, c], expected, atol=1e-12)


def test_a_class_without_images_is_left_out_of_macro_means() -> None:
    # Class 2 has no images but is named once; class 1 has images and is never named.
    probabilities = np.eye(3)[[0, 0, 2, 0]]
    labels = np.array([0, 0, 0, 1])
    values = measure_of(probabilities, labels)(np.ones((1, 4)))
    np.testing.assert_allclose(values["recall"], [[2 / 3, 0.0, np.nan]])
    np.testing.assert_allclose(values["precision"], [[2 / 3, 0.0, np.nan]])
    np.testing.assert_allclose(values["recall_macro"], [1 / 3])
    np.testing.assert_allclose(values["f1_macro"], [1 / 3])


def test_no_weight_at_all_is_undefined_and_not_zero() -> None:
    values = measure_of(np.eye(2), np.array([0, 1]))(np.zeros((1, 2)))
    assert all(np.isnan(values[name]).all() for name in OVERALL)
    assert all(np.isnan(values[name]).all() for name in PER_CLASS if name != "support")


def test_torchmetrics_agrees() -> None:
    from allsight.core.torchvision_ops import ensure

    ensure()
    import torch
    from torchmetrics.functional import classification as judge

    rng = np.random.default_rng(3)
    probabilities, labels = rng.dirichlet(np.ones(4), size=300), rng.integers(4, size=300)
    p, y = torch.from_numpy(probabilities), torch.from_numpy(labels)
    values = measure_of(probabilities, labels)(np.ones((1, 300)))
    macro: dict[str, Any] = {"num_classes": 4, "average": "macro"}
    expected = {
        "accuracy": judge.multiclass_accuracy(p, y, num_classes=4, average="micro"),
        "balanced_accuracy": judge.multiclass_accuracy(p, y, **macro),
        "precision_macro": judge.multiclass_precision(p, y, **macro),
        "recall_macro": judge.multiclass_recall(p, y, **macro),
        "f1_macro": judge.multiclass_f1_score(p, y, **macro),
        "f1_weighted": judge.multiclass_f1_score(p, y, num_classes=4, average="weighted"),
    }
    assert {n: values[n][0] for n in expected} == pytest.approx(
        {n: float(v) for n, v in expected.items()}, abs=1e-6
    )
    specificity = judge.multiclass_specificity(p, y, num_classes=4, average="none")
    np.testing.assert_allclose(values["specificity"][0], specificity.numpy(), atol=1e-6)
