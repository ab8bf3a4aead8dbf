"""The pointing game: Zhang, Bargal, Lin, Brandt, Shen & Sclaroff, "Top-down neural attention by excitation backprop",
ECCV 2016, IJCV 126, 2018 (arXiv 1608.00507).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Measure

if TYPE_CHECKING:
    from allsight.core.explanation import Case


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PointingInCells(Measure):
    """Whether the heatmap's highest pixel lies in a cell.

    Where several pixels are the highest it is the chance that one drawn from them does, so that a constant heatmap
    scores the cells' share of the area. The paper's tolerance of some pixels around the object is not given.
    """

    higher_is_better: ClassVar[bool] = True
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)
    meaning: ClassVar[str] = "Whether the pixel that speaks most for the class lies in a cell."
    source: ClassVar[str] = "Zhang et al., Top-down neural attention by excitation backprop, ECCV 2016"

    def score(self, case: Case) -> float | None:
        """1.0 or 0.0, between them where several pixels are the highest; None where no cells are known."""
        if case.cells is None or not case.cells.any():
            return None
        return float(case.cells[case.heatmap == case.heatmap.max()].mean())
