"""What defines one generated field, and what generating it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allsight.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

CLASSES = ("Benign", "Early", "Pre", "Pro")
SUSPICIOUS = CLASSES[1:]
MORPHOLOGIES = ("full", "none")
SMALLEST_SIZE, LARGEST_SIZE = 64, 4096
COARSEST_SCALE, FINEST_SCALE = 1.0, 16.0
WIDEST = 1280.0  # micrometres; some 10,000 leukocytes, so that their numbers fit 16 bits

GENERATOR = "1"
"""Version of the generator: another one draws other pixels from the same recipe."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a field depends on. Equal recipes give equal pixels.

    Attributes:
        seed: of the whole collection, 0 or more.
        patient: index of the patient, 0 or more; stain, light and density are drawn from (seed, patient).
        image: index of the field within the patient, 0 or more.
        label: the diagnosis, one of `CLASSES`.
        size: side of the square field in pixels, 64 to 4096.
        pixels_per_micron: scale, 1 to 16; a larger `size` at the same scale shows more cells, not larger ones.
        scale_bar: probability in [0, 1] that the burnt-in scale bar follows the label, or None for no bar.
            Where it does not follow, its style is drawn from all four at random.
        stain: the same for a tint of the whole image.
        morphology: "full": the label shows in the cells; "none": every cell is drawn from the even mixture of
            the four classes, so that cells say nothing of the label.

    Raises:
        UsageError: a value out of range.
    """

    seed: int
    patient: int
    image: int
    label: str
    size: int = 224
    pixels_per_micron: float = 3.2
    scale_bar: float | None = None
    stain: float | None = None
    morphology: str = "full"

    def __post_init__(self) -> None:
        if min(self.seed, self.patient, self.image) < 0:
            came = f"{self.seed}, {self.patient} and {self.image}"
            raise UsageError(
                f"Seed, patient and image are 0 or more, not {came}.", hint="Use whole numbers from 0."
            )
        _one_of("label", self.label, CLASSES)
        _one_of("morphology", self.morphology, MORPHOLOGIES)
        _within("size", self.size, (SMALLEST_SIZE, LARGEST_SIZE))
        _within("pixels_per_micron", self.pixels_per_micron, (COARSEST_SCALE, FINEST_SCALE))
        if self.size / self.pixels_per_micron > WIDEST:
            raise UsageError(
                f"A generated field is at most {WIDEST:.0f} µm wide, not {self.size / self.pixels_per_micron:.0f}.",
                hint="Use a smaller size or more pixels per micron.",
            )
        for name, strength in (("scale_bar", self.scale_bar), ("stain", self.stain)):
            if strength is not None:
                _within(f"strength of {name}", strength, (0, 1))


@dataclass(frozen=True, slots=True)
class Smear:
    """One generated field with what is known of it exactly.

    Attributes:
        image: uint8 RGB (H, W, 3).
        masks: bool (H, W) each: "cell" (all intact leukocytes), "nucleus" (inside "cell"), and the planted
            shortcuts: "scale_bar" (every pixel the bar changed; it hides cells, so the others exclude it) and
            "stain" (the whole image, for a tint covers everything).
        instances: uint16 (H, W), 0 outside leukocytes, k in the k-th cell.
        kinds: what the k-th cell is, k from 1: a class of `CLASSES` or the name of a normal leukocyte.
    """

    image: NDArray[np.uint8]
    masks: Mapping[str, NDArray[np.bool_]]
    instances: NDArray[np.uint16]
    kinds: tuple[str, ...]


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(
            f"The {what} of a generated smear is not {value!r}.", hint=f"Known: {', '.join(known)}."
        )


def _within(what: str, value: float, limits: tuple[float, float]) -> None:
    low, high = limits
    if not low <= value <= high:
        raise UsageError(f"The {what} of a generated smear is not {value}.", hint=f"Use {low} to {high}.")
