"""`unreadable` names what is wrong now, whatever it remembers of the same bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from allsight.data.hashing import content_hashes
from allsight.data.loading import unreadable
from allsight.data.source import open_dataset


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
