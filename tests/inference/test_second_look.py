"""What leaves doubt is looked at from all sides, in training as in prediction."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from allsight.core.contracts import Runtime
from allsight.core.records import VALIDATION
from allsight.data.effects import TURNS, grey, lab_statistics
from allsight.data.source import open_dataset
from allsight.inference.predictor import Predictor, load_space
from allsight.inference.rounding import clearance, fit_rounding
from allsight.inference.runtimes.openvino import OpenVino
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.inference.second_look import (
    LOOKED_AT_AGAIN,
    fit_doubt,
    fit_stain,
    in_doubt,
    in_stain,
    looked_again,
)
from allsight.inference.trust import Trust, in_precision, least_certainty, softmax
from allsight.models.bundle import read_config, read_split, write_config
from allsight.models.training.settings import FineTuning
from allsight.verbs.export import export
from allsight.verbs.train import train
from tests.bundles import DATA, open_gate, trained

STAIN = ((60.0, 1.0, -9.0), (9.0, 8.0, 7.0))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("looks") / "bundle")


@pytest.fixture(scope="module")
def image() -> NDArray[np.uint8]:
    source = open_dataset(DATA)
    return source.read(source.samples[0])


def less_sure(runtime: Runtime) -> PyTorch:
    """The same network with smaller logits: no probability is 1, as some of a frozen network's are."""
    assert isinstance(runtime, PyTorch)
    with torch.no_grad():
        for parameter in runtime.classifier.head.parameters():
            parameter.mul_(1 / 20)
    return runtime


def test_an_image_that_is_not_square_is_turned_too(bundle: Path, image: NDArray[np.uint8]) -> None:
    runtime, wide = less_sure(PyTorch.open(bundle)), np.ascontiguousarray(image[:96])
    first = runtime.run(wide[None])
    found = looked_again(runtime, wide, first, doubt=1.0, stain=None)
    one_by_one = [runtime.run(turn(wide)[None]).logits[0] for turn in TURNS]
    np.testing.assert_allclose(found.logits[0], np.mean(one_by_one, axis=0), atol=1e-4)
    assert np.ptp(one_by_one, axis=0).max() > 1e-2  # the sides differ, so the mean says something
    assert found.maps is first.maps
    assert found.embedding is first.embedding


def test_what_leaves_no_doubt_is_looked_at_once(bundle: Path, image: NDArray[np.uint8]) -> None:
    runtime = less_sure(PyTorch.open(bundle))
    first = runtime.run(image[None])
    sure = float(softmax(first.logits, 1.0).max())
    assert looked_again(runtime, image, first, doubt=sure, stain=STAIN) is first
    assert looked_again(runtime, image, first, doubt=np.nextafter(sure, 2), stain=STAIN) is not first


def test_the_mirrored_sides_are_shown_in_the_usual_stain(bundle: Path, image: NDArray[np.uint8]) -> None:
    runtime = less_sure(PyTorch.open(bundle))
    first = runtime.run(image[None])
    found = looked_again(runtime, image, first, doubt=1.0, stain=STAIN)
    shown = [image] * 4 + [in_stain(image, STAIN)] * 4
    one_by_one = [
        runtime.run(turn(picture)[None]).logits[0] for turn, picture in zip(TURNS, shown, strict=True)
    ]
    np.testing.assert_allclose(found.logits[0], np.mean(one_by_one, axis=0), atol=1e-4)
    own = looked_again(runtime, image, first, doubt=1.0, stain=None)
    assert np.abs(own.logits - found.logits).max() > 1e-3


def test_an_image_is_brought_to_the_usual_stain_as_far_as_it_has_colour(image: NDArray[np.uint8]) -> None:
    np.testing.assert_allclose(lab_statistics(in_stain(image, STAIN)), STAIN, atol=2)
    without = lab_statistics(in_stain(grey(image), STAIN))
    np.testing.assert_allclose(without[0], STAIN[0], atol=2)
    assert without[1, 1:].max() < 1  # one colour for all of it


def test_the_usual_stain_is_the_middle_of_those_known() -> None:
    apart = np.arange(-2, 3, dtype=np.float32)[:, None, None] * np.array([1, 50, 1], dtype=np.float32)
    assert fit_stain(np.array([STAIN], dtype=np.float32) + apart) == STAIN


