"""Inception-ResNet-v2: Szegedy et al., AAAI 2017 (arXiv 1602.07261)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class InceptionResNetV2(Backbone):
    """Inception-ResNet-v2, published at 299 pixels."""

    published_size = 299
    smallest_size = 75
    imagenet = "timm:inception_resnet_v2.tf_in1k"

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("inception_resnet_v2")
