"""Superpixels: a partition that keeps nuclei apart from their surroundings."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.data.smears import Recipe, generate
from allsight.explain.superpixels import superpixels
from tests.explain.models import fields


@pytest.mark.parametrize(("height", "width"), [(64, 64), (224, 224), (120, 300), (600, 500)])
def test_is_a_partition_without_gaps(height: int, width: int) -> None:
    image = fields(1, height, width=width)[0]
    regions = superpixels(image, count=40)
    assert regions.shape == (height, width)
    assert regions.dtype == np.int32
    assert np.array_equal(np.unique(regions), np.arange(regions.max() + 1))
    assert 15 <= regions.max() + 1 <= 60
    np.testing.assert_array_equal(regions, superpixels(image, count=40))


def nucleus_dice(regions: NDArray[np.integer], nucleus: NDArray[np.bool_]) -> float:
    """How well a nucleus can be put together from whole regions: Dice of those that lie mostly inside."""
    inside = np.bincount(regions.ravel(), weights=nucleus.ravel()) / np.bincount(regions.ravel())
    chosen = (inside > 0.5)[regions]
    return float(2 * (chosen & nucleus).sum() / (chosen.sum() + nucleus.sum()))


def test_nuclei_are_made_of_whole_regions() -> None:
    """Against exact masks, and against squares of the same number."""
    ours, squares = [], []
    for i, label in enumerate(("Benign", "Early", "Pre", "Pro")):
        smear = generate(Recipe(seed=5, patient=i, image=0, label=label))
        regions = superpixels(smear.image, count=64)
        side = round(np.sqrt(regions.max() + 1))
        y, x = np.mgrid[:224, :224] * side // 224
        ours.append(nucleus_dice(regions, smear.masks["nucleus"]))
        squares.append(nucleus_dice(y * side + x, smear.masks["nucleus"]))
    assert np.mean(ours) > 0.8
    assert np.mean(ours) > np.mean(squares) + 0.2


def test_one_colour_gives_a_grid() -> None:
    regions = superpixels(np.full((64, 64, 3), 200, dtype=np.uint8), count=16)
    assert regions.max() + 1 == 16
