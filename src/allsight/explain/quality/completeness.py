"""Completeness: Sundararajan, Taly & Yan, "Axiomatic attribution for deep networks", ICML 2017 (arXiv 1703.01365)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Measure

if TYPE_CHECKING:
    from allsight.core.explanation import Case


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness(Measure):
    """How far the heatmap's sum is from the logit's rise from the baseline to the image, relative to that rise.

    The logit at the image is asked of the model anew; that at the baseline is what the method reports.
    """

    higher_is_better: ClassVar[bool] = False
    span: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    meaning: ClassVar[str] = (
        "How far the heatmap's parts are from adding up to the score that they are to explain, relative to it."
    )
    source: ClassVar[str] = "Sundararajan, Taly & Yan, Axiomatic attribution for deep networks, ICML 2017"

    def score(self, case: Case) -> float | None:
        """|Σ heatmap − (f(x) − f(b))| ÷ |f(x) − f(b)|; None for methods that claim nothing, or without a rise."""
        at_baseline = case.used.get("at_baseline")
        if not isinstance(at_baseline, float):
            return None
        rise = float(case.runtime.run(case.image[None]).logits[0, case.target]) - at_baseline
        if rise == 0:
            return None
        return abs(float(case.heatmap.sum(dtype=np.float64)) - rise) / abs(rise)
