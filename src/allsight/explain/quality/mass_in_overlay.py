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
class MassInOverlay(Measure):
    """The share of the heatmap's positive values that lies where the source burnt in a scale bar.

    It judges the model and the method together: a model that reads the bar, faithfully explained, scores high.
    """

    higher_is_better: ClassVar[bool] = False
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)
    meaning: ClassVar[str] = "How much of what speaks for the class lies in the corner with the scale bar."
    source: ClassVar[str] = "Arras, Osman & Samek, CLEVR-XAI, Information Fusion 2022, arXiv 2003.07258"

    def score(self, case: Case) -> float | None:
        """The share, in [0, 1]; None where the source burns nothing in, or nothing is positive."""
        if case.overlay is None:
            return None
        positive = case.heatmap.clip(min=0).astype(np.float64)
        inside, everything = (
            float(positive[case.overlay.pixels(*positive.shape)].sum()),
            float(positive.sum()),
        )
        return inside / everything if everything > 0 else None
