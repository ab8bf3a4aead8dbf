"""Timing in turns, and the comparison with a claim of 40 %."""

from __future__ import annotations

import time

import pytest

from allsight.evaluate.speed import Row, Spread, compared, in_turns


def row(backbone: str, runtime: str, ms: float, *, precision: str = "fp32", maps: bool = True) -> Row:
    spread = Spread(ms, ms, ms)
    outputs = "logits, embedding" + (", maps" if maps else "")
    return Row(backbone, runtime, precision, 1, 224, outputs, spread, spread, None, 1.0)


def test_every_call_is_timed_as_often_and_in_turns() -> None:
    order: list[str] = []
    times = in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3)
    assert order == ["a", "b"] * 4
    assert {name: (len(wall), len(cpu)) for name, (wall, cpu) in times.items()} == {"a": (3, 3), "b": (3, 3)}


def test_waiting_is_wall_time_and_no_processor_time() -> None:
    (wall, cpu) = in_turns({"asleep": lambda: time.sleep(0.05)}, rounds=3)["asleep"]
    assert min(wall) >= 50
    assert max(cpu) < 25


def test_spread_is_of_the_middle_eighty_percent() -> None:
    found = Spread.of([float(v) for v in range(11)])
    assert (found.low, found.median, found.high) == (1.0, 5.0, 9.0)


def test_each_runtime_and_the_best_of_each_are_compared() -> None:
    rows = [
        row("b7", "pytorch", 200),
        row("b7", "openvino", 60, precision="int8"),
        row("b7", "pytorch", 1, maps=False),  # measured for what maps cost, and no opponent
        row("vgg19", "pytorch", 400, maps=False),
        row("alexnet", "pytorch", 40, maps=False),
        row("alexnet", "openvino", 10, precision="int8", maps=False),
    ]
    found = {(c.other, c.where): (c.ratio, c.holds) for c in compared(rows, ours="b7")}
    assert found == {
        ("vgg19", "pytorch fp32"): (0.5, True),
        ("vgg19", "best of each"): (0.15, True),
        ("alexnet", "pytorch fp32"): (5.0, False),
        ("alexnet", "openvino int8"): (6.0, False),
        ("alexnet", "best of each"): (6.0, False),
    }


def test_without_the_claimant_nothing_is_compared() -> None:
    assert compared([row("vgg19", "pytorch", 400)], ours="b7") == []
    with pytest.raises(StopIteration):
        next(iter(compared([], ours="b7")))
