"""The leukocytes on the field of a picture of another class, which has lost its own: does a model read the cells?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class OtherField(Damage):
    """The leukocytes on the field of a picture of another class, which has lost its own; fewer and fewer of them."""

    meaning: ClassVar[str] = (
        "red cells and slide of a picture of another class, each clump of leukocytes left at {level:.0%}, one at least"
    )
    levels: ClassVar[tuple[float, float, float, float, float]] = (1.0, 0.75, 0.5, 0.25, 0.0)
    usual: ClassVar[int] = 1

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:
        """The damaged picture, uint8 RGB of the same shape."""
        if scene.another is None:
            return image
        return effects.transplant(image, scene.another(), share=level, rng=scene.rng)
