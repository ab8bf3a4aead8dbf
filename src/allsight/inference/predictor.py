"""Runs a bundle over any number of images: decoding on threads beside inference, results in order, memory bounded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, final

import numpy as np

from allsight.core.errors import BundleError, ImageError
from allsight.core.records import Outputs
from allsight.data.appearance import Appearance, appearance
from allsight.data.loading import in_groups, in_order
from allsight.inference.checks import objections
from allsight.inference.choice import Served, open_runtime
from allsight.inference.precision import FP32, INT8
from allsight.inference.rounding import clearance, unsettled
from allsight.inference.second_look import looked_again
from allsight.inference.trust import Judgement, Space, Trust, in_precision, judge
from allsight.models.bundle import BundleConfig, read_config, read_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime

T = TypeVar("T")


class Seen(NamedTuple):
    """An image, uint8 RGB (H, W, 3), and what it looks like."""

    image: NDArray[np.uint8]
    look: Appearance


class Run(NamedTuple):
    """What a network gives for one image (N = 1), and the image."""

    outputs: Outputs
    seen: Seen


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer for one image, and the name of the network that gave it."""

    judgement: Judgement
    answered_by: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one file."""

    path: str
    answer: Answer

    @property
    def judgement(self) -> Judgement:
        """What was answered."""
        return self.answer.judgement

    def to_json(self) -> dict[str, Any]:
        """The keys of `predict --json`."""
        return {"path": self.path, **self.judgement.to_json(), "answered_by": self.answer.answered_by}


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be answered, and why."""

    path: str
    error: str

    def to_json(self) -> dict[str, Any]:
        """The keys of `predict --json`."""
        return {"path": self.path, "error": self.error}


def readable(
    items: Iterable[T], *, read: Callable[[T], NDArray[np.uint8]], ahead: int
) -> Iterator[tuple[T, Seen | ImageError]]:
    """Every item with its image, or with the reason why it could not be read, in order; read on several threads.

    Args:
        items: what `read` takes.
        read: gives uint8 RGB (H, W, 3) or raises `ImageError`.
        ahead: most images that wait.
    """

    def attempt(item: T) -> tuple[T, Seen | ImageError]:
        try:
            image = read(item)
        except ImageError as error:
            return item, error
        return item, Seen(image, appearance(image))

    return in_order(attempt, items, ahead=ahead, weigh=pixel_bytes)


def pixel_bytes(pair: tuple[object, Seen | Run | ImageError]) -> int:
    """How much memory the image of an item takes."""
    found = pair[1]
    if isinstance(found, Run):
        found = found.seen
    return 0 if isinstance(found, ImageError) else found.image.nbytes


def run_over(
    runtime: Runtime, items: Iterable[T], *, read: Callable[[T], NDArray[np.uint8]], batch: int = 16
) -> Iterator[tuple[T, Run | ImageError]]:
    """Every item with what the network gives for it, or with the reason why it could not be read, in order.

    Neighbours of one shape share a forward pass.

    Args:
        runtime: runs the graph.
        items: what `read` takes.
        read: gives uint8 RGB (H, W, 3) or raises `ImageError`; called on several threads.
        batch: most images in one pass.
    """
    yield from run_seen(runtime, readable(items, read=read, ahead=2 * batch), batch=batch)


def run_seen(
    runtime: Runtime, items: Iterable[tuple[T, Seen | ImageError]], *, batch: int = 16
) -> Iterator[tuple[T, Run | ImageError]]:
    """As `run_over`, for images that were read already."""
    for group in in_groups(items, most=batch, weigh=pixel_bytes):
        waiting: list[tuple[T, Seen]] = []
        for item, found in group:
            if waiting and (isinstance(found, ImageError) or found.image.shape != waiting[0][1].image.shape):
                yield from _run_batch(runtime, waiting)
                waiting = []
            if isinstance(found, ImageError):
                yield item, found
            else:
                waiting.append((item, found))
        if waiting:
            yield from _run_batch(runtime, waiting)


def _run_batch(runtime: Runtime, waiting: list[tuple[T, Seen]]) -> Iterator[tuple[T, Run]]:
    logits, maps, embedding = runtime.run(np.stack([found.image for _, found in waiting]))
    for i, (item, found) in enumerate(waiting):
        here = slice(i, i + 1)
        outputs = Outputs(logits[here], None if maps is None else maps[here], embedding[here])
        yield item, Run(outputs, found)


