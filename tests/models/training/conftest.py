"""A data set that needs no files: two classes of coloured noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import pytest

from allsight.core.contracts import Dataset
from allsight.core.records import Box, Sample
from allsight.models.training.data import Portion

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 32


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


@pytest.fixture
def noise() -> Noise:
    return Noise(48)
