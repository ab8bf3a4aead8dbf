"""Specks on the slide or the lens."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class Dust(Damage):
    """Specks on the slide or the lens."""

    meaning: ClassVar[str] = "{level:g} dark specks"
    levels: ClassVar[tuple[float, float, float, float, float]] = (3, 6, 12, 25, 50)
    usual: ClassVar[int] = 3

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:
        """The damaged picture, uint8 RGB of the same shape."""
        return effects.dust(image, int(level), rng=scene.rng)
