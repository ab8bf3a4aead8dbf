"""EfficientNet-Lite3: B3 without squeeze-and-excitation and with ReLU6, for small devices (Liu 2020)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class EfficientNetLite3(Backbone):
    """EfficientNet-Lite3, published at 300 pixels."""

    published_size = 300
    imagenet = "timm:tf_efficientnet_lite3.in1k"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("tf_efficientnet_lite3")
