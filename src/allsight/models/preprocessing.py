"""What happens to pixels before the first layer. A record that travels with the weights; nothing is guessed."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Triple = tuple[float, float, float]


class Preprocessing(BaseModel):
    """uint8 RGB of any size → stretched to `size` × `size` → divided by 255 → (x - mean) / std.

    Attributes:
        size: side in pixels of the square the network sees. Other shapes are stretched, so that a heatmap
            covers the whole image.
        mean: per channel, of values in [0, 1].
        std: per channel, of values in [0, 1].
        interpolation: how pixels are resized; always antialiased.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=8, le=2048)
    mean: Triple = (0.485, 0.456, 0.406)
    std: Triple = (0.229, 0.224, 0.225)
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
