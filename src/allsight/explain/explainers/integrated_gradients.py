"""Integrated Gradients: Sundararajan, Taly & Yan, "Axiomatic attribution for deep networks", ICML 2017
(arXiv 1703.01365).

The path is straight in raw pixel values, so "black" is black, and resizing and normalising are part of the function.
The function is the logit: the softmax of a sure model is flat, and CAM and Grad-CAM explain the logit too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Explainer
from allsight.core.errors import UsageError
from allsight.core.explanation import Explanation, Fact
from allsight.core.progress import Progress, silent
from allsight.explain.baselines import BASELINES, Baseline, baseline_of
from allsight.explain.inputs import check_inputs, check_targets, no_gradients
from allsight.explain.path import Path, integrate, integrate_fixed
from allsight.explain.quadrature import FEWEST_STEPS, RULES, Rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IntegratedGradients(Explainer):
    """Gradients of the target logit along the path from a baseline to the image, summed over colour channels.

    By default steps are added where the path needs them until the completeness error |Σ attribution − (f(x) − f(b))|
    ÷ |f(x) − f(b)| is below `tolerance`; see `allsight.explain.path`.

    Args:
        baseline: what the path sets out from; see `allsight.explain.baselines`.
        tolerance: largest completeness error that is good enough.
        most_steps: gradients after which one stops in any case; `used` then says that the error is larger.
        steps: exactly so many, placed by `rule`, instead of as many as it takes. For comparison with other tools,
            so PyTorch then runs the network as it is and not folded: near a kink rounding can turn a gradient.
        rule: how a fixed number of steps is placed, by its name in Captum.
        memory: bytes that gradients of one batch of steps may need. One step at a time always runs.
    """

    signed: ClassVar[bool] = True

    baseline: Baseline = "white_field"
    tolerance: float = 0.01
    most_steps: int = 257
    steps: int | None = None
    rule: Rule = "gausslegendre"
    memory: int = 2 * 2**30

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that mean nothing."""
        if self.baseline not in BASELINES:
            raise UsageError(
                f"There is no baseline called {self.baseline!r}.", hint=f"Known: {', '.join(BASELINES)}."
            )
        if self.rule not in RULES:
            raise UsageError(f"There is no rule called {self.rule!r}.", hint=f"Known: {', '.join(RULES)}.")
        if (
            self.tolerance <= 0
            or self.most_steps < FEWEST_STEPS
            or (self.steps is not None and self.steps < 2)
        ):
            raise UsageError(
                f"Tolerance must be above 0, most_steps at least {FEWEST_STEPS} and steps at least 2."
            )

    def runs_on(self, runtime: Runtime) -> bool:
        """Where the runtime gives gradients."""
        return runtime.gradients

    def explain(
        self,
        runtime: Runtime,
        images: NDArray[np.uint8],
        *,
        targets: NDArray[np.int64],
        progress: Progress = silent,
    ) -> Explanation:
        """Heatmaps of N images; see `Explainer.explain`. A heatmap adds up to f(x) − f(b), within the error."""
        check_inputs(images, targets)
        gradients = runtime.differentiated(exactly=self.steps is not None)
        if gradients is None:
            raise no_gradients(runtime, method="integrated_gradients")
        check_targets(targets, n_classes=gradients.n_classes)
        heatmaps = np.empty(images.shape[:3], dtype=np.float32)
        used: list[dict[str, Fact]] = []
        seconds = []
        for i, (image, target) in enumerate(zip(images, targets.tolist(), strict=True)):
            started = time.perf_counter()
            path = Path(
                gradients,
                image,
                baseline=baseline_of(image, self.baseline),
                target=target,
                memory=self.memory,
            )
            if self.steps is None:
                found = integrate(
                    path, tolerance=self.tolerance, most_steps=self.most_steps, progress=progress
                )
            else:
                found = integrate_fixed(path, rule=self.rule, steps=self.steps, progress=progress)
            heatmaps[i] = found.attribution
            used.append(
                {"baseline": self.baseline, "rule": self.rule if self.steps else "simpson", **found.facts()}
            )
            seconds.append(time.perf_counter() - started)
            progress("integrated_gradients", i + 1, len(images))
        return Explanation(
            "integrated_gradients",
            heatmaps,
            targets,
            self.signed,
            used=tuple(used),
            seconds=tuple(seconds),
            arrays=({},) * len(images),
        )
