"""Where along a path gradients are taken, and what each counts. The path's parameter runs from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from allsight.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Rule = Literal["gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"]
RULES: tuple[str, ...] = get_args(Rule)
Panel = tuple[float, float]

# Networks answer to contrast: near a uniform baseline everything happens within the first hundredths of the path,
# so the first panels halve towards it. With half as many a smooth path is complete too, but its map is further from
# that of a thousand steps. All ends are binary fractions: middles are exact and can be keys.
FIRST_PANELS: tuple[Panel, ...] = (
    (0.0, 1 / 64),
    (1 / 64, 1 / 32),
    (1 / 32, 1 / 16),
    (1 / 16, 1 / 8),
    (1 / 8, 1 / 4),
    (1 / 4, 1 / 2),
    (1 / 2, 3 / 4),
    (3 / 4, 1.0),
)
FEWEST_STEPS = 2 * len(FIRST_PANELS) + 1


def fixed_rule(rule: Rule, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions and weights, each (steps,), of a rule by the name it has in Captum, with Captum's weights.

    Captum's trapezoid divides by the number of points and not of intervals, so its weights add up to (n − 1) / n.

    Raises:
        UsageError: no such rule.
    """
    n = steps
    if rule == "gausslegendre":
        nodes, weights = np.polynomial.legendre.leggauss(n)
        return (1 + nodes) / 2, weights / 2
    weights = np.full(n, 1 / n)
    if rule == "riemann_left":
        return np.arange(n) / n, weights
    if rule == "riemann_right":
        return np.arange(1, n + 1) / n, weights
    if rule == "riemann_middle":
        return (np.arange(n) + 0.5) / n, weights
    if rule == "riemann_trapezoid":
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, n), weights
    raise UsageError(f"There is no rule called {rule!r}.", hint=f"Known: {', '.join(RULES)}.")


@dataclass(frozen=True, slots=True)
class Node:
    """What was computed at one position of the path.

    Attributes:
        value: the function.
        slope: its derivative along the path.
        attribution: float32 (H, W), the slope's share of each pixel.
    """

    value: float
    slope: float
    attribution: NDArray[np.float32]


def nodes_of(panels: Sequence[Panel]) -> list[float]:
    """Ends and middles of panels, sorted, each once."""
    return sorted({a for a, _ in panels} | {b for _, b in panels} | {(a + b) / 2 for a, b in panels})


def simpson(panels: Sequence[Panel]) -> dict[float, float]:
    """Weight of each node when every panel is integrated by Simpson's rule."""
    weights: dict[float, float] = {}
    for a, b in panels:
        for position, share in ((a, 1), ((a + b) / 2, 4), (b, 1)):
            weights[position] = weights.get(position, 0.0) + share * (b - a) / 6
    return weights


def panel_errors(panels: Sequence[Panel], nodes: Mapping[float, Node]) -> NDArray[np.float64]:
    """Signed error of each panel: its Simpson sum of slopes less the change of the function across it.

    The change is known exactly, because whoever differentiates the function has its value. So one sees where
    completeness is lost, and not only that it is.
    """
    errors = []
    for a, b in panels:
        start, middle, end = nodes[a], nodes[(a + b) / 2], nodes[b]
        sum_of_slopes = (b - a) / 6 * (start.slope + 4 * middle.slope + end.slope)
        errors.append(sum_of_slopes - (end.value - start.value))
    return np.array(errors)


def split_worst(panels: Sequence[Panel], errors: NDArray[np.float64], *, most: int) -> tuple[Panel, ...]:
    """Panels with up to `most` of those with the largest errors halved, in order."""
    worst = set(np.argsort(-np.abs(errors), kind="stable")[:most].tolist())
    refined: list[Panel] = []
    for i, (a, b) in enumerate(panels):
        refined += [(a, (a + b) / 2), ((a + b) / 2, b)] if i in worst else [(a, b)]
    return tuple(refined)
