"""EfficientNet-B4: Tan & Le, EfficientNet, ICML 2019 (arXiv 1905.11946)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class EfficientNetB4(Backbone):
    """EfficientNet-B4, published at 380 pixels."""

    published_size = 380
    imagenet = "timm:tf_efficientnet_b4.in1k"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("tf_efficientnet_b4")
