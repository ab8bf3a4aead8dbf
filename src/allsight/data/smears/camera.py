"""From transmitted light to the picture: uneven light, defocus, sensor noise, clipping, JPEG."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.data.smears.patient import Light

WHITEST = 253
"""No photographed pixel is brighter, so that an overlay's white is always told from it."""

_LEVELS = 1 << 15  # 16-bit steps at the camera's white, with room above it


@lru_cache(maxsize=4)
def _plane(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Row and column in [-1, 1], and the squared distance from the centre with 1 in the corners; (H, W) each."""
    axis = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return y, x, (y * y + x * x) * np.float32(0.5)


def photograph(
    passed: NDArray[np.float32], light: Light, *, scale: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The picture that a camera takes of a field.

    Args:
        passed: float32 (H, W, 3), part of the light that passes the smear.
        light: the microscope's light and camera.
        scale: pixels per micrometre.
        rng: randomness of this one shot: focus, tilt, exposure, noise.

    Returns:
        uint8 RGB (H, W, 3).
    """
    size = passed.shape[0]
    lit = passed * _illumination(light, size=size, rng=rng)
    levels = np.clip(lit * np.float32(_LEVELS), 0, 65535).astype(np.uint16)
    sharp = _defocused(levels, light, scale=scale, rng=rng)
    values = sharp * np.float32(255 / _LEVELS)
    # Shot noise: its variance goes with the light.
    noise = rng.standard_normal(values.shape, dtype=np.float32)
    values += noise * (np.float32(light.noise / 16) * np.sqrt(values + np.float32(4)))
    picture = np.clip(values + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.minimum(_compressed(picture, quality=light.quality), WHITEST)


def _illumination(light: Light, *, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    y, x, corner = _plane(size)
    exposure = 1 + 0.02 * float(np.clip(rng.standard_normal(), -2, 2))
    slope = [own + float(change) for own, change in zip(light.slope, rng.normal(0, 0.01, 2), strict=True)]
    tilt = 1 + np.float32(slope[0]) * y + np.float32(slope[1]) * x
    planes = [
        np.float32(white * exposure) * tilt * (1 - np.float32(lost) * corner)
        for white, lost in zip(light.white, light.falloff, strict=True)
    ]
    return np.stack(planes, axis=-1)


def _defocused(
    levels: NDArray[np.uint16], light: Light, *, scale: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Blurred everywhere a little, and more where a tilted slide leaves the plane of focus; float32 levels."""
    near = light.blur * scale * rng.uniform(0.8, 1.3)
    far = near + scale * rng.choice([0.1, 0.3, 0.8], p=[0.60, 0.30, 0.10]) * rng.uniform(0.5, 1.2)
    y, x, _ = _plane(levels.shape[0])
    angle, start = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 1.0)
    along = y * np.float32(round(np.sin(angle), 6)) + x * np.float32(round(np.cos(angle), 6))
    away = np.clip(along - np.float32(start), 0, 1)[..., None]
    sharp = cv2.GaussianBlur(levels, (0, 0), near).astype(np.float32)
    soft = cv2.GaussianBlur(levels, (0, 0), far).astype(np.float32)
    return sharp + (soft - sharp) * away


def _compressed(picture: NDArray[np.uint8], *, quality: int) -> NDArray[np.uint8]:
    done, code = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(code, cv2.IMREAD_COLOR) if done else None
    if decoded is None:
        raise RuntimeError("OpenCV could not compress a picture as JPEG in memory")
    return np.ascontiguousarray(decoded[..., ::-1]).astype(np.uint8)