@final
class Predictor:
    """A bundle ready to answer.

    Args:
        served: what runs its graph.
        config: what the bundle says of itself.
        trust: calibration and limits.
        space: where training images lie.
        exact: opens the fp32 graph beside an int8 one, once, for verdicts that rounding could have turned; None where
            there is no such graph.
    """

    def __init__(
        self,
        served: Served,
        *,
        config: BundleConfig,
        trust: Trust,
        space: Space,
        exact: Callable[[], Predictor] | None = None,
    ) -> None:
        self.served = served
        self.runtime = served.runtime
        self.config = config
        self.trust = trust
        self.space = space
        self._exact = exact and cache(exact)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        runtime: str | None = "pytorch",
        precision: str | None = None,
        threads: int | None = None,
    ) -> Self:
        """The predictor of the bundle in `folder`.

        Args:
            folder: of the bundle.
            runtime: its name; None takes the fastest that is there.
            precision: "fp32" or "int8"; None takes the fastest that is there.
            threads: at most so many.

        Raises:
            BundleError: no bundle, a damaged one, one without calibration, or not exported for this runtime.
            MissingDependencyError: the runtime's library is not installed.
            UsageError: no such runtime or precision.
        """
        config = read_config(folder)
        if config.trust is None:
            raise BundleError(
                f"{str(folder)!r} has no calibration.", hint="Train it again with `allsight train`."
            )
        served = open_runtime(folder, runtime=runtime, precision=precision, threads=threads)
        trust = in_precision(Trust.model_validate(config.trust), served.precision)
        exact: Callable[[], Predictor] | None = None
        if served.precision == INT8 and FP32 in served.runtime.precisions(folder):
            exact = partial(cls.open, folder, runtime=served.name, precision=FP32, threads=threads)
        return cls(served, config=config, trust=trust, space=load_space(folder), exact=exact)

    def judged(self, image: NDArray[np.uint8]) -> Judgement:
        """The answer for one image, uint8 RGB (H, W, 3)."""
        image = self.config.preprocessing.reduced(image)
        (found,) = self.judge_seen([Seen(image, appearance(image))])
        return found

    def judge_seen(self, seen: Sequence[Seen], *, batch: int = 16) -> list[Judgement]:
        """The answers for images that were read already, at most `batch` of them in one forward pass."""
        runs = run_seen(self.runtime, [(None, one) for one in seen], batch=batch)
        return self.judge_all([run for _, run in runs if not isinstance(run, ImageError)])

    def judge_all(self, runs: Sequence[Run]) -> list[Judgement]:
        """The answers for some images' outputs.

        Where those leave doubt the image is looked at again; where rounding could have turned the verdict it is the
        fp32 graph's, which is asked for all such images together.
        """
        found, again = [], []
        for i, run in enumerate(runs):
            judgement, unsettled = self._judge(run)
            found.append(judgement)
            if unsettled:
                again.append(i)
        if self._exact and again:
            exact = self._exact().judge_seen([runs[i].seen for i in again])
            for i, judgement in zip(again, exact, strict=True):
                found[i] = judgement
        return found

    def _judge(self, run: Run) -> tuple[Judgement, bool]:
        """What this graph says of an image, and whether its rounding could have turned that."""
        outputs = looked_again(
            self.runtime, run.seen.image, run.outputs, doubt=self.trust.doubt, stain=self.trust.stain
        )
        distances = self.space.distances(outputs.embedding)
        (found,) = judge(
            outputs.logits,
            distances,
            trust=self.trust,
            classes=self.config.classes,
            suspicious=self.config.suspicious,
            looks=[run.seen.look],
        )
        if not self._exact or not self.trust.rounding or objections(run.seen.look, self.trust.limits):
            return found, False
        clearances = clearance(outputs.logits, distances, trust=self.trust)
        return found, bool(unsettled(clearances, self.trust.rounding)[0])

    def answers(
        self, items: Iterable[T], *, read: Callable[[T], NDArray[np.uint8]], batch: int = 16
    ) -> Iterator[tuple[T, Answer | ImageError]]:
        """Every item with its answer, or with the reason why it could not be read, in order.

        Args:
            items: what `read` takes.
            read: gives uint8 RGB (H, W, 3) or raises `ImageError`; called on several threads.
            batch: most images in one forward pass.
        """
        reduced = self.config.preprocessing.reduced
        runs = run_over(self.runtime, items, read=lambda item: reduced(read(item)), batch=batch)
        groups = in_groups(runs, most=batch, weigh=pixel_bytes)
        for answered in in_order(self._answered, groups, ahead=2, threads=1):  # beside the next group's run
            yield from answered

    def _answered(self, pairs: Sequence[tuple[T, Run | ImageError]]) -> list[tuple[T, Answer | ImageError]]:
        judged = iter(self.judge_all([run for _, run in pairs if not isinstance(run, ImageError)]))
        return [
            (item, run if isinstance(run, ImageError) else Answer(next(judged), self.config.name))
            for item, run in pairs
        ]


def load_space(folder: Path) -> Space:
    """The embedding statistics of a bundle, read without torch.

    Raises:
        BundleError: the file does not hold them.
    """
    return Space.from_tensors(read_tensors(folder, ("trust.projection", "trust.centres")))
