"""Frozen records that several rooms exchange. No behaviour beyond small derived values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

TRAIN, VALIDATION, TEST = "train", "validation", "test"
PARTS = (TRAIN, VALIDATION, TEST)


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a data set: where it lies and what its source says of it.

    Attributes:
        name: unique inside the data set and the same on every machine, usually a relative path.
        path: the file, or None where the image is generated.
        label: class name, or None where the source publishes none.
        patient: the source's patient or subject after the adapter's merging rules, or None.
        part: the source's own division, such as "fold_0" or "prelim_test", or None.
        number: place in the source's numbering where neighbours tend to be one patient, or None.
    """

    name: str
    path: Path | None = None
    label: str | None = None
    patient: str | None = None
    part: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in fractions of an image's width and height, each in [0, 1]; right and bottom excluded."""

    left: float
    top: float
    right: float
    bottom: float

    def pixels(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns that the box covers in an image of `height` × `width` pixels."""
        rows = slice(round(self.top * height), round(self.bottom * height))
        return rows, slice(round(self.left * width), round(self.right * width))

    def mirrored(self) -> tuple[Box, ...]:
        """The box and its three mirror images, so that no corner differs from another.

        >>> [(b.left, b.top) for b in Box(left=0.75, top=0.75, right=1.0, bottom=1.0).mirrored()]
        [(0.75, 0.75), (0.0, 0.75), (0.75, 0.0), (0.0, 0.0)]
        """
        across = (self.left, self.right), (1 - self.right, 1 - self.left)
        down = (self.top, self.bottom), (1 - self.bottom, 1 - self.top)
        return tuple(Box(left, top, right, bottom) for top, bottom in down for left, right in across)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a damage may know beside the picture.

    Attributes:
        rng: all randomness.
        overlay: where the source burnt in a scale bar, or None.
        another: gives a picture of another class, uint8 RGB (H, W, 3); None where there is none.
    """

    rng: np.random.Generator
    overlay: Box | None = None
    another: Callable[[], NDArray[np.uint8]] | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """A copy of a data set held against the hashes its source publishes.

    Attributes:
        verified: how many files are the source's, to the byte.
        altered: names of files that have a name of the source and other content.
        unknown: names of files that the source does not have, such as copies in another format.
        absent: how many files of the source are not here.
    """

    verified: int
    altered: tuple[str, ...]
    unknown: tuple[str, ...]
    absent: int


class Outputs(NamedTuple):
    """What a network gives in one forward pass, whatever runs it.

    Attributes:
        logits: float32 (N, C).
        maps: float32 (N, C, h, w), class activation maps whose spatial mean is the logit; None where the
            network has no pooled linear head (VGG-19, AlexNet).
        embedding: float32 (N, D), what the linear head sees.
    """

    logits: NDArray[np.float32]
    maps: NDArray[np.float32] | None
    embedding: NDArray[np.float32]
