"""What is done to a graph beside rounding it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from allsight.data.source import open_dataset
from allsight.inference.export import imported_openvino
from allsight.inference.parity import Agreement
from allsight.inference.predictor import Predictor
from allsight.inference.quantise import moved
from allsight.inference.runtimes.openvino import FILES, OpenVino
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.bundle import MODEL_FILE, BundleConfig, read_config, read_split, write_config
from allsight.verbs.export import export
from allsight.verbs.subjects import evenly
from allsight.verbs.tried_graphs import Making
from allsight.verbs.unseen import choose
from tests.bundles import DATA, open_gate, trained


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = trained(tmp_path_factory.mktemp("quantise") / "bundle")
    export(folder, to=["openvino"], images=8)
    return folder


def answers(model: Any, images: np.ndarray[Any, Any]) -> dict[str, Any]:
    compiled = imported_openvino().Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(images)
    return {name: np.array(found[name]) for name in ("logits", "maps", "embedding")}


def test_moving_adds_to_logits_and_maps_only(bundle: Path) -> None:
    source = open_dataset(DATA)
    images = np.stack([source.read(s) for s in source.samples[:2]])
    model = imported_openvino().Core().read_model(bundle / FILES["fp32"])
    before = answers(model, images)
    by = np.array([1.0, -2.0, 0.5, 0.0], dtype=np.float32)
    moved(model, by)
    after = answers(model, images)
    np.testing.assert_allclose(after["logits"], before["logits"] + by, atol=1e-4)
    np.testing.assert_allclose(after["maps"], before["maps"] + by[:, None, None], atol=1e-4)
    np.testing.assert_allclose(after["embedding"], before["embedding"], atol=1e-5)


@pytest.fixture(scope="module")
def rounded_bundle(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = shutil.copytree(bundle, tmp_path_factory.mktemp("rounded") / "bundle")
    with open_gate():
        export(folder, to=["openvino"], int8=True, images=24)
    return folder


def test_the_bias_of_an_int8_graph_is_what_its_logits_have(rounded_bundle: Path) -> None:
    source = open_dataset(DATA)
    images = np.stack([source.read(s) for s in source.samples[:4]])
    weight = load_file(rounded_bundle / MODEL_FILE)["head.weight"]
    for precision in ("fp32", "int8"):
        runtime = OpenVino.open(rounded_bundle, precision=precision)
        found, bias = runtime.run(images), runtime.head_bias()
        assert bias is not None
        np.testing.assert_allclose(
            found.logits - found.embedding @ weight.T,
            np.broadcast_to(bias, found.logits.shape),
            atol=3e-4,  # processors add 1,280 products in their own order
        )
    stated = read_config(rounded_bundle).exports["openvino int8"]["moved"]
    assert isinstance(stated, list)
    assert max(abs(float(str(by))) for by in stated) > 1e-3  # so that the two precisions are told apart


def test_two_products_of_an_int8_graph_fit_into_sixteen_bits(rounded_bundle: Path) -> None:
    """Or a processor without VNNI cuts their sum off, and a few images get logits of another size.

    Weights that meet one channel only are never added in pairs.
    """
    model = imported_openvino().Core().read_model(rounded_bundle / FILES["int8"])
    weights = [
        node.get_data()
        for node in model.get_ops()
        if node.get_type_name() == "Constant" and node.get_element_type().get_type_name() == "i8"
    ]
    added = [int(np.abs(w.astype(np.int64)).max()) for w in weights if w[0].size > w.shape[-1] * w.shape[-2]]
    assert len(added) > 30
    assert max(added) * 255 * 2 < 2**15


def test_an_int8_graph_has_a_limit_of_its_own(rounded_bundle: Path) -> None:
    folder = rounded_bundle
    trust = read_config(folder).trust
    assert trust is not None
    exact, rounded = (
        Predictor.open(folder, runtime="openvino", precision=precision) for precision in ("fp32", "int8")
    )
    assert exact.trust.distance_limit == trust["distance_limit"]
    assert rounded.trust.distance_limit == trust["distance_limit_int8"]
    source = open_dataset(DATA)
    images = [source.read(s) for s in source.samples[:48]]
    refused = [
        sum(p.space.distances(p.runtime.run(i[None]).embedding)[0] > p.trust.distance_limit for i in images)
        for p in (exact, rounded)
    ]
    assert abs(refused[0] - refused[1]) <= 2


def validation_images(folder: Path) -> list[np.ndarray[Any, Any]]:
    """Those on which an export of 24 images is tried."""
    dataset = open_dataset(DATA)
    seen = choose(read_config(folder), read_split(folder), dataset, part="validation").samples
    return [dataset.read(s) for s in evenly(seen, limit=24, seed=0)]


def test_the_share_of_verdicts_is_that_of_the_two_predictors(rounded_bundle: Path, tmp_path: Path) -> None:
    """With a limit that lies where rounding takes an image over it."""
    folder = shutil.copytree(rounded_bundle, tmp_path / "bundle")
    images = validation_images(folder)

    def alone() -> Predictor:
        (folder / FILES["fp32"]).rename(tmp_path / "away")
        try:
            return Predictor.open(folder, runtime="openvino", precision="int8")
        finally:
            (tmp_path / "away").rename(folder / FILES["fp32"])

    exact = Predictor.open(folder, runtime="pytorch")
    sure = np.array([[max(p.judged(i).probabilities.values()) for i in images] for p in (exact, alone())])
    between = sure[:, np.abs(sure[0] - sure[1]).argmax()].mean()
    # Of what else could refer, nothing does: looks are the picture's and not the graph's.
    limits = {"certainty": float(between), "thresholds": (0.5,) * len(exact.config.classes)}
    trust = exact.trust.model_copy(update={**limits, "limits": {}, "distance_limit": 1e6})
    config = exact.config.model_copy(update={"trust": trust.model_dump(mode="json")})
    write_config(folder, config)
    with open_gate():
        made = export(folder, to=["openvino"], int8=True, images=24).agreements["openvino int8"]
    said = [
        [predictor.judged(image).verdict for image in images]
        for predictor in (
            Predictor.open(folder, runtime="pytorch"),
            alone(),
            Predictor.open(folder, runtime="openvino", precision="int8"),
        )
    ]
    assert set(said[0]) == {"answer", "refer"}
    same, served = (
        np.mean([one == other for one, other in zip(said[0], side, strict=True)]) for side in said[1:]
    )
    assert same < 1
    assert made.verdicts == pytest.approx(float(same))
    assert made.verdicts_served == pytest.approx(float(served))
    assert made.asked_again is not None
    assert made.asked_again >= served - same


@pytest.mark.parametrize(("wanted", "tries", "kept"), [(0.4, 1, 0), (0.8, 2, 1), (1.1, 3, 1)])
def test_a_graph_that_changes_verdicts_is_left_for_a_more_careful_one(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: float, tries: int, kept: int
) -> None:
    """Only as long as that is cheap; and the best of those tried is what lies there in the end."""
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    monkeypatch.setattr("allsight.verbs.tried_graphs.WANTED_VERDICTS", wanted)
    shares = iter([0.5, 0.9, 0.7, 0.99])
    tried: list[Agreement] = []

    def scripted(work: Making, found: Agreement) -> tuple[Agreement, BundleConfig]:
        tried.append(replace(found, verdicts_served=next(shares)))
        return tried[-1], work.config

    monkeypatch.setattr(Making, "_with_verdicts", scripted)
    with open_gate(spared=(0, 1, 2, 5)):
        made = export(folder, to=["openvino"], int8=True, images=24).agreements["openvino int8"]
    assert len(tried) == tries
    assert made == tried[kept]
    assert made.spared == kept
    images = validation_images(folder)
    logits = [
        np.concatenate([runtime.open(folder, precision=precision).run(i[None]).logits for i in images])
        for runtime, precision in ((PyTorch, "fp32"), (OpenVino, "int8"))
    ]
    assert np.abs(logits[0] - logits[1]).max() / logits[0].std() == pytest.approx(made.logits, rel=1e-3)
