"""What an image looks like, in figures: each moves as its name says, and none depends on the camera's pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from allsight.data.appearance import appearance, looks_of
from allsight.data.datasets.synthetic import Synthetic

SOURCE = Synthetic.open("3?images=12&patients=4&size=224")
FIELD = SOURCE.read(SOURCE.samples[0])


def test_a_field_has_cells_of_a_size() -> None:
    look = appearance(FIELD)
    assert look.cells > 0
    assert 2 < look.nucleus < 40
    assert look.black == 0
    assert 100 < look.brightness < 255


def test_what_a_plain_colour_is() -> None:
    look = appearance(np.full((50, 80, 3), (200, 150, 150), dtype=np.uint8))
    assert (look.cells, look.nucleus, look.sharpness, look.contrast) == (0, 0, 0, 0)
    assert look.redness > 10
    assert look.light == 150


def test_each_figure_moves_as_its_name_says() -> None:
    look = appearance(FIELD)
    blurred = np.asarray(cv2.GaussianBlur(FIELD, (0, 0), 3), dtype=np.uint8)
    assert appearance(blurred).sharpness < 0.5 * look.sharpness
    assert appearance(FIELD // 2).brightness == pytest.approx(look.brightness / 2, abs=1)
    assert appearance(FIELD // 2).light < 0.6 * look.light
    bluer = cv2.add(FIELD, np.full_like(FIELD, (0, 0, 15)))
    assert appearance(np.asarray(bluer, dtype=np.uint8)).yellowness < look.yellowness - 3
    middle = FIELD[56:168, 56:168]
    assert appearance(middle).nucleus == pytest.approx(2 * look.nucleus, rel=0.5)
    half = FIELD.copy()
    half[:, :112] = 0
    assert appearance(half).black == pytest.approx(50, abs=2)


@pytest.mark.parametrize("side", [112, 448, 900])
def test_a_camera_with_other_pixels_gives_the_same_figures(side: int) -> None:
    resized = np.asarray(cv2.resize(FIELD, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    other = appearance(resized)
    look = appearance(FIELD)
    assert other.brightness == pytest.approx(look.brightness, abs=1)
    assert other.redness == pytest.approx(look.redness, abs=1)
    assert other.nucleus == pytest.approx(look.nucleus, rel=0.15)


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (3, 2)])
def test_no_shape_is_too_odd(shape: tuple[int, int]) -> None:
    assert np.isfinite(appearance(np.full((*shape, 3), 90, dtype=np.uint8))).all()


def test_a_data_set_is_looked_at_evenly() -> None:
    assert len(looks_of(SOURCE, SOURCE.samples)) == 12
    some = looks_of(SOURCE, SOURCE.samples, most=4)
    chosen = [SOURCE.samples[i] for i in (0, 3, 6, 9)]
    assert some == {s.name: appearance(SOURCE.read(s)) for s in chosen}
