"""One image explained by several methods, each heatmap with its scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from allsight.core.errors import UsageError
from allsight.core.explanation import Case, Explanation
from allsight.core.progress import Progress, silent
from allsight.explain.swift import Remembering, swift

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from allsight.core.contracts import Explainer, Measure, Runtime
    from allsight.core.records import Box

Scores = dict[str, float | None]
AGREEMENT, SECONDS = "agreement", "seconds"
_SIDE = 56  # pixels to which maps are brought before their ranks are compared


@dataclass(frozen=True, slots=True)
class Explained:
    """One image's heatmaps by method, and why a method has none.

    Attributes:
        target: the output explained.
        found: by method, an explanation of this one image.
        inapplicable: by method, why it cannot explain this model.
    """

    target: int
    found: dict[str, Explanation]
    inapplicable: dict[str, str]


def explain_image(
    runtime: Runtime,
    image: NDArray[np.uint8],
    *,
    target: int,
    explainers: Mapping[str, Explainer],
    fast: Runtime | None = None,
    progress: Progress = silent,
) -> Explained:
    """Heatmaps of one image by every method that can explain this model.

    Args:
        runtime: the model.
        image: uint8 RGB (H, W, 3).
        target: the output to explain.
        explainers: by name.
        fast: the same model, for the methods that it gives what they need; None takes `runtime` for all.
        progress: told what the methods tell.

    Raises:
        UsageError: none of the methods can explain this model; says why the first cannot.
    """
    found: dict[str, Explanation] = {}
    refused: dict[str, UsageError] = {}
    targets = np.array([target], dtype=np.int64)
    for name, explainer in explainers.items():
        try:
            given = runtime if fast is None or not explainer.runs_on(fast) else fast
            found[name] = explainer.explain(given, image[None], targets=targets, progress=progress)
        except UsageError as error:
            refused[name] = error
    if refused and not found:
        raise next(iter(refused.values()))
    return Explained(target, found, {name: str(error) for name, error in refused.items()})


def score_image(
    runtime: Runtime,
    image: NDArray[np.uint8],
    explained: Explained,
    *,
    explainers: Mapping[str, Explainer],
    measures: Mapping[str, Measure],
    cells: NDArray[np.bool_] | None = None,
    overlay: Box | None = None,
    seed: int = 0,
    fast: Runtime | None = None,
) -> dict[str, Scores]:
    """Scores by method, then by measure; None where a measure does not apply.

    Beside the measures stand `agreement`, the mean rank correlation with the other methods' maps (controls are no
    methods, and are compared with all methods), and `seconds`.

    Args:
        runtime: the model.
        image: uint8 RGB (H, W, 3).
        explained: what `explain_image` found.
        explainers: by name, those that found it.
        measures: by name.
        cells: bool (H, W), where cells lie.
        overlay: where the source burnt in a scale bar, or None.
        seed: of the measures' random draws.
        fast: `swift(runtime)`, if the caller has it already.
    """
    fast = Remembering(fast or swift(runtime))
    agreement = agreements(
        {name: e.heatmaps[0] for name, e in explained.found.items()},
        rivals=[name for name in explained.found if not explainers[name].control],
    )
    scores = {}
    for name, explanation in explained.found.items():
        case = Case(
            runtime=runtime,
            image=image,
            target=explained.target,
            explainer=explainers[name],
            heatmap=explanation.heatmaps[0],
            used=explanation.used[0],
            cells=cells,
            overlay=overlay,
            seed=seed,
        )
        # What explains again gets the model itself, whose weights it may want to shuffle.
        given = {
            key: m.score(case if m.repeats else replace(case, runtime=fast)) for key, m in measures.items()
        }
        scores[name] = {**given, AGREEMENT: agreement[name], SECONDS: explanation.seconds[0]}
    return scores


def agreements(maps: Mapping[str, NDArray[np.float32]], *, rivals: list[str]) -> Scores:
    """Mean Spearman rank correlation of each map (H, W) with those of the `rivals`, itself left out; in [-1, 1].

    Maps are averaged to a coarse grid first: whether two methods point to the same place is no question of single
    pixels. None where a map is constant or there is no rival.

    >>> ramp = np.arange(16, dtype=np.float32).reshape(4, 4)
    >>> agreements({"a": ramp, "b": 2 * ramp, "c": -ramp}, rivals=["a", "b"])
    {'a': 1.0, 'b': 1.0, 'c': -1.0}
    """
    import cv2
    from scipy.stats import spearmanr

    def coarse(heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
        size = (min(_SIDE, heatmap.shape[1]), min(_SIDE, heatmap.shape[0]))
        return np.asarray(cv2.resize(heatmap, size, interpolation=cv2.INTER_AREA), dtype=np.float32).ravel()

    small = {name: coarse(heatmap) for name, heatmap in maps.items()}
    found: Scores = {}
    for name, own in small.items():
        others = [small[r] for r in rivals if r != name and np.ptp(small[r]) > 0]
        if np.ptp(own) == 0 or not others:
            found[name] = None
            continue
        found[name] = round(float(np.mean([spearmanr(own, other).statistic for other in others])), 6)
    return found
