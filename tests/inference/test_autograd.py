"""Differentiated by PyTorch: right, in order, and the model is left as it was found."""

from __future__ import annotations

import numpy as np
import pytest

from allsight.inference.autograd import frozen
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.models import classifier_of as built
from tests.explain.models import fields, state_of


def test_modes_and_wishes_come_back_after_an_exception() -> None:
    classifier = built("tiny", size=16)
    classifier.train()
    classifier.network.eval()
    classifier.head.bias.requires_grad_(False)
    before = state_of(classifier)

    def fail_inside() -> None:
        with frozen(classifier):
            assert not classifier.training
            assert not any(p.requires_grad for p in classifier.parameters())
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        fail_inside()
    assert state_of(classifier) == before


def test_gradients_are_those_of_finite_differences() -> None:
    """Along the gradient the logit rises as fast as the gradient is long."""
    gradients = PyTorch(built("tiny", size=64)).differentiated(exactly=True)
    point = fields(1, 80, width=70)[0].astype(np.float64)
    ((_, slope),) = gradients.gradients([point], target=1, memory=0)
    assert slope.shape == point.shape
    step = 0.5 * slope / np.abs(slope).max()
    down, up = gradients.values([point - step, point + step], target=1)
    assert up - down == pytest.approx(2 * float((slope * step).sum()), rel=0.02)


def test_any_number_of_points_in_order_whatever_the_memory() -> None:
    gradients = PyTorch(built("tiny", size=64)).differentiated()
    points = list(fields(11, 64).astype(np.float64))
    narrow = list(gradients.gradients(iter(points), target=0, memory=1))
    wide = list(gradients.gradients(iter(points), target=0, memory=2**31))
    assert [v for v, _ in narrow] == pytest.approx([v for v, _ in wide], rel=1e-4)
    assert [v for v, _ in wide] == pytest.approx(list(gradients.values(points, target=0)), rel=1e-4)
    for (_, a), (_, b) in zip(narrow, wide, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * float(np.abs(a).max()))
