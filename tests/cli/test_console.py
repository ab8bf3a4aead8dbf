"""Progress in a log file: few lines, each with what is left to wait for."""

from __future__ import annotations

import pytest

from allsight.cli.commands.study import in_a_log
from allsight.cli.console import Lines


def test_a_line_a_minute_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 0.0, 30.0, 59.0, 61.0, 90.0, 130.0])
    lines = Lines(every=60.0, now=lambda: next(clock))
    for done in (0, 30, 59, 61, 90, 130):
        lines("epoch 1", done, 1000)
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1 61 of 1000, 16 min left",
        "epoch 1 130 of 1000, 14 min left",
    ]


def test_the_same_task_anew_is_timed_anew(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 0.0, 100.0, 1000.0, 1100.0])
    lines = Lines(every=60.0, now=lambda: next(clock))
    for done in (0, 10, 0, 10):
        lines("features", done, 20)
    lines_said = capsys.readouterr().err.splitlines()
    assert lines_said[0] == "features 10 of 20, 2 min left"
    assert lines_said[-1] == "features 10 of 20, 2 min left"


def test_a_task_without_a_known_end_has_no_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 0.0, 70.0])
    lines = Lines(now=lambda: next(clock))
    for done in (1, 2):
        lines("hashing", done, 0)
    assert capsys.readouterr().err == "hashing 2\n"


def test_a_study_tells_of_its_models_and_of_what_goes_on_inside(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 0.0, 61.0])
    told = in_a_log(Lines(now=lambda: next(clock)), now=iter([0.0, 600.0, 1200.0]).__next__)
    told("study", 0, 2)
    told("epoch 1", 5, 20)
    told("epoch 1", 10, 20)
    told("study", 1, 2)
    told("study", 2, 2)
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1 10 of 20, 2 min left",
        "1 of 2 models, about 10 min left",
        "2 of 2 models",
    ]
