"""Dyes and light: amounts of dye add up where cells overlap, and light falls as ten to the minus their absorbance.

The Beer-Lambert law in optical density, as in Ruifrok and Johnston, "Quantification of histochemical staining by
color deconvolution", Anal. Quant. Cytol. Histol. 23 (2001).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HAEMOGLOBIN, CHROMATIN, CYTOPLASM, EOSIN = range(4)
DYES = 4

_STEPS_PER_DENSITY = 2048
_DENSEST = 4.0


def draw_dyes(rng: np.random.Generator) -> NDArray[np.float32]:
    """Optical density per unit of each dye in red, green and blue, as one laboratory's stain has it.

    Chromatin runs from pale pink to deep violet, red cells from beige over grey to blue; float32 (DYES, 3).
    """
    strength = rng.uniform(0.28, 0.56)
    chromatin = strength * np.array([rng.uniform(0.40, 0.70), 1.0, rng.uniform(0.04, 0.13)])
    basophilia = strength * rng.uniform(0.36, 0.64)
    cytoplasm = basophilia * np.array(
        [rng.uniform(0.75, 1.05), rng.uniform(0.8, 1.0), rng.uniform(0.04, 0.14)]
    )
    red = rng.uniform(0.09, 0.22)
    green = rng.uniform(0.68, 1.0)
    haemoglobin = red * np.array([1.0, green, green * rng.uniform(0.22, 0.78)])
    pink = rng.uniform(0.5, 1.0)
    eosin = pink * np.array([0.05, 0.30, rng.uniform(0.02, 0.12)])
    return np.round(np.stack([haemoglobin, chromatin, cytoplasm, eosin]), 6).astype(np.float32)


def transmitted(amounts: NDArray[np.float32], dyes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Part of the light that passes.

    Args:
        amounts: float32 (DYES, H, W), 0 or more.
        dyes: float32 (DYES, 3), optical density per unit.

    Returns:
        float32 (H, W, 3) in (0, 1].
    """
    density = np.empty((*amounts.shape[1:], 3), np.float32)
    for channel in range(3):
        total = amounts[0] * dyes[0, channel]
        for dye in range(1, DYES):
            total += amounts[dye] * dyes[dye, channel]
        density[..., channel] = total
    steps = np.clip(density * np.float32(_STEPS_PER_DENSITY), 0, _DENSEST * _STEPS_PER_DENSITY)
    return _powers()[steps.astype(np.uint16)]


@lru_cache(maxsize=1)
def _powers() -> NDArray[np.float32]:
    density = np.arange(int(_DENSEST * _STEPS_PER_DENSITY) + 1) / _STEPS_PER_DENSITY
    return np.round(10.0**-density, 7).astype(np.float32)
