"""Red cells: biconcave discs with central pallor, scattered or stacked in rouleaux; overlaps add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.data.smears.contours import coverage, polar, reach_of, rounded, waved, window
from allsight.data.smears.stain import HAEMOGLOBIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from allsight.data.smears.patient import RedCellHabit

_PROFILE_STEPS = 256
_TRIES = 6
_LONGEST_CHAIN = 9
_STACKED = 0.45


def draw_red_cells(
    amounts: NDArray[np.float32],
    habit: RedCellHabit,
    *,
    occupied: NDArray[np.float64],
    scale: float,
    rng: np.random.Generator,
) -> None:
    """Add red cells to the dye on a field.

    Args:
        amounts: float32 (DYES, H, W), changed in place.
        habit: how they look and lie.
        occupied: (N, 3) row, column and radius in pixels of the leukocytes, which push red cells aside.
        scale: pixels per micrometre.
        rng: where randomness comes from.
    """
    size = amounts.shape[1]
    radius = habit.diameter / 2 * scale
    profile = _profile(habit)
    wanted = rng.poisson(habit.cover * (size + 2 * radius) ** 2 / (np.pi * radius**2))
    centres = list(_places(wanted, habit=habit, occupied=occupied, size=size, radius=radius, rng=rng))
    contours = _outlines(len(centres), radius=radius, habit=habit, rng=rng)
    for centre, contour in zip(centres, contours, strict=True):
        _draw(amounts[HAEMOGLOBIN], centre, contour=contour, profile=profile, habit=habit, rng=rng)
    amounts[HAEMOGLOBIN] = _settled(amounts[HAEMOGLOBIN])


def _settled(amount: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cells that lie on one another flatten as they dry: beyond one cell's dye, each adds only a part of its own."""
    return np.minimum(amount, 1) + np.float32(_STACKED) * np.maximum(amount - 1, 0)


def _profile(habit: RedCellHabit) -> NDArray[np.float32]:
    """Dye missing from the middle (first row) and extra dye in the rim, by relative radius; (2, steps)."""
    u = np.linspace(0, 1, _PROFILE_STEPS)
    inner, outer = habit.bowl
    t = np.clip((u - inner) / (outer - inner), 0, 1)
    bowl = 1 - t * t * (3 - 2 * t)
    rim = np.exp(-0.5 * ((u - 0.82) / 0.11) ** 2)
    return rounded(np.stack([bowl, rim]))


def _places(
    wanted: int,
    *,
    habit: RedCellHabit,
    occupied: NDArray[np.float64],
    size: int,
    radius: float,
    rng: np.random.Generator,
) -> Iterator[tuple[int, int]]:
    """Centres (row, column): single cells that keep some distance, and chains."""
    placed = np.full((wanted + _LONGEST_CHAIN, 2), -1e6)
    n = 0
    while n < wanted:
        start = _roomiest(rng.uniform(-radius, size + radius, (_TRIES, 2)), placed[:n], occupied, radius)
        in_chain = rng.random() * _LONGEST_CHAIN * 0.6 < habit.rouleaux * 3
        length = int(rng.integers(3, _LONGEST_CHAIN + 1)) if in_chain else 1
        angle, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.18)
        pitch = radius * rng.uniform(0.8, 1.5)
        for link in range(length):
            placed[n] = start
            n += 1
            if _clear(start, occupied, radius):
                yield int(np.floor(start[0])), int(np.floor(start[1]))
            direction = angle + bend * link + rng.normal(0, 0.15)
            start = start + pitch * np.round([np.sin(direction), np.cos(direction)], 9)


def _roomiest(
    candidates: NDArray[np.float64], placed: NDArray[np.float64], occupied: NDArray[np.float64], radius: float
) -> NDArray[np.float64]:
    """The candidate farthest from what lies there already (Mitchell's best-candidate sampling)."""
    room = np.full(len(candidates), 2.2 * radius)
    if len(placed):
        apart = candidates[:, None] - placed[None]
        room = np.minimum(room, np.sqrt(apart[..., 0] ** 2 + apart[..., 1] ** 2).min(axis=1))
    if len(occupied):
        apart = candidates[:, None] - occupied[None, :, :2]
        gaps = np.sqrt(apart[..., 0] ** 2 + apart[..., 1] ** 2) - occupied[None, :, 2]
        room = np.minimum(room, 2 * gaps.min(axis=1))
    # Some cells overlap in every smear: beyond a little room, the first candidate is as good as any.
    best: NDArray[np.float64] = candidates[int(np.argmax(np.minimum(room, 1.7 * radius)))]
    return best


def _clear(place: NDArray[np.float64], occupied: NDArray[np.float64], radius: float) -> bool:
    """Whether a red cell there overlaps no leukocyte by more than a sliver."""
    if not len(occupied):
        return True
    gaps = np.sqrt((place[0] - occupied[:, 0]) ** 2 + (place[1] - occupied[:, 1]) ** 2) - occupied[:, 2]
    return bool(gaps.min() > 0.75 * radius)


def _outlines(
    count: int, *, radius: float, habit: RedCellHabit, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Nearly round outlines, some of them scalloped all around; float32 (count, DIRECTIONS), pixels."""
    radii = radius * (1 + habit.anisocytosis * np.clip(rng.standard_normal(count), -2.5, 2.5))
    spikes = rng.integers(9, 14, count)
    orders = np.stack([np.full(count, 2), np.full(count, 3), spikes, spikes + 3], axis=-1)
    amplitudes = rng.standard_normal((2, count, 4)) * (0.035, 0.015, 0.022, 0.016)
    amplitudes[..., 2:] *= (rng.random(count) < habit.crenated)[:, None]
    return waved(radii, orders=orders, amplitudes=amplitudes)


def _draw(
    layer: NDArray[np.float32],
    centre: tuple[int, int],
    *,
    contour: NDArray[np.float32],
    profile: NDArray[np.float32],
    habit: RedCellHabit,
    rng: np.random.Generator,
) -> None:
    reach = reach_of(contour)
    place = window(centre, reach=reach, size=layer.shape[0])
    if place is None:
        return
    distance, direction = polar(reach)
    distance, edge = distance[place.patch], contour[direction[place.patch]]
    step = np.minimum(distance / edge * np.float32(_PROFILE_STEPS), _PROFILE_STEPS - 1).astype(np.intp)
    depth, thickness = rng.standard_normal(2)
    pallor = np.float32(habit.pallor * min(max(1 + 0.25 * depth, 0), 1.15))
    cell = (1 - pallor * profile[0] + np.float32(habit.rim) * profile[1]) * np.float32(
        1 + 0.12 * min(max(thickness, -2), 2)
    )
    layer[place.field] += cell[step] * coverage(edge - distance, softness=1.6)
