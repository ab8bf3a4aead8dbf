"""Integrals of a logit's gradient along a straight path of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from allsight.core.progress import Progress, silent
from allsight.explain.quadrature import (
    FEWEST_STEPS,
    FIRST_PANELS,
    Node,
    Panel,
    Rule,
    fixed_rule,
    nodes_of,
    panel_errors,
    simpson,
    split_worst,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Gradients
    from allsight.core.explanation import Fact

_HALVED = 4  # one panel of so many a round, and at least two; the memory at hand must not change the result


@dataclass(frozen=True, slots=True)
class Integral:
    """An attribution and what became of it.

    Attributes:
        attribution: float32 (H, W), signed, summed over channels.
        at_image: f(x), the target's logit for the image.
        at_baseline: f(b), the same for the baseline.
        steps: gradients taken.
        completeness_error: |Σ attribution − (f(x) − f(b))| ÷ |f(x) − f(b)|.
        complete: whether it was brought below the tolerance; None where no tolerance was asked for.
    """

    attribution: NDArray[np.float32]
    at_image: float
    at_baseline: float
    steps: int
    completeness_error: float
    complete: bool | None

    def facts(self) -> dict[str, Fact]:
        """Everything but the attribution, for JSON."""
        names = ("at_image", "at_baseline", "steps", "complete")
        error = (
            self.completeness_error if np.isfinite(self.completeness_error) else None
        )  # JSON has no infinity
        return {**{name: getattr(self, name) for name in names}, "completeness_error": error}


@final
class Path:
    """The straight line from a baseline to an image, and the target logit's gradients on it.

    Args:
        gradients: of the model.
        image: uint8 RGB (H, W, 3).
        baseline: float32 (H, W, 3), pixel values.
        target: the output to differentiate.
        memory: bytes that one batch of gradients may need, and as many that kept attributions may.
    """

    def __init__(
        self,
        gradients: Gradients,
        image: NDArray[np.uint8],
        *,
        baseline: NDArray[np.float32],
        target: int,
        memory: int,
    ) -> None:
        self.start = baseline.astype(np.float64)
        self.difference = image - self.start
        self.memory = memory
        self._gradients = gradients
        self._target = target

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.start.shape[0], self.start.shape[1]

    def values(self, positions: Sequence[float]) -> list[float]:
        """The logit at positions, without gradients."""
        return list(self._gradients.values(self._points(positions), target=self._target))

    def gradients(self, positions: Sequence[float]) -> Iterator[tuple[float, float, NDArray[np.floating]]]:
        """Position, logit and gradient (H, W, 3) for each position."""
        steps = self._gradients.gradients(self._points(positions), target=self._target, memory=self.memory)
        for position, (value, gradient) in zip(positions, steps, strict=True):
            yield position, value, gradient

    def node(self, value: float, gradient: NDArray[np.floating]) -> Node:
        """What the adaptive rule keeps of one gradient."""
        shares = (gradient * self.difference).sum(axis=2)
        return Node(value, float(shares.sum()), shares.astype(np.float32))

    def _points(self, positions: Sequence[float]) -> Iterator[NDArray[np.float64]]:
        return (self.start + position * self.difference for position in positions)


def integrate_fixed(path: Path, *, rule: Rule, steps: int, progress: Progress = silent) -> Integral:
    """A given number of steps by a given rule."""
    positions, weights = fixed_rule(rule, steps)
    total = np.zeros_like(path.start)
    for done, ((_, _, gradient), weight) in enumerate(
        zip(path.gradients(positions.tolist()), weights.tolist(), strict=True), start=1
    ):
        total += weight * gradient
        progress("gradients", done, steps)
    attribution = (total * path.difference).sum(axis=2).astype(np.float32)
    at_baseline, at_image = path.values([0.0, 1.0])
    error = float(attribution.sum(dtype=np.float64)) - (at_image - at_baseline)
    return Integral(attribution, at_image, at_baseline, steps, _relative(error, at_image - at_baseline), None)


def integrate(path: Path, *, tolerance: float, most_steps: int, progress: Progress = silent) -> Integral:
    """As many steps as the tolerance takes, where the path needs them.

    Simpson's rule on panels. The change of the logit across a panel is known, so each panel's error is: those with
    the largest are halved. Errors of opposite sign can cancel by luck, therefore not only their sum but also their
    root sum of squares must be below the tolerance.

    Args:
        path: what to integrate along.
        tolerance: largest relative completeness error.
        most_steps: gradients after which one stops in any case.
        progress: told how many gradients were taken; the total is not known beforehand.
    """
    height, width = path.shape
    most_steps = min(most_steps, max(FEWEST_STEPS, path.memory // (4 * height * width)))
    panels: tuple[Panel, ...] = FIRST_PANELS
    nodes: dict[float, Node] = {}
    while True:
        for position, value, gradient in path.gradients([p for p in nodes_of(panels) if p not in nodes]):
            nodes[position] = path.node(value, gradient)
            progress("gradients", len(nodes), 0)
        change = nodes[1.0].value - nodes[0.0].value
        errors = panel_errors(panels, nodes)
        error, spread = _relative(errors.sum(), change), _relative(np.linalg.norm(errors), change)
        complete = error < tolerance and spread < tolerance
        if complete or len(nodes) + 2 > most_steps:
            break
        most = max(2, len(panels) // _HALVED)
        most = min(most, (most_steps - len(nodes)) // 2)  # each halving takes two more gradients
        panels = split_worst(panels, errors, most=most)
    attribution = np.zeros((height, width), dtype=np.float64)
    for position, weight in simpson(panels).items():
        attribution += weight * nodes[position].attribution
    heatmap = attribution.astype(np.float32)
    error = _relative(float(heatmap.sum(dtype=np.float64)) - change, change)
    return Integral(heatmap, nodes[1.0].value, nodes[0.0].value, len(nodes), error, complete)


def _relative(error: Any, change: float) -> float:
    """|error| ÷ |change|; infinite where nothing changed and something was attributed."""
    return abs(float(error)) / abs(change) if change else (0.0 if not error else float("inf"))
