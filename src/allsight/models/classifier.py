"""The whole model as one graph: raw pixels in; logits, class activation maps and embedding out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from allsight.core.network import Network
from allsight.models.preprocessing import Preprocessing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Answer(NamedTuple):
    """logits (N, C); maps (N, C, h, w) whose spatial mean is the logit, or None; embedding (N, D)."""

    logits: Tensor
    maps: Tensor | None
    embedding: Tensor


@final
class Classifier(nn.Module):
    """Preprocessing, network, linear head.

    Args:
        network: gives features and embeddings.
        n_classes: C.
        preprocessing: what the network's weights expect.
        pooled: True where the embedding is the spatial mean of the features, so that maps exist.
        dropout: share of the embedding dropped while training.
    """

    def __init__(
        self,
        network: Network,
        *,
        n_classes: int,
        preprocessing: Preprocessing,
        pooled: bool,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(network.width, n_classes)
        self.dropout = nn.Dropout(dropout)
        self.preprocessing = preprocessing
        self.pooled = pooled
        self.register_buffer(
            "mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1) * 255, persistent=False
        )
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1) * 255, persistent=False)

    def put_head(self, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """Replace the head by one that was fitted elsewhere, weight (C, D) and bias (C,)."""
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))

    def forward(self, images: Tensor) -> Answer:
        """uint8 RGB (N, H, W, 3) → `Answer`."""
        return self.classify(self.prepare(images))

    def prepare(self, images: Tensor) -> Tensor:
        """uint8 RGB (N, H, W, 3) → normalised float (N, 3, size, size)."""
        pixels = images.permute(0, 3, 1, 2).to(self.head.weight.dtype)
        size = self.preprocessing.size
        if pixels.shape[-2:] != (size, size):
            pixels = F.interpolate(
                pixels,
                (size, size),
                mode=self.preprocessing.interpolation,
                antialias=True,
                align_corners=False,
            ).clamp(0, 255)  # bicubic overshoots
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        return (pixels - mean) / std

    def classify(self, inputs: Tensor) -> Answer:
        """Normalised float (N, 3, size, size) → `Answer`."""
        features = self.network.features(inputs)  # (N, K, h, w)
        embedding = self.network.embed(features)  # (N, D)
        logits = self.head(self.dropout(embedding))
        return Answer(logits, self.class_maps(features) if self.pooled else None, embedding)

    def class_maps(self, features: Tensor) -> Tensor:
        """Class activation maps (Zhou 2016): the head applied at every position, (N, K, h, w) → (N, C, h, w).

        The bias is kept, so that the spatial mean of a map is the class's logit.
        """
        return F.conv2d(features, self.head.weight[:, :, None, None], self.head.bias)
