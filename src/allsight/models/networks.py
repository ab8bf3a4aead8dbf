"""Networks as timm and torchvision publish them, behind one face: features, then an embedding."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.core.torchvision_ops import ensure


@final
class PooledNetwork(Network):
    """Feature maps followed by global average pooling and nothing else; D = K."""

    def __init__(self, body: nn.Module, *, width: int) -> None:
        super().__init__()
        self.body = body
        self.width = width

    def features(self, images: Tensor) -> Tensor:
        """float (N, 3, H, W) → (N, K, h, w)."""
        maps: Tensor = self.body(images)
        return maps

    def embed(self, features: Tensor) -> Tensor:
        """float (N, K, h, w) → (N, K): the mean over positions."""
        return features.mean(dim=(2, 3))


@final
class FlattenedNetwork(Network):
    """Feature maps pooled to a fixed grid, flattened and passed through hidden fully connected layers."""

    def __init__(self, body: nn.Module, *, pool: nn.Module, hidden: nn.Module, width: int) -> None:
        super().__init__()
        self.body = body
        self.pool = pool
        self.hidden = hidden
        self.width = width

    def features(self, images: Tensor) -> Tensor:
        """float (N, 3, H, W) → (N, K, h, w)."""
        maps: Tensor = self.body(images)
        return maps

    def embed(self, features: Tensor) -> Tensor:
        """float (N, K, h, w) → (N, D): the last hidden layer."""
        hidden: Tensor = self.hidden(self.pool(features).flatten(1))
        return hidden


def without_weights(backbone: type[Backbone]) -> Network:
    """A network whose tensors have shapes and no values yet; drawing those would take seconds for a large one.

    Fill it with `load_state_dict(…, assign=True)`.
    """
    with torch.device("meta"):
        return backbone.build()


def begun_as_identity(network: Network) -> Network:
    """The network, each inverted residual block with a shortcut now adding nothing; deep ones then learn at once.

    The last normalisation of the block starts at 0 (Goyal et al., "Accurate, large minibatch SGD: training ImageNet in
    1 hour", 2017, section 5.1). timm does so for its ResNets and leaves its EfficientNets as TensorFlow drew them.
    """
    for block in network.modules():
        norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
        if getattr(block, "has_skip", False) and norms:
            nn.init.zeros_(norms[-1].weight)
    return network


def pooled_timm(architecture: str) -> PooledNetwork:
    """A timm network without its classifier and without its pooling, which `PooledNetwork` does.

    Args:
        architecture: timm's name.
    """
    ensure()
    import timm

    body: Any = timm.create_model(architecture, pretrained=False, num_classes=0, global_pool="")
    return PooledNetwork(body, width=body.num_features)


def flattened_torchvision(architecture: str) -> FlattenedNetwork:
    """torchvision's VGG or AlexNet in its published form, without the last linear layer."""
    ensure()
    from torchvision.models import get_model

    model = get_model(architecture, weights=None)
    *hidden, last = model.classifier
    return FlattenedNetwork(
        model.features, pool=model.avgpool, hidden=nn.Sequential(*hidden), width=last.in_features
    )
