"""LIME: Ribeiro, Singh & Guestrin, "'Why should I trust you?' Explaining the predictions of any classifier", KDD 2016
(arXiv 1602.04938).

Superpixels are shown and hidden at random and a linear model is fitted to what the network then says. It needs
forward passes only, so any runtime will do.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Explainer, Runtime
from allsight.core.errors import UsageError
from allsight.core.explanation import Explanation, Fact
from allsight.core.progress import Progress, silent
from allsight.explain.inputs import batches, check_inputs, check_targets
from allsight.explain.perturbation import FILLS, Fill, complementary_rows, draws_of, filling, perturbed
from allsight.explain.superpixels import superpixels
from allsight.explain.surrogate import Surrogate, expected_agreement, fit_surrogate
from allsight.explain.swift import swift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SAMPLES_PER_SUPERPIXEL = 10  # what lime's author advises (marcotcr/lime issue 524)
LEADERS = 5
_GROWTH = 1.5  # samples of one round to those of the round before
# glibc maps every block above 32 MB anew, and the kernel zeroes its pages. EfficientNet-B7's largest activation has
# 9.6 MB an image at 224 pixels: three stay below that.
_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Fit:
    """What LIME found for one image.

    Attributes:
        superpixels: int32 (H, W).
        surrogate: the linear model.
        samples: forward passes it stands on.
        agreement: expected Jaccard index of the leading superpixels of two repetitions.
        at_image: the target logit with every superpixel shown.
        at_baseline: the target logit with every superpixel hidden; coefficients should add up to the difference.
    """

    superpixels: NDArray[np.int32]
    surrogate: Surrogate
    samples: int
    agreement: float
    at_image: float
    at_baseline: float

    def heatmap(self) -> NDArray[np.float32]:
        """float32 (H, W): coefficients spread evenly over their superpixels, so that a region adds up to its effect."""
        area = np.bincount(self.superpixels.ravel())
        density: NDArray[np.float32] = (self.surrogate.coefficients / area)[self.superpixels].astype(
            np.float32
        )
        return density

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Superpixels (H, W), coefficients (S,) and their standard errors (S,)."""
        return {
            "superpixels": self.superpixels,
            "coefficients": self.surrogate.coefficients,
            "standard_errors": self.surrogate.standard_errors,
        }


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Lime(Explainer):
    """Superpixels hidden at random; coefficients of a linear model of the target's logit.

    The logit and not the probability: it is what the other methods explain, and a sure model's probability hardly
    moves.

    Args:
        samples: exactly so many forward passes, or ten for each superpixel if that is more; None: until the ranking
            of the leading superpixels is stable.
        most_samples: where the search for a stable ranking ends.
        agreement: a ranking is stable when two repetitions would have this much of their five leading superpixels in
            common (expected Jaccard index).
        superpixels: how many regions are wished for.
        fill: what a hidden superpixel looks like; see `allsight.explain.perturbation.filling`.
        seed: of every random draw. The same seed gives the same bytes.
    """

    signed: ClassVar[bool] = True

    samples: int | None = None
    most_samples: int = 4000
    agreement: float = 0.9
    superpixels: int = 64
    fill: Fill = "mean"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `UsageError` for settings that mean nothing."""
        if self.fill not in FILLS:
            raise UsageError(f"There is no filling called {self.fill!r}.", hint=f"Known: {', '.join(FILLS)}.")
        if self.superpixels < 2 or self.most_samples < 2 or (self.samples is not None and self.samples < 2):
            raise UsageError("LIME needs at least 2 superpixels and 2 samples.")
        if not 0 < self.agreement <= 1:
            raise UsageError(f"The agreement must lie in (0, 1], it is {self.agreement}.")

    def explain(
        self,
        runtime: Runtime,
        images: NDArray[np.uint8],
        *,
        targets: NDArray[np.int64],
        progress: Progress = silent,
    ) -> Explanation:
        """Heatmaps of N images; see `Explainer.explain`. `arrays` holds superpixels, coefficients and errors."""
        check_inputs(images, targets)
        check_targets(targets, n_classes=runtime.run(images[:1]).logits.shape[1])
        runtime = swift(runtime)
        fits, seconds = [], []
        for image, target in zip(images, targets.tolist(), strict=True):
            started = time.perf_counter()
            fits.append(self._fit(runtime, image, target=target, progress=progress))
            seconds.append(time.perf_counter() - started)
        return Explanation(
            "lime",
            np.stack([fit.heatmap() for fit in fits]),
            targets,
            self.signed,
            used=tuple(self._facts(fit) for fit in fits),
            seconds=tuple(seconds),
            arrays=tuple(fit.arrays() for fit in fits),
        )

    def _fit(self, runtime: Runtime, image: NDArray[np.uint8], *, target: int, progress: Progress) -> Fit:
        regions = superpixels(image, count=self.superpixels)
        n = int(regions.max()) + 1
        least = SAMPLES_PER_SUPERPIXEL * n
        most = max(least, self.samples or self.most_samples)
        wanted = most if self.samples else least
        hidden = filling(image, regions, kind=self.fill)
        rng = np.random.default_rng(self.seed)
        shown, outputs = np.ones((0, n), dtype=np.bool_), np.empty(0)
        while True:
            more = complementary_rows(n, rows=wanted - len(shown), rng=rng, intact=not len(shown))
            answers = np.empty(len(more))
            for part in _small_batches(len(more), pixels=regions.size):
                images = perturbed(image, regions, shown=more[part], hidden=hidden)
                answers[part] = runtime.run(images).logits[:, target]
                progress("lime", len(shown) + part.stop, most)
            shown, outputs = np.concatenate([shown, more]), np.concatenate([outputs, answers])
            surrogate = fit_surrogate(shown, outputs, draws=draws_of(len(shown)))
            alike = expected_agreement(surrogate, count=LEADERS, rng=np.random.default_rng(self.seed))
            if alike >= self.agreement or len(shown) >= most:
                nothing = float(runtime.run(hidden[None]).logits[0, target])
                return Fit(
                    regions, surrogate, len(shown), alike, at_image=float(outputs[0]), at_baseline=nothing
                )
            wanted = min(most, len(shown) + 2 * round((_GROWTH - 1) / 2 * len(shown)))

    def _facts(self, fit: Fit) -> dict[str, Fact]:
        return {
            "samples": fit.samples,
            "superpixels": len(fit.surrogate.coefficients),
            "fill": self.fill,
            "seed": self.seed,
            "agreement": fit.agreement,
            "stable": fit.agreement >= self.agreement,
            "r_squared": fit.surrogate.r_squared,
            "intercept": fit.surrogate.intercept,
            "at_image": fit.at_image,
            "at_baseline": fit.at_baseline,
        }


def _small_batches(n: int, *, pixels: int) -> Iterator[slice]:
    """Slices of at most `_AT_ONCE` of `n` images, fewer where images are large."""
    for part in batches(n, pixels=pixels):
        for start in range(part.start, part.stop, _AT_ONCE):
            yield slice(start, min(part.stop, start + _AT_ONCE))
