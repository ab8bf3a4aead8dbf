"""Outlines in polar form, and the pixels they enclose.

A contour is a table of radii in pixels, one for each of `DIRECTIONS` equal angles. Everything transcendental is
computed in float64 and rounded before use, the rest is elementwise IEEE arithmetic, so that the same recipe gives
the same pixels on processors that differ in their last bits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIRECTIONS = 512
_HARMONICS = 24
_ORDERS = np.arange(2, 9)
"""Harmonics of an irregular outline: the first and the zeroth only move and scale it."""
_WEIGHTS = np.round(1 / _ORDERS**1.6 / np.sqrt(np.sum(1 / _ORDERS**3.2)), 9)


def rounded(values: NDArray[np.float64], *, decimals: int = 6) -> NDArray[np.float32]:
    """Float32 without the last bits, in which mathematical libraries differ."""
    return np.round(values, decimals).astype(np.float32)


@lru_cache(maxsize=1)
def _waves() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosine and sine of k·angle, float32 (_HARMONICS + 1, DIRECTIONS) each."""
    phase = np.outer(np.arange(_HARMONICS + 1), np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS))
    return rounded(np.cos(phase)), rounded(np.sin(phase))


@lru_cache(maxsize=64)
def _polar_grid(reach: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Distance in pixels from the centre, and direction, of a square of side 2·reach + 1."""
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    turns = np.round(np.arctan2(y, x) * (DIRECTIONS / (2 * np.pi)), 6)
    return rounded(np.hypot(y, x)), np.round(turns).astype(np.intp) % DIRECTIONS


def outline(
    rng: np.random.Generator, *, radius: float, irregularity: float, elongation: float = 0.0
) -> NDArray[np.float32]:
    """A closed outline that encloses π·radius².

    Args:
        rng: where randomness comes from.
        radius: of the disc of the same area, pixels.
        irregularity: root mean square of the relative deviation from an ellipse.
        elongation: relative amplitude of the second harmonic; about half of (long − short axis) / mean axis.
    """
    amplitudes = rng.standard_normal((2, 1, len(_ORDERS))) * (irregularity * _WEIGHTS)
    angle = rng.uniform(0, 2 * np.pi)
    amplitudes[:, 0, 0] += elongation * np.round([np.cos(angle), np.sin(angle)], 9)
    contour: NDArray[np.float32] = waved(np.array([radius]), orders=_ORDERS[None], amplitudes=amplitudes)[0]
    return contour


def waved(
    radii: NDArray[np.float64], *, orders: NDArray[np.int_], amplitudes: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Outlines 1 + Σ a·cos kθ + b·sin kθ, each scaled to enclose π·radius².

    Args:
        radii: (N,), pixels.
        orders: k of each harmonic, (N, K), below 25.
        amplitudes: a and b of each harmonic, (2, N, K).

    Returns:
        float32 (N, DIRECTIONS), pixels.
    """
    cosine, sine = _waves()
    a, b = amplitudes.astype(np.float32)[..., None]
    deviations = (a * cosine[orders] + b * sine[orders]).sum(axis=1)
    return scaled(np.maximum(1 + deviations, np.float32(0.3)), radii)


def scaled(contours: NDArray[np.float32], radii: NDArray[np.float64] | float) -> NDArray[np.float32]:
    """The same shapes, enclosing π·radius²; contours (…, DIRECTIONS) and radii (…)."""
    mean_square = np.mean(contours.astype(np.float64) ** 2, axis=-1)
    return contours * rounded(radii / np.sqrt(mean_square))[..., None]


def cleft(contour: NDArray[np.float32], *, direction: int, depth: float, width: float) -> NDArray[np.float32]:
    """The contour with a notch.

    Args:
        contour: float32 (DIRECTIONS,).
        direction: index of the angle at which the notch lies.
        depth: part of the radius that is cut away at its bottom; negative makes a bleb.
        width: standard deviation of the notch, radians.
    """
    steps = (np.arange(DIRECTIONS) - direction + DIRECTIONS // 2) % DIRECTIONS - DIRECTIONS // 2
    notch = rounded(np.exp(-0.5 * (steps * (2 * np.pi / DIRECTIONS) / width) ** 2))
    return contour * (1 - np.float32(depth) * notch)


def reach_of(contour: NDArray[np.float32]) -> int:
    """Half side of the square that holds the contour and its soft edge."""
    return int(np.ceil(contour.max())) + 2


def depth(
    contour: NDArray[np.float32], *, reach: int, offset: tuple[int, int] = (0, 0)
) -> NDArray[np.float32]:
    """How far inside the contour each pixel of a square lies, along the ray from its centre; negative outside.

    Args:
        contour: float32 (DIRECTIONS,), pixels.
        reach: half side of the square.
        offset: where in the square the contour's centre lies, rows and columns from the middle.

    Returns:
        float32 (2·reach + 1, 2·reach + 1), pixels.
    """
    distance, direction = polar(reach, offset=offset)
    return contour[direction] - distance


def polar(reach: int, *, offset: tuple[int, int] = (0, 0)) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Distance (pixels) and direction (index) of a square's pixels seen from `offset` (rows, columns)."""
    far = max(abs(offset[0]), abs(offset[1]))
    distance, direction = _polar_grid(reach + far)
    rows = slice(far - offset[0], far - offset[0] + 2 * reach + 1)
    columns = slice(far - offset[1], far - offset[1] + 2 * reach + 1)
    return distance[rows, columns], direction[rows, columns]


def coverage(depths: NDArray[np.float32], *, softness: float) -> NDArray[np.float32]:
    """Part of each pixel that is covered, in [0, 1], for an edge `softness` pixels wide."""
    # np.clip costs more than both on small patches.
    covered: NDArray[np.float32] = np.minimum(
        np.maximum(depths * np.float32(1 / softness) + np.float32(0.5), 0), 1
    )
    return covered


class Window(NamedTuple):
    """Where a square patch around a centre falls on a field, both cut to what lies on the field."""

    field: tuple[slice, slice]
    patch: tuple[slice, slice]


def window(centre: tuple[int, int], *, reach: int, size: int) -> Window | None:
    """The window of a patch of half side `reach` around `centre` (row, column); None where it misses the field."""
    pairs = []
    for place in centre:
        low, high = max(place - reach, 0), min(place + reach + 1, size)
        if low >= high:
            return None
        pairs.append((slice(low, high), slice(low - place + reach, high - place + reach)))
    (rows, patch_rows), (columns, patch_columns) = pairs
    return Window((rows, columns), (patch_rows, patch_columns))
