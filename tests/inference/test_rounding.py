"""Which verdicts rounding could turn."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.core.errors import BundleError, ImageError
from allsight.data.appearance import appearance
from allsight.data.source import open_dataset
from allsight.inference.predictor import Answer, Predictor, Run, Seen
from allsight.inference.rounding import clearance, fit_rounding, unsettled
from allsight.inference.runtimes.openvino import FILES
from allsight.inference.trust import Rounding, Trust, judge
from allsight.models.bundle import read_config, write_config
from allsight.verbs.export import export
from tests.bundles import DATA, open_gate, trained

CLASSES = ("Benign", "Early", "Pre", "Pro")


def scattered(rng: np.random.Generator, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    logits = rng.normal(0, 2.5, (n, len(CLASSES))).astype(np.float32)
    return logits, rng.uniform(0, 2, n).astype(np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_an_answer_is_what_clears_every_limit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, distances = scattered(rng, 400)
    trust = Trust(
        temperature=float(rng.uniform(0.3, 2)),
        thresholds=tuple(rng.choice([0.0, 0.02, 0.3, 0.6, 0.98, 1.0], len(CLASSES)).tolist()),
        certainty=float(rng.choice([0.0, 0.6, 0.95, 1.0])),
        distance_limit=float(rng.uniform(0.5, 2)),
        n_images=400,
    )
    said = judge(logits, distances, trust=trust, classes=CLASSES, suspicious=())
    clear = (clearance(logits, distances, trust=trust) >= 0).all(axis=1)
    assert [one.verdict == "answer" for one in said] == clear.tolist()


def test_the_first_column_is_in_log_odds_and_the_second_in_logarithms_of_distance() -> None:
    trust = Trust(temperature=2.0, thresholds=(0.9, 0.9), certainty=0.5, distance_limit=np.e, n_images=10)
    found = clearance(np.array([[3.0, -1.0]], np.float32), np.array([1.0], np.float32), trust=trust)
    # Log-odds are 2 and -2. What the other class lacks to be named beside it is nearest: its limit is log(0.1 / 0.9).
    np.testing.assert_allclose(found, [[2 - np.log(9), 1.0]], rtol=1e-6)


def test_a_tie_is_a_limit_too() -> None:
    """A class that passes its own threshold is no answer while another is likelier."""
    trust = Trust(temperature=1.0, thresholds=(0.9, 0.1), certainty=0.0, distance_limit=2.0, n_images=10)
    logits = np.array([[0.001, 0.0], [-0.001, 0.0]], np.float32)
    distances = np.ones(2, np.float32)
    said = judge(logits, distances, trust=trust, classes=("a", "b"), suspicious=())
    assert [one.verdict for one in said] == ["answer", "refer"]
    found = clearance(logits, distances, trust=trust)
    np.testing.assert_allclose(found[:, 0], [0.002, -0.002], atol=1e-6)
    assert unsettled(found, Rounding(odds=0.01, distance=0.01)).all()


def test_limits_that_only_a_probability_of_one_passes() -> None:
    sure, less = np.array([[80.0, 0.0]], np.float32), np.array([[9.0, 0.0]], np.float32)
    trust = Trust(temperature=1.0, thresholds=(0.0, 0.0), certainty=1.0, distance_limit=2.0, n_images=10)
    for logits, verdict in ((sure, "answer"), (less, "refer")):
        (said,) = judge(logits, np.ones(1, np.float32), trust=trust, classes=("a", "b"), suspicious=())
        assert said.verdict == verdict
        assert bool((clearance(logits, np.ones(1, np.float32), trust=trust) >= 0).all()) == (
            verdict == "answer"
        )
    alone = trust.model_copy(update={"thresholds": (0.5,), "certainty": 0.5})
    assert clearance(sure[:, :1], np.ones(1, np.float32), trust=alone)[0, 0] == np.inf


def test_odds_of_a_class_that_is_all_but_sure_are_exact() -> None:
    trust = Trust(temperature=1.0, thresholds=(0.5, 0.5), certainty=0.5, distance_limit=1.0, n_images=10)
    found = clearance(np.array([[900.0, 0.0]], np.float32), np.array([1.0], np.float32), trust=trust)
    assert found[0, 0] == pytest.approx(900.0)


def test_what_is_refused_for_sure_is_settled() -> None:
    rounding = Rounding(odds=0.5, distance=0.1)
    cases = np.array(
        [[0.4, 5.0], [-0.4, 5.0], [0.6, 5.0], [3.0, 0.05], [3.0, -0.2], [0.4, -0.2], [-0.6, 0.05]]
    )
    assert unsettled(cases, rounding).tolist() == [True, True, False, True, False, False, False]
    assert not unsettled(cases, Rounding(odds=0.0, distance=0.0)).any()


def test_what_rounding_changes_is_measured_near_the_limits() -> None:
    rng = np.random.default_rng(0)
    exact = np.stack([rng.uniform(-6, 6, 4000), rng.uniform(-2, 2, 4000)], axis=1)
    far = np.stack([np.abs(exact[:, 0]) > 3, np.abs(exact[:, 1]) > 1], axis=1)
    changes = rng.normal(0, [0.2, 0.05], exact.shape) * np.where(far, 50, 1)
    found = fit_rounding(exact, exact + changes)
    assert found.odds == pytest.approx(0.2 * 1.645, rel=0.05)
    assert found.distance == pytest.approx(0.05 * 1.645, rel=0.05)
    few = fit_rounding(exact[far.all(axis=1)], (exact + changes)[far.all(axis=1)])  # none is near: all count
    assert few.odds > 5
    assert fit_rounding(np.full((3, 2), np.inf), np.full((3, 2), np.inf)) == Rounding(odds=0.0, distance=0.0)


def with_trust(folder: Path, **changed: object) -> None:
    """Change the bundle's limits; those of its 120 images exclude no class, which nothing could turn."""
    config = read_config(folder)
    trust = Trust.model_validate(config.trust).model_copy(
        update={"limits": {}, "thresholds": (0.5,) * len(CLASSES), **changed}
    )
    write_config(folder, config.model_copy(update={"trust": trust.model_dump(mode="json")}))


