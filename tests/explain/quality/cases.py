"""A model whose explanation is known, and heatmaps before their judges."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from allsight.core.contracts import Explainer, Runtime
from allsight.core.explanation import Case, Fact
from allsight.core.records import Outputs
from allsight.explain.explainers.cam import Cam
from allsight.explain.removal import fill_of


class Linear(Runtime):
    """Two logits: a weighted sum of all pixel values plus a bias, and 0. What each pixel adds can be said exactly."""

    def __init__(self, weights: NDArray[np.float64], bias: float = 0.0) -> None:
        self.weights = weights
        self.bias = bias

    @classmethod
    def open(cls, folder: Path, *, precision: str | None = None, threads: int | None = None) -> Linear:
        raise NotImplementedError(folder)

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        first = self.bias + (images.astype(np.float64) * self.weights).sum(axis=(1, 2, 3))
        logits = np.stack([first, np.zeros(len(images))], axis=1)
        return Outputs(logits.astype(np.float32), None, np.zeros((len(images), 1), dtype=np.float32))

    def attribution(self, image: NDArray[np.uint8], baseline: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What each pixel adds to the first logit when it changes from the baseline to the image, (H, W)."""
        change = image.astype(np.float64) - baseline
        found: NDArray[np.float32] = (change * self.weights).sum(axis=2).astype(np.float32)
        return found


def linear_of(image: NDArray[np.uint8], *, seed: int = 0) -> Linear:
    """A linear model that changes its mind as the image fades: contributions of both signs, of 16 logits in all."""
    coarse = np.random.default_rng(seed).normal(size=(4, 4, 3))
    height, width = image.shape[:2]
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    weights = coarse[rows][:, columns]
    fill = fill_of(image, "background")
    weights = weights * 16 / np.abs(Linear(weights).attribution(image, fill)).sum()
    ends = Linear(weights).run(np.stack([image, fill])).logits[:, 0]
    return Linear(weights, -float(ends.mean()))


def case_of(
    runtime: Runtime,
    image: NDArray[np.uint8],
    *,
    heatmap: NDArray[np.float32],
    target: int = 0,
    explainer: Explainer | None = None,
    used: Mapping[str, Fact] | None = None,
    cells: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> Case:
    return Case(runtime, image, target, explainer or Cam(), heatmap, used or {}, cells=cells, seed=seed)


def explained(
    explainer: Explainer, runtime: Runtime, image: NDArray[np.uint8], *, target: int = 0, seed: int = 0
) -> Case:
    """The case that the explainer makes of an image."""
    found = explainer.explain(runtime, image[None], targets=np.array([target]))
    return case_of(
        runtime,
        image,
        heatmap=found.heatmaps[0],
        target=target,
        explainer=explainer,
        used=found.used[0],
        seed=seed,
    )
