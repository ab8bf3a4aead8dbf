"""The corner with the scale bar painted over; a model that reads it falls."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from allsight.core.contracts import Damage
from allsight.core.records import Box
from allsight.data import effects

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class CornerHidden(Damage):
    """The corner with the scale bar painted over; a model that reads it falls."""

    meaning: ClassVar[str] = "the corner with the scale bar painted over, {level:.0%} of each side"
    levels: ClassVar[tuple[float, float, float, float, float]] = (0.16, 0.2, 0.25, 0.3, 0.4)
    usual: ClassVar[int] = 1

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:
        """The damaged picture, uint8 RGB of the same shape."""
        box = scene.overlay or Box(1 - level, 1 - level, 1.0, 1.0)
        wider = Box(min(box.left, 1 - level), min(box.top, 1 - level), box.right, box.bottom)
        return effects.hide_box(image, wider)
