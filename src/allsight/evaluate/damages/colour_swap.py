"""The colours of a picture of another class, in mean and deviation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class ColourSwap(Damage):
    """The colours of a picture of another class, in mean and deviation."""

    meaning: ClassVar[str] = (
        "{level:.0%} of the way to the Lab means and deviations of a picture of another class"
    )
    levels: ClassVar[tuple[float, float, float, float, float]] = (0.25, 0.5, 0.75, 0.9, 1.0)
    usual: ClassVar[int] = 5

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:
        """The damaged picture, uint8 RGB of the same shape."""
        if scene.another is None:
            return image
        own, theirs = effects.lab_statistics(image), effects.lab_statistics(scene.another())
        return effects.recolour(image, own + np.float32(level) * (theirs - own))
