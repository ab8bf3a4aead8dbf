"""Class folders: labels by name, suspicion as told, nothing guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allsight.core.errors import DataError, UsageError
from allsight.data.datasets.image_folder import ImageFolder
from tests.contracts.layouts import image_folder, save_image

if TYPE_CHECKING:
    from pathlib import Path


def test_labels_are_the_top_folders_sorted_by_name(tmp_path: Path) -> None:
    dataset = ImageFolder.open(image_folder(tmp_path))
    assert dataset.classes == ("blast", "lymphocyte")
    assert [(sample.name, sample.label) for sample in dataset.samples] == [
        ("blast/slide 1/a.png", "blast"),
        ("blast/slide 2/b.tif", "blast"),
        ("lymphocyte/c.bmp", "lymphocyte"),
    ]


def test_suspicion_is_told_and_never_guessed(tmp_path: Path) -> None:
    image_folder(tmp_path)
    save_image(tmp_path / "normal/d.png")
    assert ImageFolder.open(str(tmp_path)).suspicious == ()
    assert ImageFolder.open(f"{tmp_path}?suspicious=lymphocyte,blast").suspicious == ("blast", "lymphocyte")
    with pytest.raises(UsageError, match="Blast") as caught:
        ImageFolder.open(f"{tmp_path}?suspicious=Blast")
    assert "blast, lymphocyte, normal" in caught.value.hint


def test_hidden_folders_and_files_are_no_classes_and_no_images(tmp_path: Path) -> None:
    location = image_folder(tmp_path)
    before = ImageFolder.open(location).samples
    for name in (".cache/x.png", "__MACOSX/y.png", "blast/._a.png", "blast/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert ImageFolder.open(location).samples == before


def test_a_class_folder_may_have_any_other_name(tmp_path: Path) -> None:
    save_image(tmp_path / "_unsure/a.png")
    save_image(tmp_path / "Früh, prä-B/b.png")
    dataset = ImageFolder.open(f"{tmp_path}?suspicious=Früh%2C prä-B")
    assert dataset.classes == ("Früh, prä-B", "_unsure")
    assert dataset.suspicious == ("Früh, prä-B",)


def test_what_does_not_fit_the_layout_is_named(tmp_path: Path) -> None:
    location = image_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no image in the class folder empty"):
        ImageFolder.open(location)
    (tmp_path / "empty").rmdir()
    save_image(tmp_path / "stray.png")
    with pytest.raises(DataError, match=r"stray\.png"):
        ImageFolder.open(location)
