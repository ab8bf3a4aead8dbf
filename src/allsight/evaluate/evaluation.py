"""One model on one set of images: from predictions to the record that becomes the `evaluate` document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allsight.core.errors import UsageError
from allsight.core.progress import Progress, silent
from allsight.core.records import TRAIN, VALIDATION
from allsight.data.groups import PATIENT
from allsight.evaluate.bootstrap import LEVEL, RESAMPLES, Draws, Estimate, draw, scores_of
from allsight.evaluate.document import (
    Bin,
    ByPatient,
    Control,
    Coverage,
    Curve,
    Curves,
    Evaluation,
    Hardest,
    Interval,
    Stressed,
    Suspicion,
)
from allsight.evaluate.metrics import curves, families, suspicion
from allsight.evaluate.metrics.calibration import BINS
from allsight.evaluate.metrics.metric import Floats, Measure, ratio
from allsight.evaluate.predictions import Predictions, check_probabilities

__all__ = ["Context", "Evaluation", "Predictions", "evaluate_predictions"]

CONTROL_METRICS = ("accuracy", "f1_macro", "auc_macro")
HARDEST = 24
FEW_GROUPS = 30  # fewer make intervals too narrow: Cameron, Gelbach & Miller 2008, doi 10.1162/rest.90.3.414
_DECIMALS = 5  # of the points of curves, which are for drawing


@dataclass(frozen=True, slots=True)
class Context:
    """What the document says beside the figures.

    Attributes:
        model, data: a name, or facts by name.
        protocol: at least "split" and "seed"; the numbers of images and groups are added.
        caution: the sentence that every figure on this data must carry, or "".
        remark: what else a reader must know of how answers were read, or "".
        provenance: versions, commit, machine, command.
    """

    model: Any
    data: Any
    protocol: Mapping[str, Any]
    caution: str = ""
    remark: str = ""
    provenance: Mapping[str, Any] | None = None


def evaluate_predictions(
    predictions: Predictions,
    context: Context,
    *,
    controls: Mapping[str, Floats] | None = None,
    answered: NDArray[np.bool_] | None = None,
    stress: Sequence[Stressed] = (),
    hardest: int = HARDEST,
    seed: int = 0,
    resamples: int = RESAMPLES,
    progress: Progress = silent,
) -> Evaluation:
    """Everything that can be said of predictions, with intervals from a bootstrap over their groups.

    Args:
        predictions: the model's.
        context: what the document says beside the figures.
        controls: probabilities (n, C) of models that see no cells, by name, for the same images.
        answered: (n,) False where the model refers the image to a person; None where it never does.
        stress: what is left after each damage, measured beforehand.
        hardest: how many images to list.
        seed: of the bootstrap.
        resamples: of the bootstrap.
        progress: told of each round of resamples.

    Raises:
        UsageError: shapes or values do not fit, or the protocol does not name its split and seed.
    """
    protocol = _protocol(predictions, context, seed=seed, resamples=resamples)
    _check_shapes(predictions, controls or {}, answered)
    total = 4 + len(controls or {})  # the model, calibration, suspicion, coverage and the controls
    done = iter(range(total))

    def drawn(measure: Measure) -> dict[str, Draws]:
        progress("resampling", next(done), total)
        return draw(measure, predictions.groups, seed=seed, resamples=resamples)

    p, y, classes = predictions.probabilities, predictions.labels, tuple(predictions.classes)
    model = drawn(families.measure_of(p, y))
    found = scores_of(model, p, labels=y, classes=classes)
    compared = {
        name: _control(model, drawn(families.measure_of(control, y, only=CONTROL_METRICS)))
        for name, control in (controls or {}).items()
    }
    evaluation = Evaluation(
        model=context.model,
        data=context.data,
        protocol=protocol,
        classes=classes,
        suspicious=tuple(predictions.suspicious),
        metrics=found.metrics,
        per_class={c: {name: e.value for name, e in of.items()} for c, of in found.per_class.items()},
        per_class_intervals={
            c: {name: Interval(e.low, e.high) for name, e in of.items()} for c, of in found.per_class.items()
        },
        confusion=found.confusion,
        controls=compared,
        coverage=coverage_of(predictions, answered, drawn),
        suspicion=_suspicion(predictions, drawn),
        roc=_curves(predictions, curves.roc),
        pr=_curves(predictions, curves.precision_recall),
        reliability=_reliability(drawn(curves.reliability_measure(p, y))),
        hardest=_hardest(predictions, most=hardest),
        stress=tuple(stress),
        by_patient=by_patient(predictions, seed=seed, resamples=resamples)
        if protocol["split"] == PATIENT
        else None,
        caution=context.caution,
        remarks=tuple(_remarks(predictions, protocol, compared, said=context.remark)),
        provenance=dict(context.provenance or {}),
    )
    progress("resampling", total, total)
    return evaluation


def _protocol(predictions: Predictions, context: Context, *, seed: int, resamples: int) -> dict[str, Any]:
    if missing := {"split", "seed"} - context.protocol.keys():
        raise UsageError(
            f"The protocol does not name its {' and '.join(sorted(missing))}.",
            hint='Give at least {"split": "patient", "seed": 0}.',
        )
    return {
        **context.protocol,
        "n_images": len(predictions.names),
        "n_groups": len(set(predictions.groups)),
        "interval": {"level": LEVEL, "method": "percentile", "resamples": resamples, "seed": seed},
    }


def _check_shapes(
    predictions: Predictions, controls: Mapping[str, Floats], answered: NDArray[np.bool_] | None
) -> None:
    n, classes = predictions.probabilities.shape
    for control in controls.values():
        check_probabilities(control, n=n, classes=classes)
    if answered is not None and answered.shape != (n,):
        raise UsageError(f"`answered` must hold {n} values, one per image; its shape is {answered.shape}.")


def _control(model: dict[str, Draws], control: dict[str, Draws]) -> Control:
    own = {name: control[name].estimate() for name in CONTROL_METRICS}
    over = {name: (model[name] - control[name]).estimate() for name in CONTROL_METRICS}
    return Control(
        accuracy=own["accuracy"].value,
        f1_macro=own["f1_macro"].value,
        auc_macro=own["auc_macro"].value,
        intervals={name: Interval(e.low, e.high) for name, e in own.items()},
        difference=over,
        model_clearly_better=clearly_better(over.values()),
    )


def clearly_better(over: Iterable[Estimate]) -> bool:
    """Whether the intervals of all these differences lie above zero."""
    return all(e.low is not None and e.low > 0 for e in over)


def coverage_of(
    predictions: Predictions,
    answered: NDArray[np.bool_] | None,
    drawn: Callable[[Measure], dict[str, Draws]],
) -> Coverage:
    """The share of images that is answered, and how often the answers are right.

    Args:
        predictions: the model's.
        answered: (n,) False where the image is referred to a person; None where that never happens.
        drawn: resamples a measure over the groups.
    """
    if answered is None:
        return Coverage(None, None, None, {})
    right = predictions.probabilities.argmax(axis=1) == predictions.labels
    kept, kept_right = answered.astype(np.float64), (answered & right).astype(np.float64)

    def measure(weights: Floats) -> dict[str, Floats]:
        given = weights @ kept
        return {
            "answered": ratio(given, weights.sum(axis=1)),
            "accuracy_answered": ratio(weights @ kept_right, given),
        }

    found = {name: draws.estimate() for name, draws in drawn(measure).items()}
    return Coverage(
        answered=found["answered"].value,
        accuracy_answered=found["accuracy_answered"].value,
        n_answered=int(answered.sum()),
        intervals={name: Interval(e.low, e.high) for name, e in found.items()},
    )


def by_patient(predictions: Predictions, *, seed: int, resamples: int) -> ByPatient | None:
    """Figures on patients, which are the groups; None where one has images of several classes.

    Args:
        predictions: of images.
        seed: of the bootstrap.
        resamples: of the bootstrap.
    """
    names, group = np.unique(np.asarray(predictions.groups), return_inverse=True)
    held = [set(predictions.labels[group == g].tolist()) for g in range(len(names))]
    if any(len(labels) > 1 for labels in held):
        return None
    p = np.stack([predictions.probabilities[group == g].mean(axis=0) for g in range(len(names))])
    measure = families.measure_of(p, np.array([labels.pop() for labels in held]), only=CONTROL_METRICS)
    drawn = draw(measure, names.tolist(), seed=seed, resamples=resamples)
    return ByPatient(len(names), {name: drawn[name].estimate() for name in CONTROL_METRICS})


def _suspicion(predictions: Predictions, drawn: Callable[[Measure], dict[str, Draws]]) -> Suspicion | None:
    """None where the classes do not divide into suspicious and other ones."""
    mask = predictions.suspicious_mask
    if mask.all() or not mask.any():
        return None
    p, y = predictions.probabilities, predictions.labels
    found = drawn(suspicion.measure_of(p, y, suspicious=mask))
    return Suspicion(
        metrics={name: draws.estimate() for name, draws in found.items()},
        thresholds={
            suspicion.at_specificity(s): suspicion.threshold_at(p, y, suspicious=mask, specificity=s)
            for s in suspicion.SPECIFICITIES
        },
    )


def _curves(
    predictions: Predictions, curve: Callable[[Floats, NDArray[np.bool_]], curves.Points | None]
) -> Curves:
    def rounded(points: curves.Points | None) -> Curve | None:
        if points is None:
            return None
        x, y = (tuple(float(v) for v in np.round(axis, _DECIMALS)) for axis in points)
        return Curve(x, y)

    p, mask = predictions.probabilities, predictions.suspicious_mask
    found = {c: rounded(curve(p[:, i], predictions.labels == i)) for i, c in enumerate(predictions.classes)}
    divided = mask.any() and not mask.all()
    score = suspicion.suspicion(p, suspicious=mask)
    return Curves(
        classes={c: points for c, points in found.items() if points is not None},
        suspicion=rounded(curve(score, mask[predictions.labels])) if divided else None,
    )


def _reliability(drawn: dict[str, Draws]) -> tuple[Bin, ...]:
    return tuple(
        Bin(
            low=b / BINS,
            high=(b + 1) / BINS,
            n_images=int(drawn["images"].value[b]),
            confidence=drawn["confidence"].estimate(b).value,
            accuracy=drawn["accuracy"].estimate(b),
        )
        for b in range(BINS)
    )


def _hardest(predictions: Predictions, *, most: int) -> tuple[Hardest, ...]:
    p, classes = predictions.probabilities, predictions.classes
    own = p[np.arange(len(p)), predictions.labels]
    named = p.argmax(axis=1)
    order = sorted(range(len(p)), key=lambda i: (own[i], predictions.names[i]))[:most]
    return tuple(
        Hardest(
            name=predictions.names[i],
            label=classes[predictions.labels[i]],
            prediction=classes[named[i]],
            probability=float(p[i, named[i]]),
            probability_of_label=float(own[i]),
            image=f"hardest/{place:02d}.png",
        )
        for place, i in enumerate(order, start=1)
    )


def _remarks(
    predictions: Predictions, protocol: Mapping[str, Any], controls: Mapping[str, Control], *, said: str
) -> list[str]:
    """What a reader must know before believing the figures, one sentence each."""
    remarks = [said] if said else []
    if protocol.get("part") in (TRAIN, VALIDATION):
        remarks.append("The model was made with these images, so the figures say nothing about new ones.")
    if protocol["split"] == "random":
        remarks.append(
            "Images were divided at random, so one patient or field may stand on both sides: "
            "for comparison with published figures only."
        )
    groups = np.asarray(predictions.groups)
    n_groups = len(set(predictions.groups))
    remarks += about_groups(n_groups)
    for i, name in enumerate(predictions.classes):
        held = len(np.unique(groups[predictions.labels == i]))
        if not held:
            remarks.append(f"No image is of class {name}; macro means are over the other classes.")
        elif held < 3 and n_groups > 1:
            remarks.append(f"Class {name} comes from {held} group{'s' * (held > 1)}; it has no interval.")
    if not controls:
        remarks.append(
            "No control was measured, so it is not known what can be had without looking at cells."
        )
    return remarks + about_controls(name for name, c in controls.items() if not c.model_clearly_better)


def about_groups(n_groups: int) -> list[str]:
    """What a reader must know of intervals from so many groups."""
    if n_groups < 2:
        return ["All images are of one group, so no interval can be given."]
    if n_groups < FEW_GROUPS:
        return [f"There are only {n_groups} groups; intervals from so few are too narrow."]
    return []


def about_controls(unbeaten: Iterable[str]) -> list[str]:
    """What a reader must know of a model that is not clearly better than these controls."""
    return [
        f"The model does not clearly beat the control {name!r}, which sees no cells." for name in unbeaten
    ]
