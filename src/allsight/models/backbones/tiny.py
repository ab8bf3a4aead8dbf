"""Three convolutions and global average pooling: a network small enough to solve by hand, for tests."""

from __future__ import annotations

from typing import final

from torch import nn

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import PooledNetwork


@final
class Tiny(Backbone):
    """Three strided 3 × 3 convolutions of 8, 16 and 32 channels."""

    published_size = 64
    smallest_size = 8

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        body = nn.Sequential(
            nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
        )
        return PooledNetwork(body, width=32)
