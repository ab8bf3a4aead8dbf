"""What every explainer in the catalog must do, on a network small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from allsight.core import catalog
from allsight.core.contracts import Backbone, Explainer
from allsight.core.errors import UsageError
from allsight.explain.explainers.cam import Cam
from allsight.explain.explainers.grad_cam import GradCam
from allsight.explain.explainers.integrated_gradients import IntegratedGradients
from allsight.explain.explainers.lime import Lime
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.classifier import Classifier
from allsight.models.preprocessing import Preprocessing

NAMES = catalog.names(Explainer)
SIDE = 64


def runtime_of(backbone: str) -> PyTorch:
    torch.manual_seed(0)
    kind = catalog.load(Backbone, backbone)
    preprocessing = Preprocessing(size=SIDE)
    classifier = Classifier(kind.build(), n_classes=3, preprocessing=preprocessing, pooled=kind.pooled)
    return PyTorch(classifier.eval())


@pytest.fixture(scope="module")
def tiny() -> PyTorch:
    return runtime_of("tiny")


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, 8, 10, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 8, axis=1), 8, axis=2)  # (2, 64, 80, 3): not square


TARGETS = np.array([0, 2])


@pytest.mark.parametrize("name", NAMES)
def test_a_heatmap_lies_on_the_images_own_pixels(name: str, tiny: PyTorch, images: NDArray[np.uint8]) -> None:
    before = {k: v.clone() for k, v in tiny.classifier.state_dict().items()}
    explainer = catalog.load(Explainer, name)()
    found = explainer.explain(tiny, images, targets=TARGETS)
    assert found.heatmaps.shape == images.shape[:3]
    assert found.heatmaps.dtype == np.float32
    assert np.isfinite(found.heatmaps).all()
    assert np.abs(found.heatmaps).max() > 0
    assert explainer.signed or found.heatmaps.min() >= 0
    assert all(torch.equal(before[k], v) for k, v in tiny.classifier.state_dict().items())
    assert all(p.requires_grad for p in tiny.classifier.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_the_same_question_has_the_same_answer(name: str, tiny: PyTorch, images: NDArray[np.uint8]) -> None:
    kind = catalog.load(Explainer, name)
    first, second = (kind().explain(tiny, images, targets=TARGETS).heatmaps for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_is_not_there_is_refused(name: str, tiny: PyTorch, images: NDArray[np.uint8]) -> None:
    with pytest.raises(UsageError):
        catalog.load(Explainer, name)().explain(tiny, images, targets=np.array([0, 7]))


def test_grad_cam_by_hand(tiny: PyTorch, images: NDArray[np.uint8]) -> None:
    """Weights are the head's row over the number of positions (Grad-CAM eq. 1 for a pooled head), then ReLU."""
    square = images[:, :, :64]
    classifier = tiny.classifier
    with torch.no_grad():
        features = classifier.network.features(classifier.prepare(torch.from_numpy(square.copy())))
        weights = classifier.head.weight[torch.from_numpy(TARGETS)] / features[0, 0].numel()
        expected = torch.einsum("nk,nkhw->nhw", weights, features).clamp(min=0)
        expected = torch.nn.functional.interpolate(expected[:, None], (64, 64), mode="bilinear")[:, 0]
    found = GradCam().explain(tiny, square, targets=TARGETS).heatmaps
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-7)


def test_grad_cam_is_the_positive_part_of_the_class_map(tiny: PyTorch, images: NDArray[np.uint8]) -> None:
    """Zhou's map without its bias and Grad-CAM differ by a positive factor; only then comes the resizing."""
    maps = tiny.run(images).maps
    assert maps is not None
    bias = tiny.classifier.head.bias.detach().numpy()
    coarse = np.maximum(maps[[0, 1], TARGETS] - bias[TARGETS, None, None], 0)
    size = images.shape[1:3]
    fine = torch.nn.functional.interpolate(torch.from_numpy(coarse)[:, None], size, mode="bilinear")[
        :, 0
    ].numpy()
    grad_cam = GradCam().explain(tiny, images, targets=TARGETS).heatmaps
    np.testing.assert_allclose(grad_cam / grad_cam.max(), fine / fine.max(), atol=1e-5)


def test_integrated_gradients_are_complete(tiny: PyTorch, images: NDArray[np.uint8]) -> None:
    """The attributions of an image sum to the difference of the logits of image and baseline."""
    found = IntegratedGradients(baseline="black").explain(tiny, images, targets=TARGETS)
    logits = tiny.run(images).logits[[0, 1], TARGETS]
    nothing = tiny.run(np.zeros_like(images)).logits[[0, 1], TARGETS]
    np.testing.assert_allclose(found.heatmaps.sum(axis=(1, 2)), logits - nothing, rtol=0.01, atol=1e-4)


def test_another_lime_seed_gives_other_numbers(tiny: PyTorch, images: NDArray[np.uint8]) -> None:
    one, other = (Lime(seed=s).explain(tiny, images, targets=TARGETS).heatmaps for s in (0, 1))
    assert not np.array_equal(one, other)


def test_a_network_without_class_maps_names_grad_cam(images: NDArray[np.uint8]) -> None:
    with pytest.raises(UsageError, match="grad_cam"):
        Cam().explain(runtime_of("alexnet"), images, targets=TARGETS)
