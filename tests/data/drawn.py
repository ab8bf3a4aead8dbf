"""Fields drawn for tests: cells at random places on a large slide, and a data set held in memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Self, final

import cv2
import numpy as np

from allsight.core.contracts import Dataset
from allsight.core.errors import ImageError
from allsight.core.records import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.records import Box

SIDE = 192


def slide(seed: int, *, side: int = 480) -> NDArray[np.uint8]:
    """A bright square slide with discs of many sizes and shades, uint8 RGB (side, side, 3)."""
    rng = np.random.default_rng(seed)
    image = np.full((side, side, 3), 240, np.uint8)
    for _ in range(side * side // 500):
        x, y = (int(v) for v in rng.integers(0, side, 2))
        axes = int(rng.integers(4, 14)), int(rng.integers(4, 14))
        shade = tuple(int(v) for v in rng.integers(60, 220, 3))
        cv2.ellipse(image, (x, y), axes, float(rng.integers(0, 180)), 0, 360, shade, -1, cv2.LINE_AA)
    noise = rng.normal(0, 2, image.shape)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 1.0) + noise, 0, 255).astype(np.uint8)


def field(seed: int, *, left: int = 100, top: int = 100) -> NDArray[np.uint8]:
    """A part of `slide(seed)`, uint8 RGB (192, 192, 3)."""
    return slide(seed)[top : top + SIDE, left : left + SIDE].copy()


@final
class Drawn(Dataset):
    """Images in memory; None stands for one that cannot be read."""

    def __init__(
        self,
        images: Mapping[str, NDArray[np.uint8] | None],
        *,
        samples: Sequence[Sample] = (),
        units: tuple[str, ...] = ("field", "random"),
        overlay: Box | None = None,
    ) -> None:
        self.images = images
        self.samples = tuple(samples) or tuple(Sample(name, label="all") for name in sorted(images))
        self.classes = tuple(sorted({s.label for s in self.samples if s.label is not None}))
        self.suspicious = ()
        self.units = units
        self._overlay = overlay
        self.times_read = 0
        self.stated: Mapping[str, str] = {}

    @property
    def overlay(self) -> Box | None:  # type: ignore[override]
        """A class attribute of other data sets, set for each instance here."""
        return self._overlay

    @classmethod
    def open(cls, location: str) -> Self:
        raise NotImplementedError(location)

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        self.times_read += 1
        image = self.images[sample.name]
        if image is None:
            raise ImageError(f"{sample.name} is damaged.")
        return image

    def groups(self) -> Mapping[str, str]:
        return self.stated

    def sha256(self, sample: Sample) -> str:
        image = self.images[sample.name]
        return hashlib.sha256(b"damaged" if image is None else image.tobytes()).hexdigest()

    @property
    def hashes(self) -> dict[str, str]:
        return {sample.name: self.sha256(sample) for sample in self.samples}
