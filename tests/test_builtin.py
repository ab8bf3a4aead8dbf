"""The model that ships works right after installation, offline, and its card says what it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score

from allsight.core.errors import UsageError
from allsight.data.datasets.synthetic import Synthetic
from allsight.data.effects import transplant
from allsight.data.source import open_dataset
from allsight.evaluate.stress import of_another_class
from allsight.inference.predictor import Predictor
from allsight.models.bundle import BUILTIN, MODEL_FILE, bundle_folder, own_folder, read_config, read_split
from allsight.verbs.export import export
from allsight.verbs.predict import predict
from allsight.verbs.run_files import EVALUATION_FILE, read_predictions

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "docs" / "records"


@pytest.fixture(scope="module")
def smears(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("smears")
    source = Synthetic.open("5?images=8&patients=8")
    paths = []
    for i, sample in enumerate(source.samples):
        paths.append(folder / f"{i}.png")
        Image.fromarray(source.read(sample)).save(paths[-1])
    return paths


def test_it_is_whole_and_small() -> None:
    folder = bundle_folder(BUILTIN)
    assert (folder / MODEL_FILE).stat().st_size <= 20e6
    config = read_config(folder)
    assert config.classes == ("Benign", "Early", "Pre", "Pro")
    assert config.protocol.n_images["test"] == 0
    assert not {row.part for row in read_split(folder)} - {"train", "validation"}
    assert config.data.source == "taleqani"  # and no path of where it was made, in the graph neither
    assert "taleqani:" not in (folder / "openvino" / "int8.xml").read_text(encoding="utf-8")
    assert float(str(config.exports["openvino int8"]["top1"])) >= 0.995


def test_the_card_names_data_licence_figures_and_limits() -> None:
    card = (bundle_folder(BUILTIN) / "README.md").read_text(encoding="utf-8")
    for words in (
        "Research use only",
        "not verified",
        "| accuracy | 0.9",
        "Without looking at cells",
        "## Limits",
    ):
        assert words in card


def test_its_figures_come_from_the_answers_that_are_kept() -> None:
    """And they are what was asked of it: on unseen fields, and split at random."""
    figures = read_config(bundle_folder(BUILTIN)).figures["metrics"]
    assert isinstance(figures, dict)
    found = {}
    for split in ("field", "random"):
        runs = sorted(file.parent for file in RECORDS.glob(f"runs/*-tuned-{split}-*/{EVALUATION_FILE}"))
        document = json.loads((runs[0] / EVALUATION_FILE).read_text(encoding="utf-8"))
        said, _ = read_predictions(runs, classes=document["classes"], suspicious=document["suspicious"])
        named = said.probabilities.argmax(1)
        found[split] = accuracy_score(said.labels, named), f1_score(said.labels, named, average="macro")
    assert found["field"] == pytest.approx([figures["accuracy"][0], figures["f1_macro"][0]])  # type: ignore[index]
    assert found["field"][0] >= 0.992
    assert found["field"][1] >= 0.99
    assert found["random"][0] >= 0.995


def test_what_is_kept_names_no_machine() -> None:
    texts = [file.read_text(encoding="utf-8") for file in RECORDS.rglob("*.*")]
    assert len(texts) >= 12
    for text in texts:
        assert not re.search(r'"(source|trained_on)": "\w+:(?!PATH)', text)
        assert not re.search(r'[ ":,]/\w+/', text)


def test_every_runtime_says_the_same(smears: list[Path]) -> None:
    fast, slow = (predict(BUILTIN, smears, runtime=r).predictions for r in ("openvino", "pytorch"))
    for a, b in zip(fast, slow, strict=True):
        p, q = (np.array(list(x.judgement.probabilities.values())) for x in (a, b))
        assert np.abs(p - q).max() < 0.25, (a, b)  # int8, far from the training images


def test_it_belongs_to_the_installation(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be changed"):
        own_folder(BUILTIN)
    with pytest.raises(UsageError, match="cannot be changed"):
        export(BUILTIN)
    assert own_folder(tmp_path) == tmp_path


def test_it_refuses_what_is_no_smear(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (224, 224, 3), dtype=np.uint8), np.full((224, 224, 3), 90, np.uint8)]
    predictor = Predictor.open(bundle_folder(BUILTIN), runtime=None)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
        judged = predictor.judged(picture)
        assert judged.verdict == "refer", judged


def test_it_follows_the_leukocytes_and_not_the_field_around_them(real_data: Path) -> None:
    """On fields of another class: 0.99 of the validation images; 0.41 before it was taught with transplants."""
    dataset = open_dataset(f"taleqani:{real_data / 'taleqani'}")
    unlearned = {row.name for row in read_split(bundle_folder(BUILTIN)) if row.part == "validation"}
    samples = [s for s in dataset.samples if s.name in unlearned][::4]
    labels = np.array([dataset.classes.index(s.label) for s in samples])
    predictor = Predictor.open(bundle_folder(BUILTIN), runtime=None)
    right = []
    for i, j in enumerate(of_another_class(labels)):
        image, field = dataset.read(samples[i]), dataset.read(samples[j])
        judged = predictor.judged(transplant(image, field, share=1.0, rng=np.random.default_rng(i)))
        right.append(judged.label == samples[i].label)
    assert len(right) >= 80
    assert np.mean(right) >= 0.9


def test_the_wheel_holds_it_and_answers_offline(smears: list[Path], tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip")
    quiet = ("--quiet", "--no-deps", "--disable-pip-version-check")
    wheel = (*pip, "wheel", *quiet, "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT))
    subprocess.run(wheel, check=True, capture_output=True)
    (built,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(built).namelist()
    assert {
        f"allsight/builtin/{n}" for n in ("config.json", MODEL_FILE, "README.md", "openvino/int8.xml")
    } <= set(names)
    place = tmp_path / "installed"
    subprocess.run(
        (*pip, "install", *quiet, "--target", str(place), str(built)), check=True, capture_output=True
    )
    nowhere = "http://127.0.0.1:9"  # whatever asks for the internet fails at once
    environment = {
        **os.environ,
        "PYTHONPATH": str(place),
        "ALLSIGHT_CACHE": str(tmp_path / "cache"),
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "HF_HUB_OFFLINE": "0",
    }
    command = (sys.executable, "-m", "allsight", "predict", "--json", str(smears[0]), str(smears[1]))
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["model"] == BUILTIN
    assert [Path(p["path"]).name for p in document["predictions"]] == ["0.png", "1.png"]
    assert all(p["verdict"] in ("answer", "refer") for p in document["predictions"])
