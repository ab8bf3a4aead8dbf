"""One pass over many images on all cores. An unreadable image is named and the rest goes on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import cv2
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from allsight.core.errors import ImageError
from allsight.core.progress import silent
from allsight.data.loading import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.progress import Progress
    from allsight.core.records import Sample

R = TypeVar("R")


@dataclass(frozen=True)
class Swept(Generic[R]):
    """What a pass over images gave.

    Attributes:
        results: by sample name, in the order of the samples.
        unreadable: what was wrong, by sample name, for images that could not be read.
    """

    results: Mapping[str, R]
    unreadable: Mapping[str, str]


def sweep(
    dataset: Dataset,
    function: Callable[[NDArray[np.uint8]], R],
    *,
    samples: Sequence[Sample],
    what: str,
    progress: Progress = silent,
) -> Swept[R]:
    """Read each sample once and compute something from its pixels, uint8 RGB (H, W, 3)."""

    def one(sample: Sample) -> R | ImageError:
        try:
            pixels = dataset.read(sample)
        except ImageError as error:
            return error
        return function(pixels)

    results: dict[str, R] = {}
    unreadable: dict[str, str] = {}
    with one_thread_each():
        for done, (sample, result) in enumerate(zip(samples, in_order(one, samples), strict=True), start=1):
            if isinstance(result, ImageError):
                unreadable[sample.name] = str(result)
            else:
                results[sample.name] = result
            progress(what, done, len(samples))
    return Swept(results, unreadable)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Hold BLAS and OpenCV to one thread a call while Python's own threads fill the cores."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        cv2.setNumThreads(threads)
