"""Integrals of a logit's gradient along a straight path of images, with memory bounded beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch.autograd.graph import saved_tensors_hooks

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
    from torch import Tensor

    from allsight.core.explanation import Fact
    from allsight.models.classifier import Classifier

_MOST_AT_ONCE = 8  # larger batches are no faster on a CPU
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
        classifier: frozen, in evaluation mode.
        image: uint8 RGB (H, W, 3).
        baseline: float32 (H, W, 3), pixel values.
        target: the output to differentiate.
        memory: bytes that one batch's graph may hold, and as many that kept attributions may.
    """

    def __init__(
        self,
        classifier: Classifier,
        image: NDArray[np.uint8],
        *,
        baseline: NDArray[np.float32],
        target: int,
        memory: int,
    ) -> None:
        self.classifier = classifier
        place = classifier.head.weight
        self.start = torch.from_numpy(baseline).to(place)[None]
        self.difference = torch.from_numpy(image).to(place)[None] - self.start  # (1, H, W, 3)
        self.target = target
        self.memory = memory
        self._at_once = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.start.shape[1], self.start.shape[2]

    def values(self, positions: Sequence[float]) -> list[float]:
        """The logit at positions, without gradients."""
        with torch.no_grad():
            return [float(self._logits(self._images([p]))[0]) for p in positions]

    def gradients(self, positions: Sequence[float]) -> Iterator[tuple[float, float, Tensor]]:
        """Position, logit and gradient (H, W, 3) for each position, in batches that fit into memory."""
        if not self._at_once and len(positions):
            step, held = self._measured(positions[0])
            self._at_once = max(1, min(_MOST_AT_ONCE, self.memory // max(1, held)))
            yield step
            positions = positions[1:]
        for first in range(0, len(positions), self._at_once):
            yield from self._batch(positions[first : first + self._at_once])

    def node(self, value: float, gradient: Tensor) -> Node:
        """What the adaptive rule keeps of one gradient."""
        shares = (gradient * self.difference[0]).sum(dim=2)
        return Node(value, float(shares.double().sum()), shares.float().cpu().numpy())

    def _measured(self, position: float) -> tuple[tuple[float, float, Tensor], int]:
        """One step, and how many bytes its graph held beside the weights."""
        weights = {p.untyped_storage().data_ptr() for p in self.classifier.parameters()}
        held: dict[int, int] = {}

        def count(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                held[storage.data_ptr()] = storage.nbytes()
            return tensor

        with saved_tensors_hooks(count, _unchanged):
            (step,) = self._batch([position])
        return step, sum(held.values())

    def _batch(self, positions: Sequence[float]) -> list[tuple[float, float, Tensor]]:
        with torch.enable_grad():
            images = self._images(positions).requires_grad_()
            logits = self._logits(images)
            (gradients,) = torch.autograd.grad(logits.sum(), images)
        return list(zip(positions, logits.tolist(), gradients, strict=True))

    def _images(self, positions: Sequence[float]) -> Tensor:
        shares = torch.tensor(positions, dtype=self.start.dtype, device=self.start.device)
        return self.start + shares[:, None, None, None] * self.difference

    def _logits(self, images: Tensor) -> Tensor:
        # Class maps are not needed, so the head is applied here and `classify` is not called.
        network = self.classifier.network
        embedding = network.embed(network.features(self.classifier.prepare(images)))
        return self.classifier.head(embedding)[:, self.target]  # type: ignore[no-any-return]


def integrate_fixed(path: Path, *, rule: Rule, steps: int, progress: Progress = silent) -> Integral:
    """A given number of steps by a given rule."""
    positions, weights = fixed_rule(rule, steps)
    total = torch.zeros_like(path.start[0])
    for done, ((_, _, gradient), weight) in enumerate(
        zip(path.gradients(positions.tolist()), weights.tolist(), strict=True), start=1
    ):
        total += weight * gradient
        progress("gradients", done, steps)
    attribution = (total * path.difference[0]).sum(dim=2).float().cpu().numpy()
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


def _unchanged(tensor: Any) -> Any:
    return tensor
