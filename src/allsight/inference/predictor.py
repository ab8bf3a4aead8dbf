"""Runs a bundle over any number of images: decoding on threads beside inference, results in order, memory bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar, final

import numpy as np

from allsight.core.errors import BundleError, ImageError
from allsight.core.records import Outputs
from allsight.data.loading import in_order
from allsight.inference.choice import Served, open_runtime
from allsight.inference.trust import Judgement, Space, Trust, judge
from allsight.models.bundle import MODEL_FILE, BundleConfig, read_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime

T = TypeVar("T")


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
) -> Iterator[tuple[T, NDArray[np.uint8] | ImageError]]:
    """Every item with its image, or with the reason why it could not be read, in order; read on several threads.

    Args:
        items: what `read` takes.
        read: gives uint8 RGB (H, W, 3) or raises `ImageError`.
        ahead: most images that wait.
    """

    def attempt(item: T) -> tuple[T, NDArray[np.uint8] | ImageError]:
        try:
            return item, read(item)
        except ImageError as error:
            return item, error

    return in_order(attempt, items, ahead=ahead)


def run_over(
    runtime: Runtime, items: Iterable[T], *, read: Callable[[T], NDArray[np.uint8]], batch: int = 16
) -> Iterator[tuple[T, Outputs | ImageError]]:
    """Every item with its outputs (each with N = 1), or with the reason why it could not be read, in order.

    Neighbours of one shape share a forward pass.

    Args:
        runtime: runs the graph.
        items: what `read` takes.
        read: gives uint8 RGB (H, W, 3) or raises `ImageError`; called on several threads.
        batch: most images in one pass.
    """

    waiting: list[tuple[T, NDArray[np.uint8]]] = []
    for item, image in readable(items, read=read, ahead=2 * batch):
        if waiting and (
            isinstance(image, ImageError) or len(waiting) == batch or image.shape != waiting[0][1].shape
        ):
            yield from _run_batch(runtime, waiting)
            waiting = []
        if isinstance(image, ImageError):
            yield item, image
        else:
            waiting.append((item, image))
    if waiting:
        yield from _run_batch(runtime, waiting)


def _run_batch(runtime: Runtime, waiting: list[tuple[T, NDArray[np.uint8]]]) -> Iterator[tuple[T, Outputs]]:
    logits, maps, embedding = runtime.run(np.stack([image for _, image in waiting]))
    for i, (item, _) in enumerate(waiting):
        here = slice(i, i + 1)
        yield item, Outputs(logits[here], None if maps is None else maps[here], embedding[here])


@final
class Predictor:
    """A bundle ready to answer.

    Args:
        served: what runs its graph.
        config: what the bundle says of itself.
        trust: calibration and limits.
        space: where training images lie.
    """

    def __init__(self, served: Served, *, config: BundleConfig, trust: Trust, space: Space) -> None:
        self.served = served
        self.runtime = served.runtime
        self.config = config
        self.trust = trust
        self.space = space

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
        return cls(served, config=config, trust=Trust.model_validate(config.trust), space=load_space(folder))

    def judge(self, outputs: Outputs) -> list[Judgement]:
        """Answers for N images' outputs."""
        return judge(
            outputs.logits,
            self.space.distances(outputs.embedding),
            trust=self.trust,
            classes=self.config.classes,
            suspicious=self.config.suspicious,
        )

    def answers(
        self, items: Iterable[T], *, read: Callable[[T], NDArray[np.uint8]], batch: int = 16
    ) -> Iterator[tuple[T, Answer | ImageError]]:
        """Every item with its answer, or with the reason why it could not be read, in order.

        Args:
            items: what `read` takes.
            read: gives uint8 RGB (H, W, 3) or raises `ImageError`; called on several threads.
            batch: most images in one forward pass.
        """
        for item, outputs in run_over(self.runtime, items, read=read, batch=batch):
            if isinstance(outputs, ImageError):
                yield item, outputs
            else:
                yield item, Answer(self.judge(outputs)[0], self.config.name)


def load_space(folder: Path) -> Space:
    """The embedding statistics of a bundle, read without torch.

    Raises:
        BundleError: the file does not hold them.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / MODEL_FILE, framework="numpy") as file:
            return Space.from_tensors({k: file.get_tensor(k) for k in ("trust.projection", "trust.centres")})
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{folder / MODEL_FILE} does not hold the embedding statistics.") from error
