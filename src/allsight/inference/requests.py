"""An OpenVINO graph as a queue: every image a request of its own, as many at a time as there are threads."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from allsight.core.errors import BundleError, MissingDependencyError
from allsight.core.files import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Named = dict[str, "NDArray[np.float32]"]
USUAL = ["allsight", "usual"]  # where a graph's file names the usual height and width of images


@final
class Requests:
    """Runs a graph on one set of inputs after the other.

    One image's activations stay in a core's cache, those of a batch do not, so a batch is slower image by image.

    A graph compiled for one shape is faster than one that takes any, for what depends on shapes alone is known before
    it runs. So images of the usual size, which the file names, have a graph of their own. It adds up in another order;
    which of the two answers hangs on the size alone, so an image is always answered alike.

    Args:
        file: the .xml of the graph.
        model: the `openvino.Model` in it.
        threads: how many requests run at the same time.
        again: the command that makes the file anew.
        usual: shape (1, H, W, 3) of the first input that has a graph of its own; None where there is none.

    Attributes:
        outputs: names, in order.
        at_once: how many requests run at the same time.
    """

    def __init__(
        self, file: Path, model: Any, *, threads: int, again: str, usual: tuple[int, ...] | None
    ) -> None:
        self.outputs = [next(iter(output.get_names())) for output in model.outputs]
        self.at_once, self.usual = threads, usual
        self._file, self._model, self._again = file, model, again
        self._queues: dict[bool, Any] = {}
        self._one_at_a_time = threading.Lock()  # callers, not requests
        self._found: dict[int, Named] = {}

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

        with _readable(file, again):
            model = openvino.Core().read_model(str(file))
        return cls(file, model, threads=threads or cores(), again=again, usual=_usual_shape(model))

    def of_any_size(self) -> Requests:
        """The same with one graph for all images, those of the usual size, too."""
        return Requests(self._file, self._model, threads=self.at_once, again=self._again, usual=None)

    def run(self, inputs: Sequence[Mapping[int, NDArray[Any]]]) -> list[Named]:
        """What the graph gives for each set of inputs, in their order; inputs by their place, outputs by name.

        Raises:
            BundleError: the graph cannot be compiled.
        """
        with self._one_at_a_time:
            if self.at_once == 1 or len(inputs) == 1:  # a queue would only add its bookkeeping
                return [self._run_here(given) for given in inputs]
            for i, given in enumerate(inputs):
                self._queue(usual=given[0].shape == self.usual).start_async(dict(given), userdata=i)
            for queue in self._queues.values():
                queue.wait_all()
            return [self._found.pop(i) for i in range(len(inputs))]

    def _queue(self, *, usual: bool) -> Any:
        """That of the graph for the usual shape, or for any, compiled when it is first needed."""
        if usual not in self._queues:
            import openvino

            settings: dict[str, Any] = {
                "INFERENCE_PRECISION_HINT": "f32",  # else bf16 where the processor has it, which is no fp32
                "INFERENCE_NUM_THREADS": self.at_once,
                "NUM_STREAMS": self.at_once,
                "CACHE_DIR": str(cache_folder() / "openvino"),
            }
            model: Any = str(self._file)  # a file is found in the cache without being gone through
            if usual:
                model = self._model.clone()
                model.reshape(self.usual)
            with _readable(self._file, self._again):
                compiled = openvino.Core().compile_model(model, "CPU", settings)
            queue = openvino.AsyncInferQueue(compiled, self.at_once)
            queue.set_callback(self._keep)
            self._queues[usual] = queue
        return self._queues[usual]

    def _run_here(self, given: Mapping[int, NDArray[Any]]) -> Named:
        request = self._queue(usual=given[0].shape == self.usual)[0]
        request.infer(dict(given))  # copied: memory once shared is where the request's next input is written
        return self._copied(request)

    def _keep(self, request: Any, i: int) -> None:
        self._found[i] = self._copied(request)

    def _copied(self, request: Any) -> Named:
        """What a finished request gives; its own memory is used again by the next."""
        return {
            name: np.array(request.get_output_tensor(place).data) for place, name in enumerate(self.outputs)
        }


@contextmanager
def _readable(file: Path, again: str) -> Iterator[None]:
    """What OpenVINO says against a file becomes an error that says what to do."""
    try:
        yield
    except RuntimeError as error:
        raise BundleError(f"{file} cannot be read.", hint=f"Make it again: {again}") from error


def _usual_shape(model: Any) -> tuple[int, int, int, int] | None:
    if not model.has_rt_info(USUAL):
        return None
    height, width = map(int, model.get_rt_info(USUAL).astype(str).split())
    return 1, height, width, 3


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
