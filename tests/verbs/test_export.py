"""`export`: what is kept answers as PyTorch does, what does not is refused; served without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.cli.main import main
from allsight.core.errors import DataError, DisagreementError, MissingDependencyError, UsageError
from allsight.core.records import Outputs
from allsight.data.source import open_dataset
from allsight.inference.parity import compare
from allsight.inference.quantise import quantised
from allsight.inference.runtimes.openvino import OpenVino
from allsight.models.bundle import read_config, write_config
from allsight.verbs.export import export
from allsight.verbs.predict import predict
from tests.bundles import DATA, open_gate, trained


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = trained(tmp_path_factory.mktemp("export") / "bundle")
    export(folder, to=["openvino"], images=24)
    return folder


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from PIL import Image

    source = open_dataset(DATA)
    path = tmp_path_factory.mktemp("pictures") / "smear.png"
    Image.fromarray(source.read(source.samples[0])).save(path)
    return path


def test_what_was_measured_stands_in_the_bundle_and_its_card(bundle: Path) -> None:
    facts = read_config(bundle).exports["openvino fp32"]
    assert facts["top1"] == 1.0
    assert facts["n_images"] == 24
    assert "| openvino fp32 | 24 | 100.00% |" in (bundle / "README.md").read_text()


def test_facts_travel_in_the_graphs_own_metadata(bundle: Path, tmp_path: Path) -> None:
    import onnx
    import openvino

    folder = shutil.copytree(bundle, tmp_path / "bundle")
    export(folder, to=["onnx"], images=8)
    graph = onnx.load(folder / "model.onnx")
    in_onnx = json.loads({entry.key: entry.value for entry in graph.metadata_props}["allsight"])
    model = openvino.Core().read_model(str(folder / "openvino/fp32.xml"))
    in_openvino = json.loads(model.get_rt_info(["allsight", "config"]).value)
    for found in (in_onnx, in_openvino):
        assert found["id2label"] == {"0": "Benign", "1": "Early", "2": "Pre", "3": "Pro"}
        assert found["preprocessing"]["size"] == 128
        assert found["trust"]["temperature"] > 0


def test_an_int8_graph_that_answers_otherwise_is_refused_and_not_kept(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No int8 map ranks all its places as fp32 does: a gate that asks for that refuses every one."""
    monkeypatch.setattr("allsight.inference.parity.LEAST_MAPS", 1.0)
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    assert main(["export", str(folder), "--int8", "--images", "24", "--json"]) == 4
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["type"] == "DisagreementError"
    assert "at least 1.0 needed" in error["message"]
    assert not (folder / "openvino/int8.xml").exists()
    assert list(read_config(folder).exports) == ["openvino fp32"]
    assert not list(folder.glob("exporting-*"))


@pytest.mark.parametrize(("images", "gradients"), [(24, True), (300, False)])
def test_a_refusal_leaves_what_passed(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: int, gradients: bool
) -> None:
    """The fp32 graphs and that of gradients are there and recorded; more images are asked for where there are more."""
    monkeypatch.setattr("allsight.inference.parity.LEAST_MAPS", 1.1)  # of int8 alone; no graph reaches it
    monkeypatch.setattr("allsight.inference.quantise.sparing", lambda _: [0])
    monkeypatch.setattr("allsight.inference.quantise.quantised", lambda model, *_, **__: model.clone())
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    shutil.rmtree(folder / "openvino")
    config = read_config(folder)
    write_config(folder, config.model_copy(update={"exports": {}}))
    with pytest.raises(DisagreementError) as refused:
        export(folder, to=["onnx", "openvino"], int8=True, gradients=gradients, images=images)
    kept = ["onnx fp32", "openvino fp32", *["openvino gradient"] * gradients]
    assert refused.value.message.endswith(f"Not kept: openvino int8. Kept: {', '.join(kept)}.")
    assert ("--images" in refused.value.hint) == (images < config.protocol.n_images["train"])
    assert list(read_config(folder).exports) == kept
    assert read_config(folder).trust == config.trust
    names = ["fp32", *["gradient"] * gradients]
    files = {file.name for file in (folder / "openvino").iterdir()}
    assert files == {f"{name}.{kind}" for name in names for kind in ("xml", "bin")}
    assert (folder / "model.onnx").is_file()
    assert len(predict(folder, [tmp_path / "none.png"], runtime="openvino").failed) == 1


