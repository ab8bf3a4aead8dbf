"""What a model is not sure of, it is shown once more: all eight ways to lay a square slide, half in the stain it knows.

A smear has no upper side and every laboratory its own stain, so the eight answers should be one; where the model is not
sure they are not, and their mean is right more often than the first (test-time augmentation; Krizhevsky, Sutskever &
Hinton, NeurIPS 2012). The four mirrored ones are recoloured to what the training images look like (Reinhard et al.,
"Color transfer between images", IEEE CG&A 2001). Images that it is sure of are looked at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.data.effects import TURNS, lab_statistics, recolour
from allsight.inference.trust import Stain, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime
    from allsight.core.records import Outputs

LOOKED_AT_AGAIN = 0.05  # share of the validation images
_MOST_DRAWN_OUT = 2.0  # times its own deviations: more would draw colour out of the noise of a grey picture


def fit_doubt(logits: NDArray[np.float32]) -> float:
    """The probability of the class named below which `LOOKED_AT_AGAIN` of the images lie.

    Args:
        logits: (N, C) of images the network was not trained on. Their temperature is 1: the one that is fitted later
            belongs to what is answered in the end.
    """
    return float(np.quantile(softmax(logits, 1.0).max(axis=1), LOOKED_AT_AGAIN))


def fit_stain(stains: NDArray[np.float32]) -> Stain:
    """The middle of the Lab means and deviations (n, 2, 3) of the training images."""
    (m, n, o), (p, q, r) = np.median(stains, axis=0).astype(float).round(2).tolist()
    return (m, n, o), (p, q, r)


def in_stain(image: NDArray[np.uint8], stain: Stain) -> NDArray[np.uint8]:
    """An image with the means of a stain, and with its deviations as far as its own can be drawn out.

    Args:
        image: uint8 RGB (H, W, 3).
        stain: as `fit_stain` gives it.
    """
    mean, spread = np.array(stain, dtype=np.float32)
    return recolour(image, np.stack([mean, np.minimum(spread, _MOST_DRAWN_OUT * lab_statistics(image)[1])]))


def in_doubt(logits: NDArray[np.float32], doubt: float) -> NDArray[np.bool_]:
    """(N,): the class that logits (N, C) name has a probability below `doubt`, at temperature 1."""
    found: NDArray[np.bool_] = softmax(logits, 1.0).max(axis=1) < doubt
    return found


def looked_again(
    runtime: Runtime, image: NDArray[np.uint8], first: Outputs, *, doubt: float, stain: Stain | None
) -> Outputs:
    """What a network gives for an image; with the mean logits of its eight sides where the first look left doubt.

    Maps and embedding stay those of the image as it lies.

    Args:
        runtime: runs the graph.
        image: uint8 RGB (H, W, 3).
        first: what the graph gave for it, N = 1.
        doubt: as `fit_doubt` gives it; 0 never looks again.
        stain: of the mirrored sides, as `fit_stain` gives it; None leaves the image's own.
    """
    if not in_doubt(first.logits, doubt)[0]:
        return first
    usual = image if stain is None else in_stain(image, stain)
    views = [*(turn(image) for turn in TURNS[1:4]), *(turn(usual) for turn in TURNS[4:])]
    upright = [view for view in views if view.shape == image.shape]
    lying = [view for view in views if view.shape != image.shape]  # of an image that is not square
    others = [runtime.run(np.stack(of_one_shape)).logits for of_one_shape in (upright, lying) if of_one_shape]
    mean = np.concatenate([first.logits, *others]).mean(axis=0, keepdims=True)
    return first._replace(logits=mean.astype(np.float32))
