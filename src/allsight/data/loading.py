"""Reads many images on threads, in order, with bounded memory."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from allsight.core.errors import ImageError
from allsight.core.progress import Progress, silent
from allsight.core.provenance import fingerprint
from allsight.data.kept import kept, pixels_fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample

T = TypeVar("T")
R = TypeVar("R")


def in_order(function: Callable[[T], R], items: Iterable[T], *, ahead: int = 16) -> Iterator[R]:
    """`map`, with up to `ahead` calls under way or waiting on one thread per core.

    Decoding and resizing release the interpreter lock, so threads suffice. An exception is raised where its result
    would have come; results not yet taken are dropped and pending calls cancelled when the iterator is closed.

    >>> list(in_order(str, range(3)))
    ['0', '1', '2']
    """
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


@dataclass(frozen=True, slots=True)
class _Unreadable:
    names: tuple[str, ...]


def unreadable(
    dataset: Dataset, samples: Sequence[Sample], *, hashes: Mapping[str, str], progress: Progress = silent
) -> dict[str, str]:
    """What is wrong with the samples that cannot be read, by name.

    Which files can be decoded is remembered by their content; what the source states of them is compared each time.

    Args:
        dataset: reads the samples; generated ones are always readable.
        samples: which to try.
        hashes: content hash by sample name.
        progress: told after each image.
    """
    files = [s for s in samples if s.path is not None]
    if not files:
        return {}

    def reason(sample: Sample) -> str:
        try:
            dataset.read(sample)
        except ImageError as error:
            return str(error)
        return ""

    stated = dataset.stated_hashes()
    as_stated = [s for s in files if stated.get(s.name, hashes[s.name]) == hashes[s.name]]

    def try_all() -> _Unreadable:
        found = []
        for done, (sample, wrong) in enumerate(
            zip(as_stated, in_order(reason, as_stated), strict=True), start=1
        ):
            if wrong:
                found.append(sample.name)
            progress("reading", done, len(as_stated))
        return _Unreadable(tuple(found))

    key = fingerprint(["readable", pixels_fingerprint(dataset, {s.name: hashes[s.name] for s in as_stated})])
    bad = {*kept(_Unreadable, "readable", key=key, compute=try_all).names}
    bad.update(s.name for s in files if stated.get(s.name, hashes[s.name]) != hashes[s.name])
    reasons = {s.name: reason(s) for s in files if s.name in bad}
    return {name: wrong for name, wrong in reasons.items() if wrong}
