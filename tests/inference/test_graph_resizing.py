"""Resizing by matrix products answers as PyTorch's antialiased resizing does, at any size."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch

from allsight.inference.export import imported_openvino
from allsight.inference.graph_resizing import resize_by_matrices
from allsight.models.preprocessing import Preprocessing

SIZE = 150  # three bands
SHAPES = [(150, 150), (150, 56), (300, 300), (147, 61), (20, 23), (1, 7), (400, 333), (149, 151)]


def graph(interpolation: Literal["bilinear", "bicubic"]) -> Any:
    """One that resizes by OpenVINO's own operation, as exports have it before they are written."""
    openvino = imported_openvino()
    ops = openvino.opset13
    images = ops.parameter([-1, 3, -1, -1], np.float32)
    sides, axes = np.full(2, SIZE), np.array([2, 3])
    resized = ops.interpolate(images, sides, f"{interpolation}_pillow", "sizes", axes=axes, cube_coeff=-0.5)
    return openvino.Model([ops.multiply(resized, np.float32(2))], [images])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_answers_as_pytorch_does(interpolation: Literal["bilinear", "bicubic"]) -> None:
    model = graph(interpolation)
    resize_by_matrices(model, Preprocessing(size=SIZE, interpolation=interpolation))
    assert "Interpolate" not in {node.get_type_name() for node in model.get_ordered_ops()}
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = imported_openvino().Core().compile_model(model, "CPU", hint)
    for height, width in SHAPES:
        images = np.random.default_rng(height).uniform(0, 255, (2, 3, height, width)).astype(np.float32)
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(images), size=(SIZE, SIZE), mode=interpolation, antialias=True
        )
        found = compiled(images)[0]
        np.testing.assert_allclose(found, 2 * expected.numpy(), atol=0.02, err_msg=f"{height} x {width}")
        if (height, width) == (SIZE, SIZE):
            np.testing.assert_array_equal(found, 2 * images)


def test_a_network_that_resizes_inside_is_left_alone() -> None:
    openvino = imported_openvino()
    ops = openvino.opset13
    features = ops.parameter([-1, 8, -1, -1], np.float32)
    doubled = ops.interpolate(features, np.full(2, 2 * SIZE), "linear_onnx", "sizes", axes=np.array([2, 3]))
    model = openvino.Model([doubled], [features])
    resize_by_matrices(model, Preprocessing(size=SIZE))
    assert [n.get_type_name() for n in model.get_ordered_ops()].count("Interpolate") == 1
    assert list(model.outputs[0].get_partial_shape())[1] == 8
