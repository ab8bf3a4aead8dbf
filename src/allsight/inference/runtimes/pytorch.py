"""Runs a bundle with PyTorch: any backbone, and gradients where an explainer needs them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, final

import numpy as np

from allsight.core.contracts import Runtime
from allsight.core.records import Outputs
from allsight.inference.precision import check_precision
from allsight.models.bundle import MODEL_FILE

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from allsight.inference.autograd import Autograd
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
    def precisions(cls, folder: Path) -> tuple[str, ...]:
        """Every bundle can be run."""
        return ("fp32",) if (folder / MODEL_FILE).is_file() and find_spec("torch") else ()

    @classmethod
    def open(cls, folder: Path, *, precision: str | None = None, threads: int | None = None) -> Self:
        """The runtime of the bundle in `folder`. PyTorch's number of threads belongs to the whole process."""
        check_precision(cls.precisions(folder), precision, runtime="pytorch", folder=folder)
        import torch

        from allsight.models.bundle import load_classifier

        if threads is not None:
            torch.set_num_threads(threads)
        classifier, _ = load_classifier(folder)
        return cls(classifier)

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """uint8 RGB (N, H, W, 3) → `Outputs`."""
        import torch

        with torch.inference_mode():
            answer = self.classifier(torch.from_numpy(np.ascontiguousarray(images)))
        maps = None if answer.maps is None else answer.maps.float().numpy()
        return Outputs(answer.logits.float().numpy(), maps, answer.embedding.float().numpy())

    def head_bias(self) -> NDArray[np.float32] | None:
        """Of the classifier; None where the network has no maps."""
        if not self.classifier.pooled:
            return None
        bias: NDArray[np.float32] = self.classifier.head.bias.detach().float().cpu().numpy()
        return bias

    def differentiated(self, *, exactly: bool = False) -> Autograd:
        """Gradients of the classifier, or of a folded copy, which is faster."""
        from allsight.inference.autograd import Autograd
        from allsight.models.folding import folded_classifier

        return Autograd(self.classifier if exactly else folded_classifier(self.classifier))
