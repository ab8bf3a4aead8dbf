"""An audit in short, whatever of it there is."""

from __future__ import annotations

from typing import Any

import pytest

from allsight.report.audit_summary import Shortcut, summary_of


@pytest.mark.parametrize(
    "document", [{}, {"classes": None, "groups": [], "leaks": {}, "shortcuts": 3, "exact_duplicates": "x"}]
)
def test_missing_and_strange_parts_are_passed_over(document: dict[str, Any]) -> None:
    summary = summary_of(document)
    assert summary.leaks == ()
    assert summary.shortcuts == ()


def test_shortcuts_are_read_with_intervals_and_under_several_splits() -> None:
    one = {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}, "f1_macro": 0.25}
    found = summary_of({"shortcuts": {"corner": one, "background": {"random": {"accuracy": 1.0}}}}).shortcuts
    assert found == (
        Shortcut("corner", "50.0\xa0%", "0.250"),
        Shortcut("background, random", "100.0\xa0%", "—"),
    )


def test_no_duplicates_are_said_to_be_none() -> None:
    assert ("byte-identical files", "none") in summary_of({"exact_duplicates": []}).repeats


def test_a_leak_in_words_and_one_in_parts_are_both_shown() -> None:
    found = summary_of(
        {"leaks": ["patient 11 is in train and test", {"group": "g", "parts": ["a", "b"]}]}
    ).leaks
    assert found == ("patient 11 is in train and test", "group: g; parts: a, b")
