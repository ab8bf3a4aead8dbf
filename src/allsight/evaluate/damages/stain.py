"""Another batch of stain."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class Stain(Damage):
    """Another batch of stain."""

    meaning: ClassVar[str] = "each stain stronger or weaker by up to {level:.0%}"
    levels: ClassVar[tuple[float, float, float, float, float]] = (0.1, 0.2, 0.3, 0.45, 0.6)
    usual: ClassVar[int] = 3

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:
        """The damaged picture, uint8 RGB of the same shape."""
        factors = 1 + level * scene.rng.uniform(-1, 1, size=3)
        return effects.jitter_stain(image, factors=factors, shifts=np.zeros(3))
