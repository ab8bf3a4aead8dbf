"""What a bundle may have learned from that a training begins with."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from allsight.core.errors import LeakError
from allsight.models.training.ancestry import assert_has_not_seen

PARTS = {"train": ("a", "b"), "validation": ("c",), "test": ("copy of a", "d")}
HASHES = {"a": "1", "b": "2", "c": "3", "copy of a": "1", "d": "4"}
ALONE = {name: name for name in HASHES}


def learned_from(folder: Path, *names: str) -> Path:
    with (folder / "split.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("name", "sha256", "label", "part", "group"))
        writer.writerows((name, HASHES[name], "", "train", name) for name in names)
    return folder


def test_copies_on_both_sides_of_the_training_itself_are_no_news(tmp_path: Path) -> None:
    folder = learned_from(tmp_path, "a", "b")
    assert_has_not_seen(folder, role="It", hashes=HASHES, parts=PARTS, groups=ALONE)


def test_what_only_the_bundle_learned_from_is_refused(tmp_path: Path) -> None:
    folder = learned_from(tmp_path, "a", "d")
    with pytest.raises(
        LeakError, match=r"learned from groups of 1 of the 3 images held back now, such as 'd'"
    ):
        assert_has_not_seen(folder, role="It", hashes=HASHES, parts=PARTS, groups=ALONE)


def test_a_group_of_which_the_bundle_learned_from_one_image_is_refused(tmp_path: Path) -> None:
    hashes, groups = {**HASHES, "e": "5"}, {**ALONE, "e": "person", "d": "person"}
    folder = learned_from(tmp_path, "b")
    with (folder / "split.csv").open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(("e", "5", "", "train", "e"))
    with pytest.raises(LeakError, match="such as 'd'"):
        assert_has_not_seen(folder, role="It", hashes=hashes, parts=PARTS, groups=groups)
