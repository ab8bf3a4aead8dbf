"""Deletion: Petsiuk, Das & Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018
(arXiv 1806.07421).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Measure
from allsight.explain.removal import area_under, check_curve, fill_of, probability_curve, removal_order

if TYPE_CHECKING:
    from allsight.core.explanation import Case
    from allsight.explain.baselines import Baseline


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion(Measure):
    """Area under the target's softmax probability while pixels go, the highest of the signed heatmap first.

    Removed pixels take the slide's background colour, so that what is left resembles a smear with fewer cells.

    Args:
        fill: what removed pixels look like; see `allsight.explain.baselines`.
        steps: in how many equal shares of the pixels.
    """

    higher_is_better: ClassVar[bool] = False
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)
    meaning: ClassVar[str] = (
        "The class's mean probability while the pixels that the heatmap ranks highest are painted over first: "
        "it falls at once if the model needs them."
    )
    source: ClassVar[str] = "Petsiuk, Das & Saenko, RISE, BMVC 2018, arXiv 1806.07421"

    fill: Baseline = "background"
    steps: int = 16

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that mean nothing."""
        check_curve(fill=self.fill, steps=self.steps)

    def score(self, case: Case) -> float:
        """The area, in [0, 1]."""
        return area_under(
            probability_curve(
                case.runtime,
                before=case.image,
                after=fill_of(case.image, self.fill),
                order=removal_order(case.heatmap, seed=case.seed),
                target=case.target,
                steps=self.steps,
            )
        )
