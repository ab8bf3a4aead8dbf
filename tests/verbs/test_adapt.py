"""`adapt` fits a bundle to a laboratory it has not seen, says whether that helped, and promises no more than it can."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from allsight.cli.main import main
from allsight.core.errors import DataError, UsageError
from allsight.data.effects import gain, jitter_stain
from allsight.data.smears import CLASSES, SUSPICIOUS
from allsight.evaluate.bootstrap import draw
from allsight.evaluate.metrics.families import measure_of
from allsight.models.bundle import CARD_FILE, MODEL_FILE, read_config, read_split
from allsight.verbs.adapt import Adapted, Brought, adapt
from allsight.verbs.evaluate import evaluate
from allsight.verbs.predict import predict
from allsight.verbs.run_files import read_predictions
from allsight.verbs.synthesize import synthesize
from tests.bundles import trained


def laboratory(folder: Path, *, seed: int, images: int, patients: int, labels: bool = True) -> str:
    """Another stain, another lamp, another magnification."""
    synthesize(
        f"{seed}?images={images}&patients={patients}&size=128&pixels_per_micron=4.5", out=folder, masks=False
    )
    rows = ["path,label,patient"]
    for path in sorted(folder.rglob("*.png")):
        stained = jitter_stain(
            np.asarray(Image.open(path).convert("RGB")),
            factors=np.array([1.5, 0.6, 1.0]),
            shifts=np.array([0.0, 0.05, 0.0]),
        )
        Image.fromarray(gain(stained, np.array([0.85, 1.0, 1.1]))).save(path)
        label = path.name.partition("-")[0] if labels else ""
        rows.append(f"{path.relative_to(folder)},{label},{path.parent.name}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return f"manifest:{folder / 'manifest.csv'}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("home") / "bundle")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Forty labelled images of twenty patients."""
    return laboratory(tmp_path_factory.mktemp("known") / "x", seed=11, images=40, patients=20)


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Images of other patients of the same laboratory."""
    return laboratory(tmp_path_factory.mktemp("unseen") / "x", seed=111, images=96, patients=32)


@pytest.fixture(scope="module")
def adapted(home: Path, known: str, tmp_path_factory: pytest.TempPathFactory) -> Adapted:
    return adapt(home, known, out=tmp_path_factory.mktemp("adapted") / "bundle")


def test_forty_images_bring_a_gain_that_others_confirm(
    home: Path, known: str, unseen: str, tmp_path: Path
) -> None:
    started = time.process_time()
    bundle = adapt(home, known, out=tmp_path / "b").bundle
    assert time.process_time() - started < 60
    drawn = []
    for side, folder in (("before", home), ("after", bundle)):
        run = evaluate(folder, unseen, out=tmp_path / side, controls=False).run
        said, _ = read_predictions([run], classes=CLASSES, suspicious=SUSPICIOUS)
        drawn.append(draw(measure_of(said.probabilities, said.labels), said.groups)["f1_macro"])
    low = (drawn[1] - drawn[0]).estimate().low
    assert low is not None
    assert low > 0


def test_what_is_told_stands_in_the_bundle_and_its_card(adapted: Adapted) -> None:
    found = read_config(adapted.bundle).adapted
    assert adapted.labelled
    assert (adapted.n_images, adapted.n_groups) == (40, 20)
    brought = adapted.brought
    for name, side in (("before", brought.before), ("after", brought.after), ("gain", brought.gain)):
        e = side["f1_macro"]
        assert found[name]["f1_macro"] == {"value": e.value, "low": e.low, "high": e.high}  # type: ignore[call-overload, index]
    card = (adapted.bundle / CARD_FILE).read_text()
    assert f"{brought.after['f1_macro'].value:.4f}" in card
    told = " ".join(adapted.notes)
    assert "fewer than 19 images" in told
    assert ("It helped" in told) == ((brought.gain["f1_macro"].low or 0) > 0)


def test_the_network_stays_and_the_new_images_are_remembered(
    home: Path, adapted: Adapted, known: str
) -> None:
    from safetensors.numpy import load_file

    old, new = (load_file(folder / MODEL_FILE) for folder in (home, adapted.bundle))
    changed = {name for name in old if name not in new or not np.array_equal(old[name], new[name])}
    assert changed == {"head.weight", "head.bias", "trust.centres"}
    assert len(read_split(adapted.bundle)) == len(read_split(home)) + 40
    with pytest.raises(DataError):  # nothing is left that it has not learned from
        evaluate(adapted.bundle, known, controls=False)


def test_more_is_answered_than_before(home: Path, adapted: Adapted, unseen: str) -> None:
    folder = Path(unseen.removeprefix("manifest:")).parent
    answered = [
        sum(a.judgement.verdict == "answer" for a in predict(bundle, [folder]).predictions)
        for bundle in (home, adapted.bundle)
    ]
    assert answered[1] > answered[0]


def test_without_labels_only_limits_change_and_that_is_said(home: Path, tmp_path: Path) -> None:
    data = laboratory(tmp_path / "x", seed=12, images=24, patients=12, labels=False)
    found = adapt(home, data, out=tmp_path / "b")
    old, new = (read_config(folder).trust or {} for folder in (home, found.bundle))
    assert not found.labelled
    assert found.brought == Brought({}, {}, {})
    assert "could be measured" in found.notes[0]
    assert {key for key in new if new[key] != old[key]} == {"distance_limit", "limits"}
    assert old["distance_limit"] < new["distance_limit"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("images", "patients", "word"), [(4, 4, "4 of 4 images"), (12, 12, "no class called 'Strange'")]
)
def test_what_cannot_be_adapted_to_is_named(
    home: Path, tmp_path: Path, images: int, patients: int, word: str
) -> None:
    data = laboratory(tmp_path / "x", seed=13, images=images, patients=patients)
    table = Path(data.removeprefix("manifest:"))
    if images > 4:
        table.write_text(table.read_text().replace("Early,", "Strange,"))
    with pytest.raises((DataError, UsageError), match=word):
        adapt(home, data, out=tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_images_of_its_own_training_are_no_new_place(home: Path, known: str, tmp_path: Path) -> None:
    adapted = adapt(home, known, out=tmp_path / "once")
    with pytest.raises(DataError, match="The model knows 40 of them from its own training"):
        adapt(adapted.bundle, known, out=tmp_path / "twice")


def test_one_patient_only_is_refused(home: Path, tmp_path: Path) -> None:
    data = laboratory(tmp_path / "x", seed=14, images=12, patients=4)
    table = Path(data.removeprefix("manifest:"))
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([head, *(f"{row.rpartition(',')[0]},same" for row in rows)]) + "\n")
    with pytest.raises(DataError, match="one patient or one class"):
        adapt(home, data, out=tmp_path / "b")


def test_what_is_left_out_is_told(home: Path, tmp_path: Path) -> None:
    """One file is damaged, two have no label: the others are adapted to, and three are named."""
    data = laboratory(tmp_path / "x", seed=15, images=24, patients=12)
    table = Path(data.removeprefix("manifest:"))
    head, *rows = table.read_text().splitlines()
    (table.parent / rows[0].partition(",")[0]).write_bytes(b"nothing")
    parts = [row.split(",") for row in rows]
    parts[1][1] = parts[2][1] = ""
    table.write_text("\n".join([head, *map(",".join, parts)]) + "\n")
    found = adapt(home, data, out=tmp_path / "b")
    assert found.n_images == 21
    assert found.notes[:2] == (
        "Images left out because they cannot be read: 1.",
        "Images left out because they have no label: 2.",
    )


def test_from_the_command_line(
    home: Path, known: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(home, tmp_path / "copy")
    assert main(["adapt", str(tmp_path / "copy"), known, "--out", str(tmp_path / "b"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["n_images"] == 40
    assert set(document["gain"]["f1_macro"]) == {"value", "low", "high"}
    assert main(["adapt", str(tmp_path / "copy"), known, "--out", str(tmp_path / "b")]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["adapt", str(tmp_path / "copy"), known, "--out", str(tmp_path / "copy"), "--overwrite"]) == 2
    assert "own place" in capsys.readouterr().err
