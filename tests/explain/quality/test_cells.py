"""Mass and pointing in cells, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.explain.quality.mass_in_cells import MassInCells
from allsight.explain.quality.pointing_in_cells import PointingInCells
from tests.explain.quality.cases import Linear, case_of

IMAGE = np.zeros((2, 3, 3), dtype=np.uint8)
CELLS = np.array([[True, True, False], [False, False, False]])


def scores(heatmap: list[list[float]], cells: NDArray[np.bool_] | None) -> tuple[float | None, float | None]:
    case = case_of(
        Linear(np.zeros((2, 3, 3))), IMAGE, heatmap=np.array(heatmap, dtype=np.float32), cells=cells
    )
    return MassInCells().score(case), PointingInCells().score(case)


@pytest.mark.parametrize(
    ("heatmap", "mass", "pointing"),
    [
        ([[3, 0, 0], [0, 0, 1]], 0.75, 1.0),
        ([[3, 0, 4], [0, 0, 1]], 0.375, 0.0),
        ([[3, -9, 0], [-9, 0, 1]], 0.75, 1.0),  # what speaks against the class is no mass
        ([[0, 0, 0], [0, 0, 2]], 0.0, 0.0),
        ([[5, 1, 5], [0, 5, 0]], 0.375, 1 / 3),  # one of three highest pixels
        ([[7, 7, 7], [7, 7, 7]], 1 / 3, 1 / 3),  # the cells' share of the area
        ([[-1, -2, -3], [-4, -5, -6]], None, 1.0),  # nothing speaks for the class
    ],
)
def test_by_hand(heatmap: list[list[float]], mass: float | None, pointing: float) -> None:
    found = scores(heatmap, CELLS)
    assert found[0] == (None if mass is None else pytest.approx(mass))
    assert found[1] == pytest.approx(pointing)


def test_all_cells_take_all() -> None:
    assert scores([[1, 2, 3], [4, 5, -6]], np.ones((2, 3), dtype=np.bool_)) == (1.0, 1.0)


@pytest.mark.parametrize("cells", [None, np.zeros((2, 3), dtype=np.bool_)])
def test_nothing_is_said_without_cells(cells: NDArray[np.bool_] | None) -> None:
    assert scores([[3, 0, 0], [0, 0, 1]], cells) == (None, None)
