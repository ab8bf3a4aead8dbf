"""Runs the exported ONNX graph with ONNX Runtime. No torch."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, final

import numpy as np

from allsight.core.contracts import Runtime
from allsight.core.errors import BundleError, MissingDependencyError
from allsight.core.records import Outputs
from allsight.inference.precision import FP32, check_precision
from allsight.models.bundle import ONNX_FILE, read_head_bias

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray


@final
class Onnx(Runtime):
    """ONNX Runtime on the CPU.

    Args:
        session: of a graph with the input `images` and the outputs `logits`, `embedding` and, where they exist, `maps`.
        folder: of the bundle, for what the graph does not hold.
    """

    def __init__(self, session: Any, *, folder: Path) -> None:
        self.session = session
        self._folder = folder
        self._outputs = [output.name for output in session.get_outputs()]

    @classmethod
    def precisions(cls, folder: Path) -> tuple[str, ...]:
        """fp32, where it was exported."""
        return (FP32,) if (folder / ONNX_FILE).is_file() and find_spec("onnxruntime") else ()

    @classmethod
    def open(cls, folder: Path, *, precision: str | None = None, threads: int | None = None) -> Self:
        """The runtime of the bundle in `folder`."""
        if not find_spec("onnxruntime"):
            raise MissingDependencyError(
                "ONNX Runtime is not installed.", hint="pip install 'allsight[fast]'"
            )
        check_precision(cls.precisions(folder), precision, runtime="onnx", folder=folder)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            session = onnxruntime.InferenceSession(
                str(folder / ONNX_FILE), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no base class but this one
            raise BundleError(
                f"{folder / ONNX_FILE} cannot be read ({type(error).__name__}).",
                hint=f"Make it again: allsight export {folder} --to onnx",
            ) from error
        return cls(session, folder=folder)

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """uint8 RGB (N, H, W, 3) → `Outputs`."""
        found = dict(
            zip(self._outputs, self.session.run(None, {"images": np.ascontiguousarray(images)}), strict=True)
        )
        return Outputs(found["logits"], found.get("maps"), found["embedding"])

    def head_bias(self) -> NDArray[np.float32] | None:
        """Of the bundle's weights; None where the network has no maps."""
        return read_head_bias(self._folder) if "maps" in self._outputs else None
