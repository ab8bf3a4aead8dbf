"""Which verdicts of an int8 graph its rounding could have turned: the fp32 graph is asked for those.

A verdict hangs on limits, and rounding moves the figures that are held against them. How much is measured when a graph
is exported; a verdict whose figures lie further from every limit stands, and only the few others cost a second pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.inference.trust import Rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.inference.trust import Trust

COVERED = 0.9  # share of the changes near a limit that are taken into account
_NEAR = 3.0, 1.0  # which those are: within a factor of e³ of the odds, of e of the distance
_SUREST = float(-np.log(np.finfo(np.float64).epsneg))  # log-odds from which on a probability is 1
_FEWEST = 20  # of them; with fewer, all changes count


def clearance(
    logits: NDArray[np.float32], distances: NDArray[np.float32], *, trust: Trust
) -> NDArray[np.float64]:
    """How far each image is from another verdict by (N, 2) what its class and what its distance say.

    Where both are at least 0 the verdict is "answer", as `judge` has it for images whose looks nobody minds; else
    "refer". The first is in log-odds: the class named passes its threshold and the least certainty, the other classes
    miss theirs, and it is the likeliest. The second is the logarithm of the limit over the distance.

    Args:
        logits: (N, C).
        distances: (N,) as `Space.distances` gives them.
        trust: whose limits.
    """
    odds = _log_odds(logits.astype(np.float64) / trust.temperature)
    own = np.eye(odds.shape[1], dtype=np.bool_)
    with np.errstate(divide="ignore"):  # a threshold of 1 excludes nothing: that limit is infinitely far
        limits = np.log1p(-np.array(trust.thresholds)) - np.log(np.array(trust.thresholds))
        least = np.log(trust.certainty) - np.log1p(-trust.certainty)
    passes = odds - np.minimum(limits, _SUREST)
    others = np.where(own, np.inf, -passes[:, None]).min(axis=2)
    rival = np.where(own, -np.inf, odds[:, None]).max(axis=2)
    named = np.minimum.reduce([passes, others, odds - min(float(least), _SUREST), odds - rival]).max(axis=1)
    near = np.log(trust.distance_limit) - np.log(np.maximum(distances.astype(np.float64), 1e-12))
    return np.stack([named, near], axis=1)


def fit_rounding(exact: NDArray[np.float64], rounded: NDArray[np.float64]) -> Rounding:
    """What rounding changes, from the clearances (N, 2) of the same images in fp32 and in int8."""
    widths = []
    for here, there, near in zip(exact.T, rounded.T, _NEAR, strict=True):
        finite = np.isfinite(here) & np.isfinite(there)
        close = finite & (np.abs(here) < near)
        counted = close if close.sum() >= _FEWEST else finite
        changes = np.abs(here[counted] - there[counted])
        widths.append(float(np.quantile(changes, COVERED)) if len(changes) else 0.0)
    return Rounding(odds=widths[0], distance=widths[1])


def unsettled(clearances: NDArray[np.float64], rounding: Rounding) -> NDArray[np.bool_]:
    """(N,): rounding could turn the verdict, for what decides it lies within what rounding changes."""
    deciding = np.min(clearances / np.maximum([rounding.odds, rounding.distance], 1e-12), axis=1)
    could: NDArray[np.bool_] = np.abs(deciding) < 1
    return could


def _log_odds(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """log p / (1 - p) of each class, (N, C), exact where p is all but 1; infinite where there is one class only."""
    if logits.shape[1] == 1:
        return np.full(logits.shape, np.inf)
    shifted = logits - logits.max(axis=1, keepdims=True)
    others = np.repeat(shifted[:, None], shifted.shape[1], axis=1)  # (N, C, C)
    own = np.arange(shifted.shape[1])
    others[:, own, own] = -np.inf
    largest = others.max(axis=2)
    found: NDArray[np.float64] = shifted - largest - np.log(np.exp(others - largest[:, :, None]).sum(axis=2))
    return found
