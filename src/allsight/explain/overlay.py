"""Heatmaps over images, for eyes: one meaning for each colour, in all methods.

Orange speaks for the class, blue against it (Okabe & Ito's colours, told apart in all common kinds of colour
blindness, and neither a colour of stained blood). The stronger, the more opaque; where nothing is said the image
stays visible, in grey, so that its own colours are not taken for the map's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from allsight.core.files import whole_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import ImageDraw, ImageFont

FOR = ((0.0, "#f5c04a"), (0.5, "#e69f00"), (1.0, "#b84300"))
AGAINST = ((0.0, "#8ccdf2"), (0.5, "#2b8fc9"), (1.0, "#004a80"))
_INK, _PAPER = (36, 27, 51), (255, 255, 255)
_GREYNESS = 0.75  # how much of the image's colour is taken away below a map
_PERCENTILE = (
    99.5  # of absolute values that gets the full colour: single pixels would else fade all the others
)
_LEVELS = (0.35, 0.7)  # of the limit, where contours run


@dataclass(frozen=True, slots=True)
class Panel:
    """One method in a strip.

    Attributes:
        title: what stands above it.
        heatmap: float32 (H, W).
        signed: whether negative values mean something.
        scores: what stands below it, by name.
        smoothing: standard deviation in pixels of a Gaussian that the shown map goes through; for maps of single
            pixels, in which the eye sees noise only.
    """

    title: str
    heatmap: NDArray[np.float32]
    signed: bool
    scores: Mapping[str, float] = field(default_factory=dict)
    smoothing: float = 0.0


def limit_of(heatmap: NDArray[np.float32]) -> float:
    """The absolute value that gets the full colour; 0 where the map is empty."""
    return float(np.percentile(np.abs(heatmap), _PERCENTILE)) or float(np.abs(heatmap).max())


def overlay(
    image: NDArray[np.uint8],
    heatmap: NDArray[np.float32],
    *,
    signed: bool,
    opacity: float = 0.85,
    limit: float | None = None,
) -> NDArray[np.uint8]:
    """A heatmap over its image, uint8 (H, W, 3).

    Args:
        image: uint8 RGB (H, W, 3).
        heatmap: (H, W).
        signed: whether to show negative values.
        opacity: of the strongest values, in [0, 1]; 0 leaves the image as it is.
        limit: the absolute value that gets the full colour and opacity; by default `limit_of`.
    """
    strength = _strength(heatmap, signed=signed, limit=limit)
    opaque = (opacity * np.sqrt(np.abs(strength)))[..., None]  # the root keeps weak regions visible
    grey = image.mean(axis=2, keepdims=True)
    below = image + (grey - image) * (_GREYNESS * (opacity > 0))
    mixed: NDArray[np.float32] = below * (1 - opaque) + colours(strength) * opaque
    return np.round(mixed).astype(np.uint8)


def contours(
    image: NDArray[np.uint8],
    heatmap: NDArray[np.float32],
    *,
    signed: bool,
    limit: float | None = None,
) -> NDArray[np.uint8]:
    """The image with lines where a heatmap passes a third and two thirds of its limit, uint8 (H, W, 3).

    Args:
        image: uint8 RGB (H, W, 3).
        heatmap: (H, W).
        signed: whether to draw lines of negative values.
        limit: by default `limit_of`.
    """
    import cv2

    strength = _strength(heatmap, signed=signed, limit=limit)
    picture = image.copy()
    thickness = max(1, round(min(image.shape[:2]) / 224))
    for sign in (-1, 1):
        for level in _LEVELS:
            inside = (sign * strength >= level).astype(np.uint8)
            lines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            colour = colours(np.array([sign * (level + 0.3)], dtype=np.float32))[0]
            cv2.drawContours(picture, lines, -1, _PAPER, thickness + 2)
            cv2.drawContours(picture, lines, -1, tuple(float(c) for c in colour), thickness)
    return picture


def colours(strength: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours float32 (…, 3) in [0, 255] of values in [-1, 1]."""
    size = np.abs(strength)
    found = np.empty((*strength.shape, 3), dtype=np.float32)
    for sign, stops in ((True, FOR), (False, AGAINST)):
        chosen = (strength >= 0) == sign
        at = [position for position, _ in stops]
        for c in range(3):
            values = [int(colour[1 + 2 * c : 3 + 2 * c], 16) for _, colour in stops]
            found[..., c] = np.where(chosen, np.interp(size, at, values), found[..., c])
    return found


