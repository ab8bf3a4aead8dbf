"""A data set that needs no files: two classes of coloured noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pytest

from allsight.core.contracts import Dataset
from allsight.core.records import Box, Sample
from allsight.models.training.data import Portion
from allsight.models.training.finetune import finetune
from allsight.models.training.settings import FineTuning

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from allsight.models.classifier import Classifier

SIDE = 32
SETTINGS = FineTuning(epochs=6, batch_size=8, learning_rate=0.01, patience=0, dropout=0.3)


class Noise(Dataset):
    """Class "bright" is twice as bright as class "dark"."""

    overlay = Box(0.75, 0.75, 1.0, 1.0)
    classes = ("dark", "bright")
    suspicious = ("bright",)
    units = ("random",)

    def __init__(self, count: int) -> None:
        self.samples = tuple(Sample(name=f"{i:03d}", label=self.classes[i % 2]) for i in range(count))

    @classmethod
    def open(cls, location: str) -> Self:
        return cls(int(location))

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        rng = np.random.default_rng(int(sample.name))
        top = 120 if sample.label == "dark" else 240
        return rng.integers(0, top, (SIDE, SIDE, 3), dtype=np.uint8)

    def sha256(self, sample: Sample) -> str:
        return sample.name


def portion(dataset: Dataset, start: int, stop: int) -> Portion:
    """Samples `start` to `stop`, each its own group."""
    names = [s.name for s in dataset.samples[start:stop]]
    return Portion.of(dataset, names, groups={n: n for n in names})


def tune(
    noise: Noise,
    classifier: Classifier,
    folder: Path,
    *,
    settings: FineTuning = SETTINGS,
    seed: int = 5,
    train: Portion | None = None,
    identity: str = "this one",
    **options: Any,
) -> list[dict[str, float]]:
    """Fine-tune on the first 34 images, validate on the rest."""
    return finetune(
        classifier,
        train or portion(noise, 0, 34),
        validation=portion(noise, 34, 48),
        settings=settings,
        seed=seed,
        folder=folder,
        identity=identity,
        **options,
    )


@pytest.fixture
def noise() -> Noise:
    return Noise(48)
