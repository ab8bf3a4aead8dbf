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

MOST_BYTES = 128 * 2**20
"""Of pixels that wait for one thing, where their weight is known: 900 fields of a slide camera, three photographs."""


def in_order(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    ahead: int = 16,
    threads: int | None = None,
    weigh: Callable[[R], int] | None = None,
) -> Iterator[R]:
    """`map`, with up to `ahead` calls under way or waiting, on threads.

    Decoding and resizing release the interpreter lock, so threads suffice. An exception, of a call or of `items`, is
    raised where its result would have come; results not yet taken are dropped and pending calls cancelled when the
    iterator is closed.

    Args:
        function: called on several threads.
        items: what it takes.
        ahead: most calls whose result was not taken yet; of one nothing is done beforehand.
        threads: None takes one per core.
        weigh: bytes of a result. No more are waited with than hold `MOST_BYTES` if each is as heavy as the heaviest
            so far, but always one a thread.

    >>> list(in_order(str, range(3)))
    ['0', '1', '2']
    """
    threads = threads or os.cpu_count() or 1
    most = ahead if weigh is None else min(ahead, threads)  # until the first has been weighed
    heaviest = 1
    pending: deque[Future[R]] = deque()
    source, failure = iter(items), None
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            while True:
                try:
                    item = next(source)
                except StopIteration:
                    break
                except BaseException as error:  # raised below, after the results before it
                    failure = error
                    break
                pending.append(pool.submit(function, item))
                while len(pending) >= most:
                    result = pending.popleft().result()
                    if weigh is not None:
                        heaviest = max(heaviest, weigh(result))
                        most = min(ahead, max(threads, MOST_BYTES // heaviest))
                    yield result
            while pending:
                yield pending.popleft().result()
            if failure is not None:
                raise failure
        finally:
            for future in pending:
                future.cancel()


def in_groups(items: Iterable[T], *, most: int, weigh: Callable[[T], int]) -> Iterator[list[T]]:
    """Neighbours in groups of at most `most`, and of at most `MOST_BYTES` but for a single one that is heavier.

    >>> list(in_groups("abcde", most=2, weigh=lambda letter: 0))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    group: list[T] = []
    weight = 0
    for item in items:
        heavy = weigh(item)
        if group and weight + heavy > MOST_BYTES:
            yield group
            group, weight = [], 0
        group.append(item)
        weight += heavy
        if len(group) == most:  # not first when another comes, which may take long
            yield group
            group, weight = [], 0
    if group:
        yield group


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
