"""How a model's answers are read on a data set: class by class, or, where the classes differ, suspicious or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from allsight.core.errors import DataError
from allsight.evaluate.predictions import Predictions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample
    from allsight.inference.trust import Judgement
    from allsight.models.bundle import BundleConfig

UNSUSPICIOUS, SUSPICIOUS = "not suspicious", "suspicious"


@dataclass(frozen=True, slots=True)
class Reading:
    """What counts as right.

    Attributes:
        classes: between which answers are told apart.
        suspicious: those of them that mean leukemia.
        class_of: the class of each label of the data.
        by_class: True where these are the model's own classes.
        remark: what a reader of figures must know of this; "" where there is nothing.
    """

    classes: tuple[str, ...]
    suspicious: tuple[str, ...]
    class_of: Mapping[str, str]
    by_class: bool
    remark: str = ""

    def labels(self, samples: Sequence[Sample]) -> NDArray[np.int64]:
        """(n,) indices into `classes`, of labelled samples."""
        place = {c: i for i, c in enumerate(self.classes)}
        return np.array([place[self.class_of[str(s.label)]] for s in samples], dtype=np.int64)

    def probabilities(self, judgement: Judgement) -> list[float]:
        """(C,), of the classes."""
        if self.by_class:
            return [judgement.probabilities[c] for c in self.classes]
        assert judgement.suspicion is not None  # `reading_of` asks a model for its suspicious classes
        return [1 - judgement.suspicion, judgement.suspicion]

    def predictions(
        self, samples: Sequence[Sample], answers: Mapping[str, Judgement], groups: Mapping[str, str]
    ) -> Predictions:
        """What the model said of these samples, both mappings by sample name."""
        return Predictions(
            names=[s.name for s in samples],
            labels=self.labels(samples),
            classes=self.classes,
            suspicious=self.suspicious,
            probabilities=np.array([self.probabilities(answers[s.name]) for s in samples]),
            groups=[groups[s.name] for s in samples],
        )


def reading_of(config: BundleConfig, dataset: Dataset) -> Reading:
    """The finest reading that model and data share.

    Raises:
        DataError: the data has classes that the model does not know, and model or data do not say which are suspicious.
    """
    labels = sorted({s.label for s in dataset.samples if s.label})
    unknown = [label for label in labels if label not in config.classes]
    if not unknown:
        return Reading(config.classes, config.suspicious, {c: c for c in config.classes}, by_class=True)
    for classes, suspicious in ((config.classes, config.suspicious), (dataset.classes, dataset.suspicious)):
        if not suspicious or set(classes) <= set(suspicious):
            raise DataError(
                f"The data has classes the model does not know: {', '.join(unknown)}.",
                hint=f"It knows {', '.join(config.classes)}. Where model and data both say which classes are "
                "suspicious, they can be told apart by that: DATA?suspicious=CLASS,CLASS",
            )
    return Reading(
        (UNSUSPICIOUS, SUSPICIOUS),
        (SUSPICIOUS,),
        {label: SUSPICIOUS if label in dataset.suspicious else UNSUSPICIOUS for label in dataset.classes},
        by_class=False,
        remark=f"The model does not know {', '.join(unknown)}: all answers were read as suspicious or not, "
        f"and of the data's classes {', '.join(dataset.suspicious)} as suspicious.",
    )
