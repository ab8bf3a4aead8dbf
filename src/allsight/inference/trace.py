"""Writes a network's gradient as a graph: one image's pixels and a choice of logits in, logits and gradient out.

PyTorch differentiates; what it then computes is written down operation by operation (`make_fx`), with the backward
passes of convolutions and poolings spelled out as plain ones, which runtimes compute fast, and handed to OpenVINO.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch import Tensor, nn

from allsight.inference.export import imported_openvino, write_graph
from allsight.inference.gradient_graph import GRADIENT_FILE
from allsight.models.folding import folded_classifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from allsight.models.bundle import BundleConfig
    from allsight.models.classifier import Classifier

_OPS: Any = torch.ops.aten
_PLAIN = (_OPS.sigmoid_backward, _OPS.silu_backward, _OPS.hardtanh_backward, _OPS.threshold_backward)


def write_gradient_graph(classifier: Classifier, config: BundleConfig, folder: Path) -> None:
    """Write the gradient graph of a bundle for OpenVINO, in fp32.

    Inputs: `points` float32 (1, size, size, 3), pixel values at the network's own size; `choice` float32 (1, C), what
    each logit counts. Outputs: `logits` (1, C), and `gradient` (1, size, size, 3) of Σ choice · logits by the points.

    Args:
        classifier: in evaluation mode.
        config: goes into the metadata.
        folder: of the bundle.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
    """
    openvino = imported_openvino()
    from torch.fx.experimental.proxy_tensor import make_fx

    size, n_classes = classifier.preprocessing.size, classifier.head.out_features
    example = (torch.full((1, size, size, 3), 128.0), torch.ones(1, n_classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about their own future
        traced = make_fx(_Differentiated(classifier), decomposition_table=_spelled_out())(*example)
        program = torch.export.export(traced, example, strict=False)
        model = openvino.convert_model(program)
    for place, given in enumerate(example):
        model.reshape({place: list(given.shape), 1 - place: list(example[1 - place].shape)})
    for value, name in (
        *zip(model.inputs, ("points", "choice"), strict=True),
        *zip(model.outputs, ("logits", "gradient"), strict=True),
    ):
        value.get_tensor().set_names({name})
    write_graph(model, config, folder / GRADIENT_FILE)


@final
class _Differentiated(nn.Module):
    """A folded copy of a classifier, and its gradient by the pixels."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = folded_classifier(classifier)

    def forward(self, points: Tensor, choice: Tensor) -> tuple[Tensor, Tensor]:
        points = points.requires_grad_()
        network = self.classifier.network
        embedding = network.embed(network.features(self.classifier.prepare(points)))
        logits = self.classifier.head(embedding)
        (gradient,) = torch.autograd.grad((logits * choice).sum(), points)
        return logits.detach(), gradient


def _spelled_out() -> dict[Any, Callable[..., Any]]:
    """Backward operations that runtimes do not know, in operations that they do."""
    from torch._decomp import get_decompositions

    return {
        **get_decompositions(list(_PLAIN)),
        _OPS.convolution_backward.default: _convolution_backward,
        _OPS.max_pool2d_with_indices_backward.default: _max_pool_backward,
        _OPS.avg_pool2d_backward.default: _avg_pool_backward,
        _OPS._adaptive_avg_pool2d.default: _adaptive_avg_pool,
        _OPS._adaptive_avg_pool2d_backward.default: _adaptive_avg_pool_backward,
    }


