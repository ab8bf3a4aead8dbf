"""Intervals from a bootstrap over groups.

Images of one patient, field or run of captures resemble one another, so they are drawn together: a resample
draws as many groups as there are, with replacement, and weighs every image by how often its group was drawn.
All metrics take those weights, hence whole blocks of resamples are one call.

Intervals are percentile intervals (Efron & Tibshirani 1993, chapter 13): always inside the metric's
range, and the interval of 1 − x is 1 minus the interval of x. BCa was tried on simulated test sets of 20,
60 and 130 groups and covered the truth no more often. Two things the percentile interval does not mend:
with few groups it is too narrow (Cameron, Gelbach & Miller 2008, doi 10.1162/rest.90.3.414, for fewer
than about 30), and for the calibration error, which is never negative and grows with noise, it lies too
high.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from allsight.core.errors import UsageError
from allsight.evaluate.metrics.families import OVERALL, PER_CLASS, measure_of
from allsight.evaluate.metrics.metric import Floats, Labels, Measure

RESAMPLES = 2000
LEVEL = 0.95
MOST_UNDEFINED = 0.05  # share of resamples that may lack a value; beyond it there is no interval
_BLOCK = 1 << 18  # weights made at once: small enough to stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; None where it is undefined or the groups are too few to say."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Draws:
    """One figure on the images themselves and on every resample.

    Attributes:
        value: (…), the figure on all images, NaN where undefined.
        resampled: (B, …), NaN where undefined; B is 0 with fewer than two groups.
    """

    value: Floats
    resampled: Floats

    def __sub__(self, other: Draws) -> Draws:
        """The paired difference. Both must come from `draw` with the same groups, resamples and seed."""
        return Draws(self.value - other.value, self.resampled - other.resampled)

    def estimate(self, at: int | None = None) -> Estimate:
        """Value and interval; `at` picks the class or bin of a figure that has several."""
        drawn = self.resampled if at is None else self.resampled[:, at]
        value = float(self.value if at is None else self.value[at])
        defined = drawn[~np.isnan(drawn)]
        if np.isnan(value) or not len(drawn) or len(defined) < (1.0 - MOST_UNDEFINED) * len(drawn):
            return Estimate(None if np.isnan(value) else value, None, None)
        low, high = np.quantile(defined, [(1.0 - LEVEL) / 2, (1.0 + LEVEL) / 2])
        return Estimate(value, float(low), float(high))


def resampled_weights(groups: Sequence[str], *, resamples: int, seed: int) -> Iterator[Floats]:
    """Blocks (b, n) of `resamples` rows in all: how often each image's group was drawn.

    Depends on the seed and on which images share a group, not on the order of the images.
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // len(groups))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(len(names), size=(rows, len(names))) + np.arange(rows)[:, None] * len(names)
        counts = np.bincount(drawn.ravel(), minlength=rows * len(names)).reshape(rows, len(names))
        yield counts[:, group].astype(np.float64)


def draw(
    measure: Measure, groups: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Draws]:
    """Every figure of `measure` on the images and on resamples of their groups.

    Two measures drawn with the same groups, resamples and seed see the same resamples, so their difference is
    paired.

    Raises:
        UsageError: there are no images, or a negative number of resamples.
    """
    if not len(groups) or resamples < 0:
        raise UsageError(
            f"A bootstrap needs images and resamples; it got {len(groups)} images and {resamples} resamples.",
            hint=f"Give one group per image and {RESAMPLES} resamples.",
        )
    values = {name: value[0] for name, value in measure(np.ones((1, len(groups)))).items()}
    enough = len(set(groups)) > 1
    weights = resampled_weights(groups, resamples=resamples, seed=seed) if enough else iter(())
    blocks = [measure(block) for block in weights]
    return {
        name: Draws(
            np.asarray(value), np.concatenate([np.empty((0, *value.shape)), *(b[name] for b in blocks)])
        )
        for name, value in values.items()
    }


@dataclass(frozen=True, slots=True)
class Scores:
    """Every metric of one model on one set of images.

    Attributes:
        metrics: overall metrics by name.
        per_class: per class name, metrics by name.
        confusion: (C, C) numbers of images, rows are labels and columns what the model named.
    """

    metrics: dict[str, Estimate]
    per_class: dict[str, dict[str, Estimate]]
    confusion: tuple[tuple[int, ...], ...]


def scores(
    probabilities: Floats,
    labels: Labels,
    classes: Sequence[str],
    groups: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Scores:
    """Every metric with its interval, from probabilities (n, C), labels (n,), class names (C) and groups (n).

    >>> two = scores(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]), ("ALL", "HEM"), ("p1", "p2"))
    >>> two.metrics["accuracy"]
    Estimate(value=0.5, low=0.0, high=1.0)
    >>> two.confusion
    ((1, 0), (1, 0))
    """
    drawn = draw(measure_of(probabilities, labels), groups, resamples=resamples, seed=seed)
    return scores_of(drawn, probabilities, labels=labels, classes=classes)


def scores_of(
    drawn: dict[str, Draws], probabilities: Floats, *, labels: Labels, classes: Sequence[str]
) -> Scores:
    """The same from figures that are drawn already, so that they can also be compared with others."""
    confusion = np.zeros((len(classes), len(classes)), dtype=np.intp)
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    return Scores(
        metrics={name: drawn[name].estimate() for name in OVERALL},
        per_class={c: {name: drawn[name].estimate(i) for name in PER_CLASS} for i, c in enumerate(classes)},
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
    )
