"""Pictures of one explained image: a map over the image's own pixels, and all methods side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.explain.overlay import Panel, contours, overlay, strip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from allsight.core.explanation import Explanation

TITLES = {
    "cam": "CAM",
    "grad_cam": "Grad-CAM",
    "lime": "LIME",
    "integrated_gradients": "Integrated Gradients",
}
SHOWN = ("deletion", "insertion", "mass_in_cells", "agreement")  # scores below a picture
_SMOOTHED = {"integrated_gradients": 1 / 112}  # of the shorter side: of single pixels an eye sees noise only


def over_image(
    image: NDArray[np.uint8], explanation: Explanation, *, outlines: bool = False
) -> NDArray[np.uint8]:
    """One image's map over it, uint8 (H, W, 3), as an overlay or as contours; pixel for pixel the image's own."""
    paint = contours if outlines else overlay
    return paint(image, _seen(explanation, image), signed=explanation.signed)


def side_by_side(
    image: NDArray[np.uint8],
    found: Mapping[str, Explanation],
    *,
    title: str,
    scores: Mapping[str, Mapping[str, float | None]],
    outlines: bool = False,
) -> NDArray[np.uint8]:
    """The image and its maps by method, each with its colour bar above its scores; uint8 (h, w, 3)."""
    panels = []
    for name, explanation in found.items():
        own = scores.get(name, {})
        values = {key.replace("_", " "): own.get(key) for key in SHOWN}
        panels.append(
            Panel(
                title=TITLES.get(name, name.replace("_", " ")),
                heatmap=explanation.heatmaps[0],
                signed=explanation.signed,
                scores={key: value for key, value in values.items() if value is not None},
                smoothing=_width(explanation, image),
            )
        )
    return strip(image, panels, title=title, outlines=outlines)


def _width(explanation: Explanation, image: NDArray[np.uint8]) -> float:
    share = _SMOOTHED.get(explanation.method, 0.0)
    return share * float(min(image.shape[0], image.shape[1]))


def _seen(explanation: Explanation, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    heatmap: NDArray[np.float32] = explanation.heatmaps[0]
    width = _width(explanation, image)
    if width:
        import cv2

        heatmap = cv2.GaussianBlur(heatmap, (0, 0), width).astype(np.float32)
    return heatmap
