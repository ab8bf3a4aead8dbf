"""The linear model that LIME fits around one image, in closed form and with its uncertainty.

Ribeiro, Singh & Guestrin, "Why should I trust you?", KDD 2016 (arXiv 1602.04938); kernel and ridge as in the lime
package, so that the same samples give the same coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

KERNEL_WIDTH = 0.25
RIDGE = 1.0
_REPETITIONS = 256


@dataclass(frozen=True, slots=True)
class Surrogate:
    """output ≈ intercept + coefficients · shown.

    Attributes:
        coefficients: float64 (S,), change of the output when a superpixel is shown instead of hidden.
        covariance: float64 (S, S) of the coefficients over other draws of the samples.
        intercept: the output when nothing is shown.
        r_squared: weighted share of the output's variance that the model explains.
    """

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    intercept: float
    r_squared: float

    @property
    def standard_errors(self) -> NDArray[np.float64]:
        """float64 (S,)."""
        errors: NDArray[np.float64] = np.sqrt(np.diag(self.covariance))
        return errors


def proximity(shown: NDArray[np.bool_], *, width: float = KERNEL_WIDTH) -> NDArray[np.float64]:
    """Weight of each sample (n,): an exponential kernel of its cosine distance to the row that shows everything.

    The cosine of a row with k of S ones and the row of ones is √(k / S); a row of zeros has distance 1.
    """
    distance = 1 - np.sqrt(shown.mean(axis=1))
    weights: NDArray[np.float64] = np.sqrt(np.exp(-((distance / width) ** 2)))
    return weights


def fit_surrogate(
    shown: NDArray[np.bool_],
    outputs: NDArray[np.float64],
    *,
    draws: NDArray[np.int64] | None = None,
    weights: NDArray[np.float64] | None = None,
    ridge: float = RIDGE,
) -> Surrogate:
    """Weighted ridge regression with an intercept that is not penalised.

    The covariance is the sandwich estimator with residuals summed inside each draw (Liang & Zeger 1986), so it asks
    neither for a linear model nor for independent rows.

    Args:
        shown: bool (n, S).
        outputs: (n,).
        draws: (n,), rows with one number were drawn together; by default each row alone.
        weights: (n,); by default `proximity`.
        ridge: the penalty.
    """
    weights = proximity(shown) if weights is None else weights
    draws = np.arange(len(shown)) if draws is None else draws
    rows = shown.astype(np.float64)
    share = weights / weights.sum()
    centred = rows - share @ rows
    target = outputs - share @ outputs
    weighted = centred * weights[:, None]
    inverse = np.linalg.inv(centred.T @ weighted + ridge * np.eye(rows.shape[1]))
    coefficients = inverse @ (weighted.T @ target)
    residuals = target - centred @ coefficients
    scores = np.zeros((int(draws.max()) + 1, rows.shape[1]))
    np.add.at(scores, draws, weighted * residuals[:, None])
    n, n_draws = len(rows), len(np.unique(draws))
    freedom = n_draws / max(1, n_draws - 1) * max(1, n - 1) / max(1, n - rows.shape[1] - 1)
    total = float(share @ target**2)
    return Surrogate(
        coefficients,
        inverse @ (scores.T @ scores) @ inverse * freedom,
        float(share @ outputs - (share @ rows) @ coefficients),
        1 - float(share @ residuals**2) / total if total else 1.0,
    )


def leading(coefficients: NDArray[np.float64], *, count: int) -> NDArray[np.intp]:
    """The `count` superpixels with the largest absolute coefficients, along the last axis."""
    return np.argsort(-np.abs(coefficients), axis=-1, kind="stable")[..., :count]


def expected_agreement(surrogate: Surrogate, *, count: int, rng: np.random.Generator) -> float:
    """How much the `count` leading superpixels of two repetitions would have in common: mean Jaccard index in [0, 1].

    Repetitions are simulated from the coefficients and their covariance.
    """
    n = len(surrogate.coefficients)
    values, vectors = np.linalg.eigh(surrogate.covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    noise = rng.standard_normal((2, _REPETITIONS, n)) @ root.T
    chosen = np.zeros((2, _REPETITIONS, n), dtype=np.bool_)
    np.put_along_axis(chosen, leading(surrogate.coefficients + noise, count=count), values=True, axis=-1)
    both, either = (chosen[0] & chosen[1]).sum(axis=1), (chosen[0] | chosen[1]).sum(axis=1)
    return float((both / either).mean())
