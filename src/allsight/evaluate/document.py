"""The `evaluate` document: the fields of `Evaluation` are its keys, so a page is made from the file alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allsight.core.errors import DataError
from allsight.evaluate.bootstrap import Estimate
from allsight.evaluate.metrics.families import OVERALL, PER_CLASS


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval; None where there is none."""

    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Control:
    """What can be had without looking at cells, and what the model has over it on the same resamples.

    Attributes:
        difference: model minus control.
        model_clearly_better: the intervals of all three differences lie above 0; False where there is none.
    """

    accuracy: float | None
    f1_macro: float | None
    auc_macro: float | None
    intervals: dict[str, Interval]
    difference: dict[str, Estimate]
    model_clearly_better: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of images that were answered and accuracy on those; all None where the model refers none."""

    answered: float | None
    accuracy_answered: float | None
    n_answered: int | None
    intervals: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The binary question. `metrics` as in `metrics.suspicion`; `thresholds` by metric name."""

    metrics: dict[str, Estimate]
    thresholds: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve; x and y are false positive rate and sensitivity (ROC), recall and precision (PR)."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """One curve per class against the rest, where both sides have images, and one for suspicion."""

    classes: dict[str, Curve]
    suspicion: Curve | None


@dataclass(frozen=True, slots=True)
class Bin:
    """Images whose confidence lies in (low, high], their mean confidence and the share named right."""

    low: float
    high: float
    n_images: int
    confidence: float | None
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Hardest:
    """An image to which the model gave its label little probability.

    Attributes:
        probability: of the class it named.
        probability_of_label: of the right one.
        image: where in the run's folder its picture belongs; putting it there is the caller's matter.
    """

    name: str
    label: str
    prediction: str
    probability: float
    probability_of_label: float
    image: str


@dataclass(frozen=True, slots=True)
class Stressed:
    """What is left when every image is damaged in one way.

    Attributes:
        damage: its name in the catalog.
        severity: 1 to 5.
        meaning: what was done, in words.
        metrics: accuracy, f1_macro and ece.
        coverage: what was answered.
        controls: accuracy of each control on the same damaged images, where it was measured.
    """

    damage: str
    severity: int
    meaning: str
    metrics: dict[str, Estimate]
    coverage: Coverage
    controls: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class ByPatient:
    """Figures on patients: the mean of the probabilities of all images of each.

    Attributes:
        n_patients: how many.
        metrics: accuracy, f1_macro and auc_macro, with intervals from a bootstrap over patients.
    """

    n_patients: int
    metrics: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The `evaluate` document; undefined figures are None, and `metrics.families` says what each means."""

    model: Any
    data: Any
    protocol: dict[str, Any]
    classes: tuple[str, ...]
    suspicious: tuple[str, ...]
    metrics: dict[str, Estimate]
    per_class: dict[str, dict[str, float | None]]
    per_class_intervals: dict[str, dict[str, Interval]]
    confusion: tuple[tuple[int, ...], ...]
    controls: dict[str, Control]
    coverage: Coverage
    suspicion: Suspicion | None
    roc: Curves
    pr: Curves
    reliability: tuple[Bin, ...]
    hardest: tuple[Hardest, ...]
    caution: str
    remarks: tuple[str, ...]
    provenance: dict[str, Any]
    stress: tuple[Stressed, ...] = ()
    by_patient: ByPatient | None = None

    def __post_init__(self) -> None:
        size = len(self.classes)
        if missing := set(OVERALL) - self.metrics.keys():
            raise ValueError(f"metrics lack {', '.join(sorted(missing))}")
        if missing := {"split", "seed", "n_images", "n_groups"} - self.protocol.keys():
            raise ValueError(f"the protocol lacks {', '.join(sorted(missing))}")
        for c in self.classes:
            if (
                not PER_CLASS.keys()
                <= self.per_class.get(c, {}).keys() & self.per_class_intervals.get(c, {}).keys()
            ):
                raise ValueError(f"per_class or per_class_intervals lack a metric of class {c}")
        if len(self.confusion) != size or any(len(row) != size for row in self.confusion):
            raise ValueError(f"confusion must be {size} × {size}, as there are {size} classes")

    def to_json(self) -> dict[str, Any]:
        """The document: strict JSON, null for what is undefined."""
        document: dict[str, Any] = json.loads(_adapter().dump_json(self))
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Evaluation:
        """The inverse of `to_json`. Keys that are not known are passed over.

        Raises:
            DataError: a key is missing or holds something else.
        """
        from pydantic import ValidationError

        try:
            read: Evaluation = _adapter().validate_python(document)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise DataError(
                f"This is no evaluation: {where or 'the document'}: {first['msg'].removeprefix('Value error, ')}.",
                hint="Give the evaluation.json that `allsight evaluate` wrote.",
            ) from error
        return read


def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Evaluation)
