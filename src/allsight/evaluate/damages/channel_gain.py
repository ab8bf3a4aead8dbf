"""Another lamp or white balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class ChannelGain(Damage):
    """Another lamp or white balance."""

    meaning: ClassVar[str] = "red, green and blue each multiplied by a factor within ±{level:.0%}"
    levels: ClassVar[tuple[float, float, float, float, float]] = (0.1, 0.15, 0.25, 0.35, 0.5)
    usual: ClassVar[int] = 3

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:
        """The damaged picture, uint8 RGB of the same shape."""
        return effects.gain(image, 1 + level * scene.rng.uniform(-1, 1, size=3))
