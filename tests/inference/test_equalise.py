"""Equalising changes the ranges behind gates and nothing that the graph answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from allsight.inference.equalise import equalised, gated, one_a_channel
from allsight.inference.export import imported_openvino

CHANNELS = 6


@pytest.fixture(scope="module")
def images() -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(4)]


@pytest.fixture(scope="module")
def model() -> Any:
    """A convolution whose channels differ a thousandfold, a gate from their means, and a convolution behind it."""
    openvino = imported_openvino()
    ops = openvino.opset13
    rng = np.random.default_rng(1)

    def convolution(source: Any, weights: np.ndarray[Any, Any]) -> Any:
        return ops.convolution(
            source, ops.constant(weights.astype(np.float32)), [1, 1], [0, 0], [0, 0], [1, 1]
        )

    pixels = ops.parameter([1, 8, 8, 3], dtype=np.uint8, name="pixels")
    planes = ops.transpose(ops.convert(pixels, "f32"), ops.constant(np.array([0, 3, 1, 2])))
    unlike = 10.0 ** np.linspace(-3, 0, CHANNELS).reshape(-1, 1, 1, 1)
    wide = convolution(planes, rng.normal(size=(CHANNELS, 3, 1, 1)) * unlike)
    means = ops.reduce_mean(wide, ops.constant(np.array([2, 3])), keep_dims=True)
    gate = ops.sigmoid(convolution(means, 0.01 * rng.normal(size=(CHANNELS, CHANNELS, 1, 1))))
    product = ops.multiply(wide, gate)
    narrow = convolution(product, rng.normal(size=(2, CHANNELS, 1, 1)) / unlike.reshape(1, -1, 1, 1))
    return openvino.Model([ops.result(narrow), ops.result(wide)], [pixels], "gated")


def run(model: Any, image: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    compiled = imported_openvino().Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(image[None])
    return [np.array(found[output]) for output in compiled.outputs]


def read_by(model: Any, *, node: str) -> Any:
    """The same graph, which gives what the node of that name does."""
    openvino = imported_openvino()
    copy = model.clone()
    product = next(n for n in copy.get_ordered_ops() if n.get_friendly_name() == node)
    return openvino.Model([openvino.opset13.result(product.output(0))], copy.get_parameters(), "read")


def test_the_graph_answers_as_before(model: Any, images: list[np.ndarray[Any, Any]]) -> None:
    made = equalised(model, images)
    for image in images:
        for before, after in zip(run(model, image), run(made, image), strict=True):
            np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4 * np.abs(before).max())


def test_channels_behind_the_gate_come_to_like_ranges(model: Any, images: list[np.ndarray[Any, Any]]) -> None:
    (place,) = gated(model)

    def spread(of: Any) -> float:
        (read,) = run(read_by(of, node=place.product.get_friendly_name()), images[0])
        ranges = np.abs(read).max(axis=(0, 2, 3))
        return float(ranges.max() / ranges.min())

    assert spread(model) > 100
    assert spread(equalised(model, images)) < 0.1 * spread(model)


def test_the_model_is_left_as_it_is_and_one_without_gates_is_given_back(
    model: Any, images: list[np.ndarray[Any, Any]]
) -> None:
    before = run(model, images[0])
    equalised(model, images)
    for kept, was in zip(run(model, images[0]), before, strict=True):
        np.testing.assert_array_equal(kept, was)
    (place,) = gated(model)
    openvino = imported_openvino()
    plain = openvino.Model(
        [openvino.opset13.result(place.product.input_value(1 - place.gate))], model.get_parameters(), "plain"
    )
    assert equalised(plain, images) is plain


def test_what_gives_one_number_a_channel_is_named(model: Any, images: list[np.ndarray[Any, Any]]) -> None:
    """The gate's convolution, and the product that equalising adds to it; the wide convolutions are none."""
    assert len(one_a_channel(model)) == 1
    added = set(one_a_channel(equalised(model, images))) - set(one_a_channel(model))
    assert len(added) == 1
    assert next(iter(added)).endswith("/equalised")
