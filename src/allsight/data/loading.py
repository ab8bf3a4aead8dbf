"""Reads many images on threads, in order, with bounded memory."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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
