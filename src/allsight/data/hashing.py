"""SHA-256 of every image of a data set, remembered between runs, and the fingerprint of the whole set."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from allsight.core.errors import ImageError
from allsight.core.files import cache_folder, whole_file
from allsight.core.progress import silent
from allsight.core.provenance import fingerprint
from allsight.data.loading import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from allsight.core.contracts import Dataset
    from allsight.core.progress import Progress
    from allsight.core.records import Sample

CACHE_FILE = "hashes.json"
SETTLED_NS = 2_000_000_000
"""A file younger than this may change again within its time stamp's grain, so its hash is not remembered."""

_Stamp = tuple[int, int]
_Remembered = dict[str, tuple[int, int, str]]
_FORM = TypeAdapter(_Remembered)


def content_hashes(dataset: Dataset, *, progress: Progress = silent) -> dict[str, str]:
    """Sample name to the hexadecimal SHA-256 that identifies its image, in the order of `dataset.samples`.

    Several threads read. A file that has kept its path, size and time of change is not read again: its hash
    comes from one file in the cache folder.

    Raises:
        ImageError: a file is missing or cannot be read.
    """
    now = time.time_ns()
    remembered = _remembered()
    stamps = {sample.name: _stamp(sample.path) for sample in dataset.samples if sample.path is not None}
    found: dict[str, str] = {}
    for sample in dataset.samples:
        size, changed, digest = remembered.get(_key(sample), (-1, -1, ""))
        if stamps.get(sample.name) == (size, changed):
            found[sample.name] = digest
    unread = [sample for sample in dataset.samples if sample.name not in found]
    for sample, digest in _read(dataset, unread):
        found[sample.name] = digest
        progress("hashing", len(found), len(dataset.samples))
    _remember(
        {
            _key(sample): (*stamps[sample.name], found[sample.name])
            for sample in unread
            if sample.name in stamps and stamps[sample.name][1] < now - SETTLED_NS
        }
    )
    return {sample.name: found[sample.name] for sample in dataset.samples}


def hashed_anew(dataset: Dataset, *, progress: Progress = silent) -> dict[str, str]:
    """As `content_hashes`, but every file is read: a change that left the time stamp alone is seen."""
    found: dict[str, str] = {}
    for sample, digest in _read(dataset, dataset.samples):
        found[sample.name] = digest
        progress("hashing", len(found), len(dataset.samples))
    return found


def data_fingerprint(dataset: Dataset, hashes: Mapping[str, str]) -> str:
    """One SHA-256 over the names, hashes, labels and patients of all samples; where files lie is no part."""
    return fingerprint(
        text
        for sample in sorted(dataset.samples, key=lambda sample: sample.name)
        for text in (sample.name, hashes[sample.name], repr(sample.label), repr(sample.patient))
    )


def _read(dataset: Dataset, samples: Iterable[Sample]) -> Iterator[tuple[Sample, str]]:
    def hashed(sample: Sample) -> tuple[Sample, str]:
        try:
            return sample, dataset.sha256(sample)
        except OSError as error:
            raise _unreadable(sample.path, error) from error

    return in_order(hashed, samples)


def _key(sample: Sample) -> str:
    return "" if sample.path is None else os.path.abspath(sample.path)


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return status.st_size, status.st_mtime_ns


def _unreadable(path: Path | None, error: OSError) -> ImageError:
    return ImageError(
        f"{path}: cannot be read ({error.strerror or error}).", hint="Check the path and its rights."
    )


def _remembered() -> _Remembered:
    """What earlier runs read; empty where nothing is kept or what is kept is not in form."""
    try:
        return _FORM.validate_json((cache_folder() / CACHE_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return {}


def _remember(fresh: _Remembered) -> None:
    if not fresh:
        return
    # Read again: another run may have added to it meanwhile.
    with whole_file(cache_folder() / CACHE_FILE) as part:
        part.write_bytes(_FORM.dump_json(_remembered() | fresh))
