"""A part of the field, enlarged: fewer cells, each larger than the model knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class Crop(Damage):
    """A part of the field, enlarged: fewer cells, each larger than the model knows."""

    meaning: ClassVar[str] = "the middle {level:.0%} of each side, enlarged"
    levels: ClassVar[tuple[float, float, float, float, float]] = (0.9, 0.8, 0.65, 0.5, 0.35)
    usual: ClassVar[int] = 2

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:  # noqa: ARG003 - nothing is random here
        """The damaged picture, uint8 RGB of the same shape."""
        return effects.zoom(image, 1 / level)