@pytest.mark.parametrize("tries", [0, 1])
def test_an_interruption_loses_no_graph_that_agrees(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    """Nor the best int8 graph so far, with what was found out about it."""
    left = iter(range(tries))

    def interrupted(*args: Any, **named: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return quantised(*args, **named)

    monkeypatch.setattr("allsight.inference.quantise.quantised", interrupted)
    beyond_all = 2.0  # so that it goes on after a good one
    monkeypatch.setattr("allsight.verbs.tried_graphs.WANTED_VERDICTS", beyond_all)
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    shutil.rmtree(folder / "openvino")
    write_config(folder, read_config(folder).model_copy(update={"exports": {}}))
    with open_gate(spared=(0, 1)), pytest.raises(KeyboardInterrupt):
        export(folder, int8=True, images=8)
    precisions = ["fp32", "int8"][: 1 + tries]
    assert list(read_config(folder).exports) == [f"openvino {precision}" for precision in precisions]
    assert {file.name for file in (folder / "openvino").iterdir()} == {
        f"{precision}.{kind}" for precision in precisions for kind in ("xml", "bin")
    }
    assert not list(folder.glob("exporting-*"))
    assert len(predict(folder, [tmp_path / "none.png"], runtime="openvino").failed) == 1


def test_the_graph_for_images_of_any_size_is_held_against_pytorch_too(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All trial images have the usual size, and a graph of their own."""
    right = OpenVino.run

    def wrong(self: OpenVino, images: NDArray[np.uint8]) -> Outputs:
        found = right(self, images)
        return found if self.requests.usual else found._replace(logits=-found.logits)

    monkeypatch.setattr(OpenVino, "run", wrong)
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    with pytest.raises(DisagreementError, match=r"openvino fp32 \(any size\)"):
        export(folder, images=8)


def test_what_int8_needs_is_missed_before_the_work(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allsight.inference.quantise.find_spec", lambda _: None)
    monkeypatch.setattr("allsight.verbs.export.read_config", lambda _: pytest.fail("work was begun"))
    with pytest.raises(MissingDependencyError, match="NNCF"):
        export(bundle, int8=True)


def test_every_refusal_is_told(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph that is refused stops only those that need it."""
    monkeypatch.setattr("allsight.inference.parity.SAME_LOGITS", -1.0)
    folder = shutil.copytree(bundle, tmp_path / "bundle")
    with pytest.raises(DisagreementError) as refused:
        export(folder, to=["onnx", "openvino"], int8=True, images=8)
    message, hint = refused.value.message, refused.value.hint
    assert message.endswith("Not kept: onnx fp32, openvino fp32. Kept: nothing.")
    assert message.count("does not answer as PyTorch does") == 2
    assert "--images" not in hint
    assert not (folder / "model.onnx").exists()


def test_wrong_usage(bundle: Path) -> None:
    with pytest.raises(UsageError, match="tensorrt"):
        export(bundle, to=["tensorrt"])
    with pytest.raises(UsageError, match="OpenVINO"):
        export(bundle, to=["onnx"], int8=True)


def test_asks_where_the_data_lies_now(bundle: Path) -> None:
    with pytest.raises(DataError, match="--data KIND:PATH"):
        export(bundle, data="image_folder:/nowhere")


@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_served_without_torch(bundle: Path, picture: Path, tmp_path: Path, verb: str) -> None:
    """CAM and LIME need no gradients; neither they nor predict may load torch when a graph was exported."""
    more = (
        ["--methods", "cam,lime", "--set", "lime.samples=64", "--out", str(tmp_path)]
        if verb == "explain"
        else []
    )
    code = (
        "import sys; from allsight.cli.main import main; "
        f"code = main({[verb, str(bundle), str(picture), '--json', *more]!r}); "
        "print('torch' in sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip().splitlines()[-1] == "False"
    document = json.loads(done.stdout)
    assert "openvino" in document["runtime"]


_PREDICT_MANY = """
import sys
from pathlib import Path
from allsight.data.images import read_image
from allsight.inference.predictor import Predictor
predictor = Predictor.open(Path(sys.argv[1]), runtime=None)
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
peaks = []
for many in (200, 800):
    assert sum(1 for _ in predictor.answers([Path(sys.argv[2])] * many, read=read_image)) == many
    peaks.append(peak())
print(peaks[1] - peaks[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_number_of_images(bundle: Path, picture: Path) -> None:
    command = [sys.executable, "-c", _PREDICT_MANY, str(bundle), str(picture)]
    grown = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < 16, f"{grown} MB more for 600 more images; one 128 × 128 image has 0.05 MB"


def _outputs(logits: list[list[float]]) -> list[Outputs]:
    return [Outputs(np.array([row], np.float32), None, np.zeros((1, 2), np.float32)) for row in logits]


def test_one_image_named_otherwise_is_no_proof_two_are() -> None:
    labels = [i % 2 for i in range(200)]
    sure = [[5.0, 0.0] if label == 0 else [0.0, 5.0] for label in labels]
    for wrong, faults in ((1, 0), (2, 2)):  # of two both the agreement and macro-F1 are told
        other = [row[::-1] if i < wrong else row for i, row in enumerate(sure)]
        found = compare(_outputs(sure), _outputs(other), labels=labels)
        assert found.top1 == pytest.approx(1 - wrong / 200)
        assert len(found.faults("int8")) == faults, found
        assert found.faults("fp32")


def test_logits_that_differ_are_a_fault_of_fp32_even_where_the_class_is_the_same() -> None:
    one, other = _outputs([[5.0, 0.0]]), _outputs([[4.9, 0.0]])
    assert compare(one, other).faults("fp32")
    assert not compare(one, one).faults("fp32")
