"""Channels behind a gate brought to like ranges before they are rounded, without another answer.

A squeeze-and-excitation gate (Hu, Shen & Sun, CVPR 2018) multiplies each channel by a number, and the convolution
after it gets one range of eight bits for all of them: where one channel is a hundred times another, the small one
keeps one bit. A channel divided by some factor and the convolution's weights multiplied by it give the same graph; with
the root of the ratio of their ranges as the factor, neither side loses much (Xiao et al., "SmoothQuant", ICML 2023;
Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019). The division is done
to the gate, one number a channel, and not to the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SHARE = 0.5  # of the activations' range that goes to the weights
_LEAST = 1e-6  # a channel that is never used has no range
_MOST = 1e3  # times the mean channel's factor


class Gated(NamedTuple):
    """A convolution behind a gate.

    Attributes:
        convolution: its node.
        product: the node that multiplies channels (N, C, H, W) by the gate (N, C, 1, 1).
        gate: which of the product's inputs is the gate.
    """

    convolution: Any
    product: Any
    gate: int


def gated(model: Any) -> list[Gated]:
    """The convolutions of an `openvino.Model` that read what a sigmoid has gated, in order."""
    found = []
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Convolution":
            continue
        product = node.input_value(0).get_node()
        weights = node.input_value(1).get_node()
        if product.get_type_name() != "Multiply" or weights.get_type_name() != "Constant":
            continue
        gates = [k for k in (0, 1) if _is_gate(product.input_value(k))]
        readers = sum(len(out.get_target_inputs()) for out in product.outputs())
        if len(gates) == 1 and readers == 1:
            found.append(Gated(node, product, gates[0]))
    return found


def equalised(model: Any, images: Sequence[NDArray[np.uint8]]) -> Any:
    """The same graph, the channels behind its gates brought to like ranges; the model itself where it has no gates.

    Args:
        model: an `openvino.Model`; left as it is.
        images: uint8 RGB (H, W, 3), to see the ranges on.
    """
    if not gated(model):
        return model
    from allsight.inference.export import imported_openvino

    ops = imported_openvino().opset13
    reached = _ranges(model, images)
    made = model.clone()
    for place, range_ in zip(gated(made), reached, strict=True):
        weights = np.asarray(place.convolution.input_value(1).get_node().data, dtype=np.float32)
        factors = _factors(range_, np.abs(weights).max(axis=(0, 2, 3)))
        gate = ops.multiply(
            place.product.input_value(place.gate), ops.constant(1 / factors.reshape(1, -1, 1, 1))
        )
        gate.set_friendly_name(f"{place.product.get_friendly_name()}/equalised")
        place.product.input(place.gate).replace_source_output(gate.output(0))
        scaled = ops.constant(weights * factors.reshape(1, -1, 1, 1))
        place.convolution.input(1).replace_source_output(scaled.output(0))
    made.validate_nodes_and_infer_types()
    return made


def one_a_channel(model: Any) -> list[str]:
    """Names of the convolutions and products that give one number a channel: rounding those gains nothing."""
    return [
        node.get_friendly_name()
        for node in model.get_ordered_ops()
        if node.get_type_name() in ("Convolution", "Multiply") and _is_one_a_channel(node.output(0))
    ]


def _factors(activations: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """(C,), by which activations are divided and weights multiplied; about 1 in the middle."""
    logs = _SHARE * np.log(np.maximum(activations, _LEAST)) - (1 - _SHARE) * np.log(
        np.maximum(weights, _LEAST)
    )
    factors = np.exp(logs - logs.mean())
    return np.asarray(np.clip(factors, 1 / _MOST, _MOST), dtype=np.float32)


def _ranges(model: Any, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
    """For each gated convolution the largest absolute value of each channel that it reads, (C,)."""
    from allsight.inference.export import imported_openvino

    openvino = imported_openvino()
    ops = openvino.opset13
    probe = model.clone()
    all_but_channels = ops.constant(np.array([0, 2, 3], dtype=np.int64))
    results = [
        ops.result(ops.reduce_max(ops.absolute(place.product.output(0)), all_but_channels, keep_dims=False))
        for place in gated(probe)
    ]
    compiled = openvino.Core().compile_model(
        openvino.Model(results, probe.get_parameters(), "ranges"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    reached: list[NDArray[np.float32]] = []
    for image in images:
        found = compiled(image[None])
        here = [np.array(found[output]) for output in compiled.outputs]
        reached = [np.maximum(a, b) for a, b in zip(reached, here, strict=True)] if reached else here
    return reached


def _is_gate(value: Any) -> bool:
    return value.get_node().get_type_name() == "Sigmoid" and _is_one_a_channel(value)


def _is_one_a_channel(value: Any) -> bool:
    shape = value.get_partial_shape()
    return (
        shape.rank.is_static
        and shape.rank.get_length() == 4
        and all(shape[i].is_static and shape[i].get_length() == 1 for i in (2, 3))
    )
