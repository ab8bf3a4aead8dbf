"""Puts a smear together: leukocytes by area, red cells around them, the rest anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING

import numpy as np

from allsight.data.smears.leukocytes import Portrait, chromatin_tiles, deposit, portray
from allsight.data.smears.morphology import BYSTANDERS, draw_traits, kind_for
from allsight.data.smears.platelets import draw_debris
from allsight.data.smears.red_cells import draw_red_cells
from allsight.data.smears.stain import DYES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.data.smears.patient import Patient
    from allsight.data.smears.recipe import Recipe

_TRIES = 25


@dataclass(frozen=True, slots=True)
class Field:
    """What lies on the glass.

    Attributes:
        amounts: dye, float32 (DYES, H, W).
        instances: uint16 (H, W), 0 outside leukocytes, k in the k-th.
        nuclei: bool (H, W).
        kinds: of the leukocytes, in the order of their numbers.
    """

    amounts: NDArray[np.float32]
    instances: NDArray[np.uint16]
    nuclei: NDArray[np.bool_]
    kinds: tuple[str, ...]


def compose(recipe: Recipe, patient: Patient, *, rng: np.random.Generator) -> Field:
    """Lay out one field of a patient's smear."""
    size, scale = recipe.size, recipe.pixels_per_micron
    bench = _Bench(
        amounts=np.zeros((DYES, size, size), np.float32),
        instances=np.zeros((size, size), np.uint16),
        nuclei=np.zeros((size, size), np.bool_),
        tiles=chromatin_tiles(rng, scale=scale),
    )
    _add_diagnostic(bench, recipe, patient, rng=rng)
    _add_bystanders(bench, recipe, patient, rng=rng)
    occupied = np.array(bench.occupied, np.float64).reshape(-1, 3)
    draw_red_cells(bench.amounts, patient.red_cells, occupied=occupied, scale=scale, rng=rng)
    draw_debris(bench.amounts, patient, tiles=bench.tiles, scale=scale, rng=rng)
    return Field(bench.amounts, bench.instances, bench.nuclei, tuple(bench.kinds))


@dataclass
class _Bench:
    """A field in the making; `occupied` holds row, column and radius of each leukocyte of `kinds`."""

    amounts: NDArray[np.float32]
    instances: NDArray[np.uint16]
    nuclei: NDArray[np.bool_]
    tiles: tuple[NDArray[np.float32], ...]
    kinds: list[str] = dataclass_field(default_factory=list)
    occupied: list[tuple[float, float, float]] = dataclass_field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.instances)

    def add(self, portrait: Portrait, centre: tuple[int, int]) -> int:
        """Lay a leukocyte down; how many pixels of the field it took."""
        seen = deposit(
            portrait,
            centre,
            amounts=self.amounts,
            instances=self.instances,
            nuclei=self.nuclei,
            number=len(self.kinds) + 1,
        )
        if seen:
            self.kinds.append(portrait.kind)
            self.occupied.append((*centre, portrait.radius))
        return seen


def _add_diagnostic(bench: _Bench, recipe: Recipe, patient: Patient, *, rng: np.random.Generator) -> None:
    """Leukocytes that carry the diagnosis, up to an amount of dye that has nothing to do with it.

    Their number makes up for their size and for their share of the nucleus: the last one is laid down with the
    probability that makes the expected amount right. The first lies whole inside the field, so that no field is
    without evidence.
    """
    target = patient.burden * rng.uniform(0.6, 1.4) * bench.size**2
    laid = 0.0
    while True:
        kind = kind_for(recipe.label, morphology=recipe.morphology, rng=rng)
        traits = draw_traits(kind, build=patient.build, rng=rng)
        portrait = portray(traits, tiles=bench.tiles, scale=recipe.pixels_per_micron, rng=rng)
        missing = (target - laid) / (np.pi * portrait.radius**2 * portrait.depth_of_stain)
        if bench.kinds and rng.random() > missing:
            return
        touching = bool(rng.random() < patient.clustering)
        centre = _free_place(bench, portrait.radius, touching=touching, rng=rng)
        if centre is None:
            return
        laid += bench.add(portrait, centre) * portrait.depth_of_stain


def _add_bystanders(bench: _Bench, recipe: Recipe, patient: Patient, *, rng: np.random.Generator) -> None:
    """Normal leukocytes, as many in one diagnosis as in another."""
    area = (recipe.size / recipe.pixels_per_micron) ** 2 / 10_000
    for _ in range(rng.poisson(patient.bystanders * area)):
        name = tuple(BYSTANDERS)[int(rng.integers(len(BYSTANDERS)))]
        traits = draw_traits(name, build=patient.build, rng=rng)
        portrait = portray(traits, tiles=bench.tiles, scale=recipe.pixels_per_micron, rng=rng)
        centre = _free_place(bench, portrait.radius, touching=False, rng=rng)
        if centre is not None:
            bench.add(portrait, centre)


def _free_place(
    bench: _Bench, radius: float, *, touching: bool, rng: np.random.Generator
) -> tuple[int, int] | None:
    """A centre (row, column) where a leukocyte overlaps no other by more than a sliver, or None after some tries."""
    others = np.array(bench.occupied, np.float64).reshape(-1, 3)
    inset = min(radius + 2, bench.size / 2 - 1) if not len(others) else 0.3 * radius
    for _ in range(_TRIES):
        place = rng.uniform(inset, bench.size - inset, 2)
        if touching and len(others):
            row, column, near = others[int(rng.integers(len(others)))]
            angle, apart = rng.uniform(0, 2 * np.pi), (near + radius) * rng.uniform(0.97, 1.08)
            place = np.round([row + apart * np.sin(angle), column + apart * np.cos(angle)], 6)
            if not ((place > 0) & (place < bench.size)).all():
                continue
        gaps = np.sqrt((others[:, 0] - place[0]) ** 2 + (others[:, 1] - place[1]) ** 2) / (
            others[:, 2] + radius
        )
        if not len(others) or gaps.min() >= 0.96:
            return int(place[0]), int(place[1])
    return None
