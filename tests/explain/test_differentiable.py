"""A model that is differentiated is left as it was found."""

from __future__ import annotations

import pytest

from allsight.core.errors import UsageError
from allsight.explain.differentiable import classifier_of, frozen
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.explainers.test_cam import Elsewhere
from tests.explain.models import classifier_of as built
from tests.explain.models import state_of


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


def test_a_runtime_without_gradients_names_the_way_out() -> None:
    runtime = PyTorch(built("tiny", size=16))
    assert classifier_of(runtime, method="grad_cam") is runtime.classifier
    with pytest.raises(UsageError, match=r"grad_cam needs gradients.*pytorch"):
        classifier_of(Elsewhere(runtime), method="grad_cam")
