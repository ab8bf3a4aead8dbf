"""A noisy sensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class Noise(Damage):
    """A noisy sensor."""

    meaning: ClassVar[str] = "normal noise of {level:.0%} of full scale"
    levels: ClassVar[tuple[float, float, float, float, float]] = (0.02, 0.04, 0.07, 0.11, 0.16)
    usual: ClassVar[int] = 2

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:
        """The damaged picture, uint8 RGB of the same shape."""
        return effects.noise(image, level, rng=scene.rng)
