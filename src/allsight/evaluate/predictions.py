"""What a model said of labelled images, checked once at the door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allsight.core.errors import UsageError
from allsight.evaluate.metrics.metric import Floats, Labels


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a model said of labelled images.

    Attributes:
        names: (n) sample names.
        labels: (n,) in 0 … C − 1.
        classes: (C) class names.
        suspicious: those of `classes` that mean leukemia.
        probabilities: (n, C) in [0, 1], rows with sum 1.
        groups: (n) what is resampled together (patient, run of captures).
    """

    names: Sequence[str]
    labels: Labels
    classes: Sequence[str]
    suspicious: Sequence[str]
    probabilities: Floats
    groups: Sequence[str]

    def __post_init__(self) -> None:
        n, size = len(self.names), len(self.classes)
        if not n:
            raise UsageError("There is no labelled image to evaluate.", hint="Check DATA and --split.")
        if self.labels.shape != (n,) or len(self.groups) != n:
            raise UsageError(
                f"Each of {n} images needs a label and a group; there are {len(self.labels)} labels and "
                f"{len(self.groups)} groups."
            )
        if not np.isin(self.labels, np.arange(size)).all():
            raise UsageError(
                f"Labels must be in 0 … {size - 1}, the place of one of {', '.join(self.classes)}."
            )
        if unknown := set(self.suspicious) - set(self.classes):
            raise UsageError(f"{sorted(unknown)} are called suspicious but are none of {list(self.classes)}.")
        check_probabilities(self.probabilities, n=n, classes=size)

    @property
    def suspicious_mask(self) -> NDArray[np.bool_]:
        """(C,) which classes are suspicious."""
        return np.isin(np.asarray(self.classes), np.asarray(self.suspicious, dtype=str))


def check_probabilities(probabilities: Floats, *, n: int, classes: int) -> None:
    """Nothing is taken for logits and normalised behind the caller's back.

    Raises:
        UsageError: not (n, C) probabilities whose rows have sum 1 (within 0.001).
    """
    hint = "Give softmax outputs, one row per image and one column per class."
    if probabilities.shape != (n, classes):
        raise UsageError(f"Probabilities must be {(n, classes)}, they are {probabilities.shape}.", hint=hint)
    if not np.isfinite(probabilities).all() or probabilities.min() < 0 or probabilities.max() > 1:
        raise UsageError("Probabilities must be finite and in [0, 1]; some are not.", hint=hint)
    if (np.abs(probabilities.sum(axis=1) - 1) > 1e-3).any():
        raise UsageError("Probabilities of an image must have sum 1; some have not.", hint=hint)
