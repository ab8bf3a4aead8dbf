"""Which superpixels are shown in which sample, and the images that this makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from allsight.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fill = Literal["mean", "background"]
FILLS: tuple[str, ...] = get_args(Fill)


def complementary_rows(
    n_superpixels: int, *, rows: int, rng: np.random.Generator, intact: bool
) -> NDArray[np.bool_]:
    """Which superpixels are shown, bool (rows, n_superpixels); the first row shows all of them where `intact`.

    Every other row is a toss of fair coins as in LIME, and each next one is its complement. What two superpixels do
    together then cancels out of what each does alone (a folded-over design: Box & Hunter 1961; such pairs for
    KernelSHAP: Covert & Lee, AISTATS 2021), so fewer samples give the same precision.
    """
    whole = np.ones((int(intact), n_superpixels), dtype=np.bool_)
    tossed = rng.integers(0, 2, size=((rows - len(whole) + 1) // 2, n_superpixels), dtype=np.uint8).astype(
        np.bool_
    )
    pairs = np.stack([tossed, ~tossed], axis=1).reshape(-1, n_superpixels)
    return np.concatenate([whole, pairs])[:rows]


def draws_of(rows: int) -> NDArray[np.int64]:
    """Which draw each row belongs to, (rows,): the intact image alone, then pairs.

    >>> draws_of(6).tolist()
    [0, 1, 1, 2, 2, 3]
    """
    return (np.arange(rows) + 1) // 2


def filling(image: NDArray[np.uint8], superpixels: NDArray[np.int32], *, kind: Fill) -> NDArray[np.uint8]:
    """What a hidden superpixel looks like, uint8 (H, W, 3).

    - `mean`: its own mean colour, as in the lime package: structure goes, colour stays.
    - `background`: the median colour of the image's brightest quarter: the cell goes.

    Raises:
        UsageError: no such filling.
    """
    if kind == "background":
        from allsight.explain.baselines import baseline_of

        return baseline_of(image, "background").astype(np.uint8)
    if kind != "mean":
        raise UsageError(f"There is no filling called {kind!r}.", hint=f"Known: {', '.join(FILLS)}.")
    flat = superpixels.ravel()
    area = np.bincount(flat)
    sums = np.stack([np.bincount(flat, weights=image[..., c].ravel()) for c in range(3)], axis=1)
    means: NDArray[np.uint8] = (sums / area[:, None]).astype(np.uint8)  # cut off, not rounded, as in lime
    return means[superpixels]


def perturbed(
    image: NDArray[np.uint8],
    superpixels: NDArray[np.int32],
    *,
    shown: NDArray[np.bool_],
    hidden: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """One image a row of `shown`, uint8 (k, H, W, 3): superpixels that are not shown look like `hidden`."""
    return np.where(shown[:, superpixels, None], image, hidden)
