"""Gradients from an exported graph are PyTorch's, for every kind of layer that the paper's networks have."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from allsight.core.errors import BundleError, DisagreementError, UsageError
from allsight.explain.explainers.integrated_gradients import IntegratedGradients
from allsight.inference.choice import open_runtime
from allsight.inference.gradient_graph import GRADIENT_FILE, GradientGraph
from allsight.inference.parity import GradientAgreement, compare_gradients
from allsight.inference.resizing import resizing_matrix
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.inference.trace import _adaptive_pooling, _pooling, write_gradient_graph
from allsight.models.bundle import read_config
from allsight.verbs.explain import explain
from allsight.verbs.export import GRADIENT, export
from tests.bundles import trained
from tests.explain.models import classifier_of, fields


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = trained(tmp_path_factory.mktemp("gradients") / "bundle")
    export(folder, to=["openvino"], gradients=True, images=16)
    return folder


def test_what_was_measured_is_remembered(bundle: Path) -> None:
    facts = read_config(bundle).exports[GRADIENT]
    assert facts["n_images"] == 8
    assert float(str(facts["gradients"])) < 1e-3
    assert GRADIENT in (bundle / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("height", "width"), [(64, 64), (100, 70), (40, 90)])
def test_gradients_are_pytorchs_at_any_size(bundle: Path, height: int, width: int) -> None:
    graph = GradientGraph.open(bundle, read_config(bundle))
    images = list(fields(3, height, width=width))
    found = compare_gradients(PyTorch.open(bundle).differentiated(), graph, images, targets=[0, 1, 2])
    found.check()


def test_integrated_gradients_are_pytorchs(bundle: Path) -> None:
    runtime, images, targets = open_runtime(bundle).runtime, fields(1, 64), np.array([1])
    assert runtime.gradients
    ours = IntegratedGradients().explain(runtime, images, targets=targets)
    expected = IntegratedGradients().explain(PyTorch.open(bundle), images, targets=targets)
    assert np.corrcoef(ours.heatmaps.ravel(), expected.heatmaps.ravel())[0, 1] > 0.999  # ReLU6 has kinks


@pytest.mark.parametrize("backbone", ["alexnet", "resnet50", "inception_resnet_v2"])
def test_pooling_relu_and_odd_windows_are_differentiated(backbone: str, tmp_path: Path, bundle: Path) -> None:
    """Between them these have every layer that needs a backward pass of its own."""
    classifier = classifier_of(backbone, size=96, seen=16)
    config = read_config(bundle)
    config = config.model_copy(update={"preprocessing": classifier.preprocessing})
    write_gradient_graph(classifier, config, tmp_path)
    graph = GradientGraph.open(tmp_path, config)
    found = compare_gradients(
        PyTorch(classifier).differentiated(), graph, list(fields(2, 96)), targets=[0, 3]
    )
    # Rounding turns a few units at their kinks, on some processors more than on others; a wrong layer turns them all.
    assert found.gradients < 0.03


def test_explains_without_pytorch_once_exported(bundle: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(fields(1, 64)[0]).save(tmp_path / "a.png")
    found = explain(bundle, [tmp_path / "a.png"], out=tmp_path / "out")
    assert found.runtime == "openvino fp32"
    assert {h.method for h in found.heatmaps} == {"cam", "grad_cam", "integrated_gradients", "lime"}


def test_a_graph_that_answers_otherwise_is_refused() -> None:
    with pytest.raises(DisagreementError, match=r"gradients differ by 2\.0e-01"):
        GradientAgreement(n_images=3, logits=0.0, gradients=0.2).check()
    with pytest.raises(DisagreementError):
        GradientAgreement(n_images=3, logits=0.0, gradients=float("nan")).check()


def test_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Gradient graphs are for OpenVINO"):
        export(tmp_path, to=["onnx"], gradients=True)
    folder = trained(tmp_path / "bundle")
    with pytest.raises(BundleError, match="--gradients"):
        GradientGraph.open(folder, read_config(folder))
    assert not (folder / GRADIENT_FILE).exists()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("before", "after"), [(70, 64), (64, 70), (300, 64), (5, 8)])
def test_the_matrix_resizes_as_pytorch_does(interpolation: str, before: int, after: int) -> None:
    image = torch.rand(1, 1, before, before)
    expected = F.interpolate(image, (after, after), mode=interpolation, antialias=True, align_corners=False)
    matrix = torch.from_numpy(resizing_matrix(before, after, interpolation=interpolation).copy())
    torch.testing.assert_close(matrix @ image @ matrix.T, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [3, 6, 7, 11])
def test_pooling_is_a_matrix(n: int) -> None:
    line = torch.rand(2, 1, n)
    for kernel, stride, padding, ceil_mode, pad in itertools.product(
        (2, 3), (1, 2, 3), (0, 1), (False, True), (False, True)
    ):
        expected = F.avg_pool1d(line, kernel, stride, padding, ceil_mode, pad)
        matrix = _pooling(n, kernel, stride, padding, ceil_mode=ceil_mode, pad=pad)
        torch.testing.assert_close(line @ matrix.T, expected)
    for after in (1, 2, 5, 9):
        torch.testing.assert_close(line @ _adaptive_pooling(n, after).T, F.adaptive_avg_pool1d(line, after))
