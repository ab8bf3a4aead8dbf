"""Infidelity: Yeh, Hsieh, Suggala, Inouye & Ravikumar, "On the (in)fidelity and sensitivity of explanations",
NeurIPS 2019 (arXiv 1901.09392).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Measure
from allsight.core.errors import UsageError
from allsight.explain.removal import check_fill, fill_of, logits_between

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.explanation import Case
    from allsight.explain.baselines import Baseline

_ROUNDING = 1e-5  # of the largest logit: what the same image may differ by in another batch, in float32


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Infidelity(Measure):
    """How badly the heatmap's sums over square regions foretell the logit's drops when these regions are removed.

    The paper's removal form with square regions. The unit of a heatmap is its method's own affair, so the sums are
    first scaled to fit the drops best, and what remains is given as a share of the drops' mean square: 0 when the
    drops are foretold exactly, 1 when predicting no drop at all would do as well.

    Args:
        count: regions.
        side: of a region, as a share of the image's shorter side.
        fill: what a removed region looks like; see `allsight.explain.baselines`.
    """

    higher_is_better: ClassVar[bool] = False
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)
    meaning: ClassVar[str] = (
        "The share of the score's changes, when random squares are painted over, that the heatmap fails to predict."
    )
    source: ClassVar[str] = "Yeh et al., On the (in)fidelity and sensitivity of explanations, NeurIPS 2019"

    count: int = 64
    side: float = 0.25
    fill: Baseline = "background"

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that mean nothing."""
        check_fill(self.fill)
        if self.count < 2 or not 0 < self.side <= 1:
            raise UsageError(
                f"There must be at least 2 regions with a side in (0, 1], not {self.count} of {self.side}."
            )

    def score(self, case: Case) -> float | None:
        """The unexplained share, in [0, 1]; None where no region makes any difference to the model."""
        height, width = case.heatmap.shape
        removed = square_regions(
            height,
            width,
            side=max(1, round(self.side * min(height, width))),
            count=self.count,
            rng=np.random.default_rng(case.seed),
        )
        intact = np.zeros((1, height, width), dtype=np.bool_)
        logits = logits_between(
            case.runtime,
            before=case.image,
            after=fill_of(case.image, self.fill),
            changed=np.concatenate([intact, removed]),
        ).astype(np.float64)
        return unexplained_share(
            region_sums(case.heatmap, removed),
            logits[0, case.target] - logits[1:, case.target],
            resolution=_ROUNDING * float(np.abs(logits).max()),
        )


def square_regions(
    height: int, width: int, *, side: int, count: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Random squares, bool (count, height, width). They may reach over the edge, so every pixel is as likely hit.

    Corners must not be spared: that is where scale bars are.
    """
    top = rng.integers(1 - side, height, size=(count, 1, 1))
    left = rng.integers(1 - side, width, size=(count, 1, 1))
    y, x = np.arange(height)[:, None], np.arange(width)
    return (y >= top) & (y < top + side) & (x >= left) & (x < left + side)


def region_sums(heatmap: NDArray[np.float32], regions: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What the heatmap (H, W) adds up to in each of the regions (K, H, W), float64 (K,)."""
    return np.array([heatmap[region].sum(dtype=np.float64) for region in regions])


def unexplained_share(
    predicted: NDArray[np.float64], actual: NDArray[np.float64], *, resolution: float = 0.0
) -> float | None:
    """min over s ≥ 0 of mean((s · predicted − actual)²) ÷ mean(actual²), in [0, 1].

    None where no drop is larger than `resolution`, below which differences of logits mean nothing.

    The scale s is Captum's (`infidelity(..., normalize=True)`) except that it is not allowed below 0: a heatmap that
    says the opposite of the truth must not be perfect.

    >>> unexplained_share(np.array([1.0, 2.0]), np.array([10.0, 20.0]))
    0.0
    >>> unexplained_share(np.array([-1.0, -2.0]), np.array([10.0, 20.0]))
    1.0
    """
    size = float(np.abs(actual).max())
    if size <= resolution:
        return None
    of_drops = actual / size  # squares of very small numbers would be 0
    units = float(np.abs(predicted).max())
    if units == 0:
        return 1.0
    of_sums = predicted / units
    scale = max(0.0, float(of_sums @ of_drops) / float(of_sums @ of_sums))
    rest = scale * of_sums - of_drops
    return min(1.0, float(rest @ rest) / float(of_drops @ of_drops))
