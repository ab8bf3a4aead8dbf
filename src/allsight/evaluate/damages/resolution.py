"""A coarser camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class Resolution(Damage):
    """A coarser camera."""

    meaning: ClassVar[str] = "pixels {level:g} times as wide, back at the old size"
    levels: ClassVar[tuple[float, float, float, float, float]] = (1.5, 2.0, 3.0, 4.0, 6.0)
    usual: ClassVar[int] = 2

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:  # noqa: ARG003 - nothing is random here
        """The damaged picture, uint8 RGB of the same shape."""
        return effects.coarsen(image, level)
