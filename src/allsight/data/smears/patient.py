"""What the fields of one patient share, whatever the diagnosis: stain, light, focus, density, red-cell habit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from allsight.data.smears.stain import draw_dyes

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RedCellHabit:
    """How a patient's red cells look and lie.

    Attributes:
        diameter: mean, micrometres.
        anisocytosis: standard deviation of the diameter over its mean.
        cover: part of the field that red cells would cover if none overlapped.
        pallor: how much dye is missing in the middle, in [0, 1].
        bowl: radii, as parts of the cell's, between which the middle turns into the rim.
        rim: extra dye in the rim.
        crenated: part of the cells with a scalloped outline.
        rouleaux: part of the cells that lie in chains like coins.
    """

    diameter: float
    anisocytosis: float
    cover: float
    pallor: float
    bowl: tuple[float, float]
    rim: float
    crenated: float
    rouleaux: float


@dataclass(frozen=True, slots=True)
class Light:
    """A microscope's light and camera.

    Attributes:
        white: colour of the middle of an empty field, red, green, blue; 1 is the camera's white.
        falloff: part of the light of each colour that is lost in the corners.
        slope: change of the light over the field's height and width.
        blur: defocus of a good shot, standard deviation in micrometres.
        noise: standard deviation of the sensor's noise in grey levels at white.
        quality: of the camera's JPEG, 1 to 100.
    """

    white: tuple[float, float, float]
    falloff: tuple[float, float, float]
    slope: tuple[float, float]
    blur: float
    noise: float
    quality: int


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient's smear.

    Attributes:
        dyes: float32 (DYES, 3), optical density per unit.
        light: microscope and camera.
        red_cells: habit of the red cells.
        burden: leukocytes that carry the diagnosis, as the part of the field that their dye would cover if
            all of it were as dense as a nucleus.
        bystanders: normal leukocytes per 10,000 square micrometres.
        smudges: ruptured leukocytes per 10,000 square micrometres.
        platelets: per 10,000 square micrometres.
        precipitate: specks of dye per 10,000 square micrometres.
        clustering: probability that a leukocyte touches another.
        build: how this patient's leukocytes deviate from their class, in standard deviations between
            patients: diameter, share of the nucleus, grain, contrast, irregularity.
    """

    dyes: NDArray[np.float32]
    light: Light
    red_cells: RedCellHabit
    burden: float
    bystanders: float
    smudges: float
    platelets: float
    precipitate: float
    clustering: float
    build: tuple[float, float, float, float, float]


def draw_patient(rng: np.random.Generator) -> Patient:
    """A patient from the one distribution that all diagnoses share."""
    return Patient(
        dyes=draw_dyes(rng),
        light=_draw_light(rng),
        red_cells=_draw_red_cells(rng),
        burden=rng.uniform(0.14, 0.23),
        bystanders=rng.uniform(0.0, 1.5),
        smudges=rng.choice([0.0, 0.5, 1.2]),
        platelets=rng.uniform(1.0, 12.0),
        precipitate=rng.choice([0.0, 0.0, 3.0]),
        clustering=rng.uniform(0.1, 0.6),
        build=tuple(np.clip(rng.standard_normal(5), -2, 2)),
    )


def _draw_light(rng: np.random.Generator) -> Light:
    warm = rng.uniform(-0.01, 0.10)  # yellow where positive, as most fields' middles are
    lost = rng.uniform(0.04, 0.18)
    exposure = rng.uniform(0.99, 1.05)
    return Light(
        white=(exposure, exposure * rng.uniform(0.995, 1.015), exposure * (1 - warm)),
        falloff=(lost * rng.uniform(0.8, 1.3), lost * rng.uniform(0.3, 0.9), lost * rng.uniform(-0.4, 0.4)),
        slope=(rng.uniform(-0.04, 0.04), rng.uniform(-0.04, 0.04)),
        blur=rng.uniform(0.12, 0.30),
        noise=rng.uniform(0.8, 2.2),
        quality=int(rng.integers(82, 97)),
    )


def _draw_red_cells(rng: np.random.Generator) -> RedCellHabit:
    inner = rng.uniform(0.05, 0.40)
    return RedCellHabit(
        diameter=rng.uniform(6.6, 7.6),
        anisocytosis=rng.uniform(0.04, 0.09),
        cover=rng.uniform(0.38, 0.62),
        pallor=rng.choice([rng.uniform(0.05, 0.35), rng.uniform(0.45, 0.85)]),
        bowl=(inner, inner + rng.uniform(0.2, 0.4)),
        rim=rng.uniform(0.0, 0.4),
        crenated=rng.choice([0.0, 0.0, 0.05, 0.3]),
        rouleaux=rng.choice([0.0, 0.1, 0.2, 0.4]),
    )
