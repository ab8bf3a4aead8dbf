"""Changes to training images that leave the diagnosis as it is. Pure: all randomness comes from the generator given.

Stain jitter follows Tellez et al., "Whole-slide mitosis detection in H&E breast histology using PHH3 as a reference
to train distilled stain-invariant convolutional networks" (IEEE TMI 2018): haematoxylin, eosin and residual are
scaled and shifted apart, in optical density, where stains add.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Box


class Augmentation(BaseModel):
    """How training images are varied.

    Attributes:
        flip: probability of a mirror image.
        turn: whether images are turned by a random multiple of 90 degrees, which needs no resampling.
        stain: half width of the uniform factor on each stain; 0 for none.
        stain_shift: half width of the uniform shift of each stain's optical density.
        hide_corner: probability that the corner with the source's scale bar is painted over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    flip: float = Field(default=0.5, ge=0, le=1)
    turn: bool = True
    stain: float = Field(default=0.2, ge=0, lt=1)
    stain_shift: float = Field(default=0.02, ge=0, le=0.5)
    hide_corner: float = Field(default=0.5, ge=0, le=1)


def augment(
    image: NDArray[np.uint8], settings: Augmentation, *, rng: np.random.Generator, overlay: Box | None = None
) -> NDArray[np.uint8]:
    """A varied copy of an image.

    Args:
        image: uint8 RGB (H, W, 3).
        settings: what is varied and how much.
        rng: all randomness; the same generator state gives the same bytes.
        overlay: where the source burnt in a scale bar, or None.

    Returns:
        uint8 RGB (H, W, 3), contiguous; (W, H, 3) after a quarter turn.
    """
    import numpy as np

    # Every number is drawn whether it is used or not, so that one setting never changes another's draws.
    hide, flip = rng.random(2)
    turns = int(rng.integers(4))
    factors = 1 + settings.stain * rng.uniform(-1, 1, size=3)
    shifts = settings.stain_shift * rng.uniform(-1, 1, size=3)
    if overlay is not None and hide < settings.hide_corner:
        image = hide_box(image, overlay)
    if settings.stain or settings.stain_shift:
        image = jitter_stain(image, factors=factors, shifts=shifts)
    if flip < settings.flip:
        image = image[:, ::-1]
    if settings.turn:
        image = np.rot90(image, turns)
    return np.ascontiguousarray(image)


def hide_box(image: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """A copy whose box is painted with the image's own median colour, so that nothing in it can be learned.

    Args:
        image: uint8 RGB (H, W, 3).
        box: in fractions of height and width.
    """
    import numpy as np

    hidden = image.copy()
    rows, columns = box.pixels(*image.shape[:2])
    hidden[rows, columns] = np.median(image[::4, ::4].reshape(-1, 3), axis=0).astype(np.uint8)
    return hidden


def jitter_stain(
    image: NDArray[np.uint8], *, factors: NDArray[np.float64], shifts: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Scale and shift the optical density of each stain.

    Args:
        image: uint8 RGB (H, W, 3).
        factors: (3,), for haematoxylin, eosin and residual; 1 changes nothing.
        shifts: (3,), added to each stain's density; 0 changes nothing.
    """
    import numpy as np

    to_stains, to_rgb = _stain_bases()
    # One affine map in density: D' = ((D · to_stains) · factors + shifts) · to_rgb
    matrix = (to_stains * factors) @ to_rgb
    density = _densities()[image].reshape(-1, 3) @ matrix.astype(np.float32) + (shifts @ to_rgb).astype(
        np.float32
    )
    light = np.exp(-density, out=density)
    np.clip(light * 256 - 0.5, 0, 255, out=light)
    return light.astype(np.uint8).reshape(image.shape)


@cache
def _densities() -> NDArray[np.float32]:
    """Optical density of each of the 256 values; the half keeps black finite and the way back exact."""
    import numpy as np

    return (-np.log((np.arange(256) + 1) / 256)).astype(np.float32)


@cache
def _stain_bases() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From density to haematoxylin, eosin and residual, and back (Ruifrok & Johnston 2001, as in scikit-image)."""
    import numpy as np

    rgb_from_stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
    return np.linalg.inv(rgb_from_stains), rgb_from_stains
