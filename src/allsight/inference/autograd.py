"""A model's gradients by PyTorch's own differentiation, with memory bounded beforehand."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch.autograd.graph import saved_tensors_hooks

from allsight.core.contracts import Gradients

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from allsight.models.classifier import Classifier

    Point = NDArray[np.float64]
    Step = tuple[float, NDArray[np.floating]]

_MOST_AT_ONCE = 8  # larger batches are no faster on a CPU


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients for parameters inside the block; both as they were after it."""
    modes = [(m, m.training) for m in module.modules()]
    wanted = [(p, p.requires_grad) for p in module.parameters()]
    try:
        module.eval().requires_grad_(False)
        yield
    finally:
        for m, training in modes:
            m.training = training
        for p, requires_grad in wanted:
            p.requires_grad_(requires_grad)


@final
class Autograd(Gradients):
    """Gradients of a classifier, which is left as it was found.

    Args:
        classifier: any.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.n_classes = classifier.head.out_features
        self._at_once: dict[tuple[tuple[int, ...], int], int] = {}  # by shape of the points and memory

    def values(self, points: Iterable[Point], *, target: int) -> Iterator[float]:
        """The target's logit at each point, in order; no gradients are computed."""
        for point in points:
            with frozen(self.classifier), torch.no_grad():
                value = float(self._logits(self._images([point]), target)[0])
            yield value

    def gradients(self, points: Iterable[Point], *, target: int, memory: int) -> Iterator[Step]:
        """The target's logit at each point, in order, and its gradient (H, W, 3)."""
        points = iter(points)
        for first in points:
            key = (first.shape, memory)
            if key not in self._at_once:
                step, held = self._measured(first, target)
                self._at_once[key] = max(1, min(_MOST_AT_ONCE, memory // max(1, held)))
                yield step
                continue
            yield from self._batch([first, *islice(points, self._at_once[key] - 1)], target)

    def _measured(self, point: Point, target: int) -> tuple[Step, int]:
        """One step, and how many bytes its graph held beside the weights."""
        weights = {p.untyped_storage().data_ptr() for p in self.classifier.parameters()}
        held: dict[int, int] = {}

        def count(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                held[storage.data_ptr()] = storage.nbytes()
            return tensor

        with saved_tensors_hooks(count, _unchanged):
            (step,) = self._batch([point], target)
        return step, sum(held.values())

    def _batch(self, points: list[Point], target: int) -> list[Step]:
        with frozen(self.classifier), torch.enable_grad():
            images = self._images(points).requires_grad_()
            logits = self._logits(images, target)
            (found,) = torch.autograd.grad(logits.sum(), images)
        gradients = found.cpu().numpy()
        return list(zip(logits.tolist(), gradients, strict=True))

    def _images(self, points: list[Point]) -> Tensor:
        return torch.from_numpy(np.stack(points)).to(self.classifier.head.weight)

    def _logits(self, images: Tensor, target: int) -> Tensor:
        # Class maps are not needed, so the head is applied here and `classify` is not called.
        network = self.classifier.network
        embedding = network.embed(network.features(self.classifier.prepare(images)))
        return self.classifier.head(embedding)[:, target]  # type: ignore[no-any-return]


def _unchanged(tensor: Any) -> Any:
    return tensor
