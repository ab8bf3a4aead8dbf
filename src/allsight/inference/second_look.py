"""What a model is not sure of, it is shown once more: turned and mirrored, all eight ways to lay a square slide.

A smear has no upper side, so the eight answers should be one; where the model is not sure they are not, and their mean
is right more often than the first (test-time augmentation; Krizhevsky, Sutskever & Hinton, NeurIPS 2012). Images that
it is sure of are looked at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.data.effects import TURNS
from allsight.inference.trust import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime
    from allsight.core.records import Outputs

LOOKED_AT_AGAIN = 0.05  # share of the validation images


def fit_doubt(logits: NDArray[np.float32]) -> float:
    """The probability of the class named below which `LOOKED_AT_AGAIN` of the images lie.

    Args:
        logits: (N, C) of images the network was not trained on. Their temperature is 1: the one that is fitted later
            belongs to what is answered in the end.
    """
    return float(np.quantile(softmax(logits, 1.0).max(axis=1), LOOKED_AT_AGAIN))


def in_doubt(logits: NDArray[np.float32], doubt: float) -> NDArray[np.bool_]:
    """(N,): the class that logits (N, C) name has a probability below `doubt`, at temperature 1."""
    found: NDArray[np.bool_] = softmax(logits, 1.0).max(axis=1) < doubt
    return found


def looked_again(runtime: Runtime, image: NDArray[np.uint8], first: Outputs, *, doubt: float) -> Outputs:
    """What a network gives for an image; with the mean logits of its eight sides where the first look left doubt.

    Maps and embedding stay those of the image as it lies.

    Args:
        runtime: runs the graph.
        image: uint8 RGB (H, W, 3).
        first: what the graph gave for it, N = 1.
        doubt: as `fit_doubt` gives it; 0 never looks again.
    """
    if not in_doubt(first.logits, doubt)[0]:
        return first
    views = [turn(image) for turn in TURNS[1:]]
    upright = [view for view in views if view.shape == image.shape]
    lying = [view for view in views if view.shape != image.shape]  # of an image that is not square
    others = [runtime.run(np.stack(of_one_shape)).logits for of_one_shape in (upright, lying) if of_one_shape]
    mean = np.concatenate([first.logits, *others]).mean(axis=0, keepdims=True)
    return first._replace(logits=mean.astype(np.float32))
