"""Images of the usual size have a graph of their own; nobody notices but by the time it takes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.core.errors import BundleError
from allsight.data.source import open_dataset
from allsight.inference.export import openvino_graph, write_graph
from allsight.inference.requests import Requests
from allsight.inference.runtimes.openvino import FILES, OpenVino
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.bundle import ONNX_FILE, read_config
from allsight.verbs.export import export
from allsight.verbs.tried_graphs import usual_size
from tests.bundles import DATA, trained

USUAL, OTHER = 128, 96  # pixels a side; fields have the first


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = trained(tmp_path_factory.mktemp("requests") / "bundle")
    export(folder, to=["onnx", "openvino"], images=8)
    return folder


@pytest.fixture(scope="module")
def images() -> dict[int, NDArray[np.uint8]]:
    """Four of each size."""
    source = open_dataset(DATA)
    fields = [source.read(sample) for sample in source.samples[:4]]
    return {
        side: np.stack([np.asarray(cv2.resize(f, (side, side)), dtype=np.uint8) for f in fields])
        for side in (USUAL, OTHER)
    }


def opened(bundle: Path, *, threads: int = 2) -> Requests:
    return Requests.open(bundle / FILES["fp32"], threads=threads, again="export")


def test_a_graph_is_compiled_when_its_size_comes(bundle: Path, images: dict[int, NDArray[np.uint8]]) -> None:
    requests = opened(bundle)
    assert not requests._queues
    for side, kinds in ((USUAL, {True}), (OTHER, {True, False}), (USUAL, {True, False})):
        requests.run([{0: images[side][:1]}])
        assert set(requests._queues) == kinds


@pytest.mark.parametrize("threads", [1, 2])
def test_answers_come_in_order_and_do_not_hang_on_what_else_is_asked(
    bundle: Path, images: dict[int, NDArray[np.uint8]], threads: int
) -> None:
    mixed = [image[None] for pair in zip(images[USUAL], images[OTHER], strict=True) for image in pair]
    together = opened(bundle, threads=threads).run([{0: image} for image in mixed])
    for image, found in zip(mixed, together, strict=True):
        (alone,) = opened(bundle).run([{0: image}])
        for name in alone:
            np.testing.assert_array_equal(found[name], alone[name])


@pytest.mark.parametrize("side", [USUAL, OTHER])
def test_both_graphs_answer_as_pytorch_does(
    bundle: Path, images: dict[int, NDArray[np.uint8]], side: int
) -> None:
    expected, found = (kind.open(bundle).run(images[side]) for kind in (PyTorch, OpenVino))
    for a, b in zip(found, expected, strict=True):
        assert a is not None
        assert b is not None
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(b).max())


def test_a_graph_without_a_usual_size_takes_all(
    bundle: Path, images: dict[int, NDArray[np.uint8]], tmp_path: Path
) -> None:
    config = read_config(bundle)
    write_graph(openvino_graph(bundle / ONNX_FILE, config), config, tmp_path / "any.xml")
    requests = Requests.open(tmp_path / "any.xml", threads=1, again="export")
    for side in (USUAL, OTHER):
        requests.run([{0: images[side][:1]}])
    assert set(requests._queues) == {False}


def test_the_usual_size_is_that_of_more_than_half() -> None:
    large, small = np.zeros((2, 3, 3), np.uint8), np.zeros((1, 3, 3), np.uint8)
    assert usual_size([large, large, small]) == (2, 3)
    assert usual_size([large, small]) is None
    assert usual_size([]) is None


@pytest.mark.parametrize("broken", ["xml", "bin"])
def test_a_damaged_file_is_said(bundle: Path, tmp_path: Path, broken: str) -> None:
    for kind in ("xml", "bin"):
        content = (bundle / FILES["fp32"]).with_suffix(f".{kind}").read_bytes()
        (tmp_path / f"fp32.{kind}").write_bytes(content[: len(content) // 2] if kind == broken else content)
    with pytest.raises(BundleError, match="cannot be read"):
        Requests.open(tmp_path / "fp32.xml", threads=1, again="allsight export")


@pytest.mark.parametrize("side", [USUAL, OTHER])
def test_a_file_that_is_lost_after_it_was_opened_is_said(
    bundle: Path, tmp_path: Path, images: dict[int, NDArray[np.uint8]], side: int
) -> None:
    """The graph for any size is read from it when such an image comes; that for the usual size is known already."""
    for kind in ("xml", "bin"):
        content = (bundle / FILES["fp32"]).with_suffix(f".{kind}").read_bytes()
        (tmp_path / f"fp32.{kind}").write_bytes(content)
    requests = Requests.open(tmp_path / "fp32.xml", threads=1, again="allsight export")
    (tmp_path / "fp32.xml").unlink()
    if side == USUAL:
        assert len(requests.run([{0: images[side][:1]}])) == 1
        return
    with pytest.raises(BundleError, match="cannot be read"):
        requests.run([{0: images[side][:1]}])
