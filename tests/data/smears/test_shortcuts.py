"""Scale bar and tint, each alone."""

from __future__ import annotations

import numpy as np
import pytest

from allsight.data.smears.recipe import CLASSES
from allsight.data.smears.shortcuts import (
    BAR_STYLES,
    SCALE_BAR_BOX,
    TINTS,
    burn_scale_bar,
    style_for,
    tinted,
)


def _grey(size: int) -> np.ndarray:
    return np.full((size, size, 3), 120, np.uint8)


@pytest.mark.parametrize("size", [64, 97, 224, 500])
@pytest.mark.parametrize("scale", [1.0, 3.2, 16.0])
@pytest.mark.parametrize("style", CLASSES)
def test_the_bar_lies_in_its_box_and_changes_nothing_else(style: str, scale: float, size: int) -> None:
    picture = _grey(size)
    burnt, mask = burn_scale_bar(picture, style, scale=scale)
    np.testing.assert_array_equal(mask, (burnt != 120).any(axis=-1))
    assert (picture == 120).all()
    outside = mask.copy()
    outside[SCALE_BAR_BOX.pixels(size, size)] = False
    assert mask.any()
    assert not outside.any()


@pytest.mark.parametrize("style", CLASSES)
def test_the_bar_is_as_long_as_its_style_says(style: str) -> None:
    size, look = 400, BAR_STYLES[style]
    burnt, _ = burn_scale_bar(_grey(size), style, scale=4.0)
    runs = (burnt == np.array(look.ink, np.uint8)).all(axis=-1).sum(axis=1)
    assert runs.max() == round(look.length * size)


def test_styles_and_tints_tell_the_classes_apart() -> None:
    pictures = [burn_scale_bar(_grey(64), style, scale=3.0)[0] for style in CLASSES]
    assert len({picture.tobytes() for picture in pictures}) == len(CLASSES) == len(BAR_STYLES)
    assert len({tinted(_grey(64), style).tobytes() for style in CLASSES}) == len(CLASSES) == len(TINTS)


def test_a_tint_scales_every_pixel() -> None:
    picture = np.random.default_rng(0).integers(0, 254, (30, 30, 3), dtype=np.uint8)
    np.testing.assert_allclose(tinted(picture, "Pro"), picture * np.array(TINTS["Pro"]), atol=0.51)


@pytest.mark.parametrize("strength", [0.0, 0.6, 1.0])
def test_strength_is_how_often_a_shortcut_follows_the_label(strength: float) -> None:
    rng = np.random.default_rng(0)
    drawn = [style_for("Early", strength=strength, rng=rng) for _ in range(2000)]
    assert drawn.count("Early") / 2000 == pytest.approx(strength + (1 - strength) / 4, abs=0.03)
    assert drawn.count("Pro") / 2000 == pytest.approx((1 - strength) / 4, abs=0.03)
