"""EfficientNet-B2: Tan & Le, EfficientNet, ICML 2019 (arXiv 1905.11946)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class EfficientNetB2(Backbone):
    """EfficientNet-B2, published at 260 pixels."""

    published_size = 260
    imagenet = "timm:tf_efficientnet_b2.in1k"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("tf_efficientnet_b2")
