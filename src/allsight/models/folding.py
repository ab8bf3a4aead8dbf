"""The same frozen network in fewer operations, for explainers that run it hundreds of times on one image.

In evaluation mode batch normalisation is a fixed scaling of each channel, so it can be multiplied into the
convolution before it (Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", CVPR 2018, section 3.2). Results differ by rounding only. Convolutions
also get the channels-last layout, in which depthwise ones are faster on a CPU.
"""

from __future__ import annotations

import copy
from typing import Any, final

import torch
from torch import fx, nn
from torch.nn.utils import fuse_conv_bn_eval

from allsight.core.network import Network
from allsight.models.classifier import Classifier
from allsight.models.networks import FlattenedNetwork, PooledNetwork


@final
class _Tracer(fx.Tracer):
    """Keeps convolutions and normalisations whole, also those that a library has derived from PyTorch's."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (nn.Conv2d, nn.BatchNorm2d)) or super().is_leaf_module(m, module_qualified_name)


def folded_classifier(classifier: Classifier) -> Classifier:
    """A classifier that gives the same answers in less time. The original and its weights are left as they are.

    Weights are copied now: a change of the original does not reach the copy.

    Args:
        classifier: in evaluation mode.
    """
    with torch.random.fork_rng(devices=[]):  # a new head draws numbers that nobody needs
        swift = Classifier(
            _folded_network(classifier.network),
            n_classes=classifier.head.out_features,
            preprocessing=classifier.preprocessing,
            pooled=classifier.pooled,
        )
    swift.head = copy.deepcopy(classifier.head)
    place = classifier.head.weight
    swift.mean, swift.std = (b.to(place) for b in (swift.get_buffer("mean"), swift.get_buffer("std")))
    return swift.eval().requires_grad_(False)


def _folded_network(network: Network) -> Network:
    if isinstance(network, PooledNetwork):
        return PooledNetwork(_folded(network.body), width=network.width)
    if isinstance(network, FlattenedNetwork):
        return FlattenedNetwork(
            _folded(network.body),
            pool=copy.deepcopy(network.pool),
            hidden=copy.deepcopy(network.hidden),
            width=network.width,
        )
    return copy.deepcopy(network)


def _folded(body: nn.Module) -> nn.Module:
    """A copy of `body` with normalisations folded away; an unchanged copy where it cannot be traced."""
    body = copy.deepcopy(body).eval()
    try:
        graph = _Tracer().trace(body)
    except (fx.proxy.TraceError, TypeError):  # what it does depends on values: nothing can be said beforehand
        return body.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
    traced = fx.GraphModule(body, graph)
    calls = [node for node in graph.nodes if node.op == "call_module"]
    often = {n.target for n in calls if sum(m.target == n.target for m in calls) > 1}
    for node in calls:
        before = node.args[0]
        norm = traced.get_submodule(node.target)
        if (
            not isinstance(norm, nn.BatchNorm2d)
            or norm.running_mean is None
            or not isinstance(before, fx.Node)
            or before.op != "call_module"
            or len(before.users) > 1
            or {node.target, before.target} & often
        ):
            continue
        convolution = traced.get_submodule(str(before.target))
        if isinstance(convolution, nn.Conv2d):
            traced.set_submodule(str(before.target), fuse_conv_bn_eval(convolution, norm))
            traced.set_submodule(node.target, _what_follows(norm))
    return traced.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _what_follows(norm: nn.BatchNorm2d) -> nn.Module:
    """What timm's joint layers do after normalising: the activation. Dropping does nothing in evaluation mode."""
    activation: Any = getattr(norm, "act", None)
    return nn.Identity() if activation is None else activation
