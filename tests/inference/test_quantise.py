"""What is done to a graph beside rounding it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from allsight.data.source import open_dataset
from allsight.inference.export import imported_openvino
from allsight.inference.parity import Agreement, compare
from allsight.inference.predictor import Predictor
from allsight.inference.quantise import moved
from allsight.inference.runtimes.openvino import FILES, OpenVino
from allsight.models.bundle import MODEL_FILE, read_config, read_split
from allsight.verbs.export import export
from allsight.verbs.subjects import evenly
from allsight.verbs.unseen import choose
from tests.bundles import DATA, trained


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
    with pytest.MonkeyPatch.context() as patch:  # a model of 120 images is not sure
        for gate, open_to_all in (("LEAST_TOP1", 0.0), ("LEAST_MAPS", -1.0), ("LARGEST_LOSS", 1.0)):
            patch.setattr(f"allsight.inference.parity.{gate}", open_to_all)
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
            atol=1e-4,
        )
    stated = read_config(rounded_bundle).exports["openvino int8"]["moved"]
    assert isinstance(stated, list)
    assert max(abs(float(str(by))) for by in stated) > 1e-3  # so that the two precisions are told apart


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


def test_the_share_of_verdicts_is_that_of_the_two_predictors(rounded_bundle: Path) -> None:
    config = read_config(rounded_bundle)
    dataset = open_dataset(DATA)
    seen = choose(config, read_split(rounded_bundle), dataset, part="validation").samples
    images = [dataset.read(s) for s in evenly(seen, limit=24, seed=0)]
    said = []
    for runtime, precision in (("pytorch", "fp32"), ("openvino", "int8")):
        predictor = Predictor.open(rounded_bundle, runtime=runtime, precision=precision)
        predictor.trust = predictor.trust.model_copy(
            update={"limits": {}}
        )  # looks are the picture's, not the graph's
        said.append([predictor.judged(image).verdict for image in images])
    same = np.mean([one == other for one, other in zip(*said, strict=True)])
    assert config.exports["openvino int8"]["verdicts"] == pytest.approx(float(same), abs=1e-5)


@pytest.mark.parametrize(("wanted", "tries"), [(0.0, 1), (1.1, 3)])
def test_a_graph_that_changes_verdicts_is_left_for_a_more_careful_one(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: float, tries: int
) -> None:
    """Only as long as that is cheap, and the best of those tried is kept."""
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    for gate, open_to_all in (("LEAST_TOP1", 0.0), ("LEAST_MAPS", -1.0), ("LARGEST_LOSS", 1.0)):
        monkeypatch.setattr(f"allsight.inference.parity.{gate}", open_to_all)
    monkeypatch.setattr("allsight.verbs.export.SAME_VERDICTS", wanted)
    shares: list[Agreement] = []

    def counted(*sides: Any, **settings: Any) -> Agreement:
        shares.append(compare(*sides, **settings))
        return shares[-1]

    monkeypatch.setattr("allsight.verbs.export.compare", counted)
    monkeypatch.setattr("allsight.inference.quantise.sparing", lambda _: [0, 1, 2, 5])
    made = export(folder, to=["openvino"], int8=True, images=24).agreements["openvino int8"]
    assert len(shares) == 1 + tries  # one for fp32
    assert made.spared is not None
    assert made.spared <= 2
