"""Random predictions with ties, absent classes and images of weight zero, for every test of a metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from allsight.evaluate.metrics.metric import Floats, Labels


@dataclass(frozen=True)
class Case:
    """Probabilities (n, C), labels (n,) and weights (B, n), every row with at least one image."""

    probabilities: Floats
    labels: Labels
    weights: Floats

    def rows(self) -> list[tuple[Floats, Labels, Floats]]:
        """Each resample as other libraries take it: without the images that weigh nothing."""
        kept = [row > 0 for row in self.weights]
        return [
            (self.probabilities[k], self.labels[k], row[k]) for k, row in zip(kept, self.weights, strict=True)
        ]


@st.composite
def cases(draw: st.DrawFn, *, least_classes: int = 2, most_classes: int = 5) -> Case:
    """Few distinct probabilities make ties, few images absent classes; weights may be zero or fractions."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes = draw(st.integers(least_classes, most_classes))
    n = draw(st.integers(1, 40))
    levels = draw(st.sampled_from([2, 3, 10, 10**6]))
    raw = rng.integers(1, levels + 1, size=(n, classes)).astype(np.float64)
    weights = draw(st.sampled_from([_counts, _fractions]))(rng, n)
    weights[:, rng.integers(n)] += 1.0
    return Case(raw / raw.sum(axis=1, keepdims=True), rng.integers(classes, size=n), weights)


def _counts(rng: np.random.Generator, n: int) -> Floats:
    return rng.poisson(1.0, size=(3, n)).astype(np.float64)


def _fractions(rng: np.random.Generator, n: int) -> Floats:
    return np.asarray(rng.random((3, n)) * (rng.random((3, n)) < 0.7))
