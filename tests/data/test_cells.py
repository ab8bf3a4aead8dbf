"""Masks against smears whose cells are known: drawn ones, generated ones, and cells outlined by experts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from allsight.data.cells import cell_mask, nucleus_mask
from allsight.data.images import read_image
from allsight.data.source import open_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Colours measured on Taleqani: light, red cell and nucleus of a violet and of a pink stain, and a pink red cell.
STAINS = {
    "violet": ((250, 250, 245), (165, 175, 185), (105, 65, 165)),
    "blue red cells": ((240, 250, 255), (120, 155, 200), (115, 75, 180)),
    "pink": ((250, 255, 240), (175, 185, 185), (220, 150, 220)),
    "pink red cells": ((255, 230, 200), (200, 140, 135), (80, 40, 110)),
}


def dice(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return 2 * float((mask & truth).sum()) / float(mask.sum() + truth.sum())


def drawn(stain: str, *, side: int = 224) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A smear of six nuclei among forty red cells, and where the nuclei are."""
    light, red, nucleus = STAINS[stain]
    rng = np.random.default_rng(1)
    image = np.full((side, side, 3), light, np.uint8)
    for x, y in rng.integers(0, side, (40, 2)).tolist():
        cv2.circle(image, (x, y), side // 22, red, -1, cv2.LINE_AA)
    truth = np.zeros((side, side), np.uint8)
    for x, y in ((50, 50), (120, 40), (180, 70), (60, 150), (130, 130), (190, 190)):
        centre = x * side // 224, y * side // 224
        cv2.circle(image, centre, side // 16, nucleus, -1, cv2.LINE_AA)
        cv2.circle(truth, centre, side // 16, 1, -1)
    noisy = image + rng.normal(0, 3, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), truth > 0


@pytest.mark.parametrize("side", [160, 224, 600])
@pytest.mark.parametrize("stain", STAINS)
def test_nuclei_of_every_stain_are_found_and_red_cells_are_not(stain: str, side: int) -> None:
    image, truth = drawn(stain, side=side)
    assert dice(nucleus_mask(image), truth) > 0.95


def test_brightness_does_not_matter() -> None:
    image, truth = drawn("violet")
    assert dice(nucleus_mask((image * 0.6).astype(np.uint8)), truth) > 0.95


def test_cells_hold_their_nuclei_and_something_around_them() -> None:
    image, truth = drawn("violet")
    cells = cell_mask(image)
    assert (cells | ~truth).all()
    assert 1.5 < cells.sum() / truth.sum() < 4


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_image_without_cells_has_no_mask(value: int) -> None:
    blank = np.full((100, 120, 3), value, np.uint8)
    for mask in (nucleus_mask(blank), cell_mask(blank)):
        assert mask.shape == (100, 120)
        assert mask.dtype == np.bool_
        assert not mask.any()


def test_red_cells_alone_have_no_nuclei() -> None:
    light, red, _ = STAINS["violet"]
    image = np.full((224, 224, 3), light, np.uint8)
    for x in range(20, 220, 40):
        cv2.circle(image, (x, 112), 12, red, -1, cv2.LINE_AA)
    assert not nucleus_mask(image).any()


def test_generated_smears_agree_with_their_exact_masks() -> None:
    data = open_dataset("synthetic:3?images=12&patients=6")
    values = [dice(nucleus_mask(data.read(s)), data.masks(s)["nucleus"]) for s in data.samples]
    assert np.mean(values) > 0.8


def test_a_field_takes_a_few_milliseconds() -> None:
    image, _ = drawn("violet")
    cell_mask(image)
    start = time.process_time()
    for _ in range(10):
        cell_mask(image)
    assert (time.process_time() - start) / 10 < 0.03


@pytest.mark.real
def test_nuclei_outlined_by_experts(real_data: Path) -> None:
    """segmentation_wbc: nucleus white, cytoplasm grey; single cells of another laboratory, chosen for nothing."""
    folder = real_data / "other_smears" / "segmentation_wbc"
    nuclei, covered = [], []
    for path in sorted(folder.glob("*.bmp")):
        image, truth = read_image(path), read_image(path.with_suffix(".png"))[:, :, 0]
        nuclei.append(dice(nucleus_mask(image), truth > 192))
        cell = truth > 64
        covered.append((cell_mask(image) & cell).sum() / cell.sum())
    assert len(nuclei) == 100
    assert np.mean(nuclei) >= 0.96
    assert np.mean(covered) >= 0.85
