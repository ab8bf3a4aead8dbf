"""Several networks on several folds of one data set, put together: one row for each way of training and dividing.

An image is tested in one fold only, so the folds of one row are pooled as if they were one test, and intervals come
from one bootstrap over all groups. Networks are compared on the images that both were tested on, pair by pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allsight.core.errors import DataError
from allsight.data.groups import PATIENT
from allsight.evaluate.bootstrap import RESAMPLES, Draws, Estimate, draw
from allsight.evaluate.claims import Claim
from allsight.evaluate.document import ByPatient, Coverage, Stressed
from allsight.evaluate.evaluation import about_controls, about_groups, by_patient, clearly_better
from allsight.evaluate.metrics import families, suspicion
from allsight.evaluate.predictions import Predictions

METRICS = (
    "auc_macro",
    "map",
    "accuracy",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "f1_weighted",
    "ece",
)
COMPARED = ("accuracy", "f1_macro")


@dataclass(frozen=True, slots=True)
class Tested:
    """One trained model on its test part.

    Attributes:
        row: what is pooled with it: "NETWORK, RECIPE, by SPLIT".
        backbone: a name of the catalog.
        recipe: how it was started and trained, in words.
        split: what the parts keep together.
        fold: which fold of which seed, in words.
        folds: of how many; 0 where the source's own part was held out.
        parameters: how many the network has.
        training_seconds: how long its training took, where that was measured.
        predictions: what it said.
        controls: probabilities (n, C) of models that see no cells, by name.
        stress: what was left after each damage, where it was measured.
    """

    row: str
    backbone: str
    recipe: str
    split: str
    fold: str
    folds: int
    parameters: int
    training_seconds: float | None
    predictions: Predictions
    controls: Mapping[str, NDArray[np.float64]]
    stress: tuple[Stressed, ...] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """What is left after one damage, over the folds.

    Attributes:
        damage, severity, meaning: which.
        mean: accuracy, the mean over folds.
        worst: of the worst fold.
        answered: the mean share that was answered.
        accuracy_answered: accuracy of what was answered, the mean over folds that answered anything.
        controls: mean accuracy of each control.
    """

    damage: str
    severity: int
    meaning: str
    mean: float
    worst: float
    answered: float | None
    accuracy_answered: float | None
    controls: dict[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: of the row.
        backbone, recipe, split: of it.
        folds: which were tested, in words.
        of_folds: of how many; 0 where the source's own parts were held out.
        n_images, n_groups: how many were tested.
        parameters: of the network.
        training_seconds: of all folds together, where they were measured.
        metrics: with intervals over groups.
        by_patient: figures on patients, where the split is by patient and each has one class; else None.
        suspicion_auc: of telling suspicious from other images; None where all are, or none is.
        controls: by name, accuracy and f1_macro of a model that sees no cells, and the differences from it.
        stress: what is left after damages.
        remarks: what a reader must know before believing the figures, one sentence each.
    """

    name: str
    backbone: str
    recipe: str
    split: str
    folds: tuple[str, ...]
    of_folds: int
    n_images: int
    n_groups: int
    parameters: int
    training_seconds: float | None
    metrics: dict[str, Estimate]
    by_patient: ByPatient | None
    suspicion_auc: Estimate | None
    controls: dict[str, dict[str, Estimate]]
    stress: tuple[Left, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Versus:
    """One row minus another, on the images that both were tested on."""

    first: str
    second: str
    n_images: int
    n_groups: int
    difference: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One trained model on data of another source, read as suspicious or not where the classes differ.

    Attributes:
        row: the line its network stands in.
        fold: which of its folds.
        data: the other DATA.
        classes: between which answers were told apart.
        n_images, n_groups: how many.
        metrics: accuracy, f1_macro, and suspicion_auc where the data has suspicious and other images.
        coverage: what was answered.
    """

    row: str
    fold: str
    data: str
    classes: tuple[str, ...]
    n_images: int
    n_groups: int
    metrics: dict[str, Estimate]
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class Missing:
    """A model that could not be trained or tested, and why."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Study:
    """Everything a study found.

    Attributes:
        data: the DATA.
        ranking: the metric that rows are ordered by.
        caution: the sentence that every figure on this data must carry, or "".
        rows: the table; within a split the best first.
        comparisons: the best row of each split minus each other one.
        elsewhere: on other data.
        claims: what others published on this data.
        times: processor time an image in ms, by network, then by "RUNTIME PRECISION"; empty where not measured.
        missing: what is not in the table.
        provenance: versions, commit, machine.
    """

    data: str
    ranking: str
    caution: str
    rows: tuple[Row, ...]
    comparisons: tuple[Versus, ...]
    elsewhere: tuple[Elsewhere, ...]
    claims: tuple[Claim, ...]
    times: dict[str, dict[str, float]]
    missing: tuple[Missing, ...]
    provenance: dict[str, Any]


def row_of(tested: Sequence[Tested], *, seed: int = 0, resamples: int = RESAMPLES) -> Row:
    """The line that some models of one kind make together.

    Args:
        tested: folds of one network, recipe and split.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        DataError: an image was tested twice, so that it would count twice.
    """
    first = tested[0]
    predictions, controls = pooled(tested)
    p, y, groups = predictions.probabilities, predictions.labels, predictions.groups

    def drawn(probabilities: NDArray[np.float64], only: Sequence[str]) -> dict[str, Draws]:
        return draw(families.measure_of(probabilities, y, only=only), groups, seed=seed, resamples=resamples)

    own = drawn(p, METRICS)
    compared = {}
    for name, control in controls.items():
        other = drawn(control, COMPARED)
        compared[name] = {m: other[m].estimate() for m in COMPARED} | {
            f"over_{m}": (own[m] - other[m]).estimate() for m in COMPARED
        }
    unbeaten = [
        name for name, found in compared.items() if not clearly_better(found[f"over_{m}"] for m in COMPARED)
    ]
    n_groups = len(set(groups))
    mask = predictions.suspicious_mask
    divided = mask[y].any() and not mask[y].all()
    seconds = [t.training_seconds for t in tested]
    return Row(
        name=first.row,
        backbone=first.backbone,
        recipe=first.recipe,
        split=first.split,
        folds=tuple(t.fold for t in tested),
        of_folds=first.folds,
        n_images=len(y),
        n_groups=n_groups,
        parameters=first.parameters,
        training_seconds=None if None in seconds else float(sum(s for s in seconds if s is not None)),
        metrics={m: own[m].estimate() for m in METRICS},
        by_patient=by_patient(predictions, seed=seed, resamples=resamples)
        if first.split == PATIENT
        else None,
        suspicion_auc=draw(
            suspicion.measure_of(p, y, suspicious=mask), groups, seed=seed, resamples=resamples
        )["auc"].estimate()
        if divided
        else None,
        controls=compared,
        stress=_left(tested),
        remarks=(*about_groups(n_groups), *about_controls(unbeaten)),
    )


def pooled(tested: Sequence[Tested]) -> tuple[Predictions, dict[str, NDArray[np.float64]]]:
    """The test parts of several models as one, and the controls that all of them have.

    Raises:
        DataError: an image is in two of them.
    """
    names = [name for t in tested for name in t.predictions.names]
    if len(set(names)) < len(names):
        raise DataError(
            f"{tested[0].row}: {len(names) - len(set(names))} images were tested twice.",
            hint="Keep different seeds in different studies.",
        )
    first = tested[0].predictions
    together = Predictions(
        names=names,
        labels=np.concatenate([t.predictions.labels for t in tested]),
        classes=first.classes,
        suspicious=first.suspicious,
        probabilities=np.concatenate([t.predictions.probabilities for t in tested]),
        groups=[group for t in tested for group in t.predictions.groups],
    )
    shared = [c for c in tested[0].controls if all(c in t.controls for t in tested)]
    return together, {c: np.concatenate([t.controls[c] for t in tested]) for c in shared}


def _left(tested: Sequence[Tested]) -> tuple[Left, ...]:
    """Damages that every fold was tried with."""
    tables = [{(s.damage, s.severity): s for s in t.stress} for t in tested]
    found = []
    for key in (k for k in tables[0] if all(k in table for table in tables)):
        rows = [table[key] for table in tables]
        accuracy = _known(r.metrics["accuracy"].value for r in rows)
        found.append(
            Left(
                damage=rows[0].damage,
                severity=rows[0].severity,
                meaning=rows[0].meaning,
                mean=float(np.mean(accuracy)),
                worst=min(accuracy),
                answered=_mean(_known(r.coverage.answered for r in rows)),
                accuracy_answered=_mean(_known(r.coverage.accuracy_answered for r in rows)),
                controls={
                    c: float(np.mean(_known(r.controls[c] for r in rows)))
                    for c in rows[0].controls
                    if all(r.controls.get(c) is not None for r in rows)
                },
            )
        )
    return tuple(found)


def _known(values: Any) -> list[float]:
    return [float(v) for v in values if v is not None]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def versus(
    first: Sequence[Tested], second: Sequence[Tested], *, seed: int = 0, resamples: int = RESAMPLES
) -> Versus | None:
    """The paired difference of two rows; None where no image was tested in both."""
    one, other = pooled(first)[0], pooled(second)[0]
    place = {name: i for i, name in enumerate(other.names)}
    mine = [i for i, name in enumerate(one.names) if name in place]
    if not mine:
        return None
    theirs = [place[one.names[i]] for i in mine]
    groups, labels = [one.groups[i] for i in mine], one.labels[mine]

    def drawn(probabilities: NDArray[np.float64]) -> dict[str, Draws]:
        measure = families.measure_of(probabilities, labels, only=COMPARED)
        return draw(measure, groups, seed=seed, resamples=resamples)

    a, b = drawn(one.probabilities[mine]), drawn(other.probabilities[theirs])
    return Versus(
        first=first[0].row,
        second=second[0].row,
        n_images=len(mine),
        n_groups=len(set(groups)),
        difference={m: (a[m] - b[m]).estimate() for m in COMPARED},
    )
