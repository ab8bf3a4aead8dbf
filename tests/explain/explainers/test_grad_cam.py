"""Grad-CAM: a network solved by hand, and the analytic way against the backward pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from allsight.explain.explainers.grad_cam import GradCam, analytic_maps, grad_cam_maps
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.classifier import Classifier
from tests.explain.explainers.test_cam import Elsewhere
from tests.explain.models import classifier_of, fields, state_of


def solvable() -> Classifier:
    """`tiny` with weights that pass on the red channel, every second pixel of it, in channels 0 and 1.

    Each convolution takes the middle of its 3 × 3 window; with stride 2 the last map of a 16 × 16 image is its pixels
    at rows and columns 0 and 8. Channel 0 carries +red, channel 1 carries relu(0.5 − red).
    """
    classifier = classifier_of("tiny", size=16, n_classes=2)
    convolutions = [m for m in classifier.network.modules() if isinstance(m, torch.nn.Conv2d)]
    with torch.no_grad():
        for convolution in convolutions:
            convolution.weight.zero_()
            assert convolution.bias is not None
            convolution.bias.zero_()
            for channel in (0, 1):
                convolution.weight[channel, channel, 1, 1] = 1
        first = convolutions[0]
        first.weight[1, 1, 1, 1] = 0
        first.weight[1, 0, 1, 1] = -1
        assert first.bias is not None
        first.bias[1] = 0.5
        classifier.head.weight.zero_()
        classifier.head.weight[0, 0], classifier.head.weight[0, 1] = 8, -4
        classifier.head.weight[1, 0], classifier.head.weight[1, 1] = -8, 4
        classifier.mean.zero_()  # type: ignore[operator]
        classifier.std.fill_(255)  # type: ignore[operator]
    return classifier


def test_solved_by_hand() -> None:
    image = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    red = np.array([[255, 0], [51, 102]])
    image[0, ::8, ::8, 0] = red
    images = torch.from_numpy(np.repeat(image, 2, axis=0))
    a0, a1 = red / 255, np.maximum(0.5 - red / 255, 0)
    # Four positions: the weights are w / 4, that is 2 and −1 for class 0 and their opposites for class 1.
    expected = np.stack([np.maximum(2 * a0 - a1, 0), np.maximum(-2 * a0 + a1, 0)])
    maps = grad_cam_maps(solvable(), images, torch.tensor([0, 1])).numpy()
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    assert expected.max() == 2
    np.testing.assert_allclose(expected[1], np.array([[0, 0.5], [0, 0]]))


def test_the_analytic_gradient_is_the_backward_passes() -> None:
    classifier = classifier_of("resnet50", size=64)
    runtime, images, targets = PyTorch(classifier), fields(2, 64), np.array([2, 0])
    bias = runtime.head_bias()
    assert bias is not None
    ((_, analytic),) = analytic_maps(runtime, images, targets, bias=bias)
    expected = grad_cam_maps(classifier, torch.from_numpy(images), torch.from_numpy(targets)).numpy()
    np.testing.assert_allclose(analytic, expected, rtol=1e-3, atol=1e-5 * float(expected.max()))


def test_a_runtime_that_tells_its_bias_is_enough() -> None:
    runtime, images, targets = PyTorch(classifier_of("tiny", size=64)), fields(2, 64), np.array([0, 1])
    told = Elsewhere(runtime, bias=runtime.head_bias())
    assert GradCam().runs_on(told)
    assert not GradCam().runs_on(Elsewhere(runtime))
    found = GradCam().explain(told, images, targets=targets)
    np.testing.assert_array_equal(
        found.heatmaps, GradCam().explain(runtime, images, targets=targets).heatmaps
    )


def test_shows_only_what_speaks_for_the_class() -> None:
    found = GradCam().explain(
        PyTorch(classifier_of("tiny", size=64)), fields(2, 70), targets=np.array([0, 1])
    )
    assert not found.signed
    assert found.heatmaps.min() >= 0
    assert found.used[0]["gradient"] == "analytic"


def test_an_exception_on_the_way_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = classifier_of("alexnet", size=64)
    classifier.head.weight.requires_grad_(False)
    before = state_of(classifier)

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(classifier.network, "embed", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        GradCam().explain(PyTorch(classifier), fields(1, 64), targets=np.array([0]))
    assert state_of(classifier) == before
