"""DenseNet-121: Huang et al., Densely Connected Convolutional Networks, CVPR 2017 (arXiv 1608.06993)."""

from __future__ import annotations

from typing import final

from allsight.core.contracts import Backbone
from allsight.core.network import Network
from allsight.models.networks import pooled_timm


@final
class DenseNet121(Backbone):
    """DenseNet-121, published at 224 pixels."""

    published_size = 224
    imagenet = "timm:densenet121.tv_in1k"
    note = 'stands in for the paper\'s "DenseNet50", a depth no published DenseNet has'

    @classmethod
    def build(cls) -> Network:
        """The network with fresh random weights."""
        return pooled_timm("densenet121")
