"""Runs the exported graph with OpenVINO, in int8 where there is such a graph. No torch."""

from __future__ import annotations

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
    """OpenVINO on the CPU.

    Args:
        compiled: a graph with the input `images` and the outputs `logits`, `embedding` and, where they exist, `maps`.
    """

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled
        self._outputs = [next(iter(output.get_names())) for output in compiled.outputs]
        self._requests = threading.local()  # a request serves one thread at a time

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

        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",  # else bf16 where the processor has it, which is no fp32
            "PERFORMANCE_HINT": "LATENCY",
            "CACHE_DIR": str(cache_folder() / "openvino"),
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            return cls(openvino.Core().compile_model(str(folder / FILES[chosen]), "CPU", settings))
        except RuntimeError as error:
            raise BundleError(
                f"{folder / FILES[chosen]} cannot be read.",
                hint=f"Make it again: allsight export {folder} --to openvino",
            ) from error

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """uint8 RGB (N, H, W, 3) → `Outputs`."""
        if not hasattr(self._requests, "mine"):
            self._requests.mine = self.compiled.create_infer_request()
        found = dict(
            zip(
                self._outputs,
                self._requests.mine.infer([np.ascontiguousarray(images)]).to_tuple(),
                strict=True,
            )
        )
        return Outputs(found["logits"], found.get("maps"), found["embedding"])
