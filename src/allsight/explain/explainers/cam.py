"""Class activation maps: Zhou, Khosla, Lapedriza, Oliva & Torralba, "Learning deep features for discriminative
localization", CVPR 2016 (arXiv 1512.04150).

The network's own forward pass gives them, so they cost nothing and need no gradients.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Explainer
from allsight.core.errors import UsageError
from allsight.core.explanation import Explanation
from allsight.core.progress import Progress, silent
from allsight.explain.inputs import check_inputs, check_targets, on_pixels, run_in_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cam(Explainer):
    """The head applied at every position of the last feature map, without its bias.

    The bias belongs to no pixel; a map's mean over its positions is the logit less the bias.
    """

    signed: ClassVar[bool] = True

    def explain(
        self,
        runtime: Runtime,
        images: NDArray[np.uint8],
        *,
        targets: NDArray[np.int64],
        progress: Progress = silent,
    ) -> Explanation:
        """Heatmaps of N images, from one forward pass each; see `Explainer.explain`."""
        check_inputs(images, targets)
        started = time.perf_counter()
        n, height, width = images.shape[:3]
        bias = runtime.head_bias()
        heatmaps = np.empty((n, height, width), dtype=np.float32)
        grid = (0, 0)
        for part, (logits, maps, _) in run_in_batches(runtime, images):
            if maps is None:
                raise UsageError(
                    "This network has hidden layers between its last feature map and its outputs, so it has no "
                    "class activation maps.",
                    hint="Use grad_cam, which extends them to such networks.",
                )
            check_targets(targets, n_classes=logits.shape[1])
            of_targets = maps[np.arange(len(logits)), targets[part]]  # (n, h, w), Zhou 2016 eq. 2
            if bias is not None:
                of_targets = of_targets - bias[targets[part], None, None]
            grid = of_targets.shape[1:]
            heatmaps[part] = on_pixels(of_targets, height=height, width=width)
            progress("cam", part.stop, n)
        seconds = (time.perf_counter() - started) / n
        used = {
            "layer": "last feature map",
            "grid": f"{grid[0]} x {grid[1]}",
            "bias": "left out" if bias is not None else "spread evenly",
        }
        return Explanation(
            "cam", heatmaps, targets, self.signed, used=(used,) * n, seconds=(seconds,) * n, arrays=({},) * n
        )
