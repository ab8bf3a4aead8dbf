"""A model is tried on data with other classes by whether they are suspicious, and only where both sides say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from allsight.cli.main import main
from allsight.core.errors import DataError
from allsight.verbs.evaluate import evaluate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("other")
    rng = np.random.default_rng(0)
    for name in ("ill", "well"):
        (root / name).mkdir()
        for i in range(6):
            Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(root / name / f"{i}.png")
    return root


def test_other_classes_are_read_as_suspicious_or_not(bundle: Path, folder: Path, tmp_path: Path) -> None:
    found = evaluate(
        bundle, f"image_folder:{folder}?suspicious=ill", out=tmp_path, resamples=100, controls=False
    ).evaluation
    assert found.classes == ("not suspicious", "suspicious")
    assert found.suspicious == ("suspicious",)
    assert sum(map(sum, found.confusion)) == 12
    assert found.suspicion is not None
    rows = (tmp_path / "predictions.csv").read_text().splitlines()
    header = rows[0].split(",")
    assert {"p_suspicious", "class", "group"} <= set(header)
    for row in rows[1:]:
        cells = dict(zip(header, row.split(","), strict=False))
        assert cells["class"] == ("suspicious" if cells["label"] == "ill" else "not suspicious")
        assert float(cells["p_suspicious"]) == pytest.approx(float(cells["suspicion"]), abs=1e-6)


def test_it_is_said_that_classes_were_read_so(
    bundle: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", str(bundle), f"image_folder:{folder}?suspicious=ill", "--out", str(tmp_path)]
    assert main([*command, "--resamples", "100", "--no-controls"]) == 0
    said = (
        "The model does not know ill, well: all answers were read as suspicious or not, "
        "and of the data's classes ill as suspicious."
    )
    assert said in capsys.readouterr().out.splitlines()
    assert said in json.loads((tmp_path / "evaluation.json").read_text())["remarks"]


def test_without_a_word_on_what_is_suspicious_it_is_refused(
    bundle: Path, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="classes the model does not know: ill, well"):
        evaluate(bundle, f"image_folder:{folder}", out=tmp_path)
