"""Colour taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Damage
from allsight.data import effects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.records import Scene


@final
class Grey(Damage):
    """Colour taken away."""

    meaning: ClassVar[str] = "{level:.0%} of the colour taken away"
    levels: ClassVar[tuple[float, float, float, float, float]] = (0.2, 0.4, 0.6, 0.8, 1.0)
    usual: ClassVar[int] = 5

    @classmethod
    def apply(cls, image: NDArray[np.uint8], level: float, *, scene: Scene) -> NDArray[np.uint8]:  # noqa: ARG003 - nothing is random here
        """The damaged picture, uint8 RGB of the same shape."""
        grey = effects.grey(image).astype(np.float32)
        return (image + np.float32(level) * (grey - image) + 0.5).astype(np.uint8)
