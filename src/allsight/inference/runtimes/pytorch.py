"""Runs a bundle with PyTorch: any backbone, and gradients where an explainer needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np

from allsight.core.contracts import Runtime
from allsight.core.records import Outputs

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from allsight.models.classifier import Classifier


@final
class PyTorch(Runtime):
    """The reference runtime.

    Args:
        classifier: in evaluation mode.
    """

    gradients = True

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The runtime of the bundle in `folder`."""
        from allsight.models.bundle import load_classifier

        classifier, _ = load_classifier(folder)
        return cls(classifier)

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """uint8 RGB (N, H, W, 3) → `Outputs`."""
        import torch

        with torch.inference_mode():
            answer = self.classifier(torch.from_numpy(np.ascontiguousarray(images)))
        maps = None if answer.maps is None else answer.maps.float().numpy()
        return Outputs(answer.logits.float().numpy(), maps, answer.embedding.float().numpy())
