"""Every metric there is, by name, and one function that measures them all."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from allsight.evaluate.metrics import calibration, decisions, ranking
from allsight.evaluate.metrics.metric import Family, Floats, Labels, Measure, Metric

FAMILIES: tuple[Family[Any], ...] = (decisions.FAMILY, ranking.FAMILY, calibration.FAMILY)
OVERALL: dict[str, Metric[Any]] = {m.name: m for family in FAMILIES for m in family.overall}
PER_CLASS: dict[str, Metric[Any]] = {m.name: m for family in FAMILIES for m in family.per_class}


def measure_of(probabilities: Floats, labels: Labels, *, only: Collection[str] | None = None) -> Measure:
    """Weights (B, n) to metrics: overall ones (B,), per-class ones (B, C).

    Args:
        probabilities: (n, C) in [0, 1], each row with sum 1.
        labels: (n,) in 0 … C − 1.
        only: names of the metrics wanted; None for all.

    >>> import numpy as np
    >>> measure = measure_of(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))
    >>> measure(np.ones((1, 2)))["accuracy"], measure(np.array([[1.0, 0.0]]))["accuracy"]
    (array([0.5]), array([1.]))
    """
    wanted = {*OVERALL, *PER_CLASS} if only is None else set(only)
    prepared = [
        (
            [m for m in (*family.overall, *family.per_class) if m.name in wanted],
            family.prepare(probabilities, labels),
        )
        for family in FAMILIES
    ]

    def measure(weights: Floats) -> dict[str, Floats]:
        values: dict[str, Floats] = {}
        for metrics, statistic_of in prepared:
            if metrics:
                statistic = statistic_of(weights)
                values |= {m.name: m.of(statistic) for m in metrics}
        return values

    return measure
