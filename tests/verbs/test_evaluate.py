"""`evaluate` measures what the bundle has not seen, and says so when it has."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from allsight.cli.commands.evaluate import table
from allsight.cli.main import main
from allsight.core import catalog
from allsight.core.contracts import Damage
from allsight.core.errors import DataError, UsageError
from allsight.evaluate.document import Coverage, Interval
from allsight.models.bundle import read_split
from allsight.verbs.evaluate import Evaluated, evaluate
from allsight.verbs.report import report
from allsight.verbs.synthesize import synthesize
from tests.verbs.conftest import DATA


@pytest.fixture(scope="module")
def evaluated(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    return evaluate(bundle, DATA, out=tmp_path_factory.mktemp("run"), resamples=200)


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "predictions.csv").open() as file:
        return list(csv.DictReader(file))


def test_it_is_the_held_out_part(bundle: Path, evaluated: Evaluated) -> None:
    expected = {r.name for r in read_split(bundle) if r.part == "test"}
    assert {r["name"] for r in rows_of(evaluated.run)} == expected
    assert evaluated.evaluation.protocol["part"] == "test"
    assert evaluated.evaluation.protocol["n_images"] == len(expected)


def test_figures_follow_from_the_predictions(evaluated: Evaluated) -> None:
    rows = rows_of(evaluated.run)
    truth, guesses = [r["label"] for r in rows], [r["prediction"] for r in rows]
    metrics = evaluated.evaluation.metrics
    assert metrics["accuracy"].value == pytest.approx(accuracy_score(truth, guesses))
    assert metrics["f1_macro"].value == pytest.approx(f1_score(truth, guesses, average="macro"))
    answered = np.mean([r["verdict"] == "answer" for r in rows])
    assert evaluated.evaluation.coverage.answered == pytest.approx(answered)


def test_controls_stand_beside_it(evaluated: Evaluated) -> None:
    assert {"colour", "background", "corner"} <= set(evaluated.evaluation.controls)


def test_the_document_has_the_promised_keys(evaluated: Evaluated) -> None:
    document = json.loads((evaluated.run / "evaluation.json").read_text())
    promised = {"model", "data", "protocol", "metrics", "per_class", "confusion", "controls", "coverage"}
    assert promised <= set(document)
    names = "accuracy balanced_accuracy precision_macro recall_macro f1_macro f1_weighted auc_macro map ece brier nll"
    assert set(names.split()) <= set(document["metrics"])
    assert {"value", "low", "high"} <= set(document["metrics"]["accuracy"])
    assert {"split", "seed", "n_images", "n_groups"} <= set(document["protocol"])
    assert {"answered", "accuracy_answered"} <= set(document["coverage"])


def test_damages_are_tried_with_the_controls_beside_them(
    bundle: Path, evaluated: Evaluated, tmp_path: Path
) -> None:
    stressed = evaluate(bundle, DATA, out=tmp_path, resamples=100, stress="usual").evaluation
    assert {row.damage for row in stressed.stress} == set(catalog.names(Damage))
    for row in stressed.stress:
        assert 0 <= (row.metrics["accuracy"].value or 0) <= 1
        assert set(row.controls) == set(evaluated.evaluation.controls)
    assert not evaluated.evaluation.stress
    assert len({row.metrics["accuracy"].value for row in stressed.stress}) > 1
    page = report(tmp_path, bundle=bundle).read_text()
    assert "Gaussian blur of 1.5 px" in page
    with pytest.raises(UsageError, match="extent"):
        evaluate(bundle, DATA, out=tmp_path / "x", stress="most")


def test_the_other_side_is_named_as_such(bundle: Path, tmp_path: Path) -> None:
    seen = evaluate(bundle, DATA, split="train", out=tmp_path, resamples=50, controls=False)
    assert seen.evaluation.protocol["part"] == "train"
    assert any("was made with these images" in remark for remark in seen.evaluation.remarks)


def test_seen_images_are_left_out_of_other_data(bundle: Path, tmp_path: Path) -> None:
    """Another data set that holds copies of training images: those and their patients do not count."""
    folder = tmp_path / "copy"
    synthesize(DATA.partition(":")[2], out=folder, masks=False)
    everything = evaluate(
        bundle, f"manifest:{folder / 'manifest.csv'}", out=tmp_path / "a", resamples=50, controls=False
    )
    assert everything.evaluation.protocol["n_images"] == 96  # pixels in files have other hashes than recipes
    other = evaluate(
        bundle, "synthetic:4?images=32&patients=8&size=64", out=tmp_path / "b", resamples=50, controls=False
    )
    assert other.evaluation.protocol["left_out_as_seen"] == 0


def test_unknown_classes_are_named(bundle: Path, tmp_path: Path, smears: list[Path]) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(smears[0].read_bytes())
    with pytest.raises(DataError, match="cat, dog"):
        evaluate(bundle, f"image_folder:{tmp_path}", out=tmp_path / "run")


def test_a_part_of_foreign_data_makes_no_sense(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was not trained on this data"):
        evaluate(bundle, "synthetic:4?images=32&patients=8&size=64", split="train", out=tmp_path)


def test_evaluating_twice_gives_the_same_figures(bundle: Path, evaluated: Evaluated, tmp_path: Path) -> None:
    again = evaluate(bundle, DATA, out=tmp_path, resamples=200)
    assert again.evaluation.metrics == evaluated.evaluation.metrics
    assert again.evaluation.controls == evaluated.evaluation.controls


def test_a_report_is_made_from_the_files(evaluated: Evaluated, bundle: Path) -> None:
    page = report(evaluated.run, bundle=bundle).read_text(encoding="utf-8")
    accuracy = evaluated.evaluation.metrics["accuracy"].value
    assert accuracy is not None
    assert "esearch use only" in page


def test_the_text_says_how_much_was_answered_and_what_to_beware_of(evaluated: Evaluated) -> None:
    """The bundle refers everything; the same figures with some answered images stand there as they are."""
    found, rows = evaluated.evaluation, rows_of(evaluated.run)
    lines = table(evaluated).splitlines()
    assert f"answered 0, referred to a person {len(rows)}:" in lines
    assert "  right of these     undefined" in lines
    assert found.remarks
    assert set(found.remarks) <= set(lines)
    of = {"answered": Interval(0.2, 0.6), "accuracy_answered": Interval(0.5, 1.0)}
    some = replace(found, coverage=Coverage(0.4, 0.875, 8, of))
    shown = table(replace(evaluated, evaluation=some)).splitlines()
    place = shown.index(f"answered 8, referred to a person {len(rows) - 8}:")
    assert shown[place + 1 : place + 3] == [
        "  answered           0.4000  [0.2000, 0.6000]",
        "  right of these     0.8750  [0.5000, 1.0000]",
    ]
    without = replace(found, coverage=Coverage(None, None, None, {}))
    assert "answered" not in table(replace(evaluated, evaluation=without))


def test_json_from_the_command_line(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(
        [
            "evaluate",
            str(bundle),
            DATA,
            "--out",
            str(tmp_path),
            "--resamples",
            "100",
            "--no-controls",
            "--json",
        ]
    )
    assert code == 0
    assert json.loads(capsys.readouterr().out)["run"] == str(tmp_path)
