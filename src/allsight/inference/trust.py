"""From a network's raw outputs to an answer that says how far it can be trusted.

Five things are fitted on images the network was not trained on, and travel in the bundle:

- a temperature (Guo et al., "On calibration of modern neural networks", ICML 2017);
- one threshold a class for prediction sets (class-conditional split conformal prediction; Vovk 2012,
  Sadinle, Lei & Wasserman 2019): the set leaves the true class out in about 5 % of the images of that class;
- the least probability at which the class that is named is an answer (Chow, "On optimum recognition error and reject
  tradeoff", IEEE Trans. Inf. Theory 1970): a set of one class says that the others are rare at such a probability,
  not that this one is likely, and a class whose images are all sure has a threshold that hardly excludes anything;
- limits on what an image looks like before any network sees it; see `allsight.inference.checks`;
- a limit on the distance from the training images in the embedding (Lee et al., "A simple unified framework for
  detecting out-of-distribution samples", NeurIPS 2018), measured after a whitening projection.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from allsight.inference.checks import Limits, objections
from allsight.inference.new_groups import prediction_limits
from allsight.inference.precision import INT8

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.data.appearance import Appearance

MISSED = 0.05  # share of a class's images whose prediction set may leave the class out
FEWEST_FOR_SETS = round(1 / MISSED) - 1  # images of a class; with fewer, no threshold keeps that promise
_LEVELS = np.linspace(1 - MISSED, 1, 21).tolist()  # of coverage by image
UNSURE = 0.04  # share of all images whose class is named with too little certainty
FALSE_REFUSALS = 0.01  # share of a new patient's or field's images that the distance alone may refuse
_CANNOT_TELL, _NO_CLASS, _NOT_SURE = "cannot tell", "no class is likely enough", "not sure enough"
DOUBTS = (_CANNOT_TELL, _NO_CLASS, _NOT_SURE)  # how reasons begin that say nothing against the picture itself
Stain = tuple[tuple[float, float, float], tuple[float, float, float]]  # means and deviations of L, a and b
DIRECTIONS = 2560  # of the embedding, at most: the foreign shows where training images vary least


class Rounding(BaseModel):
    """What an int8 graph changes of the figures that a verdict hangs on; see `allsight.inference.rounding`.

    Attributes:
        odds: of the log-odds of a class.
        distance: of the logarithm of the distance.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    odds: float = Field(ge=0)
    distance: float = Field(ge=0)


