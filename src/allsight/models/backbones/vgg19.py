"""VGG-19: Simonyan & Zisserman, ICLR 2015 (arXiv 1409.1556).

Its classifier has hidden fully connected layers over a 7 × 7 or 6 × 6 grid, so it has no class activation maps.
"""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import flattened_torchvision


@final
class VGG19(Backbone):
    """VGG-19, published at 224 pixels."""

    published_size = 224
    smallest_size = 32
    pooled = False
    imagenet = "torchvision:VGG19_Weights.IMAGENET1K_V1"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return flattened_torchvision("vgg19")
