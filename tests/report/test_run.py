"""Reading a run's folder: what is missing is left out, what is damaged is named, nothing outside is read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from allsight.core.errors import DataError
from allsight.report.run import read_run

from .runs import evaluation_of, write_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", evaluation_of(n=24, groups=6, resamples=10))


def test_numbers_of_the_training_log_are_read_and_words_left_out(folder: Path) -> None:
    columns = read_run(folder).training
    assert columns["epoch"] == [1.0, 2.0, 3.0]
    assert columns["validation_loss"] == [1.1, None, 0.7]
    assert "note" not in columns


@pytest.mark.parametrize("content", ["", "epoch,train_loss\n", "epoch\x00\n1\n"])
def test_a_training_log_without_rows_is_no_training(folder: Path, content: str) -> None:
    (folder / "training.csv").write_text(content, encoding="utf-8")
    assert not {"train_loss"} & read_run(folder).training.keys()


def test_a_picture_outside_the_folder_is_not_read(folder: Path) -> None:
    first, second = sorted((folder / "hardest").iterdir())[:2]
    first.rename(folder.parent / "secret.png")
    evaluation = evaluation_of(n=24, groups=6, resamples=10)
    strayed = dataclasses.replace(evaluation.hardest[0], image="../secret.png")
    write_run(
        folder, dataclasses.replace(evaluation, hardest=(strayed, *evaluation.hardest[1:])), extras=False
    )
    pictures = read_run(folder).pictures
    assert "../secret.png" not in pictures
    assert f"hardest/{second.name}" in pictures


def test_a_damaged_picture_is_left_out(folder: Path) -> None:
    (folder / "hardest" / "01.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    pictures = read_run(folder).pictures
    assert "hardest/01.png" not in pictures
    assert "hardest/02.png" in pictures


@pytest.mark.parametrize("name", ["evaluation.json", "audit.json"])
@pytest.mark.parametrize("content", ["{", "[]", '{"model": 1'])
def test_a_damaged_record_is_named(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=name):
        read_run(folder)


def test_a_record_that_is_no_text_is_named(folder: Path) -> None:
    (folder / "audit.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"audit\.json"):
        read_run(folder)
    (folder / "audit.json").unlink()
    (folder / "training.csv").write_bytes(b"epoch\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"training\.csv"):
        read_run(folder)
