"""What a model says while an image turns into another, pixel by pixel or region by region.

The measures that try a heatmap out on the model share it. Forward passes only, so any runtime will do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.core.errors import UsageError
from allsight.explain.baselines import BASELINES, Baseline, baseline_of
from allsight.explain.inputs import batches
from allsight.inference.trust import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime


def check_fill(fill: str) -> None:
    """Raise `UsageError` unless there is a baseline of that name."""
    if fill not in BASELINES:
        raise UsageError(f"There is no filling called {fill!r}.", hint=f"Known: {', '.join(BASELINES)}.")


def check_curve(*, fill: str, steps: int) -> None:
    """Raise `UsageError` unless a curve of `steps` steps to or from `fill` says something about an order."""
    check_fill(fill)
    if steps < 2:
        raise UsageError(
            f"Steps must be at least 2, not {steps}: the two ends of the curve are the same for every heatmap."
        )


def fill_of(image: NDArray[np.uint8], kind: Baseline) -> NDArray[np.uint8]:
    """A baseline as an image, uint8 (H, W, 3): what removed pixels look like. See `baselines.baseline_of`."""
    return np.rint(baseline_of(image, kind)).astype(np.uint8)


def removal_order(heatmap: NDArray[np.float32], *, seed: int) -> NDArray[np.int64]:
    """Flat pixel numbers (H W,), the highest value first.

    Equal values come in random order: by position, a map that says nothing would be scored as if it had named the
    upper edge.

    >>> removal_order(np.array([[0, 3], [-1, 2]], dtype=np.float32), seed=0).tolist()
    [1, 3, 0, 2]
    """
    lots = np.random.default_rng(seed).random(heatmap.size)
    order: NDArray[np.int64] = np.lexsort((lots, -heatmap.ravel()))
    return order


def logits_between(
    runtime: Runtime,
    *,
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    changed: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Logits (K, C) of K images that look like `after` (H, W, 3) where `changed` (K, H, W), else like `before`."""
    parts = batches(len(changed), pixels=before.shape[0] * before.shape[1])
    return np.concatenate(
        [runtime.run(np.where(changed[part, ..., None], after, before)).logits for part in parts]
    )


def probability_curve(
    runtime: Runtime,
    *,
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    order: NDArray[np.int64],
    target: int,
    steps: int,
) -> NDArray[np.float64]:
    """The target's softmax probability while pixels change from `before` to `after`, float64 (steps + 1,).

    Args:
        runtime: the model.
        before: uint8 (H, W, 3), how it looks at first.
        after: uint8 (H, W, 3), how it looks at last.
        order: flat pixel numbers (H W,), in which they change.
        target: the output.
        steps: in how many equal shares of all pixels.
    """
    height, width = before.shape[:2]
    turn = np.empty(order.size, dtype=np.int64)
    turn[order] = np.arange(order.size)
    counts = np.rint(np.linspace(0, order.size, steps + 1)).astype(np.int64)
    changed = turn.reshape(height, width) < counts[:, None, None]
    logits = logits_between(runtime, before=before, after=after, changed=changed)
    return softmax(logits)[:, target]


def area_under(curve: NDArray[np.float64]) -> float:
    """Area under a curve of probabilities at equal distances over [0, 1], by the trapezoid rule; in [0, 1].

    >>> area_under(np.array([1.0, 0.5, 0.0]))
    0.5
    """
    weights = np.ones(len(curve))
    weights[[0, -1]] = 0.5
    return float(np.average(curve, weights=weights))
