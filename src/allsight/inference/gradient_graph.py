"""A model's gradients from an exported graph: no torch where it is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, final

import numpy as np

from allsight.core.contracts import Gradients
from allsight.inference.requests import Requests
from allsight.inference.resizing import resizing_matrix
from allsight.models.bundle import OPENVINO_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from allsight.models.bundle import BundleConfig
    from allsight.models.preprocessing import Preprocessing

    Pixels = NDArray[np.float32]  # (H, W, 3)
    Points = Iterable[NDArray[np.float64]]

_ROUNDING = 1e-3  # of a pixel value: white that was resized is white
GRADIENT_FILE = f"{OPENVINO_FOLDER}/gradient.xml"


@final
class GradientGraph(Gradients):
    """OpenVINO on the CPU.

    The graph is of one image at the network's own size. Resizing is linear, so gradients are carried through it by
    its transposed matrices; where bicubic resizing left the range of pixels and was clipped, they are nought.

    Args:
        requests: of a graph that `write_gradient_graph` wrote.
        preprocessing: of the model.
        n_classes: how many logits there are.
    """

    def __init__(self, requests: Requests, *, preprocessing: Preprocessing, n_classes: int) -> None:
        self.requests = requests
        self.preprocessing = preprocessing
        self.n_classes = n_classes

    @classmethod
    def open(cls, folder: Path, config: BundleConfig, *, threads: int | None = None) -> Self:
        """The graph of the bundle in `folder`; see `Requests.open` for its errors."""
        again = f"allsight export {folder} --to openvino --gradients"
        requests = Requests.open(folder / GRADIENT_FILE, threads=threads, again=again)
        return cls(requests, preprocessing=config.preprocessing, n_classes=len(config.classes))

    def values(self, points: Points, *, target: int) -> Iterator[float]:
        """The target's logit at each point, in order. The graph has no cheaper way to them than the gradients."""
        return (value for value, _ in self._steps(points, target=target))

    def gradients(
        self,
        points: Points,
        *,
        target: int,
        memory: int,  # noqa: ARG002 - requests need the same memory whatever is asked of them
    ) -> Iterator[tuple[float, Pixels]]:
        """The target's logit at each point, in order, and its gradient (H, W, 3)."""
        return self._steps(points, target=target)

    def _steps(self, points: Points, *, target: int) -> Iterator[tuple[float, Pixels]]:
        choice = np.zeros((1, self.n_classes), dtype=np.float32)
        choice[0, target] = 1.0
        for some in self._several(points):
            seen = [self._resized(point) for point in some]
            answers = self.requests.run([{0: pixels[None], 1: choice} for pixels, _ in seen])
            for point, (_, inside), answer in zip(some, seen, answers, strict=True):
                gradient = answer["gradient"][0]
                if inside is not None:
                    gradient = self._carried_back(gradient * inside, shape=point.shape)
                yield float(answer["logits"][0, target]), gradient

    def _several(self, points: Points) -> Iterator[list[Pixels]]:
        several: list[Pixels] = []
        for point in points:
            several.append(point.astype(np.float32))
            if len(several) == self.requests.at_once:
                yield several
                several = []
        if several:
            yield several

    def _resized(self, point: Pixels) -> tuple[Pixels, NDArray[np.bool_] | None]:
        """The point at the network's size, and which values were not clipped; None where nothing was resized."""
        size = self.preprocessing.size
        if point.shape[:2] == (size, size):
            return point, None
        rows, columns = self._matrices(point.shape)
        resized = np.einsum("yh,hwc,xw->yxc", rows, point, columns, optimize=True)
        return resized.clip(0, 255), (resized > -_ROUNDING) & (resized < 255 + _ROUNDING)

    def _carried_back(self, gradient: Pixels, *, shape: tuple[int, ...]) -> Pixels:
        rows, columns = self._matrices(shape)
        before: Pixels = np.einsum("yh,yxc,xw->hwc", rows, gradient, columns, optimize=True)
        return before

    def _matrices(self, shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
        how = self.preprocessing
        rows, columns = (resizing_matrix(n, how.size, interpolation=how.interpolation) for n in shape[:2])
        return rows, columns
