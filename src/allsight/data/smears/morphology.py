"""What leukocytes of each kind look like: the only place where a diagnosis shows.

The four classes differ in size, share of the nucleus, grain of the chromatin, nucleoli and outline, and in nothing
that has a colour: the mean dye per area of nucleus and cytoplasm is one for all. The directions follow the
textbook (FAB L1 against L2, hematogones with scant cytoplasm and condensed chromatin); the numbers are invented,
for Early, Pre and Pro are told apart by flow cytometry and not by eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from allsight.data.smears.recipe import CLASSES


@dataclass(frozen=True, slots=True)
class Kind:
    """The distribution of one kind of leukocyte; a pair is a mean and a standard deviation between cells.

    Attributes:
        diameter: of the cell, micrometres.
        share: of the cell's area that the nucleus covers.
        grain: coarseness of the chromatin, 0 (fine, 0.2 µm) to 1 (clumps of 0.5 µm).
        contrast: relative standard deviation of the dye inside the nucleus.
        nucleoli: probabilities of 0, 1, 2 and 3 nucleoli.
        nucleolus: radius, micrometres.
        irregularity: relative deviation of the outline from an ellipse.
        cleft: probability of a notch in the nucleus.
        chromatin: dye of the nucleus.
        cytoplasm: dye of the cytoplasm, blue.
        eosin: dye of the cytoplasm, pink.
        lobes: of the nucleus.
    """

    diameter: tuple[float, float]
    share: tuple[float, float]
    grain: tuple[float, float]
    contrast: tuple[float, float]
    nucleoli: tuple[float, float, float, float]
    nucleolus: float
    irregularity: tuple[float, float]
    cleft: float
    chromatin: float = 1.0
    cytoplasm: float = 1.0
    eosin: float = 0.1
    lobes: int = 1


DIAGNOSTIC = {
    "Benign": Kind(
        diameter=(8.0, 0.7),
        share=(0.83, 0.04),
        grain=(0.92, 0.08),
        contrast=(0.24, 0.04),
        nucleoli=(0.93, 0.07, 0.0, 0.0),
        nucleolus=0.6,
        irregularity=(0.02, 0.008),
        cleft=0.05,
    ),
    "Early": Kind(
        diameter=(11.5, 0.9),
        share=(0.69, 0.05),
        grain=(0.10, 0.10),
        contrast=(0.10, 0.03),
        nucleoli=(0.15, 0.50, 0.30, 0.05),
        nucleolus=0.85,
        irregularity=(0.09, 0.02),
        cleft=0.65,
    ),
    "Pre": Kind(
        diameter=(10.4, 0.8),
        share=(0.90, 0.025),
        grain=(0.55, 0.10),
        contrast=(0.23, 0.04),
        nucleoli=(0.65, 0.30, 0.05, 0.0),
        nucleolus=0.7,
        irregularity=(0.025, 0.010),
        cleft=0.10,
    ),
    "Pro": Kind(
        diameter=(13.4, 1.1),
        share=(0.54, 0.06),
        grain=(0.25, 0.10),
        contrast=(0.15, 0.03),
        nucleoli=(0.05, 0.20, 0.45, 0.30),
        nucleolus=1.1,
        irregularity=(0.04, 0.015),
        cleft=0.20,
    ),
}

BYSTANDERS = {
    "neutrophil": Kind(
        diameter=(12.0, 0.9),
        share=(0.36, 0.03),
        grain=(0.9, 0.08),
        contrast=(0.22, 0.04),
        nucleoli=(1.0, 0.0, 0.0, 0.0),
        nucleolus=0.6,
        irregularity=(0.03, 0.01),
        cleft=0.0,
        chromatin=1.15,
        cytoplasm=0.25,
        eosin=0.45,
        lobes=3,
    ),
    "lymphocyte": Kind(
        diameter=(7.8, 0.6),
        share=(0.80, 0.05),
        grain=(0.95, 0.05),
        contrast=(0.20, 0.04),
        nucleoli=(1.0, 0.0, 0.0, 0.0),
        nucleolus=0.6,
        irregularity=(0.02, 0.008),
        cleft=0.05,
        chromatin=1.25,
        cytoplasm=0.9,
    ),
    "normoblast": Kind(
        diameter=(7.6, 0.6),
        share=(0.36, 0.05),
        grain=(0.6, 0.1),
        contrast=(0.08, 0.02),
        nucleoli=(1.0, 0.0, 0.0, 0.0),
        nucleolus=0.6,
        irregularity=(0.02, 0.008),
        cleft=0.0,
        chromatin=1.7,
        cytoplasm=0.35,
        eosin=0.35,
    ),
}

# Standard deviations between patients of diameter (relative), share, grain, contrast and irregularity (relative).
_BETWEEN_PATIENTS = (0.035, 0.02, 0.06, 0.015, 0.15)


@dataclass(frozen=True, slots=True)
class Traits:
    """One leukocyte, as drawn from its kind and its patient's build; units as in `Kind`."""

    kind: str
    diameter: float
    share: float
    grain: float
    contrast: float
    nucleoli: int
    nucleolus: float
    irregularity: float
    cleft: bool
    chromatin: float
    cytoplasm: float
    eosin: float
    lobes: int


def draw_traits(
    name: str, *, build: tuple[float, float, float, float, float], rng: np.random.Generator
) -> Traits:
    """One cell of the kind `name` in a patient of the given build."""
    kind = DIAGNOSTIC.get(name) or BYSTANDERS[name]
    shift = [deviation * unit for deviation, unit in zip(_BETWEEN_PATIENTS, build, strict=True)]
    draws = [float(value) for value in np.clip(rng.standard_normal(7), -2.5, 2.5)]

    def around(pair: tuple[float, float], draw: float) -> float:
        return pair[0] + pair[1] * draw

    return Traits(
        kind=name,
        diameter=around(kind.diameter, draws[0]) * (1 + shift[0]),
        share=min(max(around(kind.share, draws[1]) + shift[1], 0.2), 0.94),
        grain=min(max(around(kind.grain, draws[2]) + shift[2], 0.0), 1.0),
        contrast=max(around(kind.contrast, draws[3]) + shift[3], 0.03),
        nucleoli=_count(kind.nucleoli, rng.random()),
        nucleolus=kind.nucleolus * rng.uniform(0.8, 1.2),
        irregularity=max(around(kind.irregularity, draws[4]), 0.005) * (1 + shift[4]),
        cleft=bool(rng.random() < kind.cleft),
        chromatin=kind.chromatin * (1 + 0.08 * draws[5]),
        cytoplasm=kind.cytoplasm * (1 + 0.12 * draws[6]),
        eosin=kind.eosin,
        lobes=kind.lobes,
    )


def _count(probabilities: tuple[float, ...], draw: float) -> int:
    """The number that a uniform draw in [0, 1) picks, 0 with the first probability and so on."""
    return min(sum(draw >= bound for bound in accumulate(probabilities)), len(probabilities) - 1)


def kind_for(label: str, *, morphology: str, rng: np.random.Generator) -> str:
    """The class a diagnostic cell is drawn from: the label, or any of the four where morphology says nothing."""
    return label if morphology == "full" else CLASSES[int(rng.integers(len(CLASSES)))]
