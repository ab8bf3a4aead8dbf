"""DATA taken apart, and what is said where it is put together wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allsight.core import catalog
from allsight.core.contracts import Dataset
from allsight.core.errors import DataError, UnknownNameError, UsageError
from allsight.data.source import listed, open_dataset, split_location, suspicious_classes
from tests.contracts.layouts import LAYOUTS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("data", ["taleqani", "taleqani:", ":place", "", "/home/me/smears"])
def test_without_kind_or_place_the_forms_are_shown(data: str) -> None:
    with pytest.raises(UsageError, match="KIND:PLACE") as caught:
        open_dataset(data)
    for form in ("taleqani:PATH", "manifest:FILE.csv", "synthetic:SEED", *catalog.names(Dataset)):
        assert form in caught.value.hint


def test_a_wrong_kind_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="telaqani") as caught:
        open_dataset("telaqani:place")
    assert "'taleqani'" in caught.value.hint
    assert caught.value.exit_code == 2


def test_dashes_and_underscores_are_the_same(tmp_path: Path) -> None:
    location = LAYOUTS["image_folder"](tmp_path)
    assert (
        open_dataset(f"image-folder:{location}").samples == open_dataset(f"image_folder:{location}").samples
    )


def test_a_place_may_hold_colons_and_a_home_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    LAYOUTS["image_folder"](tmp_path / "a:b")
    assert len(open_dataset("image_folder:~/a:b").samples) == 3


def test_a_place_that_is_not_there_is_a_data_error() -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_dataset("image_folder:/nowhere/at/all")


def test_options_are_split_off_at_the_last_question_mark() -> None:
    assert split_location("7", known=()) == ("7", {})
    assert split_location("what?/x?a=1&b=2,3", known=("a", "b")) == ("what?/x", {"a": "1", "b": "2,3"})
    assert split_location("x?a=b=c", known=("a",)).options == {"a": "b=c"}


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("x?c=1", "no option 'c'"),
        ("x?a", "'a'"),
        ("x?a=", "'a'"),
        ("x?a=1&a=2", "'a'"),
        ("x?=1", "no option ''"),
    ],
)
def test_a_wrong_option_names_the_right_ones(location: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        split_location(location, known=("b", "a"))
    assert "a" in caught.value.hint
    with pytest.raises(UsageError, match="option") as caught:
        split_location("x?a=1", known=())
    assert "no options" in caught.value.hint


def test_listed_values_may_hold_the_separators() -> None:
    assert listed("a%2Cb,c%26d,e%3Ff,g h") == ("a,b", "c&d", "e?f", "g h")
    assert listed("") == ()


def test_suspicious_classes_come_in_the_order_of_the_classes() -> None:
    assert suspicious_classes({"suspicious": "c,a"}, ("a", "b", "c")) == ("a", "c")
    assert suspicious_classes({"suspicious": "c, a"}, ("a", "b", "c", " a")) == ("c", " a")
    assert suspicious_classes({"suspicious": "c, a"}, ("a", "b", "c")) == ("a", "c")
    assert suspicious_classes({}, ("a", "b")) == ()
    with pytest.raises(UsageError, match="Blast") as caught:
        suspicious_classes({"suspicious": "Blast,b"}, ("a", "b"))
    assert "a, b" in caught.value.hint
