"""Red cells on an empty field, measured by their dye."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allsight.data.smears.patient import RedCellHabit
from allsight.data.smears.red_cells import draw_red_cells
from allsight.data.smears.stain import DYES, HAEMOGLOBIN

HABIT = RedCellHabit(
    diameter=7.0,
    anisocytosis=0.05,
    cover=0.3,
    pallor=0.6,
    bowl=(0.3, 0.6),
    rim=0.0,
    crenated=0.0,
    rouleaux=0.0,
)
NOBODY = np.empty((0, 3))


def _dye(habit: RedCellHabit, *, occupied: np.ndarray = NOBODY, size: int = 256, seed: int = 0) -> np.ndarray:
    amounts = np.zeros((DYES, size, size), np.float32)
    draw_red_cells(amounts, habit, occupied=occupied, scale=3.0, rng=np.random.default_rng(seed))
    assert not np.delete(amounts, HAEMOGLOBIN, axis=0).any()
    dye: np.ndarray = amounts[HAEMOGLOBIN]
    return dye


@pytest.mark.parametrize("cover", [0.15, 0.4])
def test_they_cover_about_what_was_asked_for(cover: float) -> None:
    covered = np.mean([(_dye(replace(HABIT, cover=cover), seed=s) > 0.1).mean() for s in range(6)])
    assert 0.7 * cover < covered < 1.2 * cover  # less by overlaps, more by soft edges


def test_pallor_is_a_pale_middle() -> None:
    pale, full = (_dye(replace(HABIT, cover=0.05, pallor=p), seed=2) for p in (0.8, 0.0))
    inside = full > 0.75
    assert np.quantile(pale[inside], 0.1) < 0.5 < np.quantile(full[inside], 0.1)


def test_rouleaux_overlap_more_than_scattered_cells() -> None:
    def stacked(rouleaux: float) -> float:
        dye = np.stack([_dye(replace(HABIT, pallor=0.0, rouleaux=rouleaux), seed=s) for s in range(4)])
        return float((dye > 1.3).sum() / (dye > 0.5).sum())

    assert stacked(0.7) > 1.5 * stacked(0.0)


def test_they_make_room_for_leukocytes() -> None:
    leukocyte = np.array([[128.0, 128.0, 30.0]])
    y, x = np.mgrid[:256, :256]
    core = np.hypot(y - 128, x - 128) < 20
    crowded = replace(HABIT, cover=0.6)
    assert _dye(crowded)[core].any()
    assert not _dye(crowded, occupied=leukocyte)[core].any()
