"""EfficientNet-B7: Tan & Le, EfficientNet, ICML 2019 (arXiv 1905.11946)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class EfficientNetB7(Backbone):
    """EfficientNet-B7, published at 600 pixels."""

    published_size = 600
    imagenet = "timm:tf_efficientnet_b7.aa_in1k"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("tf_efficientnet_b7")
