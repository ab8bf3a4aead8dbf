"""ResNet-50: He et al., Deep Residual Learning, CVPR 2016 (arXiv 1512.03385)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class ResNet50(Backbone):
    """ResNet-50, published at 224 pixels."""

    published_size = 224
    imagenet = "timm:resnet50.tv_in1k"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("resnet50")
