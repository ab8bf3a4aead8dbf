"""A small network answers what it is sure of, a large one the rest (Viola & Jones, CVPR 2001, in spirit).

The threshold is chosen on images that neither was trained on, so that macro-F1 is no lower than the large one's alone,
there and at every higher threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, final

import numpy as np

from allsight.core.errors import BundleError, DataError, ImageError
from allsight.data.loading import in_groups
from allsight.inference.predictor import Answer, Predictor, Seen, pixel_bytes, readable
from allsight.models.bundle import read_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from allsight.inference.predictor import T

_AT_ONCE = 64  # most images held while the large network looks at some of them


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where on the small network is believed.

    Attributes:
        value: least calibrated probability of the class it names; above 1 where it is never believed.
        answered: share of the images that the small one answers.
        f1_macro: of the two together.
        f1_macro_large: of the large one alone, on the same images.
        n_images: how many.
    """

    value: float
    answered: float
    f1_macro: float
    f1_macro_large: float
    n_images: int


def fit_threshold(
    sure: NDArray[np.float64], small: NDArray[np.int64], large: NDArray[np.int64], labels: NDArray[np.int64]
) -> Threshold:
    """The lowest threshold from which on macro-F1 is never below the large network's.

    Args:
        sure: (n,), the small network's probability of the class it names.
        small: (n,), that class.
        large: (n,), the class the large network names.
        labels: (n,), the true one.

    Raises:
        DataError: no images.
    """
    if not len(labels):
        raise DataError("There is no image on which a threshold could be chosen.")
    alone = _f1(labels, large)
    best = 1.01, large, np.zeros(len(labels), dtype=np.bool_)
    for value in sorted({*sure.tolist(), 0.0}, reverse=True):
        believed = sure >= value
        named = np.where(believed, small, large)
        if _f1(labels, named) < alone:
            break
        best = value, named, believed
    value, named, believed = best
    return Threshold(float(value), float(believed.mean()), _f1(labels, named), alone, len(labels))


def _f1(labels: NDArray[np.int64], named: NDArray[np.int64]) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(labels, named, average="macro"))


@final
class Cascade:
    """Two bundles that answer as one.

    Args:
        small: asked first.
        large: asked where the small one is not sure.
        threshold: least probability at which the small one is believed.
    """

    def __init__(self, small: Predictor, large: Predictor, *, threshold: float) -> None:
        self.small, self.large, self.threshold = small, large, threshold
        self.config, self.served = small.config, small.served

    @classmethod
    def open(cls, folder: Path, *, runtime: str | None = None, precision: str | None = None) -> Self:
        """The cascade that the bundle in `folder` records.

        Raises:
            BundleError: it records none, or the large bundle is not where it was or knows other classes.
        """
        recorded = read_config(folder).cascade
        if recorded is None:
            raise BundleError(f"{str(folder)!r} records no cascade.", hint="Make one: allsight cascade.")
        place = (folder / recorded.large).resolve()
        small = Predictor.open(folder, runtime=runtime, precision=precision)
        large = Predictor.open(place, runtime=runtime, precision=precision)
        if large.config.classes != small.config.classes:
            raise BundleError(
                f"The cascade's two networks know different classes: {', '.join(small.config.classes)} and "
                f"{', '.join(large.config.classes)}.",
                hint="Make it again with bundles trained on one data set.",
            )
        return cls(small, large, threshold=recorded.threshold)

    def answers(
        self, items: Iterable[T], *, read: Callable[[T], NDArray[np.uint8]], batch: int = 16
    ) -> Iterator[tuple[T, Answer | ImageError]]:
        """As `Predictor.answers`; each answer says which network gave it."""
        both = self.small.config.preprocessing, self.large.config.preprocessing
        reduced = max(both, key=lambda p: p.longest).reduced
        seen = readable(items, read=lambda item: reduced(read(item)), ahead=2 * batch)
        for group in in_groups(seen, most=_AT_ONCE, weigh=pixel_bytes):
            yield from self._some(group, batch=batch)

    def _some(
        self, waiting: Sequence[tuple[T, Seen | ImageError]], *, batch: int
    ) -> Iterator[tuple[T, Answer | ImageError]]:
        images = [(i, image) for i, (_, image) in enumerate(waiting) if not isinstance(image, ImageError)]
        found: dict[int, Answer] = {}
        for predictor in (self.small, self.large):
            left = [(i, image) for i, image in images if i not in found or not self._believed(found[i])]
            judged = predictor.judge_seen([image for _, image in left], batch=batch)
            for (i, _), judgement in zip(left, judged, strict=True):
                found[i] = Answer(judgement, predictor.config.name)
        for i, (item, image) in enumerate(waiting):
            yield item, image if isinstance(image, ImageError) else found[i]

    def _believed(self, answer: Answer) -> bool:
        return answer.judgement.probabilities[answer.judgement.label] >= self.threshold


def open_answering(
    folder: Path, *, runtime: str | None = None, precision: str | None = None
) -> Predictor | Cascade:
    """What answers for the bundle in `folder`: its cascade where it records one, else its network.

    Raises:
        BundleError, UsageError, MissingDependencyError: as `Predictor.open` and `Cascade.open`.
    """
    kind = Predictor if read_config(folder).cascade is None else Cascade
    return kind.open(folder, runtime=runtime, precision=precision)
