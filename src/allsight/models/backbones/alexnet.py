"""AlexNet: Krizhevsky, One weird trick, 2014 (arXiv 1404.5997), the single-column form torchvision carries.

Its classifier has hidden fully connected layers over a 7 × 7 or 6 × 6 grid, so it has no class activation maps.
"""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import flattened_torchvision


@final
class AlexNet(Backbone):
    """AlexNet, published at 224 pixels."""

    published_size = 224
    smallest_size = 63
    pooled = False
    imagenet = "torchvision:AlexNet_Weights.IMAGENET1K_V1"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return flattened_torchvision("alexnet")
