"""Single leukocytes: the traits asked for, measured on what was drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from scipy import ndimage

from allsight.data.smears.leukocytes import Portrait, chromatin_tiles, portray
from allsight.data.smears.morphology import BYSTANDERS, DIAGNOSTIC, Traits, draw_traits

SCALE = 6.0
AVERAGE = (0.0, 0.0, 0.0, 0.0, 0.0)
TRAITS = Traits(
    kind="Early",
    diameter=11.0,
    share=0.7,
    grain=0.5,
    contrast=0.15,
    nucleoli=0,
    nucleolus=0.9,
    irregularity=0.03,
    cleft=False,
    chromatin=1.0,
    cytoplasm=1.0,
    eosin=0.1,
    lobes=1,
)


def _portraits(traits: Traits, *, count: int = 12) -> list[Portrait]:
    rng = np.random.default_rng(0)
    tiles = chromatin_tiles(rng, scale=SCALE)
    return [portray(traits, tiles=tiles, scale=SCALE, rng=rng) for _ in range(count)]


def _core(portrait: Portrait) -> np.ndarray:
    """The nucleus without its soft edge."""
    core: np.ndarray = ndimage.binary_erosion(portrait.nucleus, iterations=4)
    return core


def test_cell_and_nucleus_are_as_large_as_asked_for() -> None:
    portraits = _portraits(TRAITS)
    area = np.mean([p.cell.sum() for p in portraits])
    assert area == pytest.approx(np.pi * (11.0 / 2 * SCALE) ** 2, rel=0.02)
    assert np.mean([p.nucleus.sum() / p.cell.sum() for p in portraits]) == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("name", [*DIAGNOSTIC, *BYSTANDERS])
def test_the_nucleus_lies_inside_the_cell(name: str) -> None:
    rng = np.random.default_rng(1)
    tiles = chromatin_tiles(rng, scale=SCALE)
    for _ in range(10):
        traits = draw_traits(name, build=AVERAGE, rng=rng)
        portrait = portray(traits, tiles=tiles, scale=SCALE, rng=rng)
        assert portrait.nucleus.any()
        assert not (portrait.nucleus & ~portrait.cell).any()
        assert min(layer.min() for layer in (portrait.chromatin, portrait.cytoplasm, portrait.eosin)) >= 0


@pytest.mark.parametrize("change", [{"grain": 0.0}, {"grain": 1.0}, {"contrast": 0.25}, {"nucleoli": 3}])
def test_chromatin_and_nucleoli_leave_the_mean_dye_as_it_is(change: dict[str, Any]) -> None:
    portraits = _portraits(replace(TRAITS, **change))
    assert np.mean([p.chromatin[p.nucleus].mean() for p in portraits]) == pytest.approx(
        np.mean([p.chromatin[p.nucleus].mean() for p in _portraits(TRAITS)]), rel=0.01
    )


def test_coarse_chromatin_has_larger_grains() -> None:
    def grain_size(grain: float) -> float:
        """Correlation of dye two pixels apart, inside the nucleus."""
        found = []
        for portrait in _portraits(replace(TRAITS, grain=grain)):
            core = _core(portrait)
            pairs = core[:, 2:] & core[:, :-2]
            found.append(
                np.corrcoef(portrait.chromatin[:, 2:][pairs], portrait.chromatin[:, :-2][pairs])[0, 1]
            )
        return float(np.mean(found))

    assert grain_size(0.0) + 0.05 < grain_size(0.5) < grain_size(1.0) - 0.05


def test_contrast_is_the_spread_of_the_dye() -> None:
    low, high = (
        np.mean([p.chromatin[_core(p)].std() for p in _portraits(replace(TRAITS, contrast=c))])
        for c in (0.08, 0.24)
    )
    assert high / low == pytest.approx(3.0, rel=0.25)


def test_nucleoli_are_pale_spots() -> None:
    def spots(count: int) -> float:
        even = replace(TRAITS, nucleoli=count, contrast=0.03, nucleolus=1.0, diameter=14.0)
        pale = [ndimage.label(_core(p) & (p.chromatin < 0.8))[1] for p in _portraits(even)]
        return float(np.mean(pale))

    assert spots(0) == 0
    assert spots(1) == pytest.approx(1, abs=0.1)
    assert 1.3 < spots(2) <= 2.1  # two may touch


def test_a_cleft_makes_the_nucleus_less_convex() -> None:
    def solidity(cleft: bool) -> float:
        """Area over that of the convex hull."""
        found = []
        for portrait in _portraits(replace(TRAITS, cleft=cleft, irregularity=0.01)):
            outlines, _ = cv2.findContours(
                portrait.nucleus.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            outline = max(outlines, key=cv2.contourArea)
            found.append(cv2.contourArea(outline) / cv2.contourArea(cv2.convexHull(outline)))
        return float(np.mean(found))

    assert solidity(True) < solidity(False) - 0.01
