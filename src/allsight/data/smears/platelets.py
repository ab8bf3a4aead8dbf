"""What else lies on a smear: platelets, smudge cells and precipitated dye. None of it counts as a leukocyte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.data.smears.contours import coverage, depth, outline, reach_of, window
from allsight.data.smears.stain import CHROMATIN, CYTOPLASM, EOSIN
from allsight.data.smears.texture import cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.data.smears.patient import Patient

_AREA = 10_000.0  # square micrometres, what a patient's counts refer to


def draw_debris(
    amounts: NDArray[np.float32],
    patient: Patient,
    *,
    tiles: tuple[NDArray[np.float32], ...],
    scale: float,
    rng: np.random.Generator,
) -> None:
    """Add platelets, smudge cells and precipitate to the dye on a field.

    Args:
        amounts: float32 (DYES, H, W), changed in place.
        patient: how many of each.
        tiles: of `leukocytes.chromatin_tiles` at the same scale.
        scale: pixels per micrometre.
        rng: where randomness comes from.
    """
    size = amounts.shape[1]
    area = (size / scale) ** 2 / _AREA
    for rate, draw in (
        (patient.smudges, _smudge),
        (patient.platelets, _platelet),
        (patient.precipitate, _speck),
    ):
        for _ in range(rng.poisson(rate * area)):
            centre = tuple(int(value) for value in rng.integers(0, size, 2))
            draw(amounts, (centre[0], centre[1]), tiles=tiles, scale=scale, rng=rng)


def _blob(
    amounts: NDArray[np.float32],
    centre: tuple[int, int],
    *,
    contour: NDArray[np.float32],
    softness: float,
    texture: NDArray[np.float32],
    contrast: float,
    dye: tuple[tuple[int, float], ...],
    rng: np.random.Generator,
) -> None:
    """A textured patch of dye; `dye` pairs each dye's index with its amount."""
    reach = reach_of(contour) + int(softness)
    place = window(centre, reach=reach, size=amounts.shape[1])
    if place is None:
        return
    grainy = np.maximum(1 + np.float32(contrast) * cut(rng, texture, side=2 * reach + 1), 0)
    covered = (coverage(depth(contour, reach=reach), softness=softness) * grainy)[place.patch]
    for index, amount in dye:
        amounts[index][place.field] += np.float32(amount) * covered


def _platelet(
    amounts: NDArray[np.float32],
    centre: tuple[int, int],
    *,
    tiles: tuple[NDArray[np.float32], ...],
    scale: float,
    rng: np.random.Generator,
) -> None:
    radius = rng.uniform(0.6, 1.4) * scale
    body = outline(rng, radius=radius, irregularity=0.14, elongation=0.12)
    core = outline(rng, radius=0.7 * radius, irregularity=0.2)
    _blob(
        amounts,
        centre,
        contour=body,
        softness=1.8,
        texture=tiles[0],
        contrast=0.3,
        dye=((CYTOPLASM, 0.45),),
        rng=rng,
    )
    dye = ((CHROMATIN, rng.uniform(0.25, 0.6)), (EOSIN, 0.15))
    _blob(amounts, centre, contour=core, softness=1.8, texture=tiles[0], contrast=0.5, dye=dye, rng=rng)


def _smudge(
    amounts: NDArray[np.float32],
    centre: tuple[int, int],
    *,
    tiles: tuple[NDArray[np.float32], ...],
    scale: float,
    rng: np.random.Generator,
) -> None:
    radius = rng.uniform(4.5, 7.5) * scale
    body = outline(rng, radius=radius, irregularity=0.16, elongation=rng.uniform(0.05, 0.3))
    amount = rng.uniform(0.16, 0.34)
    dye = ((CHROMATIN, amount), (EOSIN, 0.5 * amount))
    _blob(
        amounts, centre, contour=body, softness=1.6 * scale, texture=tiles[2], contrast=0.22, dye=dye, rng=rng
    )


def _speck(
    amounts: NDArray[np.float32],
    centre: tuple[int, int],
    *,
    tiles: tuple[NDArray[np.float32], ...],
    scale: float,
    rng: np.random.Generator,
) -> None:
    for _ in range(int(rng.integers(2, 9))):
        shift = rng.normal(0, 1.3 * scale, 2)
        place = (centre[0] + round(shift[0]), centre[1] + round(shift[1]))
        contour = outline(rng, radius=rng.uniform(0.25, 0.7) * scale, irregularity=0.25)
        dye = ((CHROMATIN, rng.uniform(0.5, 1.5)),)
        _blob(amounts, place, contour=contour, softness=1.3, texture=tiles[0], contrast=0.2, dye=dye, rng=rng)
