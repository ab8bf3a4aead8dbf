"""Grainy textures: band-limited noise of a given grain, for chromatin, granules and smudges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def grain(rng: np.random.Generator, *, side: int, sigma: float) -> NDArray[np.float32]:
    """Noise with grains of one size, mean 0 and standard deviation 1 over the tile.

    The blur runs on 16-bit integers, where OpenCV's Gaussian is exact on every processor.

    Args:
        rng: where randomness comes from.
        side: of the square tile, pixels.
        sigma: standard deviation of the Gaussian that makes the grains, pixels.

    Returns:
        float32 (side, side).
    """
    margin = int(np.ceil(3 * sigma)) + 1
    noise = rng.integers(0, 1 << 16, (side + 2 * margin,) * 2, dtype=np.uint16)
    blurred = cv2.GaussianBlur(noise, (2 * margin + 1,) * 2, sigma)[margin:-margin, margin:-margin]
    values = blurred.astype(np.int64)
    mean = int(values.sum()) // values.size
    deviation = (int(((values - mean) ** 2).sum()) / values.size) ** 0.5
    tile: NDArray[np.float32] = ((values - mean) * round(1 / deviation, 12)).astype(np.float32)
    return tile


def cut(rng: np.random.Generator, tile: NDArray[np.float32], *, side: int) -> NDArray[np.float32]:
    """A square of `side` pixels from anywhere in the tile, turned and mirrored at random."""
    top, left = rng.integers(0, tile.shape[0] - side + 1, 2)
    piece = tile[top : top + side, left : left + side]
    turn = int(rng.integers(0, 8))
    piece = piece.T if turn & 1 else piece
    return piece[:: -1 if turn & 2 else 1, :: -1 if turn & 4 else 1]


def centred(texture: NDArray[np.float32], *, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The texture less its mean over `inside`, so that it moves no colour there; float32 (H, W)."""
    scale = 1 << 20  # whole numbers add up alike in any order
    total = int(np.round(texture[inside] * scale).astype(np.int64).sum())
    return texture - np.float32(round(total / scale / max(int(inside.sum()), 1), 6))
