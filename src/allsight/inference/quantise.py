"""From an fp32 OpenVINO graph to int8, by NNCF with real images.

Weights and activations become 8-bit integers (Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", CVPR 2018); NNCF chooses the ranges from what images make of them, after channels
behind gates were brought to like ranges. The head stays as it is: it costs nothing, and logits and maps come out of it;
there, what rounding adds to a class on average is undone. So may the first convolutions, where a network answers
otherwise than in fp32. Sparing them is a search of a few steps, where ranking every layer by its own cost takes minutes
for a small network and hours for a large one.

Weights take seven of the eight bits. Processors without VNNI add two products in 16 bits, where those of eight bits
overflow, and now and then an image gets logits of another size; with seven they fit, and every processor computes the
same.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from allsight.core.errors import MissingDependencyError
from allsight.inference.equalise import equalised, one_a_channel
from allsight.inference.precision import INT8

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_HEAD = {"MatMul", "Convolution"}
_CONVOLUTIONS = {"Convolution", "GroupConvolution"}
_EQUALISED = 100  # images, or up to twice as many, on which the ranges of channels are seen
CHEAP = 4  # convolutions that cost little speed when they are spared


def quantised(model: Any, images: Sequence[NDArray[np.uint8]], *, spared: int = 0) -> Any:
    """The graph in int8.

    Args:
        model: an `openvino.Model` as `openvino_graph` gives it, not one that was written; left as it is.
        images: uint8 RGB (H, W, 3), of the kind that the model was trained on; some hundreds.
        spared: how many convolutions, counted from the input, stay in fp32.

    Raises:
        MissingDependencyError: NNCF is not installed.
    """
    nncf = _imported_nncf()
    model = equalised(model, images[:: max(1, len(images) // _EQUALISED)])
    kept = dict.fromkeys([*head_nodes(model), *convolutions(model)[:spared], *one_a_channel(model)])
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        return nncf.quantize(
            model.clone(),
            nncf.Dataset([image[None] for image in images]),
            preset=nncf.QuantizationPreset.MIXED,  # activations of SiLU are not symmetric
            subset_size=len(images),
            # Pixels are whole numbers already: rounding them before they are resized gains nothing.
            ignored_scope=nncf.IgnoredScope(names=list(kept), types=["Interpolate"]),
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
        )


def moved(model: Any, by: NDArray[np.float32]) -> None:
    """Add to logits and maps, in place.

    Args:
        model: an `openvino.Model`.
        by: (C,), for each class.
    """
    from allsight.inference.export import imported_openvino

    ops = imported_openvino().opset13
    for result in model.get_results():
        source = result.input_value(0)
        names = source.get_names()
        if "embedding" in names:
            continue
        constant = ops.constant(by.reshape(1, -1, *[1] * (source.get_partial_shape().rank.get_length() - 2)))
        added = ops.add(source, constant).output(0)
        source.get_tensor().set_names(set())
        added.get_tensor().set_names(names)
        result.input(0).replace_source_output(added)
    model.validate_nodes_and_infer_types()


def sparing(model: Any) -> list[int]:
    """How many convolutions to spare, from the fastest graph to the most careful one."""
    n = len(convolutions(model))
    return sorted({0, min(CHEAP, n), n // 16, n // 8, n // 4, n // 2})


def convolutions(model: Any) -> list[str]:
    """Names of the convolutions, from the input on."""
    return [n.get_friendly_name() for n in model.get_ordered_ops() if n.get_type_name() in _CONVOLUTIONS]


def head_nodes(model: Any) -> list[str]:
    """Names of the linear layers that give logits and maps."""
    names = []
    for output in model.outputs:
        if next(iter(output.get_names())) == "embedding":
            continue
        waiting = [output.get_node()]
        while waiting:  # past the bias, whose place among the inputs differs
            node = waiting.pop()
            if node.get_type_name() in _HEAD:
                names.append(node.get_friendly_name())
            else:
                waiting += [value.get_node() for value in node.input_values()]
    return names


def check_nncf() -> None:
    """Whether there is what int8 needs.

    Raises:
        MissingDependencyError: NNCF is not installed.
    """
    if find_spec("nncf") is None:
        raise MissingDependencyError(f"{INT8} needs NNCF.", hint="pip install 'allsight[fast]'")


def _imported_nncf() -> Any:
    # NNCF reports its use to a server unless it believes that it is being tested. This package contacts nobody.
    os.environ.setdefault("NNCF_CI", "1")
    check_nncf()
    import nncf

    nncf.set_log_level(logging.ERROR)
    return nncf
