"""Each effect changes what it says, by as much as it says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.core.records import Box
from allsight.data import effects
from allsight.data.datasets.synthetic import Synthetic

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def pictures() -> list[Image]:
    source = Synthetic.open("3?images=4&patients=4&size=96")
    return [source.read(s) for s in source.samples]


def test_recoloured_image_has_the_other_ones_statistics(pictures: list[Image]) -> None:
    wanted = effects.lab_statistics(pictures[1])
    found = effects.lab_statistics(effects.recolour(pictures[0], wanted))
    assert np.abs(found[0] - wanted[0]).max() < 1.5, (found, wanted)  # less what clipping takes
    assert np.abs(effects.lab_statistics(pictures[0])[0] - wanted[0]).max() > 1.5


def test_recolouring_to_itself_changes_rounding_only(pictures: list[Image]) -> None:
    same = effects.recolour(pictures[0], effects.lab_statistics(pictures[0]))
    assert np.abs(same.astype(int) - pictures[0]).max() <= 1


def test_grey_keeps_luminance(pictures: list[Image]) -> None:
    found = effects.grey(pictures[0])
    assert (found[..., 0] == found[..., 1]).all()
    assert (found[..., 0] == found[..., 2]).all()
    weights = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    assert np.abs(pictures[0] @ weights - found[..., 0]).max() <= 1


def test_gain_multiplies_and_clips() -> None:
    image = np.full((4, 4, 3), 200, np.uint8)
    assert effects.gain(image, np.array([0.5, 1.0, 2.0]))[0, 0].tolist() == [100, 200, 255]


@pytest.mark.parametrize("sigma", [1.0, 2.2])
def test_blur_spreads_a_point_by_sigma(sigma: float) -> None:
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20] = 255
    found = effects.blur(np.tile(image, (1, 1, 1)), sigma)[..., 0].astype(float)
    rows = np.arange(41) - 20
    spread = np.sqrt((found.sum(axis=1) * rows**2).sum() / found.sum())
    assert spread == pytest.approx(sigma, rel=0.15)  # eight bits leave little of the tails
    assert (effects.blur(image, 0.0) == image).all()


def test_zoom_moves_points_away_from_the_centre() -> None:
    image = np.zeros((65, 65, 3), np.uint8)
    image[32, 32] = image[32, 42] = 255
    found = effects.zoom(image, 1.5)[32, :, 0]
    assert found[32] == 255
    assert found[47] == 255
    assert (effects.zoom(image, 1.0) == image).all()


def test_noise_has_the_deviation_asked_for() -> None:
    image = np.full((64, 64, 3), 128, np.uint8)
    found = effects.noise(image, 0.03, rng=np.random.default_rng(0)).astype(float) - 128
    assert found.std() == pytest.approx(0.03 * 255, rel=0.05)
    assert abs(found.mean()) < 0.5


def test_hidden_box_says_nothing_and_the_rest_stays(pictures: list[Image]) -> None:
    box = Box(0.5, 0.75, 1.0, 1.0)
    found = effects.hide_box(pictures[0], box)
    rows, columns = box.pixels(96, 96)
    assert len(np.unique(found[rows, columns].reshape(-1, 3), axis=0)) == 1
    outside = np.ones((96, 96), bool)
    outside[rows, columns] = False
    assert (found[outside] == pictures[0][outside]).all()


def test_stain_jitter_of_nothing_is_nothing(pictures: list[Image]) -> None:
    same = effects.jitter_stain(pictures[0], factors=np.ones(3), shifts=np.zeros(3))
    assert (same == pictures[0]).all()


def test_more_haematoxylin_is_darker(pictures: list[Image]) -> None:
    more = effects.jitter_stain(pictures[0], factors=np.array([1.5, 1, 1]), shifts=np.zeros(3))
    assert more.mean() < pictures[0].mean()
