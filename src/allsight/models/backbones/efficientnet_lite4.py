"""EfficientNet-Lite4: B4 without squeeze-and-excitation and with ReLU6, for small devices (Liu 2020)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class EfficientNetLite4(Backbone):
    """EfficientNet-Lite4, published at 380 pixels."""

    published_size = 380
    imagenet = "timm:tf_efficientnet_lite4.in1k"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("tf_efficientnet_lite4")
