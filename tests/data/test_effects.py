"""Each effect changes what it says, by as much as it says, and nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.core.records import Box
from allsight.data import effects
from allsight.data.cells import cell_mask, nucleus_count, nucleus_mask
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


def test_rotation_turns_counter_clockwise() -> None:
    image = np.zeros((65, 65, 3), np.uint8)
    image[32, 48] = 255
    assert (effects.rotate(image, 90.0)[16, 32] > 200).all()
    assert (effects.rotate(image, 0.0) == image).all()


def test_a_coarser_camera_keeps_the_mean_and_loses_detail() -> None:
    image = np.indices((64, 64)).sum(axis=0)[..., None].repeat(3, axis=2).astype(np.uint8) % 2 * 200
    found = effects.coarsen(image, 2.0)
    assert found.shape == image.shape
    assert found.std() < 2
    assert abs(found.mean() - image.mean()) < 1


def test_light_falls_off_along_its_direction() -> None:
    image = np.full((32, 64, 3), 200, np.uint8)
    found = effects.shade(image, 0.5, direction=0.0)
    assert (found[:, 0] == 200).all()
    assert (found[:, -1] == 100).all()
    assert (np.diff(found[0, :, 0].astype(int)) <= 0).all()


def test_jpeg_of_high_quality_changes_little_and_of_low_quality_much(pictures: list[Image]) -> None:
    image = pictures[0][:, ::-1]  # a view with a negative stride
    good, bad = (np.abs(effects.jpeg(image, q).astype(int) - image).mean() for q in (95, 10))
    assert good < 3 < bad
    assert effects.jpeg(np.full((16, 16, 3), (200, 100, 50), np.uint8), 95)[8, 8].tolist() == pytest.approx(
        [200, 100, 50], abs=3
    )  # red stays red


def test_dust_only_darkens(pictures: list[Image]) -> None:
    found = effects.dust(pictures[0], 10, rng=np.random.default_rng(1))
    assert (found.astype(int) <= pictures[0].astype(int) + 1).all()
    darker = (pictures[0].astype(int) - found > 20).any(axis=2).mean()
    assert 0.001 < darker < 0.5
    assert (effects.dust(pictures[0], 0, rng=np.random.default_rng(1)) == pictures[0]).all()


@pytest.fixture(scope="module")
def fields() -> list[Image]:
    """Two fields of different people, 224 pixels a side."""
    source = Synthetic.open("3?images=8&patients=8&size=224")
    with_cells = [image for sample in source.samples if nucleus_count(image := source.read(sample)) > 2]
    return with_cells[:2]


def test_transplanted_leukocytes_lie_where_they_lay_and_all_else_is_the_other_field(
    fields: list[Image],
) -> None:
    image, field = fields
    result = effects.transplant(image, field, share=1.0, rng=np.random.default_rng(0))
    inside = cv2.erode(cell_mask(image).astype(np.uint8), np.ones((9, 9))) > 0
    of_neither = cv2.dilate((cell_mask(image) | cell_mask(field)).astype(np.uint8), np.ones((13, 13))) == 0
    assert inside.sum() > 500
    assert of_neither.sum() > 5000
    assert np.abs(result[inside].astype(int) - image[inside]).max() <= 1
    assert np.abs(result[of_neither].astype(int) - field[of_neither]).max() <= 1


def test_the_other_fields_own_leukocytes_are_gone(fields: list[Image]) -> None:
    image, field = fields
    only_theirs = nucleus_mask(field) & ~cell_mask(image)
    assert only_theirs.sum() > 300
    result = effects.transplant(image, field, share=1.0, rng=np.random.default_rng(0))
    assert (nucleus_mask(result) & only_theirs).sum() < 0.02 * only_theirs.sum()


def test_a_share_of_the_leukocytes_is_shown_and_one_at_least(fields: list[Image]) -> None:
    image, field = fields
    shown = [
        nucleus_mask(effects.transplant(image, field, share=share, rng=np.random.default_rng(1))).sum()
        for share in (0.0, 0.5, 1.0)
    ]
    assert 0 < shown[0] < shown[1] < shown[2]


def test_nothing_is_transplanted_where_no_leukocyte_is_found(fields: list[Image]) -> None:
    plain = np.full((64, 64, 3), 220, np.uint8)
    assert (effects.transplant(plain, fields[0], share=1.0, rng=np.random.default_rng(0)) == plain).all()


def test_a_field_of_another_size_is_brought_to_the_images(fields: list[Image]) -> None:
    image, field = fields
    small = np.ascontiguousarray(field[::2, 20::2])
    assert effects.transplant(image, small, share=1.0, rng=np.random.default_rng(0)).shape == image.shape
