"""Class activation maps: from the forward pass of any runtime, on the image's own pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from allsight.core.contracts import Runtime
from allsight.core.errors import UsageError
from allsight.core.records import Outputs
from allsight.explain.explainers.cam import Cam
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.models import classifier_of, fields


class Elsewhere(Runtime):
    """A runtime that is not PyTorch's: all one can have of it is its outputs, and its bias if it tells it."""

    def __init__(self, inner: PyTorch, *, bias: NDArray[np.float32] | None = None) -> None:
        self.inner = inner
        self.bias = bias

    @classmethod
    def open(cls, folder: Path, *, precision: str | None = None, threads: int | None = None) -> Elsewhere:
        raise NotImplementedError((folder, precision, threads))

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        return self.inner.run(images)

    def head_bias(self) -> NDArray[np.float32] | None:
        return self.bias


def test_the_mean_is_the_logit_without_its_bias() -> None:
    """Bilinear enlargement by a whole factor keeps the mean up to what the edges repeat."""
    runtime = PyTorch(classifier_of("tiny", size=64))
    images = fields(3, 64)
    targets = np.array([0, 1, 2])
    heatmaps = Cam().explain(runtime, images, targets=targets).heatmaps
    bias = runtime.classifier.head.bias.detach().numpy()[targets]
    logits = runtime.run(images).logits[[0, 1, 2], targets]
    np.testing.assert_allclose(heatmaps.mean(axis=(1, 2)), logits - bias, rtol=0.05, atol=0.05)


def test_enlarging_agrees_with_pytorch_on_images_that_are_not_square() -> None:
    runtime = PyTorch(classifier_of("tiny", size=64))
    images = fields(2, 90, width=130)
    targets = np.array([3, 0])
    ours = Cam().explain(runtime, images, targets=targets)
    maps = runtime.run(images).maps
    assert maps is not None
    bias = runtime.classifier.head.bias.detach().numpy()
    chosen = torch.from_numpy(maps[[0, 1], targets] - bias[targets, None, None])
    expected = F.interpolate(chosen[:, None], (90, 130), mode="bilinear", align_corners=False)[:, 0]
    np.testing.assert_allclose(ours.heatmaps, expected, rtol=1e-4, atol=1e-5)
    assert ours.used[0]["bias"] == "left out"


def test_a_runtime_that_does_not_tell_its_bias_differs_by_a_constant() -> None:
    runtime = PyTorch(classifier_of("tiny", size=64))
    images = fields(1, 64)
    told = Cam().explain(runtime, images, targets=np.array([1]))
    untold = Cam().explain(Elsewhere(runtime), images, targets=np.array([1]))
    bias = float(runtime.classifier.head.bias[1])
    np.testing.assert_allclose(untold.heatmaps - told.heatmaps, bias, rtol=1e-4, atol=1e-5)
    assert untold.used[0]["bias"] == "spread evenly"


def test_a_network_without_maps_names_the_way_out() -> None:
    runtime = PyTorch(classifier_of("alexnet", size=64))
    with pytest.raises(UsageError, match="grad_cam"):
        Cam().explain(runtime, fields(1, 64), targets=np.array([0]))
