"""Grains: their size against the autocorrelation of Gaussian noise, their mean against numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from allsight.data.smears.texture import centred, cut, grain


@pytest.mark.parametrize("sigma", [0.7, 1.5, 3.0])
def test_grains_are_standard_and_of_the_size_asked_for(sigma: float) -> None:
    tile = grain(np.random.default_rng(0), side=400, sigma=sigma)
    assert tile.mean() == pytest.approx(0, abs=1e-3)
    assert tile.std() == pytest.approx(1, abs=1e-3)
    # White noise blurred by σ has the autocorrelation exp(−d² / 4σ²).
    beside = float(np.mean(tile[:, 1:] * tile[:, :-1]))
    assert beside == pytest.approx(np.exp(-1 / (4 * sigma**2)), abs=0.06)


def test_a_piece_comes_from_the_tile_and_varies() -> None:
    rng = np.random.default_rng(0)
    tile = np.arange(900, dtype=np.float32).reshape(30, 30)
    pieces = [cut(rng, tile, side=30) for _ in range(40)]
    assert all(sorted(piece.ravel()) == sorted(tile.ravel()) for piece in pieces)
    assert len({piece.tobytes() for piece in pieces}) == 8  # four turns, mirrored or not


def test_a_centred_texture_adds_nothing_inside() -> None:
    rng = np.random.default_rng(0)
    texture = rng.normal(3, 1, (40, 40)).astype(np.float32)
    inside = rng.random((40, 40)) < 0.3
    assert centred(texture, inside=inside)[inside].mean() == pytest.approx(0, abs=1e-5)
    np.testing.assert_array_equal(centred(texture, inside=np.zeros_like(inside)), texture)
