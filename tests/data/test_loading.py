"""Reading ahead keeps to its bounds; `unreadable` names what is wrong now, whatever it remembers of the same bytes."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from allsight.data.hashing import content_hashes
from allsight.data.loading import MOST_BYTES, in_groups, in_order, unreadable
from allsight.data.source import open_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "first"
    place.mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.full((8, 8, 3), ord(name), dtype=np.uint8)).save(place / f"{name}.png")
    (place / "c.png").write_bytes((place / "a.png").read_bytes()[:40])
    return place


def found(folder: Path, *, stated: str | None) -> dict[str, str]:
    hashes = ["", stated or "", ""]
    rows = [f"{name}.png,Early,{sha}" for name, sha in zip("abc", hashes, strict=True)]
    (folder / "m.csv").write_text("\n".join(["path,label,sha256", *rows]) + "\n")
    dataset = open_dataset(f"manifest:{folder / 'm.csv'}")
    return unreadable(dataset, dataset.samples, hashes=content_hashes(dataset))


def test_a_table_put_right_is_believed(folder: Path) -> None:
    assert set(found(folder, stated="0" * 64)) == {"b.png", "c.png"}
    assert set(found(folder, stated=None)) == {"c.png"}
    assert set(found(folder, stated=hashlib.sha256((folder / "b.png").read_bytes()).hexdigest())) == {"c.png"}
    assert "SHA-256 differs" in found(folder, stated="1" * 64)["b.png"]


def test_a_reason_names_the_file_where_it_lies_now(folder: Path) -> None:
    assert str(folder) in found(folder, stated=None)["c.png"]
    moved = folder.rename(folder.parent / "second")
    assert str(moved) in found(moved, stated=None)["c.png"]


@pytest.mark.parametrize(("weight", "most"), [(None, 12), (MOST_BYTES // 5, 5), (MOST_BYTES, 2), (1, 12)])
def test_heavy_results_are_not_piled_up(weight: int | None, most: int) -> None:
    """Counted as a call begins: it and those whose results were not taken yet."""
    begun: list[int] = []
    taken = 0
    under_way = []

    def function(item: int) -> int:
        begun.append(item)
        under_way.append(len(begun) - taken)
        return item

    weigh = None if weight is None else lambda _: weight
    for result in in_order(function, range(60), ahead=12, threads=2, weigh=weigh):
        assert result == taken
        time.sleep(0.002)  # whatever may begin has begun
        taken += 1
    assert max(under_way) == most


def test_a_call_that_fails_ends_what_comes_after_it_and_nothing_before() -> None:
    results = in_order(lambda item: 6 // (3 - item), range(9), threads=1, weigh=lambda _: MOST_BYTES)
    assert [next(results) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_items_that_fail_lose_no_result_before_them() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise KeyboardInterrupt

    results = in_order(str, items(), ahead=8)
    assert [next(results) for _ in range(3)] == ["0", "1", "2"]
    with pytest.raises(KeyboardInterrupt):
        next(results)


def test_groups_hold_no_more_than_they_may() -> None:
    half = MOST_BYTES // 2
    weights = [half, half, 1, 2 * MOST_BYTES, half, half + 1, 0, 0, 0, 0]
    groups = list(in_groups(weights, most=3, weigh=lambda weight: weight))
    assert groups == [[half, half], [1], [2 * MOST_BYTES], [half], [half + 1, 0, 0], [0, 0]]
