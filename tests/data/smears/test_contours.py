"""Outlines against OpenCV's polygons, and windows against slicing a larger picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from allsight.data.smears.contours import (
    DIRECTIONS,
    cleft,
    coverage,
    depth,
    outline,
    reach_of,
    scaled,
    window,
)


def _polygon_area(contour: np.ndarray) -> float:
    angles = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    points = np.stack([contour * np.cos(angles), contour * np.sin(angles)], axis=-1)
    return float(cv2.contourArea(points.astype(np.float32)[:, None]))


@pytest.mark.parametrize(("radius", "irregularity"), [(6.0, 0.0), (15.0, 0.05), (40.0, 0.12)])
def test_an_outline_encloses_the_area_asked_for(radius: float, irregularity: float) -> None:
    contour = outline(np.random.default_rng(3), radius=radius, irregularity=irregularity, elongation=0.05)
    assert _polygon_area(contour) == pytest.approx(np.pi * radius**2, rel=2e-3)
    pixels = int((depth(contour, reach=reach_of(contour)) > 0).sum())
    assert pixels == pytest.approx(np.pi * radius**2, rel=0.06)


def test_irregularity_is_the_deviation_from_a_disc() -> None:
    rng = np.random.default_rng(0)
    deviations = [np.std(outline(rng, radius=20, irregularity=0.06) / 20) for _ in range(200)]
    assert np.sqrt(np.mean(np.square(deviations))) == pytest.approx(0.06, rel=0.15)


def test_a_cleft_cuts_where_it_was_asked_to() -> None:
    disc = np.full(DIRECTIONS, 10, np.float32)
    notched = cleft(disc, direction=100, depth=0.4, width=0.15)
    assert int(notched.argmin()) == 100
    assert notched[100] == pytest.approx(6.0)
    assert notched[(100 + DIRECTIONS // 2) % DIRECTIONS] == pytest.approx(10.0)
    assert _polygon_area(scaled(notched, 10.0)) == pytest.approx(np.pi * 100, rel=2e-3)


def test_an_offset_moves_the_outline_by_whole_pixels() -> None:
    contour = outline(np.random.default_rng(1), radius=5, irregularity=0.1)
    middle = depth(contour, reach=12)
    moved = depth(contour, reach=12, offset=(3, -2))
    np.testing.assert_array_equal(moved[3:, :-2], middle[:-3, 2:])


def test_coverage_is_a_part_of_a_pixel_and_a_half_on_the_border() -> None:
    covered = coverage(np.array([-5, 0, 5], np.float32), softness=2.0)
    np.testing.assert_array_equal(covered, [0, 0.5, 1])


@pytest.mark.parametrize("centre", [(0, 0), (10, 19), (-3, 5), (21, 8), (7, 7)])
def test_a_window_is_the_part_of_a_patch_that_lies_on_the_field(centre: tuple[int, int]) -> None:
    size, reach = 20, 4
    patch = np.arange((2 * reach + 1) ** 2).reshape(2 * reach + 1, -1)
    wide = np.zeros((size + 40, size + 40), int)
    row, column = centre[0] + 20, centre[1] + 20
    wide[row - reach : row + reach + 1, column - reach : column + reach + 1] = patch
    field = np.zeros((size, size), int)
    place = window(centre, reach=reach, size=size)
    assert place is not None
    field[place.field] = patch[place.patch]
    np.testing.assert_array_equal(field, wide[20:-20, 20:-20])


def test_a_patch_beside_the_field_has_no_window() -> None:
    assert window((-5, 10), reach=4, size=20) is None
    assert window((10, 24), reach=4, size=20) is None
