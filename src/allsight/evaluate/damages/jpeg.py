"""Lossy compression."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class Jpeg(Damage):
    """Lossy compression."""

    meaning: ClassVar[str] = "JPEG of quality {level:g}"
    levels: ClassVar[tuple[float, float, float, float, float]] = (60, 40, 25, 15, 7)
    usual: ClassVar[int] = 3

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:  # noqa: ARG003 - nothing is random here
        """The damaged picture, uint8 RGB of the same shape."""
        return effects.jpeg(image, int(level))
