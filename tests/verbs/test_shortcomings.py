"""What a model was not told or not shown is said when it is trained, and is never made up when it is asked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from allsight.cli.main import main
from allsight.inference.trust import Trust
from allsight.models.bundle import read_config, read_split
from allsight.verbs.evaluate import evaluate
from allsight.verbs.predict import predict
from allsight.verbs.run_files import read_predictions
from allsight.verbs.train import Trained, train
from tests.verbs.conftest import DATA

CLASSES = ("ill", "well")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two hundred images of one class, of which twenty are for validation, and forty of another."""
    root = tmp_path_factory.mktemp("folders")
    rng = np.random.default_rng(0)
    for name, n, darkest in (("ill", 200, 0), ("well", 40, 120)):
        (root / name).mkdir()
        for i in range(n):
            image = rng.integers(darkest, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / name / f"{i}.png")
    return f"image_folder:{root}"


def fit(data: str, out: Path) -> Trained:
    return train(data, out=out, backbone="tiny", weights="none", freeze=True, split="random")


@pytest.fixture(scope="module")
def untold(data: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return fit(data, tmp_path_factory.mktemp("untold") / "bundle")


@pytest.fixture(scope="module")
def image(data: str) -> Path:
    return Path(data.partition(":")[2]) / "ill" / "0.png"


def test_training_says_that_no_class_is_suspicious_and_how_to_name_some(
    data: str, untold: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text of a training that is already finished ends with it, too."""
    assert main(["train", data, "--out", str(untold.bundle), "--resume"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("No class is named as suspicious")
    advice = last.rpartition("To name them: ")[2].strip("'")
    assert advice == f"{data}?suspicious=CLASS,CLASS"
    assert untold.to_json()["notes"][-1] == last
    told = fit(advice.replace("CLASS,CLASS", "ill"), tmp_path / "told")
    assert told.config.suspicious == ("ill",)
    assert not any("suspicious" in note for note in told.notes)


def test_no_suspicion_is_none_and_not_nought(
    untold: Trained, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(untold.bundle, [image]).predictions[0].judgement.suspicion is None
    assert main(["predict", str(untold.bundle), str(image), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"][0]["suspicion"] is None
    assert main(["predict", str(untold.bundle), str(image)]) == 0
    shown = capsys.readouterr().out
    assert "  ALL –  " in shown
    assert "ALL 0" not in shown
    assert "was not told which classes are suspicious" in shown


def test_suspicion_is_shown_where_it_is_known(
    bundle: Path, smears: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    suspicion = predict(bundle, smears[:1]).predictions[0].judgement.suspicion
    assert main(["predict", str(bundle), str(smears[0])]) == 0
    shown = capsys.readouterr().out
    assert f"  ALL {suspicion:.3f}  " in shown
    assert "was not told" not in shown


def test_an_evaluation_leaves_the_column_empty(data: str, untold: Trained, tmp_path: Path) -> None:
    found = evaluate(untold.bundle, data, out=tmp_path, resamples=50, controls=False).evaluation
    assert found.suspicion is None
    header, *rows = (row.split(",") for row in (tmp_path / "predictions.csv").read_text().splitlines())
    assert {row[header.index("suspicion")] for row in rows} == {""}
    said, _ = read_predictions([tmp_path], classes=CLASSES, suspicious=())
    assert len(said.names) == len(rows) > 0


def held(bundle: Path, label: str) -> int:
    return sum(row.part == "validation" and row.label == label for row in read_split(bundle))


def test_a_class_with_few_validation_images_is_named(untold: Trained) -> None:
    """It is in every set, so a set of one class can only be of this one."""
    assert (held(untold.bundle, "ill"), held(untold.bundle, "well")) == (20, 4)
    thresholds = Trust.model_validate(read_config(untold.bundle).trust).thresholds
    assert [t == 1 for t in thresholds] == [False, True]
    (note,) = (note for note in untold.notes if "validation images" in note)
    assert "(well 4)" in note
    assert "only well is ever answered" in note
    assert "--split stated" in note


def test_where_several_are_few_every_image_is_referred(
    bundle: Path, smears: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", DATA, "--out", str(bundle), "--resume"]) == 0
    shown = capsys.readouterr().out
    for label in read_config(bundle).classes:
        assert held(bundle, label) < 19
        assert f"{label} {held(bundle, label)}" in shown
    assert "every image is referred" in shown
    assert {p.judgement.verdict for p in predict(bundle, smears).predictions} == {"refer"}