def test_the_answer_does_not_depend_on_how_the_slide_lies(bundle: Path, image: NDArray[np.uint8]) -> None:
    config = read_config(bundle)
    said = {}
    for doubt in (0.0, 1.0):
        trust = Trust.model_validate(config.trust).model_copy(update={"doubt": doubt})
        write_config(bundle, config.model_copy(update={"trust": trust.model_dump(mode="json")}))
        predictor = Predictor.open(bundle)
        less_sure(predictor.runtime)
        said[doubt] = np.array([[*predictor.judged(turn(image)).probabilities.values()] for turn in TURNS])
    write_config(bundle, config)
    assert np.ptp(said[1.0], axis=0).max() < 1e-4
    assert np.ptp(said[0.0], axis=0).max() > 1e-3


def test_the_least_sure_are_looked_at_again() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (400, 4)).astype(np.float32)
    assert in_doubt(logits, fit_doubt(logits)).mean() == pytest.approx(LOOKED_AT_AGAIN, abs=0.005)


def test_limits_are_fitted_on_what_is_answered(tmp_path: Path) -> None:
    """The validation images once more, through the predictor: its probabilities are those that training fitted to."""
    settings = FineTuning(epochs=1, batch_size=8, learning_rate=3e-4, look_again=True)
    train(DATA, out=tmp_path / "b", backbone="efficientnet-lite0", size=64, settings=settings)
    predictor = Predictor.open(tmp_path / "b")
    assert predictor.trust.doubt > 0
    assert predictor.trust.stain is not None
    dataset = open_dataset(DATA)
    names = {row.name for row in read_split(tmp_path / "b") if row.part == VALIDATION}
    samples = [s for s in dataset.samples if s.name in names]
    answers = [predictor.judged(dataset.read(s)) for s in samples]
    probabilities = np.array([[*a.probabilities.values()] for a in answers])
    assert least_certainty(probabilities) == pytest.approx(predictor.trust.certainty, abs=1e-4)
    once = Predictor(
        predictor.served,
        config=predictor.config,
        trust=predictor.trust.model_copy(update={"doubt": 0.0}),
        space=predictor.space,
    )
    first = np.array([[*once.judged(dataset.read(s)).probabilities.values()] for s in samples])
    assert 0 < (np.abs(first - probabilities).max(axis=1) > 1e-6).mean() < 0.3


def test_what_rounding_changes_is_measured_on_what_is_answered(bundle: Path, tmp_path: Path) -> None:
    """Every image is looked at again here, by either graph, and export's measure is that of the eight sides."""
    folder = shutil.copytree(bundle, tmp_path / "b")
    config = read_config(folder)
    limits = {"doubt": 1.0, "stain": STAIN, "thresholds": (0.5,) * 4}  # those of 120 images exclude no class
    everything = Trust.model_validate(config.trust).model_copy(update=limits)
    write_config(folder, config.model_copy(update={"trust": everything.model_dump(mode="json")}))
    with open_gate():
        export(folder, to=["openvino"], int8=True, images=64)  # all of the validation part
    trust = Trust.model_validate(read_config(folder).trust)
    dataset = open_dataset(DATA)
    names = {row.name for row in read_split(folder) if row.part == VALIDATION}
    images = [dataset.read(s) for s in dataset.samples if s.name in names]
    clearances = []
    for runtime, precision in (
        (PyTorch.open(folder), "fp32"),
        (OpenVino.open(folder, precision="int8"), "int8"),
    ):
        looks = [
            looked_again(runtime, i, runtime.run(i[None]), doubt=trust.doubt, stain=trust.stain)
            for i in images
        ]
        logits = np.concatenate([o.logits for o in looks])
        distances = load_space(folder).distances(np.concatenate([o.embedding for o in looks]))
        clearances.append(clearance(logits, distances, trust=in_precision(trust, precision)))
    expected = fit_rounding(*clearances)
    assert trust.rounding is not None
    assert trust.rounding.odds > 0
    assert trust.rounding.odds == pytest.approx(expected.odds, rel=1e-3)
    assert trust.rounding.distance == pytest.approx(expected.distance, rel=1e-3)
