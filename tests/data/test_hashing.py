"""Hashes against hashlib, the cache by what is read from disk, the fingerprint by what must change it."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from allsight.core.errors import ImageError
from allsight.data.datasets.image_folder import ImageFolder
from allsight.data.hashing import CACHE_FILE, content_hashes, data_fingerprint, hashed_anew
from tests.contracts.layouts import save_image

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache file of this test alone."""
    monkeypatch.setenv("ALLSIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / CACHE_FILE


@pytest.fixture
def dataset(tmp_path: Path) -> ImageFolder:
    for at, name in enumerate(("a/1.png", "a/2.png", "b/3.png")):
        path = save_image(tmp_path / "smears" / name, seed=at)
        age(path, seconds=100)
    return ImageFolder.open(str(tmp_path / "smears"))


def age(path: Path, *, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def _expected(dataset: ImageFolder) -> dict[str, str]:
    files = {sample.name: sample.path for sample in dataset.samples}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if path}


def _overwrite_unseen(path: Path) -> None:
    """Change a file's content but neither its size nor its time: only a reader would notice."""
    status, data = path.stat(), bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_hashes_equal_hashlib_in_the_order_of_the_samples(dataset: ImageFolder, cache: Path) -> None:
    hashes = content_hashes(dataset)
    assert hashes == _expected(dataset)
    assert list(hashes) == [sample.name for sample in dataset.samples]
    assert cache.is_file()


@pytest.mark.usefixtures("cache")
def test_the_second_time_nothing_is_read(dataset: ImageFolder) -> None:
    before = content_hashes(dataset)
    path = dataset.samples[0].path
    assert path is not None
    _overwrite_unseen(path)
    seen: list[tuple[str, int, int]] = []
    assert content_hashes(dataset, progress=lambda *step: seen.append(step)) == before
    assert seen == []
    assert hashed_anew(dataset) == _expected(dataset) != before


@pytest.mark.usefixtures("cache")
def test_a_changed_file_alone_is_read_again(dataset: ImageFolder) -> None:
    content_hashes(dataset)
    path = dataset.samples[1].path
    assert path is not None
    _overwrite_unseen(path)
    age(path, seconds=50)
    seen: list[tuple[str, int, int]] = []
    assert content_hashes(dataset, progress=lambda *step: seen.append(step)) == _expected(dataset)
    assert seen == [("hashing", 3, 3)]


@pytest.mark.usefixtures("cache")
def test_a_file_written_just_now_is_not_remembered(dataset: ImageFolder) -> None:
    path = dataset.samples[0].path
    assert path is not None
    age(path, seconds=0)
    content_hashes(dataset)
    _overwrite_unseen(path)
    assert content_hashes(dataset) == _expected(dataset)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', '{"a": [1, 2]}', "\0"])
def test_a_damaged_cache_is_written_anew(dataset: ImageFolder, cache: Path, content: str) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    assert content_hashes(dataset) == _expected(dataset)
    assert len(cache.read_text()) > 200


def test_the_cache_keeps_what_other_data_sets_wrote(
    dataset: ImageFolder, cache: Path, tmp_path: Path
) -> None:
    content_hashes(dataset)
    size = cache.stat().st_size
    age(save_image(tmp_path / "others/c/4.png", seed=4), seconds=100)
    content_hashes(ImageFolder.open(str(tmp_path / "others")))
    assert cache.stat().st_size > size


@pytest.mark.usefixtures("cache")
def test_a_missing_file_is_named(dataset: ImageFolder) -> None:
    path = dataset.samples[2].path
    assert path is not None
    before = content_hashes(dataset)
    path.unlink()
    after = content_hashes(dataset)
    assert after.pop(dataset.samples[2].name) == f"unreadable {dataset.samples[2].name}"
    assert after.items() < before.items()
    with pytest.raises(ImageError, match=r"3\.png"):
        hashed_anew(dataset)


def test_the_fingerprint_changes_with_names_content_labels_and_patients(dataset: ImageFolder) -> None:
    hashes = _expected(dataset)
    first, *others = dataset.samples
    renamed = replace(first, name="a/0.png")
    variants = [
        (dataset, hashes),
        (dataset, {**hashes, first.name: "0" * 64}),
        (replace(dataset, samples=(replace(first, label="b"), *others)), hashes),
        (replace(dataset, samples=(replace(first, label=None), *others)), hashes),
        (replace(dataset, samples=(replace(first, patient="None"), *others)), hashes),
        (replace(dataset, samples=(renamed, *others)), {**hashes, renamed.name: hashes[first.name]}),
    ]
    assert len({data_fingerprint(data, known) for data, known in variants}) == len(variants)


def test_the_fingerprint_ignores_place_and_order(dataset: ImageFolder) -> None:
    hashes = _expected(dataset)
    moved = replace(dataset, samples=tuple(replace(s, path=None) for s in reversed(dataset.samples)))
    assert data_fingerprint(moved, hashes) == data_fingerprint(dataset, hashes)
