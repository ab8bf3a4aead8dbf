"""Movements and likeness on images that were moved by a known matrix."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from allsight.core.records import Box
from allsight.data.alignment import agreed_movement, likeness, relief
from allsight.data.keypoints import describe
from tests.data.drawn import SIDE, field, slide

SHIFT = np.array([[1.0, 0, 25], [0, 1.0, -12]])


@pytest.mark.parametrize(("shear", "skew"), [(False, 0.0), (True, 0.15)])
def test_the_known_map_is_found(shear: bool, skew: float) -> None:
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 20, 1.1)
    matrix = turn @ np.array([[1, skew, 5], [0, 1, -8], [0, 0, 1]])
    image = field(1)
    moved = np.asarray(cv2.warpAffine(image, matrix, (SIDE, SIDE)), dtype=np.uint8)
    found = agreed_movement(describe(image), describe(moved), shear=shear)
    assert found is not None
    assert found.inliers >= 20
    corners = np.array([[40, 40, 1], [150, 40, 1], [40, 150, 1]])
    assert corners @ found.matrix.T == pytest.approx(corners @ matrix.T, abs=1.0)


def test_different_slides_agree_on_nothing() -> None:
    found = [agreed_movement(describe(field(seed)), describe(field(seed + 100))) for seed in range(8)]
    assert max(0 if movement is None else movement.inliers for movement in found) <= 4


def test_nothing_can_be_said_of_blank_images() -> None:
    blank = np.full((SIDE, SIDE, 3), 128, np.uint8)
    assert agreed_movement(describe(blank), describe(field(2))) is None
    assert likeness(relief(blank), relief(field(2)), matrix=SHIFT) == 0


def test_likeness_is_numpys_correlation_of_what_overlaps() -> None:
    first, second = relief(field(3)), relief(field(3, left=75, top=112))
    moved, still = first[12:, : SIDE - 25], second[: SIDE - 12, 25:]
    expected = np.corrcoef(moved.ravel(), still.ravel())[0, 1]
    assert likeness(first, second, matrix=SHIFT) == pytest.approx(expected, abs=1e-6)
    assert expected > 0.95


def test_exposure_and_illumination_do_not_count() -> None:
    image = slide(5)[:SIDE, :SIDE].astype(np.float64)
    shade = np.linspace(0.55, 1, SIDE)[None, :, None]
    dim = (image * shade * 0.8).astype(np.uint8)
    same = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    assert likeness(relief(image.astype(np.uint8)), relief(dim), matrix=same) > 0.9
    other = (field(6) * shade * 0.8).astype(np.uint8)
    assert abs(likeness(relief(image.astype(np.uint8)), relief(other), matrix=same)) < 0.2


def test_overlays_and_slivers_are_not_compared() -> None:
    image = relief(field(7))
    far = np.array([[1.0, 0, SIDE - 1], [0, 1.0, SIDE - 1]])
    assert likeness(image, image, matrix=far) == 0
    everything = Box(0, 0, 1, 1)
    same = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    assert likeness(image, image, matrix=same, overlays=(everything, None)) == 0
