"""Insertion: Petsiuk, Das & Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018
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
class Insertion(Measure):
    """Area under the target's softmax probability while pixels come back, the highest of the signed heatmap first.

    It starts from the blurred image, as its authors do: on a plain one the first pixels are sharp specks, which the
    model has never seen.

    Args:
        fill: what the image looks like at first; see `allsight.explain.baselines`.
        steps: in how many equal shares of the pixels.
    """

    higher_is_better: ClassVar[bool] = True
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)
    meaning: ClassVar[str] = (
        "The class's mean probability while the pixels that the heatmap ranks highest are brought back first into a "
        "blurred image: it rises at once if they are enough for the model."
    )
    source: ClassVar[str] = "Petsiuk, Das & Saenko, RISE, BMVC 2018, arXiv 1806.07421"

    fill: Baseline = "blurred"
    steps: int = 16

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that mean nothing."""
        check_curve(fill=self.fill, steps=self.steps)

    def score(self, case: Case) -> float:
        """The area, in [0, 1]."""
        return area_under(
            probability_curve(
                case.runtime,
                before=fill_of(case.image, self.fill),
                after=case.image,
                order=removal_order(case.heatmap, seed=case.seed),
                target=case.target,
                steps=self.steps,
            )
        )
