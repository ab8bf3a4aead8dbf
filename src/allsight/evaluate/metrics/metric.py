"""What a metric is: a name, a direction, a definition with its source, and a function of one statistic.

A statistic is what a family of metrics has in common (confusion matrices, areas under curves, sums per
confidence bin). It is computed once for each resample and every metric of the family is read from it, so a
bootstrap of all metrics costs little more than a bootstrap of one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]
Measure = Callable[[Floats], dict[str, Floats]]
"""Takes weights (B, n), one row per resample; gives values (B,) or (B, k) by name, NaN where undefined."""

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Metric(Generic[S]):
    """One figure that says how good predictions are.

    Attributes:
        name: the key it has in every JSON document.
        title: how a page calls it.
        higher_is_better: None where the figure is no judgement, such as a number of images.
        definition: one sentence that a reader can compute it by.
        source: where the definition comes from.
        of: the metric as a function of its family's statistic, with the resamples in the leading dimension.
    """

    name: str
    title: str
    higher_is_better: bool | None
    definition: str
    source: str
    of: Callable[[S], Floats]


@dataclass(frozen=True, slots=True)
class Family(Generic[S]):
    """Metrics that are read from one statistic.

    Attributes:
        prepare: takes probabilities (n, C) and labels (n,), does once what does not depend on weights
        (sorting,
            binning) and gives the function from weights (B, n) to the statistic.
        overall: one value per resample, (B,).
        per_class: one value per resample and class, (B, C).
    """

    prepare: Callable[[Floats, Labels], Callable[[Floats], S]]
    overall: tuple[Metric[S], ...]
    per_class: tuple[Metric[S], ...] = ()


def ratio(part: Floats, whole: Floats) -> Floats:
    """`part / whole`, NaN where `whole` is zero."""
    undefined: Floats = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.divide(part, whole, out=undefined, where=whole > 0)


def mean_over_defined(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where nothing is.

    >>> mean_over_defined(np.array([[1.0, np.nan, 0.0], [np.nan, np.nan, np.nan]]))
    array([0.5, nan])
    """
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1).astype(np.float64))