def colour_bar(*, height: int, limit: float, signed: bool, font_size: int = 13) -> NDArray[np.uint8]:
    """A scale with its ends labelled, uint8 (height, width, 3).

    Args:
        height: in pixels.
        limit: the value at the upper end.
        signed: whether the scale goes down to -limit or to 0.
        font_size: in pixels.
    """
    from PIL import Image, ImageDraw

    font = _font(font_size)
    marks = ((0.0, limit), (0.5, 0.0), (1.0, -limit)) if signed else ((0.0, limit), (1.0, 0.0))
    labels = [f"{value:+.2g}" if value else "0" for _, value in marks]
    bar = max(6, font_size // 2 * 2)
    width = 3 * bar + round(max(font.getlength(text) for text in labels))
    canvas = Image.new("RGB", (width, height), _PAPER)
    inset = font_size // 2 + 1
    long = max(2, height - 2 * inset)
    strength = np.linspace(1, -1 if signed else 0, long, dtype=np.float32)
    opaque = np.sqrt(np.abs(strength))[:, None]
    ramp = np.round(np.array(_PAPER) * (1 - opaque) + colours(strength) * opaque).astype(np.uint8)
    canvas.paste(Image.fromarray(np.repeat(ramp[:, None], bar, axis=1)), (bar, inset))
    draw = ImageDraw.Draw(canvas)
    for (share, _), text in zip(marks, labels, strict=True):
        draw.text((2.5 * bar, inset + share * (long - 1)), text, fill=_INK, font=font, anchor="lm")
    return np.asarray(canvas)


def strip(
    image: NDArray[np.uint8],
    panels: Sequence[Panel],
    *,
    title: str = "",
    side: int = 320,
    outlines: bool = False,
) -> NDArray[np.uint8]:
    """An image and its explanations side by side, each with its scale and with its scores below; uint8 RGB.

    Args:
        image: uint8 RGB (H, W, 3).
        panels: one for each method.
        title: what stands above the image.
        side: height of the pictures in pixels.
        outlines: draw contours and not overlays.
    """
    import cv2

    scale = side / image.shape[0]
    size = (round(image.shape[1] * scale), side)
    enlarged = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    columns = [_column(enlarged.astype(np.uint8), title=title, scores={}, scale=None, rows=_rows(panels))]
    for panel in panels:
        heatmap = cv2.resize(panel.heatmap, size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
        if panel.smoothing > 0:
            heatmap = cv2.GaussianBlur(heatmap, (0, 0), panel.smoothing * scale).astype(np.float32)
        limit = limit_of(heatmap)
        paint = contours if outlines else overlay
        picture = paint(enlarged.astype(np.uint8), heatmap, signed=panel.signed, limit=limit)
        bar = colour_bar(height=side, limit=limit, signed=panel.signed)
        columns.append(
            _column(picture, title=panel.title, scores=panel.scores, scale=bar, rows=_rows(panels))
        )
    return np.concatenate(columns, axis=1)


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture, whole or not at all."""
    from PIL import Image

    with whole_file(path) as part:
        Image.fromarray(picture).save(part, format="PNG")


def _strength(heatmap: NDArray[np.float32], *, signed: bool, limit: float | None) -> NDArray[np.float32]:
    """Values in [-1, 1] of a heatmap; 0 everywhere where it is empty."""
    limit = limit_of(heatmap) if limit is None else limit
    scaled = heatmap / limit if limit > 0 else np.zeros_like(heatmap)
    return np.clip(scaled, -1 if signed else 0, 1).astype(np.float32, copy=False)


_TEXT, _GAP = 15, 12  # pixels


def _rows(panels: Sequence[Panel]) -> int:
    return max((len(panel.scores) for panel in panels), default=0)


def _column(
    picture: NDArray[np.uint8],
    *,
    title: str,
    scores: Mapping[str, float],
    scale: NDArray[np.uint8] | None,
    rows: int,
) -> NDArray[np.uint8]:
    """A picture between its title and `rows` lines of scores."""
    from PIL import Image, ImageDraw

    if scale is not None:
        picture = np.concatenate([picture, scale], axis=1)
    height, width = picture.shape[:2]
    line = round(1.4 * _TEXT)
    canvas = Image.new("RGB", (width + _GAP, height + line * (rows + 1) + _GAP), _PAPER)
    draw = ImageDraw.Draw(canvas)
    _write(draw, title, at=(_GAP // 2, 2), font=_font(_TEXT))
    canvas.paste(Image.fromarray(picture), (_GAP // 2, line))
    for i, (name, value) in enumerate(scores.items()):
        _write(
            draw, f"{name}  {value:.3g}", at=(_GAP // 2, line * (i + 1) + height + 4), font=_font(_TEXT - 2)
        )
    return np.asarray(canvas)


def _write(
    draw: ImageDraw.ImageDraw,
    text: str,
    *,
    at: tuple[int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    draw.text(at, text, fill=_INK, font=font)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)
