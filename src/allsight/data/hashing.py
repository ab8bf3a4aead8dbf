"""SHA-256 of every image of a data set, remembered between runs, and the fingerprint of the whole set."""

from __future__ import annotations

import contextlib
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
    comes from one file in the cache folder. A file that is missing or cannot be read has "unreadable NAME" instead,
    which is no hash and equals no other's; reading it says what is wrong.
    """
    now = time.time_ns()
    remembered = _remembered()
    stamps = _stamps(dataset.samples)
    found: dict[str, str] = {}
    for sample in dataset.samples:
        size, changed, digest = remembered.get(_key(sample), (-1, -1, ""))
        if stamps.get(sample.name) == (size, changed):
            found[sample.name] = digest
    unread = [sample for sample in dataset.samples if sample.name not in found]
    fresh: _Remembered = {}
    for sample, read in _read(dataset, unread):
        if isinstance(read, ImageError):
            found[sample.name] = f"unreadable {sample.name}"
        else:
            found[sample.name] = read
            stamp = stamps.get(sample.name)
            if stamp is not None and stamp[1] < now - SETTLED_NS:
                fresh[_key(sample)] = (*stamp, read)
        progress("hashing", len(found), len(dataset.samples))
    _remember(fresh)
    return {sample.name: found[sample.name] for sample in dataset.samples}


def is_hash(text: str) -> bool:
    """Whether `content_hashes` could read the file that it gives this text for."""
    return not text.startswith("unreadable ")


def hashed_anew(dataset: Dataset, *, progress: Progress = silent) -> dict[str, str]:
    """As `content_hashes`, but every file is read: a change that left the time stamp alone is seen.

    Raises:
        ImageError: a file is missing or cannot be read.
    """
    found: dict[str, str] = {}
    for sample, read in _read(dataset, dataset.samples):
        if isinstance(read, ImageError):
            raise read
        found[sample.name] = read
        progress("hashing", len(found), len(dataset.samples))
    return found


def data_fingerprint(dataset: Dataset, hashes: Mapping[str, str]) -> str:
    """One SHA-256 over the names, hashes, labels and patients of all samples; where files lie is no part."""
    return fingerprint(
        text
        for sample in sorted(dataset.samples, key=lambda sample: sample.name)
        for text in (sample.name, hashes[sample.name], repr(sample.label), repr(sample.patient))
    )


def _read(dataset: Dataset, samples: Iterable[Sample]) -> Iterator[tuple[Sample, str | ImageError]]:
    def hashed(sample: Sample) -> tuple[Sample, str | ImageError]:
        try:
            return sample, dataset.sha256(sample)
        except OSError as error:
            return sample, ImageError(
                f"{sample.path}: cannot be read ({error.strerror or error}).",
                hint="Check the path and its rights.",
            )

    return in_order(hashed, samples)


def _key(sample: Sample) -> str:
    return "" if sample.path is None else os.path.abspath(sample.path)


def _stamps(samples: Iterable[Sample]) -> dict[str, _Stamp]:
    """Size and time of change, by name, of the files that are there."""
    found = {}
    for sample in samples:
        if sample.path is not None:
            with contextlib.suppress(OSError):
                status = sample.path.stat()
                found[sample.name] = (status.st_size, status.st_mtime_ns)
    return found


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
