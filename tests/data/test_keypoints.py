"""Keypoints against OpenCV's own detection in mirrored and reduced images."""

from __future__ import annotations

import numpy as np
import pytest

from allsight.core.records import Box
from allsight.data.keypoints import LONGEST_SIDE, MOST, describe, mirrored, unit_descriptors
from tests.data.drawn import field, slide


def test_mirrored_keypoints_are_those_of_the_mirrored_image() -> None:
    image = field(1)
    ours = mirrored(describe(image))
    theirs = describe(np.ascontiguousarray(image[:, ::-1]))
    apart = np.linalg.norm(ours.positions[:, None] - theirs.positions[None], axis=2)
    turned = np.abs(np.exp(1j * ours.angles)[:, None] - np.exp(1j * theirs.angles)[None])
    nearest = (apart + 10 * turned).argmin(axis=1)
    same = np.flatnonzero(apart[np.arange(len(nearest)), nearest] < 0.5)
    assert len(same) > 0.8 * len(ours.positions)
    likeness = (unit_descriptors(ours)[same] * unit_descriptors(theirs)[nearest[same]]).sum(axis=1)
    assert np.median(likeness) > 0.99
    assert (
        np.median((unit_descriptors(describe(image))[same] * unit_descriptors(ours)[same]).sum(axis=1)) < 0.95
    )


def test_two_mirrors_change_nothing() -> None:
    keypoints = describe(field(2))
    twice = mirrored(mirrored(keypoints))
    assert np.array_equal(twice.descriptors, keypoints.descriptors)
    assert twice.positions == pytest.approx(keypoints.positions, abs=1e-4)
    assert np.exp(1j * twice.angles) == pytest.approx(np.exp(1j * keypoints.angles), abs=1e-4)


def test_the_overlay_holds_no_keypoint() -> None:
    keypoints = describe(field(3), overlay=Box(0.5, 0.5, 1, 1))
    assert len(keypoints.positions) > 50
    assert not (keypoints.positions >= 96).all(axis=1).any()


def test_a_large_image_is_reduced_and_says_so() -> None:
    keypoints = describe(slide(4, side=1024))
    assert keypoints.extent == (LONGEST_SIDE, LONGEST_SIDE)
    assert keypoints.reduction == 0.5
    assert 0 < len(keypoints.positions) <= MOST
    assert keypoints.positions.max() < LONGEST_SIDE


def test_a_blank_image_has_no_keypoints() -> None:
    keypoints = describe(np.full((50, 60, 3), 255, np.uint8))
    assert keypoints.positions.shape == (0, 2)
    assert unit_descriptors(mirrored(keypoints)).shape == (0, 128)
