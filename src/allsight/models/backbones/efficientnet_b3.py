"""EfficientNet-B3: Tan & Le, EfficientNet, ICML 2019 (arXiv 1905.11946)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class EfficientNetB3(Backbone):
    """EfficientNet-B3, published at 300 pixels."""

    published_size = 300
    imagenet = "timm:tf_efficientnet_b3.in1k"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("tf_efficientnet_b3")
