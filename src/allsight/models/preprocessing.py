"""What happens to pixels before the first layer. A record that travels with the weights; nothing is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Triple = tuple[float, float, float]

_LONGEST = 1024  # pixels; at least twice what a network sees


class Preprocessing(BaseModel):
    """uint8 RGB of any size → stretched to `size` × `size` → divided by 255 → (x - mean) / std.

    Photographs are brought near that size first (`reduced`), which is no part of the graph: at full size each would
    take hundreds of megabytes there and a tenth of a second, for pixels that are averaged away.

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

    @property
    def longest(self) -> int:
        """The longer side, in pixels, that an image is reduced to where it has more."""
        return max(_LONGEST, 2 * self.size)

    def reduced(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An image, uint8 RGB (H, W, 3), with a longer side of `longest` at most; itself where it has no more.

        Each pixel is the mean of those that it stands for.
        """
        factor = self.longest / max(image.shape[:2])
        if factor >= 1:
            return image
        import cv2
        import numpy as np

        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
