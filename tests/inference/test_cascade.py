"""The threshold of a cascade, and who answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from allsight.core.errors import DataError, UsageError
from allsight.data.images import read_image
from allsight.data.source import open_dataset
from allsight.inference.cascade import Cascade, fit_threshold, open_answering
from allsight.inference.predictor import Answer, Predictor
from allsight.models.bundle import read_config, write_config
from allsight.verbs.cascade import cascade
from allsight.verbs.predict import predict
from tests.bundles import DATA, trained

LABELS = np.array([0, 1, 0, 1, 0, 1])


def test_the_lowest_threshold_that_costs_nothing_is_taken() -> None:
    sure = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    small = np.array([0, 1, 0, 1, 1, 1])  # wrong at 0.5
    found = fit_threshold(sure, small, LABELS, LABELS)
    assert found.value == 0.6
    assert found.answered == pytest.approx(4 / 6)
    assert found.f1_macro == found.f1_macro_large == 1.0


def test_a_small_network_that_is_better_answers_everything() -> None:
    found = fit_threshold(np.full(6, 0.9), LABELS, 1 - LABELS, LABELS)
    assert found.value == 0.0
    assert found.answered == 1.0
    assert (found.f1_macro, found.f1_macro_large) == (1.0, 0.0)


def test_a_small_network_that_is_surely_wrong_is_never_believed() -> None:
    found = fit_threshold(np.array([0.99, 0.9, 0.8, 0.7, 0.6, 0.5]), 1 - LABELS, LABELS, LABELS)
    assert found.value > 1
    assert found.answered == 0.0


def test_without_images_there_is_no_threshold() -> None:
    nothing = np.array([], dtype=np.int64)
    with pytest.raises(DataError, match="no image"):
        fit_threshold(np.array([]), nothing, nothing, nothing)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("cascade")
    small = trained(folder / "small")
    large = Path(shutil.copytree(small, folder / "large"))
    config = read_config(large)
    write_config(large, config.model_copy(update={"name": "large"}))
    return small, large


def test_who_answers_is_told_and_the_rest_is_asked(pair: tuple[Path, Path], tmp_path: Path) -> None:
    from PIL import Image

    small, large = pair
    joined = cascade(small, large)
    assert joined.facts.f1_macro >= joined.facts.f1_macro_large
    assert "## Cascade" in (small / "README.md").read_text()
    source = open_dataset(DATA)
    files = []
    for i, sample in enumerate(source.samples[:20]):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(source.read(sample)).save(files[-1])
    alone = Predictor.open(small)
    answers = [answer for _, answer in alone.answers(files, read=read_image)]
    sure = [max(a.judgement.probabilities.values()) for a in answers if isinstance(a, Answer)]
    middle = float(np.median(sure))
    config = read_config(small)
    assert config.cascade is not None
    facts = config.cascade.model_copy(update={"threshold": middle})
    write_config(small, config.model_copy(update={"cascade": facts}))
    found = predict(small, [*files, tmp_path / "none.png"])
    expected = ["small" if p >= middle else "large" for p in sure]
    assert [p.answer.answered_by for p in found.predictions] == expected
    assert found.predictions[0].to_json()["answered_by"] == expected[0]
    assert [f.path for f in found.failed] == [str(tmp_path / "none.png")]
    assert isinstance(open_answering(small), Cascade)
    write_config(small, config.model_copy(update={"cascade": None}))
    assert isinstance(open_answering(small), Predictor)


def test_one_bundle_is_no_cascade(pair: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="two different"):
        cascade(pair[0], pair[0])
