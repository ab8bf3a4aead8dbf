"""Gaussian blur, as a field out of focus."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class Blur(Damage):
    """Gaussian blur, as a field out of focus."""

    meaning: ClassVar[str] = "Gaussian blur of {level:g} px in a picture of 224 px"
    levels: ClassVar[tuple[float, float, float, float, float]] = (0.5, 1.0, 1.5, 2.5, 4.0)
    usual: ClassVar[int] = 3

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:  # noqa: ARG003 - nothing is random here
        """The damaged picture, uint8 RGB of the same shape."""
        return effects.blur(image, level * min(image.shape[:2]) / 224)
