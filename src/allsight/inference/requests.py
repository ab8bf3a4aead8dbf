"""A compiled OpenVINO graph as a queue: every image a request of its own, as many at a time as there are threads."""

from __future__ import annotations

import os
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from allsight.core.errors import BundleError, MissingDependencyError
from allsight.core.files import cache_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Named = dict[str, "NDArray[np.float32]"]


@final
class Requests:
    """Runs a graph on one set of inputs after the other.

    One image's activations stay in a core's cache, those of a batch do not, so a batch is slower image by image.

    Args:
        compiled: the graph.
        queue: an `AsyncInferQueue` of it.
    """

    def __init__(self, compiled: Any, queue: Any) -> None:
        self.compiled = compiled
        self.outputs = [next(iter(output.get_names())) for output in compiled.outputs]
        self._queue = queue
        self._one_at_a_time = threading.Lock()  # callers, not requests
        self._found: dict[int, Named] = {}
        queue.set_callback(self._keep)

    @classmethod
    def open(cls, file: Path, *, threads: int | None, again: str) -> Self:
        """The graph in `file`. What was compiled once is kept in the cache.

        Args:
            file: the .xml of the graph.
            threads: at most so many; None takes as many as there are cores.
            again: the command that makes the file anew.

        Raises:
            MissingDependencyError: OpenVINO is not installed.
            BundleError: the file cannot be read.
        """
        if not find_spec("openvino"):
            raise MissingDependencyError("OpenVINO is not installed.", hint="pip install 'allsight[fast]'")
        import openvino

        threads = threads or cores()
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",  # else bf16 where the processor has it, which is no fp32
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
            "CACHE_DIR": str(cache_folder() / "openvino"),
        }
        try:
            compiled = openvino.Core().compile_model(str(file), "CPU", settings)
        except RuntimeError as error:
            raise BundleError(f"{file} cannot be read.", hint=f"Make it again: {again}") from error
        return cls(compiled, openvino.AsyncInferQueue(compiled, threads))

    @property
    def at_once(self) -> int:
        """How many requests run at the same time."""
        return len(self._queue)

    def run(self, inputs: Sequence[Mapping[int, NDArray[Any]]]) -> list[Named]:
        """What the graph gives for each set of inputs, in their order; inputs by their place, outputs by name."""
        with self._one_at_a_time:
            for i, given in enumerate(inputs):
                self._queue.start_async(dict(given), userdata=i)
            self._queue.wait_all()
            return [self._found.pop(i) for i in range(len(inputs))]

    def _keep(self, request: Any, i: int) -> None:
        """Copies what a finished request gives; its own memory is used again by the next."""
        self._found[i] = {
            name: np.array(request.get_output_tensor(place).data) for place, name in enumerate(self.outputs)
        }


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
