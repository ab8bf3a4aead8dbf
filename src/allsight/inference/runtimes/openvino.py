"""Runs the exported graphs with OpenVINO, in int8 where there is such a graph. No torch."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, final

import numpy as np

from allsight.core.contracts import Runtime
from allsight.core.records import Outputs
from allsight.inference.gradient_graph import GRADIENT_FILE, GradientGraph
from allsight.inference.precision import FP32, INT8, check_precision
from allsight.inference.requests import Requests
from allsight.models.bundle import OPENVINO_FOLDER, read_config, read_head_bias

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

FILES = {precision: f"{OPENVINO_FOLDER}/{precision}.xml" for precision in (INT8, FP32)}


@final
class OpenVino(Runtime):
    """OpenVINO on the CPU.

    Args:
        requests: of a graph with the input `images` and the outputs `logits`, `embedding` and, if it has them, `maps`.
        folder: of the bundle, for what the graph does not hold.
        precision: of the graph.
        threads: at most so many, for the gradient graph; None takes as many as there are cores.
    """

    def __init__(
        self, requests: Requests, *, folder: Path, precision: str, threads: int | None = None
    ) -> None:
        self.requests = requests
        self.gradients = (folder / GRADIENT_FILE).is_file()
        self._folder = folder
        self._precision = precision
        self._threads = threads
        self._differentiated: GradientGraph | None = None

    @classmethod
    def precisions(cls, folder: Path) -> tuple[str, ...]:
        """Those that were exported."""
        if not find_spec("openvino"):
            return ()
        return tuple(precision for precision, file in FILES.items() if (folder / file).is_file())

    @classmethod
    def open(cls, folder: Path, *, precision: str | None = None, threads: int | None = None) -> Self:
        """The runtime of the bundle in `folder`."""
        chosen = check_precision(cls.precisions(folder), precision, runtime="openvino", folder=folder)
        again = f"allsight export {folder} --to openvino"
        return cls(
            Requests.open(folder / FILES[chosen], threads=threads, again=again),
            folder=folder,
            precision=chosen,
            threads=threads,
        )

    def of_any_size(self) -> OpenVino | None:
        """The same with the graph that takes images of any size; None where that answers all already."""
        if self.requests.usual is None:
            return None
        free = self.requests.of_any_size()
        return OpenVino(free, folder=self._folder, precision=self._precision, threads=self._threads)

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """uint8 RGB (N, H, W, 3) → `Outputs`."""
        rows = self.requests.run([{0: images[i : i + 1]} for i in range(len(images))])
        joined = {name: np.concatenate([row[name] for row in rows]) for name in self.requests.outputs}
        return Outputs(joined["logits"], joined.get("maps"), joined["embedding"])

    def head_bias(self) -> NDArray[np.float32] | None:
        """Of the bundle's weights, with what int8 adds to each class; None where the network has no maps."""
        if "maps" not in self.requests.outputs:
            return None
        moved = read_config(self._folder).exports.get(f"openvino {self._precision}", {}).get("moved") or 0
        return read_head_bias(self._folder) + np.asarray(moved, dtype=np.float32)

    def differentiated(self, *, exactly: bool = False) -> GradientGraph | None:  # noqa: ARG002 - there is one graph
        """The gradient graph, in fp32 beside int8 too, opened once; None where it was not exported."""
        if self.gradients and self._differentiated is None:
            self._differentiated = GradientGraph.open(
                self._folder, read_config(self._folder), threads=self._threads
            )
        return self._differentiated
