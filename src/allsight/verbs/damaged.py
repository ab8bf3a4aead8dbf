"""Images that are damaged on their way to a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from allsight.core.errors import ImageError
from allsight.evaluate.shortcuts import features_of
from allsight.evaluate.stress import damaged, of_another_class, stressed
from allsight.verbs.controls import controls_when_damaged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.progress import Progress
    from allsight.core.records import Sample
    from allsight.evaluate.document import Stressed
    from allsight.inference.cascade import Cascade
    from allsight.inference.predictor import Predictor
    from allsight.inference.trust import Judgement
    from allsight.verbs.reading import Reading
    from allsight.verbs.unseen import Chosen


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
        others = of_another_class(labels, seed=seed)
        self.another = {s.name: samples[other] for s, other in zip(samples, others, strict=True)}

    def read(self, sample: Sample, damage: str, severity: int) -> NDArray[np.uint8]:
        """One image after a damage, uint8 RGB (H, W, 3)."""
        return damaged(
            self.dataset.read(sample),
            damage,
            severity,
            key=self.hashes[sample.name],
            seed=self.seed,
            overlay=self.dataset.overlay,
            another=lambda: self.dataset.read(self.another[sample.name]),
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


def stress_tests(
    predictor: Predictor | Cascade,
    reading: Reading,
    dataset: Dataset,
    chosen: Chosen,
    kept: Sequence[Sample],
    tests: Sequence[tuple[str, int]],
    *,
    controls: bool,
    seed: int,
    resamples: int,
    progress: Progress,
) -> list[Stressed]:
    """The images once more with each damage; the controls are asked about the same ones.

    Args:
        predictor: the model.
        reading: what counts as right.
        dataset: reads the images.
        chosen: what the model may be judged on, and what it learned from.
        kept: the images it was asked about.
        tests: (damage, severity), as `stress.damages_of` gives them.
        controls: whether to ask them; they need to know what the model learned from.
        seed: of damages, controls and bootstrap.
        resamples: of the bootstrap.
        progress: told of each damage.
    """
    if not tests:
        return []
    images = Damaged(dataset, kept, labels=reading.labels(kept), hashes=chosen.hashes, seed=seed)
    with_controls = controls and bool(chosen.training)
    tried = []
    for done, (damage, severity) in enumerate(tests):
        progress("damages", done, len(tests))
        tried.append(images.tried(predictor, damage, severity, with_features=with_controls))
    progress("damages", len(tests), len(tests))
    asked = (
        controls_when_damaged(reading, dataset, chosen, kept, [once.features for once in tried], seed=seed)
        if with_controls
        else {}
    )
    found = []
    for i, ((damage, severity), once) in enumerate(zip(tests, tried, strict=True)):
        here = slice(i * len(kept), (i + 1) * len(kept))
        found.append(
            stressed(
                reading.predictions(kept, once.answers, chosen.groups),
                damage,
                severity,
                answered=np.array([once.answers[s.name].verdict == "answer" for s in kept]),
                controls={name: p[here] for name, p in asked.items()},
                seed=seed,
                resamples=resamples,
            )
        )
    return found
