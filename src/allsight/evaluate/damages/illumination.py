"""Light that falls off across the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class Illumination(Damage):
    """Light that falls off across the field."""

    meaning: ClassVar[str] = "light that falls by {level:.0%} from one side to the other"
    levels: ClassVar[tuple[float, float, float, float, float]] = (0.2, 0.35, 0.5, 0.65, 0.8)
    usual: ClassVar[int] = 3

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:
        """The damaged picture, uint8 RGB of the same shape."""
        return effects.shade(image, level, direction=float(scene.rng.uniform(0, 2 * np.pi)))
