"""A folder of results is one run's: its own is replaced as a whole, another's is refused, foreign files stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from allsight.cli.main import main
from allsight.core.errors import UsageError
from allsight.verbs.evaluate import Evaluated, evaluate
from allsight.verbs.explain import explain
from allsight.verbs.report import report
from allsight.verbs.train import train
from tests.verbs.conftest import DATA

OTHER = "synthetic:4?images=8&patients=4&size=64"  # fewer images than the hardest of DATA
QUICK: dict[str, Any] = {"resamples": 20, "controls": False}
WRITTEN = {"evaluation.json", "predictions.csv", "controls.csv"}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def evaluated(bundle: Path, tmp_path: Path) -> Evaluated:
    """An evaluation with what is made of one, and files of the user's."""
    found = evaluate(bundle, DATA, out=tmp_path / "run", **QUICK)
    explain(bundle, run=found.run, limit=1, methods=["cam"])
    report(found.run)
    for name in ("audit.json", "notes.txt", "hardest/mine.png", "explanations/mine.txt"):
        (found.run / name).write_text("{}")
    return found


def test_the_same_evaluation_again_leaves_nothing_of_the_first(bundle: Path, evaluated: Evaluated) -> None:
    again = evaluate(bundle, DATA, out=evaluated.run, **QUICK)
    pictures = {hard.image for hard in again.evaluation.hardest}
    mine = {"audit.json", "notes.txt", "hardest/mine.png", "explanations/mine.txt"}
    assert files_of(evaluated.run).keys() == WRITTEN | pictures | mine


@pytest.mark.parametrize("change", ["data", "part", "model", "damaged"])
def test_another_evaluation_is_refused_until_it_is_to_be_replaced(
    bundle: Path, evaluated: Evaluated, tmp_path: Path, change: str
) -> None:
    """Also that of another model of the same name."""
    asked: dict[str, Any] = {"bundle": bundle, "data": DATA, "out": evaluated.run, **QUICK}
    held = f"the evaluation of 'tiny' on {DATA}, part 'test'"
    if change == "data":
        asked["data"] = OTHER
    elif change == "part":
        asked["split"] = "train"
    elif change == "model":
        asked["bundle"] = train(
            DATA, out=tmp_path / "tiny", backbone="tiny", weights="none", freeze=True, seed=1
        ).bundle
        held = held.replace("of", "of another model called", 1)
    else:
        (evaluated.run / "evaluation.json").write_text("{")
        held = "an evaluation.json that cannot be read"
    before = files_of(evaluated.run)
    with pytest.raises(UsageError) as refused:
        evaluate(**asked)
    assert f"holds {held}." in refused.value.message
    assert "--overwrite" in refused.value.hint
    assert files_of(evaluated.run) == before
    replaced = evaluate(**asked, overwrite=True)
    pictures = {hard.image for hard in replaced.evaluation.hardest}
    mine = {"notes.txt", "hardest/mine.png", "explanations/mine.txt"}
    audit = {"audit.json"} if change in ("part", "model") else set()  # it tells of the data
    assert files_of(evaluated.run).keys() == WRITTEN | pictures | mine | audit


def test_an_evaluation_from_before_there_were_digests_is_known_by_name(
    bundle: Path, evaluated: Evaluated
) -> None:
    path = evaluated.run / "evaluation.json"
    document = json.loads(path.read_text())
    del document["model"]["sha256"]
    path.write_text(json.dumps(document))
    assert "sha256" in evaluate(bundle, DATA, out=evaluated.run, **QUICK).evaluation.model


def test_the_command_line_refuses_before_the_model_is_opened(
    evaluated: Evaluated, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("allsight.verbs.evaluate.open_answering", None)
    assert main(["evaluate", str(bundle), OTHER, "--out", str(evaluated.run)]) == 2
    assert DATA in capsys.readouterr().err


def test_explanations_are_replaced_as_a_whole(bundle: Path, smears: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    explain(bundle, smears[:3], methods=["cam", "grad_cam"], out=out)
    (first, *_) = (path for path in out.iterdir() if path.is_dir())
    (first / "notes.txt").write_text("mine")
    (out / "9999-mine.png").write_text("mine")
    found = explain(bundle, smears[3:4], methods=["cam"], out=out)
    (one,) = found.heatmaps
    written = {one.heatmap, one.overlay, *found.strips.values(), str(out / "explanations.json")}
    mine = {str(first / "notes.txt"), str(out / "9999-mine.png")}
    assert {str(out / name) for name in files_of(out)} == written | mine


def test_a_document_cannot_point_outside_its_folder(bundle: Path, smears: list[Path], tmp_path: Path) -> None:
    out, outside = tmp_path / "out", tmp_path / "kept.npy"
    outside.write_bytes(b"mine")
    out.mkdir()
    strips = {"a": str(outside), "b": "../kept.npy"}
    maps = [{"heatmap": f"{place}/kept.npy", "overlay": str(outside)} for place in ("..", "out/..", "")]
    (out / "explanations.json").write_text(json.dumps({"explanations": maps, "strips": strips}))
    explain(bundle, smears[:1], methods=["cam"], out=out)
    assert outside.read_bytes() == b"mine"


def test_a_run_that_explains_nothing_replaces_nothing(
    bundle: Path, smears: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    explain(bundle, smears[:1], methods=["cam"], out=out)
    before = files_of(out)
    assert explain(bundle, [tmp_path / "mistyped.png"], methods=["cam"], out=out).failed
    assert files_of(out) == before


@pytest.mark.parametrize("document", [None, "{", "[]", '{"explanations": [], "strips": []}'])
def test_explanations_are_not_mixed_with_foreign_files(
    bundle: Path, smears: list[Path], tmp_path: Path, document: str | None
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    if document is not None:
        (tmp_path / "explanations.json").write_text(document)
    before = files_of(tmp_path)
    with pytest.raises(UsageError, match="not empty"):
        explain(bundle, smears[:1], methods=["cam"], out=tmp_path)
    assert files_of(tmp_path) == before
