"""Resizing inside an OpenVINO graph as a product with two matrices: rows · image · columnsᵀ.

A row of a matrix holds the weights with which the pixels of one line make one pixel of the new line, antialiased: the
same sums as `torch.nn.functional.interpolate(..., antialias=True)`, within rounding. The matrices are made in the graph
from the shape that comes, so any size is taken. OpenVINO's own operation for this (`bicubic_pillow`) goes through the
image pixel by pixel and takes about three times as long. An image that already has the size is passed on as it is.

A new line is made of few old ones, so most weights are zero. The new lines are made in bands, each from the stretch of
old lines that any of them needs: the same sums with a fraction of the products.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.models.preprocessing import Preprocessing

_HEIGHT, _WIDTH = 2, 3
_BAND = 64  # new lines: with fewer the operations are too many, and the file that holds them too long
_CUBIC = -0.5  # Keys' parameter, as in Pillow and PyTorch where they antialias


def resize_by_matrices(model: Any, preprocessing: Preprocessing) -> None:
    """Put matrix products in the place of OpenVINO's own resizing, in place.

    Args:
        model: an `openvino.Model` that resizes images of the shape (N, 3, H, W).
        preprocessing: says to what size, and by which kernel.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Interpolate" and node.get_attributes()["mode"].endswith("_pillow"):
            node.output(0).replace(_resized(node.input_value(0), preprocessing))
    model.validate_nodes_and_infer_types()


def _resized(images: Any, preprocessing: Preprocessing) -> Any:
    """The output: images that have the size already are left alone.

    One of the two ways gets all images and the other none, and no pixels, which costs nothing. (An `If` would say the
    same, but in OpenVINO 2026.4 its first inference gives wrong values.)
    """
    from openvino import opset13 as ops

    size, axis = preprocessing.size, np.array([0])
    shape = ops.shape_of(images)
    n, sides = (ops.gather(shape, np.array(places), np.int64(0)) for places in ([0], [_HEIGHT, _WIDTH]))
    fits = ops.reduce_logical_and(ops.equal(sides, np.array([size, size])), axis, keep_dims=True)
    n_left = ops.multiply(n, ops.convert(fits, "i64"))
    left = ops.slice(images, np.array([0]), n_left, np.array([1]), axis)
    known = ops.concat([n_left, ops.constant(np.array([3, size, size]))], 0)
    sides = ops.multiply(sides, ops.convert(ops.logical_not(fits), "i64"))
    rest = ops.slice(
        images,
        ops.concat([n_left, ops.constant(np.array([0, 0]))], 0),
        ops.concat([n, sides], 0),
        np.array([1, 1, 1]),
        np.array([0, _HEIGHT, _WIDTH]),
    )
    for dimension in (_HEIGHT, _WIDTH):
        rest = _resized_along(dimension, rest, preprocessing)
    return ops.concat([ops.reshape(left, known, special_zero=False), rest], 0).output(0)


def _resized_along(dimension: int, images: Any, preprocessing: Preprocessing) -> Any:
    """The images with one side of the new size."""
    from openvino import opset13 as ops

    side = ops.convert(ops.gather(ops.shape_of(images), np.int64(dimension), np.int64(0)), "f32")
    scale = ops.divide(side, np.float32(preprocessing.size))  # old lines a new one
    across = dimension == _WIDTH
    bands = []
    for first in range(0, preprocessing.size, _BAND):
        lines = np.arange(first, min(first + _BAND, preprocessing.size), dtype=np.float32)
        start, stop, weights = _weights(lines, side, scale, preprocessing)
        stretch = ops.slice(images, start, stop, np.array([1]), np.array([dimension]))
        pair = (stretch, weights) if across else (weights, stretch)
        bands.append(ops.matmul(*pair, transpose_a=False, transpose_b=across))
    return ops.concat(bands, dimension)


def _weights(
    lines: NDArray[np.float32], side: Any, scale: Any, preprocessing: Preprocessing
) -> tuple[Any, Any, Any]:
    """The stretch of a side's pixels that new lines (L,) need, start and stop (1,), and its weights in each.

    The weights are float32 (L, stop - start); each row adds up to 1.
    """
    from openvino import opset13 as ops

    one, half = np.float32(1), np.float32(0.5)
    radius, kernel = _KERNELS[preprocessing.interpolation]
    spread = ops.maximum(scale, one)
    reach = ops.multiply(spread, np.float32(radius))
    places = ops.multiply(lines[:, None] + half, scale)
    start = ops.relu(ops.floor(ops.subtract(ops.multiply(lines[0] + half, scale), reach)))
    stop = ops.minimum(ops.ceiling(ops.add(ops.multiply(lines[-1] + half, scale), reach)), side)
    pixels = ops.unsqueeze(ops.range(start, stop, one, "f32"), np.array([0]))
    apart = ops.divide(ops.subtract(ops.add(pixels, half), places), spread)
    weights = kernel(ops.abs(apart))
    whole = ops.divide(weights, ops.reduce_sum(weights, np.array([1]), keep_dims=True))
    start, stop = (ops.unsqueeze(ops.convert(bound, "i64"), np.array([0])) for bound in (start, stop))
    return start, stop, whole


def _bilinear(apart: Any) -> Any:
    from openvino import opset13 as ops

    return ops.relu(ops.subtract(np.float32(1), apart))


def _bicubic(apart: Any) -> Any:
    """Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 1981, eq. 4."""
    from openvino import opset13 as ops

    def polynomial(*coefficients: float) -> Any:
        """From the highest power of the distance down."""
        value = ops.constant(np.float32(coefficients[0]))
        for coefficient in coefficients[1:]:
            value = ops.add(ops.multiply(value, apart), np.float32(coefficient))
        return value

    a = _CUBIC
    near, far = polynomial(a + 2, -(a + 3), 0, 1), polynomial(a, -5 * a, 8 * a, -4 * a)
    beyond = ops.select(ops.less(apart, np.float32(2)), far, np.float32(0))
    return ops.select(ops.less(apart, np.float32(1)), near, beyond)


_KERNELS = {"bilinear": (1, _bilinear), "bicubic": (2, _bicubic)}  # with how many pixels they reach