class Trust(BaseModel):
    """What was fitted on validation images.

    Attributes:
        doubt: probability, at temperature 1, below which an image is looked at from all its sides; 0: none is. What
            follows was fitted on what is answered then. See `allsight.inference.second_look`.
        stain: Lab means and deviations that four of these sides are shown in; None: in the image's own.
        temperature: logits are divided by it.
        thresholds: per class, the largest 1 - p at which the class is in the prediction set.
        certainty: least p of the class that is named at which that is an answer; 0 asks for none.
        distance_limit: largest distance from the training images that is answered.
        distance_limit_int8: the same for embeddings of the int8 graph, which rounding takes further; None without one.
        rounding: what else the int8 graph changes; None without one.
        limits: by figure of an image's appearance, the lowest and highest value that is answered.
        n_images: how many validation images it was fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    doubt: float = Field(ge=0, le=1, default=0.0)
    stain: Stain | None = None
    temperature: float = Field(gt=0)
    thresholds: tuple[float, ...]
    certainty: float = Field(ge=0, le=1, default=0.0)
    distance_limit: float = Field(gt=0)
    distance_limit_int8: float | None = Field(gt=0, default=None)
    rounding: Rounding | None = None
    limits: Limits = {}
    n_images: int


@dataclass(frozen=True, slots=True)
class Space:
    """Where training images lie in the embedding.

    Attributes:
        projection: float32 (D, k) with the precision of float16, whitens the spread within classes.
        centres: float32 (C, k), the class means after projection.
    """

    projection: NDArray[np.float32]
    centres: NDArray[np.float32]

    def distances(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Squared distance (N,) of embeddings (N, D) from the nearest class, in units of its spread a direction."""
        # Not `@`: for so small a product NumPy's BLAS wakes its threads, which then spin for some 50 ms to wait for
        # more, on the cores that the network needs. `einsum` is as fast and has none.
        points = np.einsum("nd,dk->nk", embeddings, self.projection)  # (N, k)
        squared = ((points[:, None] - self.centres) ** 2).sum(axis=2)  # (N, C)
        nearest: NDArray[np.float32] = squared.min(axis=1) / self.projection.shape[1]
        return nearest

    def tensors(self) -> dict[str, NDArray[np.float16 | np.float32]]:
        """What is stored beside the weights; half the digits of the projection do, and take half the space."""
        return {"trust.projection": self.projection.astype(np.float16), "trust.centres": self.centres}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.float16 | np.float32]]) -> Space:
        """The inverse of `tensors`."""
        projection, centres = (
            tensors[f"trust.{name}"].astype(np.float32) for name in ("projection", "centres")
        )
        return cls(projection, centres)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer for one image.

    Attributes:
        label: the likeliest class.
        probabilities: calibrated, by class.
        suspicion: probability that it is any of the classes that mean ALL; None where none is named as such.
        set: the classes that cannot be excluded.
        verdict: "answer", or "refer" where a person must look, with the reasons.
        reasons: plain words with the figure that made them.
    """

    label: str
    probabilities: dict[str, float]
    suspicion: float | None
    set: tuple[str, ...]
    verdict: Literal["answer", "refer"]
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The keys of `predict --json`."""
        return asdict(self)


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities (N, C) of logits (N, C)."""
    shifted = logits.astype(np.float64) / temperature
    shifted -= shifted.max(axis=1, keepdims=True)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=1, keepdims=True)
    return shifted


def in_precision(trust: Trust, precision: str) -> Trust:
    """What holds for graphs of a precision, "fp32" or "int8"."""
    if precision != INT8 or trust.distance_limit_int8 is None:
        return trust
    return trust.model_copy(update={"distance_limit": trust.distance_limit_int8})


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature in [0.05, 20] with the least negative log-likelihood on logits (N, C) and labels (N,).

    N images that are all named right are no evidence that one in a thousand N is not: a share 1 / (N + 2) of each
    label goes to the other classes (Platt, "Probabilistic outputs for support vector machines", 1999).
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    wide = logits.astype(np.float64)
    n, n_classes = wide.shape
    doubt = 1 / (n + 2)
    targets = np.full(wide.shape, doubt / max(1, n_classes - 1))
    targets[np.arange(n), labels] = 1 - doubt

    def loss(log_temperature: float) -> float:
        return float(-(targets * log_softmax(wide / np.exp(log_temperature), axis=1)).sum(axis=1).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x))


def fit_space(embeddings: NDArray[np.float32], labels: NDArray[np.int64], *, n_classes: int) -> Space:
    """Class means and the whitening of the spread around them.

    Args:
        embeddings: (N, D) of training images.
        labels: (N,) in [0, n_classes).
        n_classes: C; every class must have an image.
    """
    from sklearn.covariance import ledoit_wolf

    means = np.stack([embeddings[labels == c].mean(axis=0) for c in range(n_classes)])
    residuals = embeddings - means[labels]
    if residuals.shape[1] <= DIRECTIONS:
        basis = np.eye(residuals.shape[1], dtype=np.float32)
    else:
        _, _, rows = np.linalg.svd(residuals - residuals.mean(axis=0), full_matrices=False)
        basis = rows[:DIRECTIONS].T  # (D, k)
    directions = basis.shape[1]
    covariance, _ = ledoit_wolf(residuals @ basis)
    floor = 1e-6 * max(float(np.trace(covariance)), 1e-12) / directions
    values, vectors = np.linalg.eigh(covariance + floor * np.eye(directions))
    projection = (
        (basis @ (vectors / np.sqrt(values))).astype(np.float16).astype(np.float32)
    )  # as it is stored
    return Space(projection, (means @ projection).astype(np.float32))


def fit_trust(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    distances: NDArray[np.float32],
    groups: NDArray[np.str_] | None = None,
    limits: Limits | None = None,
    doubt: float = 0.0,
    stain: Stain | None = None,
) -> Trust:
    """Fit temperature, thresholds and limits on validation images.

    Args:
        logits: (N, C).
        labels: (N,) in [0, C).
        distances: (N,) as `Space.distances` gives them.
        groups: (N,), which images belong to one patient or field; None where each stands alone.
        limits: of appearance, as `fit_limits` gives them; None refuses nothing for its looks.
        doubt: below which the logits of an image are those of all its sides.
        stain: that four of them were shown in.
    """
    temperature = fit_temperature(logits, labels)
    probabilities = softmax(logits, temperature)
    misses = 1 - probabilities[np.arange(len(labels)), labels]
    thresholds = conformal_thresholds(misses, labels, n_classes=probabilities.shape[1], groups=groups)
    return Trust(
        doubt=doubt,
        stain=stain,
        temperature=temperature,
        thresholds=thresholds,
        certainty=least_certainty(probabilities),
        distance_limit=distance_limit(distances, groups),
        limits=limits or {},
        n_images=len(labels),
    )


def least_certainty(probabilities: NDArray[np.float64]) -> float:
    """The probability of the class named below which `UNSURE` of the images lie, from probabilities (N, C).

    As for prediction sets: no larger share of new images is expected below it; 0 for too few images.
    """
    return 1 - _quantile(np.sort(1 - probabilities.max(axis=1)), 1 - UNSURE)


def distance_limit(distances: NDArray[np.float32], groups: NDArray[np.str_] | None = None) -> float:
    """Beyond which lie `FALSE_REFUSALS` of the images of a group that was not seen yet.

    See `prediction_limits`; the logarithms of distances are close to normal.

    Args:
        distances: (N,), at least 0.
        groups: (N,); None where each image stands alone.
    """
    logs = np.log(np.maximum(distances.astype(np.float64), 1e-12))
    return float(np.exp(prediction_limits(logs, groups, beyond=FALSE_REFUSALS)[1]))


def conformal_thresholds(
    misses: NDArray[np.float64],
    labels: NDArray[np.int64],
    *,
    n_classes: int,
    groups: NDArray[np.str_] | None = None,
) -> tuple[float, ...]:
    """By class, the score that all but `MISSED` of the images of a group that was not seen yet stay below.

    Image by image it is the ⌈(n + 1)(1 - α)⌉-th smallest of the class (split conformal prediction). Images of one
    group resemble each other, so that promises too much; 1 - α is raised, for all classes alike, until groups that are
    left out, one after the other, are covered. A class with too few images for α has the threshold 1: it is never
    excluded.

    Args:
        misses: (n,) of images.
        labels: (n,) in [0, n_classes).
        n_classes: C.
        groups: (n,); None where each image stands alone.
    """
    of_class = [np.sort(misses[labels == c]) for c in range(n_classes)]
    level = 1 - MISSED
    if groups is not None and len(names := np.unique(groups)) > 1:
        enough = np.array([len(scores) >= FEWEST_FOR_SETS for scores in of_class])[labels]
        folds = [
            (misses[left_out & (labels == c)], np.sort(misses[~left_out & (labels == c)]))
            for left_out in (groups == name for name in names)
            for c in np.unique(labels[left_out & enough]).tolist()
        ]

        def covered(level: float) -> int:
            return sum(int((held_back <= _quantile(others, level)).sum()) for held_back, others in folds)

        level = next(one for one in _LEVELS if covered(one) >= (1 - MISSED) * enough.sum())
    return tuple(
        1.0 if len(scores) < FEWEST_FOR_SETS else min(_quantile(scores, level), float(scores[-1]))
        for scores in of_class
    )


def _quantile(ordered: NDArray[np.float64], level: float) -> float:
    """The ⌈(n + 1) · level⌉-th smallest; 1 where there is none."""
    rank = int(np.ceil((len(ordered) + 1) * level - 1e-9))
    return 1.0 if rank > len(ordered) else float(ordered[rank - 1])


def judge(
    logits: NDArray[np.float32],
    distances: NDArray[np.float32],
    *,
    trust: Trust,
    classes: Sequence[str],
    suspicious: Sequence[str],
    looks: Sequence[Appearance] | None = None,
) -> list[Judgement]:
    """Answers for logits (N, C), distances (N,) and, where they are known, the appearances of N images."""
    probabilities = softmax(logits, trust.temperature)
    all_classes = [i for i, name in enumerate(classes) if name in suspicious]
    refusals: list[list[str]] = (
        [objections(look, trust.limits) for look in looks] if looks else [[]] * len(logits)
    )
    return [
        _judge_one(
            p,
            float(d),
            refused,
            trust=trust,
            classes=classes,
            suspicion=min(1.0, float(p[all_classes].sum())) if all_classes else None,
        )
        for p, d, refused in zip(probabilities, distances, refusals, strict=True)
    ]


def _judge_one(
    p: NDArray[np.float64],
    distance: float,
    refused: Sequence[str],
    *,
    trust: Trust,
    classes: Sequence[str],
    suspicion: float | None,
) -> Judgement:
    top = int(p.argmax())
    kept = tuple(c for i, c in enumerate(classes) if 1 - p[i] <= trust.thresholds[i])
    reasons = [*refused]
    if distance > trust.distance_limit:
        reasons.append(
            f"unlike the training images: distance {distance:.1f}, limit {trust.distance_limit:.1f}"
        )
    if len(kept) > 1:
        reasons.append(f"{_CANNOT_TELL} {' from '.join(kept)}")
    elif not kept:
        reasons.append(f"{_NO_CLASS}: {classes[top]} at {p[top]:.2f}")
    elif kept[0] != classes[top]:  # a class has a threshold of its own, and may pass it with less
        reasons.append(f"{_CANNOT_TELL} {kept[0]} from {classes[top]}, which is likeliest at {p[top]:.2f}")
    elif p[top] < trust.certainty:
        reasons.append(f"{_NOT_SURE}: {classes[top]} at {p[top]:.3f}, at least {trust.certainty:.3f} needed")
    return Judgement(
        label=classes[top],
        probabilities={c: float(v) for c, v in zip(classes, p, strict=True)},
        suspicion=suspicion,
        set=kept,
        verdict="refer" if reasons else "answer",
        reasons=tuple(reasons),
    )
