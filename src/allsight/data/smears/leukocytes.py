"""Leukocytes: outline, nucleus, chromatin, nucleoli and cytoplasm, with their exact masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from allsight.data.smears.contours import (
    DIRECTIONS,
    cleft,
    coverage,
    depth,
    outline,
    polar,
    reach_of,
    scaled,
    window,
)
from allsight.data.smears.stain import CHROMATIN, CYTOPLASM, EOSIN
from allsight.data.smears.texture import centred, cut, grain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.data.smears.morphology import Traits

_GRAINS = (0.20, 0.34, 0.50)  # micrometres, from grain 0 over 0.5 to 1
_EDGE = 1.3  # pixels
_CYTOPLASM_TO_NUCLEUS = 0.65
"""Light that cytoplasm takes away beside the same area of nucleus, as far as whole fields of the classes look alike."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """One leukocyte on a square patch of its own.

    Attributes:
        chromatin, cytoplasm, eosin: dye, float32 (S, S).
        cell, nucleus: bool (S, S), `nucleus` inside `cell`.
        radius: of the disc of the cell's area, pixels.
        kind: what it is.
    """

    chromatin: NDArray[np.float32]
    cytoplasm: NDArray[np.float32]
    eosin: NDArray[np.float32]
    cell: NDArray[np.bool_]
    nucleus: NDArray[np.bool_]
    radius: float
    kind: str

    @property
    def reach(self) -> int:
        """Half side of the patch."""
        return len(self.cell) // 2

    @property
    def depth_of_stain(self) -> float:
        """How strongly the cell is stained on average, 1 for nucleus alone."""
        share = float(self.nucleus.sum() / self.cell.sum())
        return share + _CYTOPLASM_TO_NUCLEUS * (1 - share)


def chromatin_tiles(rng: np.random.Generator, *, scale: float) -> tuple[NDArray[np.float32], ...]:
    """Noise of three grains to cut chromatin from, each large enough for the largest cell."""
    side = int(40 * scale)
    return tuple(grain(rng, side=side, sigma=size * scale) for size in _GRAINS)


def portray(
    traits: Traits, *, tiles: tuple[NDArray[np.float32], ...], scale: float, rng: np.random.Generator
) -> Portrait:
    """Draw one leukocyte.

    Args:
        traits: its size, share of the nucleus, chromatin and outline.
        tiles: of `chromatin_tiles` at the same scale.
        scale: pixels per micrometre.
        rng: where randomness comes from.
    """
    radius = traits.diameter / 2 * scale
    body = outline(
        rng, radius=radius, irregularity=traits.irregularity, elongation=abs(float(rng.normal(0, 0.05)))
    )
    reach = reach_of(body)
    cell_depth = depth(body, reach=reach)
    nucleus_depth = np.minimum(
        _nucleus(traits, body, reach=reach, scale=scale, rng=rng), cell_depth - np.float32(0.25 * scale)
    )
    nucleus = nucleus_depth > 0
    cell = cell_depth > 0
    covered = coverage(nucleus_depth, softness=_EDGE)
    dye = _chromatin(traits, nucleus, nucleus_depth, tiles=tiles, scale=scale, rng=rng)
    plasma = coverage(cell_depth, softness=_EDGE) * (1 - np.float32(0.85) * covered)
    mottle = 1 + np.float32(0.10) * cut(rng, tiles[1], side=2 * reach + 1)
    # The rim of basophilic cytoplasm is deepest at its border and palest beside the nucleus.
    border = 1 + np.float32(0.25) * np.clip(1 - cell_depth / np.float32(1.2 * scale), -0.6, 1)
    return Portrait(
        chromatin=dye * covered,
        cytoplasm=np.float32(traits.cytoplasm) * plasma * np.maximum(mottle * border, 0),
        eosin=np.float32(traits.eosin) * plasma * np.maximum(1 + np.float32(2.5) * (mottle - 1), 0),
        cell=cell,
        nucleus=nucleus,
        radius=radius,
        kind=traits.kind,
    )


def _nucleus(
    traits: Traits, body: NDArray[np.float32], *, reach: int, scale: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Depth inside the nucleus, float32 (S, S)."""
    radius = traits.diameter / 2 * scale * traits.share**0.5
    if traits.lobes > 1:
        return _lobes(traits.lobes, radius, reach=reach, room=traits.diameter / 2 * scale, rng=rng)
    own = outline(rng, radius=radius, irregularity=0.8 * traits.irregularity, elongation=0.02)
    shape = (own + scaled(body, radius)) * np.float32(0.5)
    if traits.cleft:
        for _ in range(int(rng.integers(1, 3))):
            shape = cleft(
                shape,
                direction=int(rng.integers(DIRECTIONS)),
                depth=rng.uniform(0.22, 0.5),
                width=rng.uniform(0.10, 0.24),
            )
    shape = scaled(shape, radius)
    slack = 0.8 * (traits.diameter / 2 * scale - radius)
    angle, far = rng.uniform(0, 2 * np.pi), slack * rng.uniform(0, 1) ** 0.5
    offset = (round(far * np.sin(angle)), round(far * np.cos(angle)))
    return depth(shape, reach=reach, offset=offset)


