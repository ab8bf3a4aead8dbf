"""Whether two runtimes give the same answers, and how much may differ before an export is refused."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import DisagreementError, ImageError
from allsight.core.progress import Progress, silent
from allsight.inference.precision import INT8
from allsight.inference.predictor import run_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Gradients, Runtime
    from allsight.core.records import Outputs

SAME_GRADIENTS = 1e-2  # at a kink rounding turns a gradient, so a few pixels of some networks differ
SAME_LOGITS = 1e-3  # of the logits' spread: fp32 graphs differ by the order of their sums only
LEAST_TOP1, LEAST_MAPS, LARGEST_LOSS = 0.995, 0.95, 0.003  # of int8
WANTED_VERDICTS = 0.99  # that int8 leaves as they are, fp32 asked again where it must be: a wish, no gate


@dataclass(frozen=True, slots=True)
class Agreement:
    """One runtime's answers held against the reference's on the same images.

    Attributes:
        n_images: how many.
        top1: share of images for which both name the same class.
        logits: largest difference of a logit ÷ standard deviation of the reference's logits.
        maps: mean rank correlation of the named class's activation maps; None where the network has none.
        f1_macro: macro-F1 of the runtime; None without labels.
        f1_macro_reference: macro-F1 of the reference on the same images; None without labels.
        spared: how many convolutions of an int8 graph are fp32; None for other graphs.
        moved: what was added to each class of an int8 graph (C,); None for other graphs.
        verdicts: share of images for which an int8 graph comes to the same verdict; None where that was not asked.
        asked_again: share of images whose verdict rounding could turn, so that the fp32 graph is asked; None likewise.
        verdicts_served: as `verdicts`, when that is done; on the images that say what rounding changes.
    """

    n_images: int
    top1: float
    logits: float
    maps: float | None
    f1_macro: float | None
    f1_macro_reference: float | None
    spared: int | None = None
    moved: tuple[float, ...] | None = None
    verdicts: float | None = None
    asked_again: float | None = None
    verdicts_served: float | None = None

    @property
    def f1_loss(self) -> float:
        """How much macro-F1 fell; 0 where it is not known."""
        if self.f1_macro is None or self.f1_macro_reference is None:
            return 0.0
        return self.f1_macro_reference - self.f1_macro

    def faults(self, precision: str) -> list[str]:
        """What is wrong, in words with figures; empty where the runtime may stand in for the reference.

        One image that int8 names otherwise proves nothing, however few there are and whatever it does to macro-F1.
        """
        changed = round((1 - self.top1) * self.n_images)
        found = []
        if precision == INT8:
            if changed > 1 and self.top1 < LEAST_TOP1:
                found.append(self._told(LEAST_TOP1))
            if self.maps is not None and self.maps < LEAST_MAPS:
                found.append(f"rank correlation of maps {self.maps:.3f}, at least {LEAST_MAPS} needed")
            if changed > 1 and self.f1_loss > LARGEST_LOSS:
                found.append(f"macro-F1 lower by {self.f1_loss:.4f}, at most {LARGEST_LOSS} allowed")
            return found
        if changed:
            found.append(self._told(1.0))
        if self.logits > SAME_LOGITS:
            found.append(
                f"logits differ by {self.logits:.1e} of their spread, at most {SAME_LOGITS:.0e} allowed"
            )
        return found

    def _told(self, least: float) -> str:
        return f"the same class in {self.top1:.2%} of {self.n_images} images, at least {least:.1%} needed"

    def check(self, precision: str, *, name: str) -> None:
        """Raise `DisagreementError` unless the runtime may stand in for the reference."""
        if faults := self.faults(precision):
            raise DisagreementError(
                f"The {name} graph does not answer as PyTorch does: {'; '.join(faults)}.",
                hint="It was not kept. For int8 more calibration images may help: --images.",
            )

    def to_json(self) -> dict[str, Any]:
        """For a bundle's config.json."""
        facts = {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return {**facts, "moved": None if self.moved is None else [round(v, 6) for v in self.moved]}


@dataclass(frozen=True, slots=True)
class GradientAgreement:
    """A gradient graph held against PyTorch's differentiation on the same images, each for the class it names.

    Attributes:
        n_images: how many.
        logits: largest difference of a logit ÷ standard deviation of PyTorch's logits.
        gradients: largest distance of two gradients ÷ length of PyTorch's, over the images.
    """

    n_images: int
    logits: float
    gradients: float

    def check(self) -> None:
        """Raise `DisagreementError` unless the graph may stand in for PyTorch."""
        if self.logits > SAME_LOGITS or not self.gradients <= SAME_GRADIENTS:
            raise DisagreementError(
                f"The gradient graph does not answer as PyTorch does: gradients differ by {self.gradients:.1e} of "
                f"their length, at most {SAME_GRADIENTS:.0e} allowed; logits by {self.logits:.1e} of their spread.",
                hint="It was not kept. Methods that need gradients go on with PyTorch.",
            )

    def to_json(self) -> dict[str, Any]:
        """For a bundle's config.json."""
        return {k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in asdict(self).items()}


def compare_gradients(
    reference: Gradients, other: Gradients, images: Sequence[NDArray[np.uint8]], *, targets: Sequence[int]
) -> GradientAgreement:
    """Hold gradients against the reference's.

    Args:
        reference: of PyTorch.
        other: of the graph.
        images: uint8 RGB (H, W, 3).
        targets: the logit to differentiate, one for each image.
    """
    logits, distances = [], []
    for image, target in zip(images, targets, strict=True):
        point = image.astype(np.float64)
        (expected,), (found,) = (
            list(side.gradients([point], target=target, memory=0)) for side in (reference, other)
        )
        logits.append((expected[0], found[0]))
        distances.append(np.linalg.norm(found[1] - expected[1]) / np.linalg.norm(expected[1]))
    pairs = np.array(logits)
    spread = max(float(pairs[:, 0].std()), float(np.finfo(np.float32).eps))
    return GradientAgreement(
        n_images=len(pairs),
        logits=float(np.abs(pairs[:, 0] - pairs[:, 1]).max()) / spread,
        gradients=float(max(distances)),
    )


def outputs_of(
    runtime: Runtime,
    images: Sequence[NDArray[np.uint8]],
    *,
    progress: Progress = silent,
    told: str = "images",
) -> list[Outputs]:
    """What a runtime gives for images of any sizes, each with N = 1."""
    found: list[Outputs] = []
    for done, (_, run) in enumerate(run_over(runtime, range(len(images)), read=images.__getitem__), start=1):
        if not isinstance(run, ImageError):
            found.append(run.outputs)
        progress(told, done, len(images))
    return found


def compare(
    reference: Sequence[Outputs], other: Sequence[Outputs], *, labels: Sequence[int] | None = None
) -> Agreement:
    """Hold answers against the reference's.

    Args:
        reference: outputs of images, each with N = 1.
        other: the same images' outputs by another runtime.
        labels: true classes, for macro-F1.
    """
    logits, others = (np.concatenate([o.logits for o in side]) for side in (reference, other))
    top, others_top = logits.argmax(axis=1), others.argmax(axis=1)
    correlations = [
        _rank_correlation(a.maps[0, k], b.maps[0, k])
        for a, b, k in zip(reference, other, top.tolist(), strict=True)
        if a.maps is not None and b.maps is not None
    ]
    return Agreement(
        n_images=len(logits),
        top1=float((top == others_top).mean()),
        logits=float(np.abs(logits - others).max() / logits.std()),
        maps=float(np.mean(correlations)) if correlations else None,
        f1_macro=None if labels is None else _f1_macro(labels, others_top),
        f1_macro_reference=None if labels is None else _f1_macro(labels, top),
    )


def _f1_macro(labels: Sequence[int], named: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, named, average="macro"))


def _rank_correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float(np.ptp(a) == np.ptp(b))
    return float(spearmanr(a.ravel(), b.ravel()).statistic)
