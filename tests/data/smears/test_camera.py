"""A camera on empty and on striped glass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allsight.data.smears.camera import WHITEST, photograph
from allsight.data.smears.patient import Light

LIGHT = Light(
    white=(0.8, 0.8, 0.8), falloff=(0.0, 0.0, 0.0), slope=(0.0, 0.0), blur=0.15, noise=1.0, quality=95
)


def _picture(light: Light, passed: np.ndarray | None = None, *, seed: int = 0) -> np.ndarray:
    glass = np.ones((96, 96, 3), np.float32) if passed is None else passed
    return photograph(glass, light, scale=3.0, rng=np.random.default_rng(seed))


def test_empty_glass_shows_the_light() -> None:
    picture = _picture(replace(LIGHT, white=(0.9, 0.8, 0.7)))
    assert picture.dtype == np.uint8
    # Exposure varies by up to 4 % between shots.
    np.testing.assert_allclose(picture.mean(axis=(0, 1)) / 255, (0.9, 0.8, 0.7), rtol=0.05)


def test_the_corners_are_darker_than_the_middle_where_the_light_falls_off() -> None:
    picture = _picture(replace(LIGHT, falloff=(0.2, 0.2, 0.2))).astype(float)
    assert picture[:6, :6].mean() == pytest.approx(0.8 * picture[45:51, 45:51].mean(), rel=0.03)


def test_no_pixel_is_as_white_as_an_overlay() -> None:
    assert _picture(replace(LIGHT, white=(1.3, 1.3, 1.3))).max() == WHITEST < 255


def test_noise_grows_with_its_setting() -> None:
    quiet, loud = (_picture(replace(LIGHT, noise=n, quality=100)).std() for n in (0.0, 4.0))
    assert loud > 3 * quiet


def test_defocus_takes_contrast_from_stripes() -> None:
    stripes = np.ones((96, 96, 3), np.float32)
    stripes[:, ::4] = stripes[:, 1::4] = 0.3
    sharp, soft = (_picture(replace(LIGHT, blur=b), stripes).astype(float) for b in (0.1, 0.6))
    assert soft.std() < 0.6 * sharp.std()


def test_a_shot_depends_on_its_randomness_alone() -> None:
    np.testing.assert_array_equal(_picture(LIGHT, seed=4), _picture(LIGHT, seed=4))
    assert (_picture(LIGHT, seed=4) != _picture(LIGHT, seed=5)).any()
