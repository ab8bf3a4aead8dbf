"""`train` writes a whole bundle or none, and says what it did."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from allsight.cli.main import main
from allsight.core.errors import DataError, LeakError, UsageError
from allsight.data.manifest import read_manifest, write_manifest
from allsight.models.bundle import MODEL_FILE, load_classifier, read_config, read_split
from allsight.models.training.settings import FineTuning
from allsight.verbs.evaluate import evaluate
from allsight.verbs.learning import CHECKPOINTS
from allsight.verbs.prepare import prepare
from allsight.verbs.synthesize import synthesize
from allsight.verbs.train import train
from tests.verbs.conftest import DATA


def test_the_bundle_is_complete(bundle: Path) -> None:
    assert {p.name for p in bundle.iterdir()} == {
        "model.safetensors",
        "config.json",
        "split.csv",
        "README.md",
    }
    config = read_config(bundle)
    assert config.classes == ("Benign", "Early", "Pre", "Pro")
    assert config.protocol.split == "patient"
    assert json.loads((bundle / "config.json").read_text())["id2label"]["0"] == "Benign"
    card = (bundle / "README.md").read_text()
    assert card.startswith("---\n")
    assert "Research use only" in card


def test_no_patient_is_in_two_parts(bundle: Path) -> None:
    rows = read_split(bundle)
    parts = {part: {r.group for r in rows if r.part == part} for part in ("train", "validation", "test")}
    assert all(parts.values())
    assert not parts["train"] & parts["validation"]
    assert not (parts["train"] | parts["validation"]) & parts["test"]
    assert {r.name.split("/")[0] for r in rows if r.part == "test"} == parts["test"]


def test_the_same_seed_gives_the_same_weights(bundle: Path, tmp_path: Path) -> None:
    train(DATA, out=tmp_path / "again", backbone="tiny", weights="none", freeze=True)
    first, second = load_file(bundle / MODEL_FILE), load_file(tmp_path / "again" / MODEL_FILE)
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_a_finished_bundle_is_not_replaced_by_accident(bundle: Path) -> None:
    before = (bundle / "config.json").read_bytes()
    with pytest.raises(UsageError, match="already holds a bundle"):
        train(DATA, out=bundle, backbone="tiny", weights="none", freeze=True)
    assert train(DATA, out=bundle, backbone="tiny", weights="none", freeze=True, resume=True).bundle == bundle
    assert (bundle / "config.json").read_bytes() == before


def test_a_checkpoint_is_not_lost_to_a_training_of_another_kind(tmp_path: Path) -> None:
    checkpoint = tmp_path / "b" / CHECKPOINTS
    checkpoint.mkdir(parents=True)
    with pytest.raises(UsageError, match="unfinished training of every layer"):
        train(DATA, out=tmp_path / "b", backbone="tiny", weights="none", freeze=True, resume=True)
    assert checkpoint.is_dir()


def test_a_place_that_cannot_be_written_to_is_named_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file and no folder"):
        train("no-such-data:x", out=tmp_path / "file" / "b")


def test_fine_tuning_starts_from_a_bundle(bundle: Path, tmp_path: Path) -> None:
    trained = train(
        DATA,
        out=tmp_path / "tuned",
        backbone="tiny",
        weights=str(bundle),
        settings=FineTuning(epochs=1),
    )
    with (trained.bundle / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1
    assert float(rows[0]["validation_loss"]) > 0
    assert trained.config.weights == bundle.name
    assert not (trained.bundle / "checkpoint").exists()
    load_classifier(trained.bundle)


def test_nothing_is_kept_of_a_start_that_knew_nothing(bundle: Path, tmp_path: Path) -> None:
    settings = FineTuning(epochs=1, averaged=0.5, of_start=0.25)
    with pytest.raises(UsageError, match="does not begin with a bundle of its classes"):
        train(DATA, out=tmp_path / "b", backbone="tiny", weights="none", settings=settings)
    train(DATA, out=tmp_path / "c", backbone="tiny", weights=str(bundle), settings=settings)


def test_a_training_does_not_go_on_from_another_start(bundle: Path, tmp_path: Path) -> None:
    start, out = tmp_path / "start", tmp_path / "b"
    shutil.copytree(bundle, start)

    def stop(stage: str, done: int, _: int) -> None:
        if stage == "epoch 1" and done == 1:
            os.kill(os.getpid(), signal.SIGINT)

    settings = FineTuning(epochs=1)
    with pytest.raises(KeyboardInterrupt):
        train(DATA, out=out, backbone="tiny", weights=str(start), settings=settings, progress=stop)
    tensors = load_file(start / MODEL_FILE)
    save_file({k: v + 1 if k == "head.bias" else v for k, v in tensors.items()}, start / MODEL_FILE)
    with pytest.raises(UsageError, match="belongs to a training with other settings"):
        train(DATA, out=out, backbone="tiny", weights=str(start), settings=settings, resume=True)
    shutil.copyfile(bundle / MODEL_FILE, start / MODEL_FILE)
    train(DATA, out=out, backbone="tiny", weights=str(start), settings=settings, resume=True)


def test_a_teacher_is_named_in_the_bundle(bundle: Path, tmp_path: Path) -> None:
    settings = FineTuning(epochs=1)
    trained = train(
        DATA, out=tmp_path / "b", backbone="tiny", weights="none", teacher=bundle, settings=settings
    )
    assert trained.config.training["teacher"] == bundle.name
    with pytest.raises(UsageError, match="frozen"):
        train(DATA, out=tmp_path / "c", backbone="tiny", weights="none", teacher=bundle, freeze=True)


def test_the_whole_data_leaves_nothing_to_be_tested_on(tmp_path: Path) -> None:
    trained = train(DATA, out=tmp_path / "b", backbone="tiny", weights="none", freeze=True, whole=True)
    n_images = trained.config.protocol.n_images
    assert n_images["test"] == 0
    assert n_images["train"] + n_images["validation"] == trained.config.data.n_images
    assert "no test part" in (tmp_path / "b" / "README.md").read_text()
    with pytest.raises(DataError, match="no test part"):
        evaluate(tmp_path / "b", DATA, out=tmp_path / "run")
    with pytest.raises(UsageError, match="Nothing can be held out"):
        train(DATA, out=tmp_path / "c", backbone="tiny", freeze=True, whole=True, hold_out=("x",))


@pytest.mark.parametrize("inherited", ["teacher", "weights"])
def test_what_an_ancestor_has_seen_is_not_held_back(bundle: Path, inherited: str, tmp_path: Path) -> None:
    ancestors: dict[str, Any] = {"teacher": None, "weights": "none", inherited: str(bundle)}
    with pytest.raises(LeakError, match=r"learned from groups of \d+ of the \d+ images held back"):
        train(DATA, out=tmp_path / "b", backbone="tiny", fold=1, settings=FineTuning(epochs=1), **ancestors)
    assert not (tmp_path / "b").exists()


def test_the_printed_configuration_is_accepted_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "train",
        DATA,
        "--out",
        str(tmp_path / "b"),
        "--backbone",
        "tiny",
        "--weights",
        "none",
        "--epochs",
        "3",
    ]
    assert main([*arguments, "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert not (tmp_path / "b").exists()
    (tmp_path / "c.json").write_text(printed)
    assert (
        main(
            [
                "train",
                DATA,
                "--out",
                str(tmp_path / "b"),
                "--config",
                str(tmp_path / "c.json"),
                "--print-config",
            ]
        )
        == 0
    )
    assert capsys.readouterr().out == printed
    assert json.loads(printed)["settings"]["epochs"] == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["train", "synthetic:1", "--out", "x", "--backbone", "efficientnet-b77"],
            2,
            "Did you mean 'efficientnet_b7'",
        ),
        (["train", "synthetc:1", "--out", "x"], 2, "Did you mean 'synthetic'"),
        (["train", "synthetic:1", "--out", "x", "--split", "field"], 2, "patient"),
        (["train", "synthetic:1", "--out", "x", "--weights", "model.pth"], 4, "pickle"),
        (["train", "synthetic:1", "--out", "x", "--fold", "7"], 2, "fold"),
        (["train", "taleqani:/no/such/place", "--out", "x"], 1, "/no/such/place"),
    ],
)
def test_mistakes_are_explained(
    arguments: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--json"]) == code
    error = json.loads(capsys.readouterr().out)["error"]
    assert words in f"{error['message']} {error['hint']}"
    assert not (tmp_path / "x" / "config.json").exists()


COMMAND = [
    *(sys.executable, "-m", "allsight", "train", "synthetic:3?images=96&patients=24&size=64"),
    *("--backbone", "efficientnet-lite0", "--weights", "packaged", "--size", "64"),
    *("--epochs", "3", "--batch-size", "8", "--checkpoint-seconds", "0"),
]


def digest(bundle: Path) -> dict[str, bytes]:
    return {k: v.numpy().tobytes() for k, v in load_file(bundle / MODEL_FILE).items()}


def test_ten_kills_change_no_byte(tmp_path: Path) -> None:
    """SIGKILL at ten random moments of a fine-tuning of EfficientNet-Lite0, resumed after each."""
    subprocess.run([*COMMAND, "--out", str(tmp_path / "whole")], check=True, capture_output=True)
    rng = random.Random(0)
    folder = tmp_path / "killed"
    last = folder / "checkpoint" / "last.safetensors"
    kills = 0
    while kills < 10:
        process = subprocess.Popen(
            [*COMMAND, "--out", str(folder), "--resume"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        before = last.stat().st_mtime_ns if last.exists() else 0
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if last.exists() and last.stat().st_mtime_ns > before:
                break  # under way: a checkpoint a step is being written, so the next moment may be inside one
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.6))
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        if last.exists():
            load_file(last)  # readable, always
    subprocess.run([*COMMAND, "--out", str(folder), "--resume"], check=True, capture_output=True)
    assert kills == 10
    assert digest(folder) == digest(tmp_path / "whole")


def test_a_stated_split_is_taken_and_checked(tmp_path: Path) -> None:
    """What `data prepare` wrote trains the same parts; a patient moved to the other side is a leak."""
    synthesize("3?images=96&patients=24&size=64", out=tmp_path / "images", masks=False)
    table = tmp_path / "split.csv"
    prepare(f"manifest:{tmp_path / 'images' / 'manifest.csv'}", out=table)
    trained = train(
        f"manifest:{table}", out=tmp_path / "b", backbone="tiny", weights="none", freeze=True, split="stated"
    )
    rows = {row.path: row for row in read_manifest(table)}
    assert {r.name: r.part for r in read_split(trained.bundle)} == {
        path: row.split for path, row in rows.items()
    }

    moved = next(path for path, row in rows.items() if row.split == "train")
    rows[moved] = replace(rows[moved], split="test")
    write_manifest(table, rows.values())
    with pytest.raises(LeakError, match="is in train and test"):
        train(
            f"manifest:{table}",
            out=tmp_path / "c",
            backbone="tiny",
            weights="none",
            freeze=True,
            split="stated",
        )
    assert (
        main(["train", f"manifest:{table}", "--out", str(tmp_path / "c"), "--split", "stated", "--freeze"])
        == 4
    )


def test_an_unreadable_image_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    synthesize("3?images=96&patients=24&size=64", out=tmp_path / "images", masks=False)
    bad = sorted((tmp_path / "images").rglob("*.png"))[5]
    bad.write_bytes(bad.read_bytes()[:300])
    table = tmp_path / "images" / "manifest.csv"
    write_manifest(table, [replace(row, sha256=None) for row in read_manifest(table)])
    arguments = ["--out", str(tmp_path / "b"), "--backbone", "tiny", "--weights", "none", "--freeze"]
    assert main(["train", f"manifest:{table}", *arguments]) == 3
    assert bad.name in capsys.readouterr().err
    kept = {r.name for r in read_split(tmp_path / "b")}
    assert len(kept) == 95
    assert bad.relative_to(table.parent).as_posix() not in kept


def test_a_file_that_is_gone_is_left_out_by_whoever_reads_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One lost file does not stop a training, an audit or a split; where all are lost, that is said."""
    synthesize("3?images=96&patients=24&size=64", out=tmp_path / "images", masks=False)
    table = tmp_path / "images" / "manifest.csv"
    gone = sorted((tmp_path / "images").rglob("*.png"))[5]
    gone.unlink()
    training = ["--backbone", "tiny", "--weights", "none", "--freeze"]
    for arguments in (
        ["train", f"manifest:{table}", *training, "--out", str(tmp_path / "b")],
        ["data", "prepare", f"manifest:{table}", "--out", str(tmp_path / "images" / "split.csv")],
        ["data", "audit", f"manifest:{table}"],
    ):
        assert main(arguments) == 3
        assert f"{gone.name}" in capsys.readouterr().err
    assert len(read_split(tmp_path / "b")) == 95
    row = next(r for r in read_manifest(tmp_path / "images" / "split.csv") if r.path.endswith(gone.name))
    assert (row.split, row.sha256) == (None, None)

    lost = table.rename(tmp_path / "manifest.csv")  # paths are relative to the table
    assert main(["train", f"manifest:{lost}", *training, "--out", str(tmp_path / "c")]) == 1
    assert "None of 96 images can be read" in capsys.readouterr().err
