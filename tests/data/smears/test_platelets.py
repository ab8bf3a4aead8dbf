"""Platelets, smudge cells and precipitate: as many as the patient has, and never a leukocyte."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from allsight.data.smears.leukocytes import chromatin_tiles
from allsight.data.smears.patient import draw_patient
from allsight.data.smears.platelets import draw_debris
from allsight.data.smears.stain import CHROMATIN, DYES

CLEAN = replace(draw_patient(np.random.default_rng(0)), platelets=0.0, smudges=0.0, precipitate=0.0)
SIZE, SCALE = 600, 3.0  # 40,000 square micrometres


def _spots(**rates: Any) -> np.ndarray:
    """Areas in square micrometres of what was drawn."""
    amounts = np.zeros((DYES, SIZE, SIZE), np.float32)
    rng = np.random.default_rng(5)
    tiles = chromatin_tiles(rng, scale=SCALE)
    draw_debris(amounts, replace(CLEAN, **rates), tiles=tiles, scale=SCALE, rng=rng)
    labels, count = ndimage.label(amounts[CHROMATIN] > 0.05)
    return np.bincount(labels.ravel(), minlength=count + 1)[1:] / SCALE**2


def test_nothing_comes_of_nothing() -> None:
    assert not _spots().size


def test_platelets_are_small_and_as_many_as_asked_for() -> None:
    spots = _spots(platelets=10.0)
    assert 25 <= len(spots) <= 55  # Poisson around 40
    assert np.median(spots) == pytest.approx(np.pi * 0.8**2, rel=0.6)


def test_smudge_cells_are_larger_than_any_platelet() -> None:
    assert _spots(smudges=2.0).max() > 4 * _spots(platelets=10.0).max()
