"""Writes a bundle's graph for other runtimes: raw pixels in; logits, class activation maps and embedding out.

Preprocessing lies inside the graph, so that no client can get it wrong, and what the bundle says of itself travels in
the files' own metadata under the key `allsight`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from allsight.core.errors import MissingDependencyError
from allsight.core.files import whole_file
from allsight.inference.graph_resizing import resize_by_matrices
from allsight.inference.requests import USUAL

if TYPE_CHECKING:
    from pathlib import Path

    from allsight.models.bundle import BundleConfig
    from allsight.models.classifier import Classifier
    from allsight.models.preprocessing import Preprocessing

METADATA = "allsight"
_OPSET = 18  # the first in which resizing knows antialiasing
_PILLOW = {"bicubic": "bicubic_pillow", "bilinear": "bilinear_pillow"}


class _Graph(nn.Module):
    """Outputs in a fixed order, without maps where the network has none."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        answer = self.classifier(images)
        if answer.maps is None:
            return answer.logits, answer.embedding
        return answer.logits, answer.embedding, answer.maps


def write_onnx(classifier: Classifier, config: BundleConfig, path: Path) -> None:
    """Write the ONNX graph, for images of any number and size.

    Args:
        classifier: in evaluation mode.
        config: goes into the metadata.
        path: of the file.

    Raises:
        MissingDependencyError: onnx or onnxscript is not installed.
    """
    side = classifier.preprocessing.size
    example = torch.zeros(
        (2, side + 3, side + 5, 3), dtype=torch.uint8
    )  # not the network's size: it must resize
    images, height, width = (torch.export.Dim(name, min=1) for name in ("images", "height", "width"))
    outputs = ["logits", "embedding", "maps"][: 3 if classifier.pooled else 2]
    try:
        with _quiet():
            program = torch.onnx.export(
                _Graph(classifier).eval(),
                (example,),
                dynamo=True,
                dynamic_shapes=({0: images, 1: height, 2: width},),
                input_names=["images"],
                output_names=outputs,
                opset_version=_OPSET,
            )
    except ImportError as error:
        raise MissingDependencyError(
            f"Exporting needs {error.name}.", hint="pip install 'allsight[fast]'"
        ) from error
    if program is None:  # its type allows it
        raise MissingDependencyError("This PyTorch writes no ONNX program.", hint="Use torch 2.6 or newer.")
    model = program.model_proto
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, config.model_dump_json()
    with whole_file(path) as part:
        part.write_bytes(model.SerializeToString())


def openvino_graph(onnx: Path, config: BundleConfig) -> Any:
    """The OpenVINO graph in fp32, made from the ONNX one, an `openvino.Model` to quantise or to write.

    Args:
        onnx: the file that `write_onnx` wrote.
        config: its preprocessing says how images are resized.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
    """
    openvino = imported_openvino()
    # Not read_model: only this puts SiLU together again from its parts. In parts, NNCF rounds between them, and nothing
    # can be computed where the convolution is.
    model = openvino.convert_model(str(onnx))
    _resize_as_pytorch_does(model, config.preprocessing)
    return model


def write_graph(
    model: Any, config: BundleConfig, path: Path, *, usual: tuple[int, int] | None = None
) -> None:
    """Write an `openvino.Model` as .xml and .bin, the .xml last: without it there is no graph.

    Resizing becomes matrix products only here, after NNCF, which would round the matrices.

    Args:
        model: the graph, left as it is.
        config: goes into the file.
        path: of the .xml.
        usual: height and width of most images, for which it is compiled apart; see `Requests`.
    """
    openvino = imported_openvino()
    model = model.clone()
    resize_by_matrices(model, config.preprocessing)
    model.set_rt_info(config.model_dump_json(), [METADATA, "config"])
    if usual is not None:
        model.set_rt_info(" ".join(map(str, usual)), USUAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    made = path.with_name(f"making-{path.name}")
    openvino.save_model(model, made, compress_to_fp16=False)
    made.with_suffix(".bin").replace(path.with_suffix(".bin"))
    made.replace(path)


def imported_openvino() -> Any:
    """The library.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError(
            "OpenVINO is not installed.", hint="pip install 'allsight[fast]'"
        ) from error
    return openvino


def _resize_as_pytorch_does(model: Any, preprocessing: Preprocessing) -> None:
    """Antialiased, which OpenVINO's reader of ONNX leaves out; its operation in Pillow's manner is PyTorch's."""
    import numpy as np
    from openvino import opset13

    sides = np.full(2, preprocessing.size, dtype=np.int64)
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Interpolate" and node.get_attributes().get("antialias"):
            resized = opset13.interpolate(
                node.input(0).get_source_output(),
                sides,
                _PILLOW[preprocessing.interpolation],
                "sizes",
                axes=np.array([2, 3], dtype=np.int64),
                cube_coeff=-0.5,
            )
            node.output(0).replace(resized.output(0))
    model.validate_nodes_and_infer_types()


@contextlib.contextmanager
def _quiet() -> Any:
    """The exporter narrates its steps on standard output."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