def _lobes(
    lobes: int, radius: float, *, reach: int, room: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Depth inside a segmented nucleus: lobes along an arc, the whole as large as a disc of `radius`."""
    count = lobes + int(rng.integers(-1, 2))
    each = radius / count**0.5 * 1.05
    turn, step = rng.uniform(0, 2 * np.pi), rng.uniform(1.1, 1.6)
    arc = max(room - each - 1, 0.5) * rng.uniform(0.75, 0.95)
    depths = []
    for lobe in range(count):
        angle = turn + step * lobe * (each / max(arc, 1)) * 1.25
        offset = (round(arc * np.sin(angle)), round(arc * np.cos(angle)))
        shape = outline(rng, radius=each * rng.uniform(0.85, 1.15), irregularity=0.06, elongation=0.12)
        depths.append(depth(shape, reach=reach, offset=offset))
    deepest: NDArray[np.float32] = np.maximum.reduce(depths)
    return deepest


def _chromatin(
    traits: Traits,
    nucleus: NDArray[np.bool_],
    nucleus_depth: NDArray[np.float32],
    *,
    tiles: tuple[NDArray[np.float32], ...],
    scale: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Dye of the nucleus: its mean over the nucleus is `traits.chromatin` whatever grain and nucleoli are."""
    side = nucleus.shape[0]
    low = min(int(traits.grain * 2), 1)
    share = np.float32(traits.grain * 2 - low)
    fine, coarse = cut(rng, tiles[low], side=side), cut(rng, tiles[low + 1], side=side)
    mixed = (fine * (1 - share) + coarse * share) * np.float32(
        1 / (float(share) ** 2 + (1 - float(share)) ** 2) ** 0.5
    )
    # Coarse chromatin is dense blocks parted by narrow pale clefts; fine chromatin is even.
    coarse_part = np.float32(traits.grain)
    clumped = np.clip(mixed * (1 + coarse_part), np.float32(-1.7), np.float32(1.8) - coarse_part)
    pattern = np.float32(traits.contrast) * clumped
    membrane = np.clip(1 - np.abs(nucleus_depth - np.float32(0.35 * scale)) / np.float32(0.45 * scale), 0, 1)
    pattern += np.float32(0.10) * membrane
    for _ in range(traits.nucleoli):
        pattern += _nucleolus(traits, nucleus_depth, scale=scale, rng=rng)
    dye: NDArray[np.float32] = np.float32(traits.chromatin) * (1 + centred(pattern, inside=nucleus))
    return np.maximum(dye, np.float32(0.2))


def _nucleolus(
    traits: Traits, nucleus_depth: NDArray[np.float32], *, scale: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A pale spot with a darker ring of chromatin around it, anywhere well inside the nucleus."""
    reach = nucleus_depth.shape[0] // 2
    radius = np.float32(traits.nucleolus * scale)
    inside = np.argwhere(nucleus_depth > 1.3 * radius)
    if not len(inside):
        inside = np.argwhere(nucleus_depth >= nucleus_depth.max())
    row, column = inside[int(rng.integers(len(inside)))] - reach
    distance, _ = polar(reach, offset=(int(row), int(column)))
    spot = coverage(radius - distance, softness=1.2)
    ring = coverage(radius + np.float32(0.45 * scale) - distance, softness=1.2) - spot
    return np.float32(0.18) * ring - np.float32(0.40) * spot


def deposit(
    portrait: Portrait,
    centre: tuple[int, int],
    *,
    amounts: NDArray[np.float32],
    instances: NDArray[np.uint16],
    nuclei: NDArray[np.bool_],
    number: int,
) -> int:
    """Add a leukocyte to a field, in place; where two touch, the pixel stays with the first.

    Args:
        portrait: the leukocyte.
        centre: row and column.
        amounts: dye, float32 (DYES, H, W).
        instances: uint16 (H, W), 0 where there is no leukocyte.
        nuclei: bool (H, W).
        number: of the cell in `instances`, from 1.

    Returns:
        How many pixels of the field became this cell's; at 0 nothing was added.
    """
    place = window(centre, reach=portrait.reach, size=instances.shape[0])
    if place is None:
        return 0
    labels = instances[place.field]
    own = portrait.cell[place.patch] & (labels == 0)
    if not own.any():
        return 0
    labels[own] = number
    nuclei[place.field] |= portrait.nucleus[place.patch]
    for dye, layer in (
        (CHROMATIN, portrait.chromatin),
        (CYTOPLASM, portrait.cytoplasm),
        (EOSIN, portrait.eosin),
    ):
        amounts[dye][place.field] += layer[place.patch]
    return int(own.sum())
