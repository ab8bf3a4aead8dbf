"""One pass over images: order, damage, threads."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from allsight.data.kept import kept, pixels_fingerprint
from allsight.data.sweep import one_thread_each, sweep
from tests.data.drawn import Drawn


def images(count: int) -> dict[str, np.ndarray | None]:
    return {f"{i:02d}": np.full((4, 4, 3), i, np.uint8) for i in range(count)}


def test_results_keep_the_order_and_damaged_images_are_named() -> None:
    data = Drawn({**images(30), "07": None})
    told: list[tuple[str, int, int]] = []
    swept = sweep(
        data,
        lambda pixels: int(pixels[0, 0, 0]),
        samples=data.samples,
        what="looking",
        progress=lambda *said: told.append(said),
    )
    assert list(swept.results.values()) == [i for i in range(30) if i != 7]
    assert list(swept.unreadable) == ["07"]
    assert told == [("looking", i + 1, 30) for i in range(30)]


def test_other_errors_are_not_swallowed_and_threads_are_given_back() -> None:
    data = Drawn(images(3))
    threads = cv2.getNumThreads()

    def fail(pixels: np.ndarray) -> None:
        raise ArithmeticError(pixels.shape)

    with pytest.raises(ArithmeticError):
        sweep(data, fail, samples=data.samples, what="failing")
    assert cv2.getNumThreads() == threads


def test_one_thread_each_holds_inside_only() -> None:
    threads = cv2.getNumThreads()
    with one_thread_each():
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == threads


def test_a_kept_result_is_computed_once_and_again_when_it_cannot_be_read() -> None:
    from allsight.core.files import cache_folder

    calls: list[int] = []

    def compute() -> tuple[str, ...]:
        calls.append(1)
        return ("a", "b")

    results = [kept(tuple[str, ...], "trials", key="k", compute=compute) for _ in range(2)]
    assert results == [("a", "b"), ("a", "b")]
    assert len(calls) == 1
    (cache_folder() / "trials" / "k.json").write_text("{not json", encoding="utf-8")
    assert kept(tuple[str, ...], "trials", key="k", compute=compute) == ("a", "b")
    assert len(calls) == 2


def test_the_fingerprint_follows_content_and_not_order_or_labels() -> None:
    first, other = Drawn(images(2)), Drawn(images(3))
    assert pixels_fingerprint(first, first.hashes) != pixels_fingerprint(other, other.hashes)
    turned = dict(reversed(first.hashes.items()))
    assert pixels_fingerprint(first, turned) == pixels_fingerprint(first, first.hashes)
