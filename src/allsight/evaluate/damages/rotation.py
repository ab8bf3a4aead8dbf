"""A slide laid otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class Rotation(Damage):
    """A slide laid otherwise."""

    meaning: ClassVar[str] = "turned by up to {level:g}° either way"
    levels: ClassVar[tuple[float, float, float, float, float]] = (10, 20, 45, 90, 180)
    usual: ClassVar[int] = 5

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:
        """The damaged picture, uint8 RGB of the same shape."""
        return effects.rotate(image, float(scene.rng.uniform(-level, level)))