def _convolution_backward(
    gradient: Tensor,
    inputs: Tensor,
    weight: Tensor,
    bias_sizes: list[int] | None,  # noqa: ARG001 - the signature is PyTorch's
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],  # noqa: ARG001
    groups: int,
    output_mask: list[bool],  # noqa: ARG001 - weights are frozen
) -> tuple[Tensor, None, None]:
    """By the input only. With stride 1 it is itself a convolution, which is faster than a transposed one."""
    if transposed:
        raise NotImplementedError("A transposed convolution in a network that classifies.")
    kernel = weight.shape[2:]
    if set(stride) == {1}:
        out, into = weight.shape[0] // groups, weight.shape[1]
        turned = (
            weight.reshape(groups, out, into, *kernel).transpose(1, 2).reshape(groups * into, out, *kernel)
        )
        margin = [d * (k - 1) - p for d, k, p in zip(dilation, kernel, padding, strict=True)]
        turned = turned.flip(2, 3) if set(kernel) != {1} else turned
        return (
            _OPS.convolution(gradient, turned, None, stride, margin, dilation, False, [0, 0], groups),
            None,
            None,
        )
    missing = [
        inputs.shape[2 + i]
        - ((gradient.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel[i] - 1) + 1)
        for i in range(2)
    ]
    found = _OPS.convolution(gradient, weight, None, stride, padding, dilation, True, missing, groups)
    return found, None, None


def _max_pool_backward(
    gradient: Tensor,
    inputs: Tensor,
    kernel: list[int],  # noqa: ARG001 - the signature is PyTorch's
    stride: list[int],  # noqa: ARG001
    padding: list[int],  # noqa: ARG001
    dilation: list[int],  # noqa: ARG001
    ceil_mode: bool,  # noqa: ARG001
    indices: Tensor,
) -> Tensor:
    """Each window's gradient goes to its largest pixel."""
    nothing = torch.zeros_like(inputs).flatten(2)
    return nothing.scatter_add(2, indices.flatten(2), gradient.flatten(2)).view_as(inputs)


def _avg_pool_backward(
    gradient: Tensor,
    inputs: Tensor,
    kernel: list[int],
    stride: list[int],
    padding: list[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """Pooling is a matrix for each axis, as long as every window counts its own pixels; so is its backward pass."""
    if divisor_override is not None:
        raise NotImplementedError("An average pooling with a divisor of its own.")
    stride = stride or kernel
    matrices = [
        _pooling(
            inputs.shape[2 + i], kernel[i], stride[i], padding[i], ceil_mode=ceil_mode, pad=count_include_pad
        )
        for i in range(2)
    ]
    return _through(gradient, *matrices)


def _adaptive_avg_pool(inputs: Tensor, output_size: list[int]) -> Tensor:
    rows, columns = (_adaptive_pooling(inputs.shape[2 + i], output_size[i]) for i in range(2))
    return rows @ inputs @ columns.T


def _adaptive_avg_pool_backward(gradient: Tensor, inputs: Tensor) -> Tensor:
    matrices = [_adaptive_pooling(inputs.shape[2 + i], gradient.shape[2 + i]) for i in range(2)]
    return _through(gradient, *matrices)


def _through(gradient: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The gradient before a pooling by matrices, from that after it."""
    return rows.T @ gradient @ columns


def _pooling(n: int, kernel: int, stride: int, padding: int, *, ceil_mode: bool, pad: bool) -> Tensor:
    """Average pooling of a line of `n` pixels as a matrix (pixels after, `n`)."""
    room = n + 2 * padding - kernel
    after = (-(-room // stride) if ceil_mode else room // stride) + 1
    if ceil_mode and (after - 1) * stride >= n + padding:
        after -= 1  # no window begins in the padding behind the line
    matrix = np.zeros((after, n), dtype=np.float32)
    for i in range(after):
        start = i * stride - padding
        end = min(start + kernel, n + padding)
        inside = slice(max(start, 0), min(end, n))
        matrix[i, inside] = 1 / (end - start if pad else inside.stop - inside.start)
    return torch.from_numpy(matrix)


def _adaptive_pooling(n: int, after: int) -> Tensor:
    """Average pooling of a line of `n` pixels to `after` of them, as a matrix (`after`, `n`)."""
    matrix = np.zeros((after, n), dtype=np.float32)
    for i in range(after):
        inside = slice(i * n // after, -(-(i + 1) * n // after))
        matrix[i, inside] = 1 / (inside.stop - inside.start)
    return torch.from_numpy(matrix)
