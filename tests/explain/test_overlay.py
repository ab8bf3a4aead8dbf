"""Pictures: colours mean what they should, also to eyes that see fewer of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from allsight.explain.overlay import (
    Panel,
    colour_bar,
    colours,
    contours,
    limit_of,
    overlay,
    strip,
    write_png,
)
from tests.explain.models import fields, judge

IMAGE = fields(1, 60, width=80)[0]
HALVES = np.concatenate([np.full((60, 40), 2.0), np.full((60, 40), -2.0)], axis=1).astype(np.float32)

# Machado, Oliveira & Fernandes 2009, severity 1.0, applied to linear RGB.
SEEN = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def test_an_empty_map_leaves_the_image_in_grey_and_no_opacity_leaves_it_alone() -> None:
    empty = np.zeros(IMAGE.shape[:2], dtype=np.float32)
    shown = overlay(IMAGE, empty, signed=True)
    np.testing.assert_allclose(shown.mean(axis=2), IMAGE.mean(axis=2), atol=1)
    np.testing.assert_array_equal(overlay(IMAGE, HALVES, signed=True, opacity=0), IMAGE)
    np.testing.assert_array_equal(contours(IMAGE, empty, signed=True), IMAGE)
    assert limit_of(empty) == 0


def test_orange_is_for_and_blue_against() -> None:
    shown = overlay(IMAGE, HALVES, signed=True).astype(int)
    assert (shown[:, :40, 0] > shown[:, :40, 2]).all()
    assert (shown[:, 40:, 2] > shown[:, 40:, 0]).all()
    unsigned = overlay(IMAGE, HALVES, signed=False)
    np.testing.assert_array_equal(unsigned[:, 40:], overlay(IMAGE, 0 * HALVES, signed=False)[:, 40:])


@pytest.mark.parametrize("sight", SEEN)
def test_the_two_signs_are_told_apart_by_every_eye(sight: str) -> None:
    """At equal strength, as far apart in CIE Lab as clearly different colours are."""
    color = judge("skimage.color")

    def seen(strength: NDArray[np.float32]) -> NDArray[np.float64]:
        linear = (colours(strength) / 255) ** 2.2
        image = np.clip(linear @ np.array(SEEN[sight]).T, 0, 1) ** (1 / 2.2)
        lab: NDArray[np.float64] = color.rgb2lab(image)
        return lab

    strength = np.linspace(0.1, 1, 10, dtype=np.float32)
    assert color.deltaE_ciede2000(seen(strength), seen(-strength)).min() > 15


def test_stronger_is_darker() -> None:
    for sign in (1, -1):
        lightness = colours(sign * np.linspace(0.01, 1, 20, dtype=np.float32)).sum(axis=1)
        assert (np.diff(lightness) < 0).all()


def test_contours_run_where_the_map_changes() -> None:
    bump = np.zeros(IMAGE.shape[:2], dtype=np.float32)
    bump[20:40, 30:50] = 1
    changed = (contours(IMAGE, bump, signed=False) != IMAGE).any(axis=2)
    assert changed[20, 30:50].all()
    assert not changed[25:35, 35:45].any()
    assert not changed[:15].any()


def test_a_colour_bar_has_the_maps_colours_in_its_order() -> None:
    bar = colour_bar(height=200, limit=0.5, signed=True).astype(int)
    assert bar.shape[0] == 200
    column = bar[:, 15]
    assert column[20, 0] > column[20, 2]
    assert column[180, 2] > column[180, 0]
    assert bar.shape[1] > 40
    plain = colour_bar(height=200, limit=0.5, signed=False).astype(int)
    assert (plain[180, 8:14] > 200).all()


def test_a_strip_shows_every_panel_and_is_the_same_twice(tmp_path: Path) -> None:
    panels = [
        Panel("CAM", HALVES, signed=True, scores={"deletion": 0.1, "insertion": 0.9}),
        Panel("Integrated Gradients", HALVES, signed=True, smoothing=2.0),
    ]
    picture = strip(IMAGE, panels, title="field", side=120)
    assert picture.dtype == np.uint8
    assert picture.shape[0] > 120 + 3 * 15
    assert picture.shape[1] > 3 * 160
    np.testing.assert_array_equal(picture, strip(IMAGE, panels, title="field", side=120))
    assert (strip(IMAGE, panels, title="field", side=120, outlines=True) != picture).any()
    write_png(tmp_path / "strip.png", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "strip.png")), picture)
