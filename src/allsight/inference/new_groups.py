"""What to expect of a patient or field that was not seen yet, from those that were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST = 3  # groups of which a spread can be told


def prediction_limits(
    values: NDArray[np.float64], groups: NDArray[np.str_] | None, *, beyond: float
) -> tuple[float, float]:
    """Between which the images of a new group lie, but for a share `beyond` on either side.

    Groups differ, and there are few of them, so a quantile of images would promise too much. The values are taken as
    normal with an effect of the group (one-way random effects), and the limits are those of a prediction for one more
    group, with Student's t for as many degrees of freedom as there are groups less one.

    Args:
        values: (N,).
        groups: (N,), which belong together; None, or fewer than three groups, where each stands alone.
        beyond: in (0, 0.5).
    """
    from scipy.stats import t

    names, places = np.unique(groups, return_inverse=True) if groups is not None else ((), None)
    if places is None or len(names) < _FEWEST:
        places = np.arange(len(values))
    sizes = np.bincount(places)
    means = np.bincount(places, weights=values) / sizes
    n, k = len(values), len(sizes)
    if k < _FEWEST:
        return float(values.min()), float(values.max())
    within = float(((values - means[places]) ** 2).sum() / (n - k)) if n > k else 0.0
    between = float(means.var(ddof=1))
    reach = t.ppf(1 - beyond, k - 1) * np.sqrt(between * (1 + 1 / k) + within)
    return float(means.mean() - reach), float(means.mean() + reach)
