"""Whether an image looks like those the model knows, and if not, why, in plain words with figures.

Limits are what the known images themselves look like, and what a new patient's are expected to. A model that never saw
a dark field says so, whatever its network makes of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.data.appearance import Appearance
from allsight.inference.new_groups import prediction_limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Limits = dict[str, tuple[float, float]]

_BEYOND = 0.0025  # share of a new group's images that each limit may refuse
_SIZES = {"sharpness", "contrast", "nucleus"}  # what differs by factors, not by differences
_LEAST_SIZE = 1e-3
# What is said where a figure is below its lower or above its upper limit.
_WORDS = {
    "black": (
        "",
        "black where a smear has light: {value:.1f} % of the picture, at most {high:.1f} % known",
    ),
    "sharpness": (
        "blurred: sharpness {value:.1f}, at least {low:.1f} needed",
        "grainy or over-sharpened: sharpness {value:.1f}, at most {high:.1f} known",
    ),
    "brightness": (
        "too dark: mean brightness {value:.0f}, at least {low:.0f} needed",
        "too bright: mean brightness {value:.0f}, at most {high:.0f} known",
    ),
    "light": ("the empty slide is too dark: {value:.0f}, at least {low:.0f} needed", ""),
    "contrast": (
        "too little contrast: {value:.1f}, at least {low:.1f} needed",
        "too much contrast: {value:.1f}, at most {high:.1f} known",
    ),
    "redness": (
        "another stain: greener than any known image, a* {value:.1f}, at least {low:.1f} known",
        "another stain: redder than any known image, a* {value:.1f}, at most {high:.1f} known",
    ),
    "yellowness": (
        "another stain: bluer than any known image, b* {value:.1f}, at least {low:.1f} known",
        "another stain: yellower than any known image, b* {value:.1f}, at most {high:.1f} known",
    ),
    "nucleus": (
        "another scale: nuclei measure {value:.1f} % of the image's side, at least {low:.1f} % known",
        "another scale: nuclei measure {value:.1f} % of the image's side, at most {high:.1f} % known",
    ),
}


def fit_limits(known: Sequence[Appearance], groups: Sequence[str] | None = None) -> Limits:
    """By figure, the lowest and the highest value that is not refused.

    No known image is refused, and of a new group's images hardly any: see `prediction_limits`.

    Args:
        known: images of the kind that the model knows; those without cells are left out where some have cells.
        groups: which of them belong to one patient or field; None where each stands alone.
    """
    some = any(look.cells for look in known)
    kept = [i for i, look in enumerate(known) if look.cells or not some]
    names = None if groups is None else np.array([groups[i] for i in kept])
    limits = {}
    for name in _WORDS:
        values = np.array([getattr(known[i], name) for i in kept], dtype=np.float64)
        if name in _SIZES:
            logs = np.log(np.maximum(values, _LEAST_SIZE))
            low, high = np.exp(prediction_limits(logs, names, beyond=_BEYOND))
        else:
            low, high = prediction_limits(values, names, beyond=_BEYOND)
        limits[name] = (round(float(min(low, values.min())), 3), round(float(max(high, values.max())), 3))
    return limits


def objections(look: Appearance, limits: Mapping[str, tuple[float, float]]) -> list[str]:
    """Why an image is not one of those that the model knows; empty where it may be.

    Args:
        look: of the image.
        limits: as `fit_limits` gives them; none object to nothing.
    """
    found = ["no cells found"] if limits and not look.cells else []
    for name, (below, above) in _WORDS.items():
        if name not in limits or (name == "nucleus" and not look.cells):
            continue
        low, high = limits[name]
        value = getattr(look, name)
        words = below if value < low else above if value > high else ""
        if words:
            found.append(words.format(value=value, low=low, high=high))
    return found
