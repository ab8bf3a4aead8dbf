"""Relevance mass accuracy: Arras, Osman & Samek, "CLEVR-XAI: a benchmark dataset for the ground truth evaluation of
neural network explanations", Information Fusion 81, 2022 (arXiv 2003.07258).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Measure

if TYPE_CHECKING:
    from allsight.core.explanation import Case


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MassInCells(Measure):
    """The share of the heatmap's positive values that lies in cells.

    It judges the model and the method together: a model that looks beside the cells, faithfully explained, scores
    low.
    """

    higher_is_better: ClassVar[bool] = True
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)
    meaning: ClassVar[str] = "How much of what speaks for the class lies in cells."
    source: ClassVar[str] = "Arras, Osman & Samek, CLEVR-XAI, Information Fusion 2022, arXiv 2003.07258"

    def score(self, case: Case) -> float | None:
        """The share, in [0, 1]; None where no cells are known or nothing is positive."""
        if case.cells is None or not case.cells.any():
            return None
        positive = case.heatmap.clip(min=0).astype(np.float64)
        inside, outside = float(positive[case.cells].sum()), float(positive[~case.cells].sum())
        return inside / (inside + outside) if inside + outside > 0 else None
