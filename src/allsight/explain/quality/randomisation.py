"""Parameter randomisation: Adebayo, Gilmer, Muelly, Goodfellow, Hardt & Kim, "Sanity checks for saliency maps",
NeurIPS 2018 (arXiv 1810.03292).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Measure
from allsight.inference.runtimes.pytorch import PyTorch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.explanation import Case
    from allsight.models.classifier import Classifier


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Randomisation(Measure):
    """How alike the heatmap is to that of the same network with its weights shuffled, by the ranks of pixels.

    The values within each parameter tensor change places, so that the network has forgotten what it learned and
    keeps its architecture and the size of its weights. A heatmap that stays the same shows the image or the
    architecture and not what was learned. One image's value is noisy on a coarse grid; take the mean over many.
    """

    higher_is_better: ClassVar[bool] = False
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)
    meaning: ClassVar[str] = (
        "How much the heatmap still resembles itself after everything the model has learned is shuffled."
    )
    source: ClassVar[str] = "Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018, arXiv 1810.03292"
    repeats: ClassVar[bool] = True

    def score(self, case: Case) -> float | None:
        """The rank correlation without its sign, in [0, 1].

        None for a runtime that is not PyTorch's, for a constant map, and where shuffled weights give no numbers.
        """
        if not isinstance(case.runtime, PyTorch):
            return None
        runtime = PyTorch(shuffled(case.runtime.classifier, seed=case.seed))
        if not answers_with_numbers(runtime, case.image):
            return None
        targets = np.array([case.target], dtype=np.int64)
        found = case.explainer.explain(runtime, case.image[None], targets=targets)
        return rank_resemblance(case.heatmap, found.heatmaps[0])


def shuffled(classifier: Classifier, *, seed: int) -> Classifier:
    """A copy in which the values of every parameter tensor have changed places. The original is left as it is."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    other = copy.deepcopy(classifier)
    with torch.no_grad():
        for parameter in other.parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return other


def answers_with_numbers(runtime: PyTorch, image: NDArray[np.uint8]) -> bool:
    """Whether the logits of an image, of black and of white are finite: what methods show the model lies between."""
    images = np.stack([image, np.zeros_like(image), np.full_like(image, 255)])
    return bool(np.isfinite(runtime.run(images).logits).all())


def rank_resemblance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float | None:
    """Spearman's rank correlation of two maps of one shape without its sign; None if one is constant or not finite."""
    from scipy.stats import spearmanr

    if not (np.isfinite(a).all() and np.isfinite(b).all()) or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return min(1.0, abs(float(spearmanr(a.ravel(), b.ravel()).statistic)))
