"""Runs the exported graph with OpenVINO, in int8 where there is such a graph. No torch."""

from __future__ import annotations

import os
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, final

import numpy as np

from allsight.core.contracts import Runtime
from allsight.core.errors import BundleError, MissingDependencyError
from allsight.core.files import cache_folder
from allsight.core.records import Outputs
from allsight.inference.precision import FP32, INT8, check_precision
from allsight.models.bundle import OPENVINO_FOLDER

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

FILES = {precision: f"{OPENVINO_FOLDER}/{precision}.xml" for precision in (INT8, FP32)}


@final
class OpenVino(Runtime):
    """OpenVINO on the CPU: every image a request of its own, as many at a time as there are threads.

    One image's activations stay in a core's cache, those of a batch do not, so a batch is slower image by image.

    Args:
        compiled: a graph with the input `images` and the outputs `logits`, `embedding` and, where they exist, `maps`.
        requests: an `AsyncInferQueue` of it.
    """

    def __init__(self, compiled: Any, requests: Any) -> None:
        self.compiled = compiled
        self._outputs = [next(iter(output.get_names())) for output in compiled.outputs]
        self._requests = requests
        self._one_at_a_time = threading.Lock()  # callers, not requests
        self._found: dict[int, dict[str, NDArray[np.float32]]] = {}
        requests.set_callback(self._keep)

    @classmethod
    def precisions(cls, folder: Path) -> tuple[str, ...]:
        """Those that were exported."""
        if not find_spec("openvino"):
            return ()
        return tuple(precision for precision, file in FILES.items() if (folder / file).is_file())

    @classmethod
    def open(cls, folder: Path, *, precision: str | None = None, threads: int | None = None) -> Self:
        """The runtime of the bundle in `folder`. What was compiled once is kept in the cache."""
        if not find_spec("openvino"):
            raise MissingDependencyError("OpenVINO is not installed.", hint="pip install 'allsight[fast]'")
        chosen = check_precision(cls.precisions(folder), precision, runtime="openvino", folder=folder)
        import openvino

        threads = threads or _cores()
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",  # else bf16 where the processor has it, which is no fp32
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
            "CACHE_DIR": str(cache_folder() / "openvino"),
        }
        try:
            compiled = openvino.Core().compile_model(str(folder / FILES[chosen]), "CPU", settings)
        except RuntimeError as error:
            raise BundleError(
                f"{folder / FILES[chosen]} cannot be read.",
                hint=f"Make it again: allsight export {folder} --to openvino",
            ) from error
        return cls(compiled, openvino.AsyncInferQueue(compiled, threads))

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """uint8 RGB (N, H, W, 3) → `Outputs`."""
        with self._one_at_a_time:
            for i in range(len(images)):
                self._requests.start_async({0: images[i : i + 1]}, userdata=i)
            self._requests.wait_all()
            rows = [self._found.pop(i) for i in range(len(images))]
        joined = {name: np.concatenate([row[name] for row in rows]) for name in self._outputs}
        return Outputs(joined["logits"], joined.get("maps"), joined["embedding"])

    def _keep(self, request: Any, i: int) -> None:
        """Copies what a finished request gives; its own memory is used again by the next."""
        self._found[i] = {
            name: np.array(request.get_output_tensor(place).data) for place, name in enumerate(self._outputs)
        }


def _cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
