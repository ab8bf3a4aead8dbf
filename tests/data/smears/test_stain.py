"""Light through dye, against the law in float64."""

from __future__ import annotations

import numpy as np

from allsight.data.smears.stain import CHROMATIN, DYES, HAEMOGLOBIN, draw_dyes, transmitted


def test_light_falls_by_beer_and_lambert() -> None:
    rng = np.random.default_rng(0)
    amounts, dyes = rng.uniform(0, 2, (DYES, 20, 20)).astype(np.float32), draw_dyes(rng)
    expected = 10 ** -np.einsum("dhw,dc->hwc", amounts.astype(float), dyes.astype(float))
    np.testing.assert_allclose(transmitted(amounts, dyes), expected, rtol=2e-3)


def test_where_two_cells_overlap_the_light_that_passes_multiplies() -> None:
    dyes = draw_dyes(np.random.default_rng(1))
    one, other, both = np.zeros((3, DYES, 1, 1), np.float32)
    one[HAEMOGLOBIN], other[CHROMATIN] = 0.8, 1.1
    both[HAEMOGLOBIN], both[CHROMATIN] = 0.8, 1.1
    product = transmitted(one, dyes) * transmitted(other, dyes)
    np.testing.assert_allclose(transmitted(both, dyes), product, rtol=2e-3)


def test_every_laboratory_stains_nuclei_violet() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        red, green, blue = draw_dyes(rng)[CHROMATIN]
        assert green > red > blue > 0  # what it takes away: green most, blue least
