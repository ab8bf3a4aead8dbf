"""The folded copy: same answers, nothing shared that could go wrong."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from allsight.core.network import Network
from allsight.models.classifier import Classifier
from allsight.models.folding import folded_classifier
from allsight.models.networks import PooledNetwork
from allsight.models.preprocessing import Preprocessing
from tests.explain.models import classifier_of, fields, state_of


def answers(classifier: Classifier) -> Tensor:
    with torch.inference_mode():
        logits: Tensor = classifier(torch.from_numpy(fields(2, 64, width=80))).logits
    return logits


def test_the_original_and_the_random_numbers_stay_as_they_are() -> None:
    classifier = classifier_of("efficientnet_lite0", size=64)
    before, drawn = state_of(classifier), torch.get_rng_state()
    expected = answers(classifier)
    swift = folded_classifier(classifier)
    assert state_of(classifier) == before
    assert torch.equal(torch.get_rng_state(), drawn)
    torch.testing.assert_close(answers(swift), expected, rtol=1e-4, atol=1e-4)
    assert not [m for m in swift.modules() if isinstance(m, nn.BatchNorm2d)]

    shared = {p.data_ptr() for p in classifier.parameters()} & {p.data_ptr() for p in swift.parameters()}
    assert not shared
    with torch.no_grad():
        for p in classifier.parameters():
            p.zero_()
    torch.testing.assert_close(answers(swift), expected, rtol=1e-4, atol=1e-4)


def test_input_gradients_are_the_originals() -> None:
    classifier = classifier_of("efficientnet_lite0", size=64)
    found = []
    for model in (classifier, folded_classifier(classifier)):
        pixels = torch.from_numpy(fields(1, 64)).float().requires_grad_()
        found.append(torch.autograd.grad(model(pixels).logits[0, 1], pixels)[0].numpy())
    np.testing.assert_allclose(found[1], found[0], atol=1e-4 * np.abs(found[0]).max())


@final
class Twice(nn.Module):
    """One convolution and one normalisation used twice, and a sum that needs the convolution's own output."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.other = nn.Conv2d(3, 3, 1)
        self.last = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.convolution(x))
        x = self.norm(self.convolution(x))
        middle = self.other(x)
        both: Tensor = self.last(middle) + middle
        return both


@final
class Stubborn(nn.Module):
    """Its way depends on values, so it cannot be traced."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if float(x.sum()) > 0 else x


def classifier_around(body: nn.Module) -> Classifier:
    torch.manual_seed(0)
    network: Network = PooledNetwork(body, width=3)
    classifier = Classifier(network, n_classes=2, preprocessing=Preprocessing(size=16), pooled=True)
    for norm in classifier.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    return classifier.eval()


def test_what_cannot_be_folded_is_left() -> None:
    for body in (Twice(), Stubborn()):
        classifier = classifier_around(body)
        torch.testing.assert_close(
            answers(folded_classifier(classifier)), answers(classifier), rtol=1e-4, atol=1e-4
        )
