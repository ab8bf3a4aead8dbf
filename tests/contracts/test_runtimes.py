"""What every runtime in the catalog must do: answer as PyTorch does, for any number and size of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from allsight.core import catalog
from allsight.core.contracts import Runtime
from allsight.core.errors import BundleError, UsageError
from allsight.data.source import open_dataset
from allsight.inference.choice import open_runtime
from allsight.inference.export import openvino_graph, write_graph
from allsight.inference.quantise import quantised
from allsight.inference.runtimes.openvino import FILES
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.bundle import ONNX_FILE, read_config
from allsight.verbs.export import export
from tests.bundles import DATA, trained
from tests.explain.models import fields

NAMES = catalog.names(Runtime)
GRAPHS = [("onnx", "fp32"), ("openvino", "fp32"), ("openvino", "int8"), ("pytorch", "fp32")]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported, and quantised without asking how well: 120 images make no model that is sure of its answers."""
    folder = trained(tmp_path_factory.mktemp("runtimes") / "bundle")
    export(folder, to=["onnx", "openvino"], images=32)
    source = open_dataset(DATA)
    config = read_config(folder)
    model = openvino_graph(folder / ONNX_FILE, config)
    made = quantised(model, [source.read(s) for s in source.samples[:64]], spared=8)
    write_graph(made, config, folder / FILES["int8"])
    return folder


def test_every_runtime_is_tried() -> None:
    assert {name for name, _ in GRAPHS} == set(NAMES)


@pytest.mark.parametrize(("name", "precision"), GRAPHS)
def test_says_what_it_can_run(bundle: Path, name: str, precision: str) -> None:
    assert precision in catalog.load(Runtime, name).precisions(bundle)


def smears(height: int, width: int) -> NDArray[np.uint8]:
    """Twelve of the kind that int8 was calibrated on, and none of those."""
    source = open_dataset(DATA)
    pictures = [Image.fromarray(source.read(s)) for s in source.samples[96:108]]
    return np.stack([np.asarray(picture.resize((width, height))) for picture in pictures])


@pytest.mark.parametrize(("name", "precision"), GRAPHS)
@pytest.mark.parametrize(("height", "width"), [(128, 128), (100, 144), (300, 200)])
def test_answers_as_pytorch_does(bundle: Path, name: str, precision: str, height: int, width: int) -> None:
    images = smears(height, width)
    expected = PyTorch.open(bundle).run(images)
    found = open_runtime(bundle, runtime=name, precision=precision).runtime.run(images)
    assert found.maps is not None
    assert expected.maps is not None
    assert found.logits.dtype == found.maps.dtype == found.embedding.dtype == np.float32
    assert [a.shape for a in found if a is not None] == [a.shape for a in expected if a is not None]
    assert np.corrcoef(found.logits.ravel(), expected.logits.ravel())[0, 1] > 0.95
    if precision == "fp32":
        for ours, theirs in zip(found, expected, strict=True):
            assert ours is not None
            assert theirs is not None
            np.testing.assert_allclose(ours, theirs, atol=1e-3 * float(np.abs(theirs).max()))


@pytest.mark.parametrize(("name", "precision"), GRAPHS)
def test_a_batch_is_its_images_one_by_one(bundle: Path, name: str, precision: str) -> None:
    runtime = open_runtime(bundle, runtime=name, precision=precision).runtime
    images = fields(5, 128)
    together = runtime.run(images).logits
    alone = np.concatenate([runtime.run(image[None]).logits for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-4 * float(np.abs(alone).max()))


@pytest.mark.parametrize(("name", "precision"), GRAPHS)
def test_the_mean_of_a_map_is_its_logit(bundle: Path, name: str, precision: str) -> None:
    found = open_runtime(bundle, runtime=name, precision=precision).runtime.run(fields(2, 128))
    assert found.maps is not None
    share = 1e-4 if precision == "fp32" else 0.01  # int8 rounds the features before they are pooled
    tolerance = share * float(np.abs(found.logits).max())
    np.testing.assert_allclose(found.maps.mean(axis=(2, 3)), found.logits, atol=tolerance)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "pytorch"])
def test_names_the_command_that_makes_a_missing_graph(name: str, tmp_path: Path) -> None:
    folder = trained(tmp_path / "bundle")
    assert catalog.load(Runtime, name).precisions(folder) == ()
    with pytest.raises(BundleError, match=f"allsight export .* --to {name}"):
        open_runtime(folder, runtime=name)


def test_the_fastest_that_is_there_answers(bundle: Path, tmp_path: Path) -> None:
    assert open_runtime(bundle)[1:] == ("openvino", "int8")
    assert open_runtime(bundle, precision="fp32")[1:] == ("openvino", "fp32")
    assert open_runtime(bundle, runtime="onnx")[1:] == ("onnx", "fp32")
    assert open_runtime(trained(tmp_path / "plain"))[1:] == ("pytorch", "fp32")


def test_an_unknown_precision_is_named(bundle: Path) -> None:
    with pytest.raises(UsageError, match="int4"):
        open_runtime(bundle, runtime="openvino", precision="int4")


def test_training_again_removes_the_graphs_of_the_old_bundle(tmp_path: Path) -> None:
    folder = trained(tmp_path / "bundle")
    export(folder, to=["onnx"], images=8)
    trained(folder, overwrite=True)
    assert catalog.load(Runtime, "onnx").precisions(folder) == ()
