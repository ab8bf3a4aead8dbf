"""The Taleqani layout: what is accepted, what is refused, and the real tree."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from allsight.core.errors import DataError
from allsight.data.datasets.taleqani import Taleqani
from tests.contracts.layouts import save_image, taleqani

if TYPE_CHECKING:
    from pathlib import Path


def test_samples_carry_class_and_number(tmp_path: Path) -> None:
    dataset = Taleqani.open(taleqani(tmp_path))
    found = {sample.name: (sample.label, sample.number) for sample in dataset.samples}
    assert len(found) == 12
    assert found["Original/Benign/WBC-Benign-030.jpg"] == ("Benign", 30)
    assert found["Original/Pro/WBC-Malignant-Pro-002.jpg"] == ("Pro", 2)
    assert all(sample.patient is None for sample in dataset.samples)


def test_suspicious_are_the_three_malignant_classes(tmp_path: Path) -> None:
    dataset = Taleqani.open(taleqani(tmp_path))
    assert dataset.classes == ("Benign", "Early", "Pre", "Pro")
    assert dataset.suspicious == ("Early", "Pre", "Pro")


def test_the_tree_itself_gives_the_same_names(tmp_path: Path) -> None:
    root = taleqani(tmp_path)
    inside = Taleqani.open(f"{root}/Original")
    assert inside.samples == Taleqani.open(root).samples


def test_a_missing_class_folder_is_an_error_and_shifts_no_label(tmp_path: Path) -> None:
    root = taleqani(tmp_path)
    shutil.rmtree(tmp_path / "Original/Early")
    with pytest.raises(DataError, match="no folder Early") as caught:
        Taleqani.open(root)
    assert "Original/{Benign,Early,Pre,Pro}" in caught.value.hint


def test_an_empty_class_folder_is_an_error(tmp_path: Path) -> None:
    root = taleqani(tmp_path)
    for path in (tmp_path / "Original/Pre").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="class Pre, found none"):
        Taleqani.open(root)


@pytest.mark.parametrize("name", ["WBC-Malignant-Pro-003.jpg", "WBC-Benign-001 (copy).jpg", "smear.jpg"])
def test_a_file_in_the_wrong_folder_or_of_a_strange_name_is_named(tmp_path: Path, name: str) -> None:
    root = taleqani(tmp_path)
    save_image(tmp_path / "Original/Benign" / name)
    with pytest.raises(DataError) as caught:
        Taleqani.open(root)
    assert name in caught.value.message


def test_the_scale_bar_corner_is_a_sixth_of_each_side(tmp_path: Path) -> None:
    overlay = Taleqani.open(taleqani(tmp_path)).overlay
    assert overlay is not None
    assert overlay.pixels(224, 224) == (slice(188, 224), slice(188, 224))


@pytest.mark.real
def test_the_real_tree(real_data: Path) -> None:
    dataset = Taleqani.open(str(real_data / "taleqani"))
    # A copy may lack images; what it has must be the source's, whose counts these are.
    published = {"Benign": 504, "Early": 985, "Pre": 963, "Pro": 804}
    counts = Counter(sample.label for sample in dataset.samples)
    assert set(counts) == set(published)
    for label, most in published.items():
        numbers = [sample.number for sample in dataset.samples if sample.label == label]
        assert len(numbers) == len(set(numbers)) <= most
        assert all(number is not None and 1 <= number <= most for number in numbers)
    assert not any("Segmented" in sample.name for sample in dataset.samples)
    assert dataset.read(dataset.samples[0]).shape == (224, 224, 3)
