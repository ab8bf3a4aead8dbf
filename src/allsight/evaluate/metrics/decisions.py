"""Metrics of the class a model names (the most probable one; the first of equals), from confusion matrices.

A class without images in a resample has no recall, so its precision, recall and F1 are NaN there and every
macro mean is taken over the other classes. This is what scikit-learn computes when told `labels=` those
present. A class that has images but is never named has precision 0, scikit-learn's `zero_division=0`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from allsight.evaluate.metrics.metric import Family, Floats, Labels, Metric, mean_over_defined, ratio

_SOKOLOVA = "Sokolova & Lapalme 2009, doi 10.1016/j.ipm.2009.03.002"


def prepare(probabilities: Floats, labels: Labels) -> Callable[[Floats], Floats]:
    """Weights (B, n) to confusion matrices (B, C, C): rows are labels, columns the named classes."""
    n, classes = probabilities.shape
    cells = np.zeros((n, classes * classes))
    cells[np.arange(n), labels * classes + probabilities.argmax(axis=1)] = 1.0
    return lambda weights: (weights @ cells).reshape(*weights.shape[:-1], classes, classes)


def _hits(confusion: Floats) -> Floats:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def support(confusion: Floats) -> Floats:
    """Images of each class, (…, C)."""
    return np.asarray(confusion.sum(axis=-1))


def accuracy(confusion: Floats) -> Floats:
    """Share of images whose class is named right, (…,)."""
    return ratio(_hits(confusion).sum(axis=-1), confusion.sum(axis=(-2, -1)))


def recall(confusion: Floats) -> Floats:
    """Share of each class's images that are named as it, (…, C)."""
    return ratio(_hits(confusion), support(confusion))


def precision(confusion: Floats) -> Floats:
    """Share of the images named as a class that belong to it, (…, C); 0 for a class that is never named."""
    named = ratio(_hits(confusion), confusion.sum(axis=-2))
    return np.where(support(confusion) > 0, np.nan_to_num(named, nan=0.0), np.nan)


def f1(confusion: Floats) -> Floats:
    """Harmonic mean of precision and recall, (…, C)."""
    truth = support(confusion)
    return np.where(truth > 0, ratio(2 * _hits(confusion), truth + confusion.sum(axis=-2)), np.nan)


def specificity(confusion: Floats) -> Floats:
    """Share of the other classes' images that are not named as the class, (…, C)."""
    truth = support(confusion)
    others = confusion.sum(axis=(-2, -1))[..., None] - truth
    false_calls = confusion.sum(axis=-2) - _hits(confusion)
    return ratio(others - false_calls, others)


def f1_weighted(confusion: Floats) -> Floats:
    """Mean of F1 over the classes, each weighted by its number of images, (…,)."""
    truth = support(confusion)
    return ratio((truth * np.nan_to_num(f1(confusion), nan=0.0)).sum(axis=-1), truth.sum(axis=-1))


FAMILY = Family(
    prepare=prepare,
    overall=(
        Metric(
            name="accuracy",
            title="Accuracy",
            higher_is_better=True,
            definition="Share of images whose class is named right.",
            source=_SOKOLOVA,
            of=accuracy,
        ),
        Metric(
            name="balanced_accuracy",
            title="Balanced accuracy",
            higher_is_better=True,
            definition="Mean over the classes of the share of its images that are named right.",
            source="Brodersen et al. 2010, doi 10.1109/ICPR.2010.764",
            of=lambda confusion: mean_over_defined(recall(confusion)),
        ),
        Metric(
            name="precision_macro",
            title="Precision, macro",
            higher_is_better=True,
            definition="Mean over the classes of the share of images named as the class that belong to it.",
            source=_SOKOLOVA,
            of=lambda confusion: mean_over_defined(precision(confusion)),
        ),
        Metric(
            name="recall_macro",
            title="Recall, macro",
            higher_is_better=True,
            definition="Mean over the classes of recall; the same as balanced accuracy.",
            source=_SOKOLOVA,
            of=lambda confusion: mean_over_defined(recall(confusion)),
        ),
        Metric(
            name="f1_macro",
            title="F1, macro",
            higher_is_better=True,
            definition="Mean over the classes of the harmonic mean of precision and recall.",
            source=_SOKOLOVA,
            of=lambda confusion: mean_over_defined(f1(confusion)),
        ),
        Metric(
            name="f1_weighted",
            title="F1, weighted",
            higher_is_better=True,
            definition="Mean over the classes of F1, each class weighted by its number of images.",
            source="scikit-learn f1_score(average='weighted'); the C-NMC challenge's measure",
            of=f1_weighted,
        ),
    ),
    per_class=(
        Metric(
            name="precision",
            title="Precision",
            higher_is_better=True,
            definition="Share of the images named as the class that belong to it.",
            source=_SOKOLOVA,
            of=precision,
        ),
        Metric(
            name="recall",
            title="Recall",
            higher_is_better=True,
            definition="Share of the class's images that are named as it (its sensitivity).",
            source=_SOKOLOVA,
            of=recall,
        ),
        Metric(
            name="f1",
            title="F1",
            higher_is_better=True,
            definition="Harmonic mean of precision and recall.",
            source=_SOKOLOVA,
            of=f1,
        ),
        Metric(
            name="specificity",
            title="Specificity",
            higher_is_better=True,
            definition="Share of the other classes' images that are not named as the class.",
            source=_SOKOLOVA,
            of=specificity,
        ),
        Metric(
            name="support",
            title="Images",
            higher_is_better=None,
            definition="Number of images of the class.",
            source="counted",
            of=support,
        ),
    ),
)
