"""The ALL part of Multi-Cancer, and the other cancers as images to refuse."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from allsight.core.errors import DataError
from allsight.data.datasets.multi_cancer import MultiCancer
from allsight.data.datasets.taleqani import Taleqani
from tests.contracts import layouts

if TYPE_CHECKING:
    from pathlib import Path


def test_classes_are_those_of_the_set_it_was_made_from(tmp_path: Path) -> None:
    dataset = MultiCancer.open(layouts.multi_cancer(tmp_path / "copies"))
    original = Taleqani.open(layouts.taleqani(tmp_path / "originals"))
    assert (dataset.classes, dataset.suspicious) == (original.classes, original.suspicious)
    labels = {sample.name.split("/")[1]: sample.label for sample in dataset.samples}
    assert labels == {"all_benign": "Benign", "all_early": "Early", "all_pre": "Pre", "all_pro": "Pro"}


def test_it_is_no_independent_test_and_says_why(tmp_path: Path) -> None:
    dataset = MultiCancer.open(layouts.multi_cancer(tmp_path))
    assert not dataset.independent
    assert "Taleqani" in dataset.caution


def test_other_cancers_are_unlabelled_images_to_refuse(tmp_path: Path) -> None:
    dataset = MultiCancer.open(layouts.multi_cancer(tmp_path))
    (other,) = dataset.other_cancers
    assert other.name == "Brain Cancer/brain_glioma/brain_glioma_0001.jpg"
    assert (other.label, other.part) == (None, "Brain Cancer")
    assert dataset.read(other).shape == (24, 24, 3)
    assert other not in dataset.samples


def test_the_all_folder_itself_gives_the_same_names(tmp_path: Path) -> None:
    root = layouts.multi_cancer(tmp_path)
    inside = MultiCancer.open(f"{root}/ALL")
    assert inside.samples == MultiCancer.open(root).samples
    assert inside.other_cancers == ()


def test_what_is_missing_or_strange_is_named(tmp_path: Path) -> None:
    root = layouts.multi_cancer(tmp_path)
    layouts.save_image(tmp_path / "ALL/all_pre/all_pro_0001.jpg")
    with pytest.raises(DataError, match=r"all_pro_0001\.jpg"):
        MultiCancer.open(root)
    shutil.rmtree(tmp_path / "ALL/all_pre")
    with pytest.raises(DataError, match="no folder all_pre"):
        MultiCancer.open(root)


@pytest.mark.real
def test_the_real_sample(real_data: Path) -> None:
    dataset = MultiCancer.open(str(real_data / "multi_cancer_sample"))
    assert {sample.label for sample in dataset.samples} == set(dataset.classes)
    assert dataset.read(dataset.samples[0]).shape == (512, 512, 3)