EVERYTHING, NOTHING = Rounding(odds=1e9, distance=1e9), Rounding(odds=0.0, distance=0.0)


@pytest.fixture(scope="module")
def rounded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = trained(tmp_path_factory.mktemp("rounding") / "bundle")
    with open_gate():
        export(folder, to=["openvino"], int8=True, images=24)
    return folder


def by_graph(folder: Path) -> tuple[Predictor, Predictor, list[Run], list[Run]]:
    """fp32 and int8, and what they give for twelve images."""
    source = open_dataset(DATA)
    seen = [Seen(image, appearance(image)) for image in (source.read(s) for s in source.samples[96:108])]
    exact, rough = (
        Predictor.open(folder, runtime="openvino", precision=precision) for precision in ("fp32", "int8")
    )
    runs = [[Run(p.runtime.run(s.image[None]), s) for s in seen] for p in (exact, rough)]
    return exact, rough, runs[0], runs[1]


@pytest.mark.parametrize("doubt", [0.0, 1.0], ids=["one look", "eight sides"])
def test_what_rounding_could_turn_is_answered_by_the_fp32_graph(
    rounded: Path, tmp_path: Path, doubt: float
) -> None:
    folder = shutil.copytree(rounded, tmp_path / "bundle")
    found = Trust.model_validate(read_config(folder).trust).rounding
    assert found is not None
    assert found.distance > 0
    with_trust(folder, rounding=EVERYTHING, doubt=doubt)
    exact, rough, exact_runs, rough_runs = by_graph(folder)
    expected = exact.judge_all(exact_runs)
    assert rough.judge_all(rough_runs) == expected
    assert [rough.judged(run.seen.image) for run in rough_runs] == expected
    with_trust(folder, rounding=NOTHING, doubt=doubt)
    exact, rough, exact_runs, rough_runs = by_graph(folder)
    assert all(
        there.probabilities != here.probabilities
        for here, there in zip(exact.judge_all(exact_runs), rough.judge_all(rough_runs), strict=True)
    )


def test_in_a_batch_each_image_gets_its_own_answer(rounded: Path, tmp_path: Path) -> None:
    """Images of two shapes, of which some are asked again, beside a file that cannot be read."""
    folder = shutil.copytree(rounded, tmp_path / "bundle")
    source = open_dataset(DATA)
    images = [source.read(s)[: 128 - 16 * (i % 3 == 0)] for i, s in enumerate(source.samples[96:108])]
    usual = float(np.median([appearance(image).brightness for image in images]))
    with_trust(
        folder, rounding=EVERYTHING, limits={"brightness": (usual, 255.0)}
    )  # the darker half is refused
    rough = Predictor.open(folder, runtime="openvino", precision="int8")
    alone = [rough.judged(image) for image in images]

    def read(i: int) -> NDArray[np.uint8]:
        if i == 5:
            raise ImageError("no image")
        return images[i]

    for batch in (3, 16):
        found = [answer for _, answer in rough.answers(range(len(images)), read=read, batch=batch)]
        assert isinstance(found[5], ImageError)
        for i, answer in enumerate(found):
            assert i == 5 or (isinstance(answer, Answer) and answer.judgement == alone[i])


def test_a_picture_refused_for_its_looks_is_not_asked_again(rounded: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(rounded, tmp_path / "bundle")
    (folder / FILES["fp32"]).with_suffix(".bin").write_bytes(b"")  # opening it fails
    source = open_dataset(DATA)
    image = source.read(source.samples[0])
    with_trust(folder, rounding=EVERYTHING, limits={"brightness": (999.0, 1000.0)})
    assert Predictor.open(folder, runtime="openvino", precision="int8").judged(image).verdict == "refer"
    with_trust(folder, rounding=EVERYTHING)
    with pytest.raises(BundleError, match="cannot be read"):
        Predictor.open(folder, runtime="openvino", precision="int8").judged(image)


def test_without_an_fp32_graph_int8_answers_alone(rounded: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(rounded, tmp_path / "bundle")
    source = open_dataset(DATA)
    image = source.read(source.samples[0])
    said = []
    for rounding in (NOTHING, EVERYTHING):
        with_trust(folder, rounding=rounding)
        said.append(Predictor.open(folder, runtime="openvino", precision="int8").judged(image))
        (folder / FILES["fp32"]).unlink(missing_ok=True)
    assert said[0] == said[1]
