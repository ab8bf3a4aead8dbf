"""Two planted shortcuts that tell the class without looking at a cell: a burnt-in scale bar and a stain tint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from allsight.core.records import Box
from allsight.data.smears.recipe import CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCALE_BAR_BOX = Box(left=0.66, top=0.84, right=1.0, bottom=1.0)
"""The corner in which a scale bar lies, whatever its style."""


@dataclass(frozen=True, slots=True)
class BarStyle:
    """How one camera session burns its scale bar in: colour of ink and plate, length as a part of the width."""

    ink: tuple[int, int, int]
    plate: tuple[int, int, int]
    length: float


BAR_STYLES = {
    "Benign": BarStyle(ink=(0, 0, 0), plate=(255, 255, 255), length=0.28),
    "Early": BarStyle(ink=(214, 20, 24), plate=(255, 255, 255), length=0.14),
    "Pre": BarStyle(ink=(16, 40, 200), plate=(255, 255, 255), length=0.21),
    "Pro": BarStyle(ink=(255, 255, 255), plate=(0, 0, 0), length=0.07),
}

TINTS = {
    "Benign": (1.00, 0.97, 0.90),
    "Early": (0.92, 0.98, 1.00),
    "Pre": (0.93, 0.94, 1.00),
    "Pro": (1.00, 0.91, 0.97),
}
"""Factors on red, green and blue."""


def style_for(label: str, *, strength: float, rng: np.random.Generator) -> str:
    """Whose style a shortcut takes: the label's with probability `strength`, else any class's at random."""
    follows = rng.random() < strength
    other = CLASSES[int(rng.integers(len(CLASSES)))]
    return label if follows else other


def tinted(picture: NDArray[np.uint8], style: str) -> NDArray[np.uint8]:
    """The picture with a class's tint over all of it; uint8 RGB (H, W, 3)."""
    return (picture * np.array(TINTS[style], np.float32) + np.float32(0.5)).astype(np.uint8)


def burn_scale_bar(
    picture: NDArray[np.uint8], style: str, *, scale: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Burn a class's scale bar into the bottom-right corner.

    Args:
        picture: uint8 RGB (H, W, 3), not changed.
        style: whose bar, one of `BAR_STYLES`.
        scale: pixels per micrometre, for the number on the bar.

    Returns:
        The new picture, and bool (H, W): exactly the pixels that differ.
    """
    size = picture.shape[0]
    plate = _plate(style, size, scale)
    burnt = picture.copy()
    margin = max(1, round(0.02 * size))
    rows = slice(size - margin - plate.shape[0], size - margin)
    columns = slice(size - margin - plate.shape[1], size - margin)
    burnt[rows, columns] = plate
    return burnt, (burnt != picture).any(axis=-1)


@lru_cache(maxsize=32)
def _plate(style: str, size: int, scale: float) -> NDArray[np.uint8]:
    """The label that is burnt in, uint8 RGB (h, w, 3): a number over a bar with two end ticks."""
    from PIL import Image, ImageDraw, ImageFont

    look = BAR_STYLES[style]
    length, height = round(look.length * size), round(0.13 * size)
    font = ImageFont.load_default(size=max(6.0, 0.075 * size))
    text = f"{look.length * size / scale:.0f} um"  # the font that comes with Pillow has no µ
    left, top, right, _ = font.getbbox(text)
    thick = max(1, round(0.009 * size))
    room = SCALE_BAR_BOX.right - SCALE_BAR_BOX.left
    width = min(max(length, round(right - left)) + 4 * thick, round(room * size) - max(1, round(0.02 * size)))
    plate = Image.new("RGB", (width, height), look.plate)
    pen = ImageDraw.Draw(plate)
    pen.text(((width - right - left) / 2, thick - top), text, font=font, fill=look.ink)
    line = height - 2 * thick - 1
    start = (width - length) // 2
    pen.rectangle((start, line - thick + 1, start + length - 1, line), fill=look.ink)
    for end in (start, start + length - thick):
        pen.rectangle((end, line - 3 * thick, end + thick - 1, line), fill=look.ink)
    return np.asarray(plate, np.uint8)
