"""What a backbone's network must be able to do. Needs torch, so it stands apart from the other contracts."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Network(nn.Module, ABC):
    """Feature maps from normalised images, and the vector a linear head sees from feature maps.

    Attributes:
        width: D, the length of the embedding.
    """

    width: int

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Last feature maps, float (N, K, h, w), of normalised images, float (N, 3, H, W)."""

    @abstractmethod
    def embed(self, features: Tensor) -> Tensor:
        """What the linear head sees, float (N, D), from the last feature maps."""
