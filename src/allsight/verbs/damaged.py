"""Images that are damaged on their way to a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from allsight.core.errors import ImageError
from allsight.data.effects import lab_statistics
from allsight.data.loading import in_order
from allsight.evaluate.shortcuts import features_of
from allsight.evaluate.stress import damaged, of_another_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample
    from allsight.inference.cascade import Cascade
    from allsight.inference.predictor import Predictor
    from allsight.inference.trust import Judgement


@dataclass(frozen=True, slots=True)
class Tried:
    """All images after one damage.

    Attributes:
        answers: the model's, by sample name.
        features: what each control sees of the damaged image, by sample name; empty where nobody asked.
    """

    answers: dict[str, Judgement]
    features: dict[str, dict[str, NDArray[np.float32]]]


@final
class Damaged:
    """Readable images of a data set, to be damaged in one way after another.

    Args:
        dataset: reads them.
        samples: which, all labelled.
        labels: (n,) class indices.
        hashes: content hash by sample name: what is random about a damage depends on it and the seed alone.
        seed: of the damages.
    """

    def __init__(
        self,
        dataset: Dataset,
        samples: Sequence[Sample],
        *,
        labels: NDArray[np.int64],
        hashes: Mapping[str, str],
        seed: int,
    ) -> None:
        self.dataset, self.samples, self.hashes, self.seed = dataset, samples, hashes, seed
        palette = np.stack(list(in_order(lambda s: lab_statistics(dataset.read(s)), samples)))
        others = of_another_class(palette, labels, seed=seed)
        self.colours = {s.name: others[i] for i, s in enumerate(samples)}

    def read(self, sample: Sample, damage: str, severity: int) -> NDArray[np.uint8]:
        """One image after a damage, uint8 RGB (H, W, 3)."""
        return damaged(
            self.dataset.read(sample),
            damage,
            severity,
            key=self.hashes[sample.name],
            seed=self.seed,
            overlay=self.dataset.overlay,
            colours=self.colours[sample.name],
        )

    def tried(
        self, predictor: Predictor | Cascade, damage: str, severity: int, *, with_features: bool
    ) -> Tried:
        """What a model says of every image after a damage."""
        features: dict[str, dict[str, NDArray[np.float32]]] = {}

        def read(sample: Sample) -> NDArray[np.uint8]:
            image = self.read(sample, damage, severity)
            if with_features:
                features[sample.name] = features_of(image, overlay=self.dataset.overlay)
            return image

        answers: dict[str, Judgement] = {}
        for sample, answer in predictor.answers(self.samples, read=read):
            if isinstance(answer, ImageError):
                raise answer  # it was readable a moment ago
            answers[sample.name] = answer.judgement
        return Tried(answers, features)
