"""Images that look like none the model knows are refused, each for its own reason, said with its figure."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.data.appearance import appearance, looks_of
from allsight.data.datasets.synthetic import Synthetic
from allsight.inference.checks import fit_limits, objections

SOURCE = Synthetic.open("5?images=150&patients=50&size=224")
KNOWN = looks_of(SOURCE, SOURCE.samples[:110])
LIMITS = fit_limits([*KNOWN.values()], [str(s.patient) for s in SOURCE.samples[:110]])
FIELD = SOURCE.read(SOURCE.samples[120])


def darker(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image // 3


def blurred(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 4), dtype=np.uint8)


def grainy(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    drawn = np.random.default_rng(0).normal(0, 50, image.shape)
    return np.clip(image + drawn, 0, 255).astype(np.uint8)


def nearer(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """So near that one nucleus fills the view, wherever it lies."""
    y, x = np.argwhere(image.min(axis=2) == image.min())[0]
    y, x = (int(np.clip(v, 14, 209)) for v in (y, x))
    return np.asarray(cv2.resize(image[y - 14 : y + 14, x - 14 : x + 14], (224, 224)), dtype=np.uint8)


def greener(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = np.clip(image * np.array([0.75, 1.0, 0.75]), 0, 255).astype(np.uint8)
    return found


def cut_out(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    found = np.zeros_like(image)
    found[80:150, 80:150] = image[80:150, 80:150]
    return found


def empty(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.full_like(image, np.percentile(image, 95, axis=(0, 1)).astype(np.uint8))


def test_known_images_are_not_refused() -> None:
    assert not [r for look in KNOWN.values() for r in objections(look, LIMITS)]


def test_new_images_of_the_same_kind_are_hardly_refused() -> None:
    found = [objections(look, LIMITS) for look in looks_of(SOURCE, SOURCE.samples[110:]).values()]
    assert sum(map(bool, found)) <= 1


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (darker, r"too dark: mean brightness \d+, at least \d+ needed"),
        (blurred, r"blurred: sharpness \d+\.\d, at least \d+\.\d needed"),
        (grainy, r"grainy or over-sharpened: sharpness \d+\.\d, at most \d+\.\d known"),
        (nearer, r"another scale: nuclei measure \d+\.\d % of the image's side, at most \d+\.\d % known"),
        (greener, r"another stain: greener than any known image, a\* -?\d+\.\d, at least -?\d+\.\d known"),
        (cut_out, r"black where a smear has light: [\d.]+ % of the picture, at most [\d.]+ % known"),
        (empty, "no cells found"),
    ],
)
def test_each_damage_has_its_reason(damage: object, reason: str) -> None:
    import re

    assert callable(damage)
    found = objections(appearance(damage(FIELD)), LIMITS)
    assert [r for r in found if re.fullmatch(reason, r)], found


def test_without_limits_nothing_is_refused() -> None:
    assert objections(appearance(empty(FIELD)), {}) == []
