"""Fewer and cheaper forward passes of one model."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Self, final

from allsight.core.contracts import Runtime
from allsight.inference.runtimes.pytorch import PyTorch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Outputs


def swift(runtime: Runtime) -> Runtime:
    """The same model in fewer operations where the runtime is PyTorch; other runtimes have seen to that themselves."""
    if not isinstance(runtime, PyTorch):
        return runtime
    from allsight.models.folding import folded_classifier

    return PyTorch(folded_classifier(runtime.classifier))


@final
class Remembering(Runtime):
    """A runtime that does not run the same batch twice: measures ask one model the same questions for every method.

    Args:
        runtime: what runs a batch that was not seen yet.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._known: dict[bytes, Outputs] = {}

    @classmethod
    def open(cls, folder: Path, *, precision: str | None = None, threads: int | None = None) -> Self:
        """The PyTorch runtime of the bundle in `folder`, remembering."""
        return cls(PyTorch.open(folder, precision=precision, threads=threads))

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """uint8 RGB (N, H, W, 3) → `Outputs`; the same arrays for the same bytes."""
        key = hashlib.sha256(f"{images.shape}".encode() + images.tobytes()).digest()
        if key not in self._known:
            self._known[key] = self.runtime.run(images)
        return self._known[key]
