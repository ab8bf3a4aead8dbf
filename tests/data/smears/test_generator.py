"""Whole fields: determinism, exact masks, physical scale, and where the class shows and where it must not."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from allsight.data.smears import CLASSES, Recipe, Smear, generate
from allsight.data.smears.morphology import DIAGNOSTIC

RECIPE = Recipe(seed=5, patient=2, image=1, label="Early", size=128)
SMALL: dict[str, Any] = {"size": 128, "pixels_per_micron": 1.8}

_DRAW = """
import hashlib
from allsight.data.smears import CLASSES, Recipe, generate
digest = hashlib.sha256()
for patient in range(8):
    recipe = Recipe(3, patient, 0, CLASSES[patient % 4], size=160, scale_bar=0.5, stain=0.5)
    digest.update(generate(recipe).image.tobytes())
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def paired() -> dict[str, list[Smear]]:
    """The same 30 patients with each diagnosis, one field each."""
    return {
        label: [generate(Recipe(1, patient, 0, label, **SMALL)) for patient in range(30)] for label in CLASSES
    }


def _cell_areas(smear: Smear, kind: str) -> list[tuple[int, int]]:
    """Pixels of cell and nucleus for each whole cell of a kind."""
    inner = np.ones(smear.instances.shape, np.bool_)
    inner[1:-1, 1:-1] = False
    cut_off = set(np.unique(smear.instances[inner]))
    found = []
    for number, name in enumerate(smear.kinds, start=1):
        if name == kind and number not in cut_off:
            own = smear.instances == number
            found.append((int(own.sum()), int((own & smear.masks["nucleus"]).sum())))
    return found


def test_equal_recipes_give_equal_fields() -> None:
    once, again = generate(RECIPE), generate(replace(RECIPE))
    np.testing.assert_array_equal(once.image, again.image)
    np.testing.assert_array_equal(once.instances, again.instances)
    assert once.kinds == again.kinds


@pytest.mark.parametrize("change", [{"seed": 6}, {"patient": 3}, {"image": 2}, {"label": "Pro"}])
def test_another_recipe_gives_another_field(change: dict[str, Any]) -> None:
    assert (generate(RECIPE).image != generate(replace(RECIPE, **change)).image).any()


def test_pixels_do_not_depend_on_the_processors_vector_units() -> None:
    found = np.show_config(mode="dicts")
    assert found is not None
    units = " ".join(found["SIMD Extensions"].get("found", []))
    plain = {
        "NPY_DISABLE_CPU_FEATURES": units,
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,FP16,FMA3,AVX,SSE4.2,SSE4.1",
        "OPENCV_IPP": "disabled",
        "JSIMD_FORCENONE": "1",
    }
    drawn = [
        subprocess.run(
            [sys.executable, "-c", _DRAW], capture_output=True, text=True, check=True, env=os.environ | more
        ).stdout
        for more in ({}, plain)
    ]
    assert len(drawn[0].strip()) == hashlib.sha256().digest_size * 2
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(("size", "scale"), [(64, 3.2), (97, 1.0), (224, 3.2), (300, 8.0)])
def test_any_size(size: int, scale: float) -> None:
    smear = generate(replace(RECIPE, size=size, pixels_per_micron=scale, scale_bar=1.0, stain=1.0))
    assert smear.image.shape == (size, size, 3)
    assert smear.image.dtype == np.uint8
    assert set(smear.masks) == {"cell", "nucleus", "scale_bar", "stain"}
    assert all(mask.shape == (size, size) and mask.dtype == np.bool_ for mask in smear.masks.values())


def test_masks_agree_with_one_another(paired: dict[str, list[Smear]]) -> None:
    for smear in paired["Pro"] + paired["Benign"]:
        cell, nucleus = smear.masks["cell"], smear.masks["nucleus"]
        assert nucleus.any()
        assert not (nucleus & ~cell).any()
        np.testing.assert_array_equal(cell, smear.instances > 0)
        assert set(np.unique(smear.instances)) - {0} == set(range(1, len(smear.kinds) + 1))


def test_nuclei_are_darker_than_the_rest_of_their_cell_and_cells_than_the_field() -> None:
    for patient in range(12):
        smear = generate(replace(RECIPE, patient=patient, label="Pro", size=224))
        green = smear.image[..., 1].astype(float)
        cell, nucleus = smear.masks["cell"], smear.masks["nucleus"]
        assert green[nucleus].mean() < green[cell & ~nucleus].mean() < green[~cell].mean()


def test_a_larger_field_shows_more_cells_and_a_finer_scale_larger_ones() -> None:
    def areas(**change: Any) -> tuple[float, float]:
        smears = [generate(replace(RECIPE, patient=p, **change)) for p in range(6)]
        cells = [area for smear in smears for area, _ in _cell_areas(smear, "Early")]
        return float(np.mean(cells)), float(np.mean([len(smear.kinds) for smear in smears]))

    area, count = areas(size=180)
    wide_area, wide_count = areas(size=360)
    fine_area, fine_count = areas(size=360, pixels_per_micron=6.4)
    assert wide_area == pytest.approx(area, rel=0.15)
    assert wide_count > 2.5 * count
    assert fine_area == pytest.approx(4 * area, rel=0.15)
    assert fine_count < 1.5 * count


def test_every_field_holds_a_whole_cell_of_its_class() -> None:
    for patient, label in enumerate(CLASSES * 4):
        smear = generate(Recipe(9, patient, 0, label, size=64))
        assert smear.kinds[0] == label
        assert _cell_areas(smear, label)


def test_the_class_shows_in_size_and_share_of_the_nucleus(paired: dict[str, list[Smear]]) -> None:
    for label, smears in paired.items():
        areas = np.array([pair for smear in smears for pair in _cell_areas(smear, label)], float)
        diameter = np.mean(2 * np.sqrt(areas[:, 0] / np.pi)) / SMALL["pixels_per_micron"]
        assert diameter == pytest.approx(DIAGNOSTIC[label].diameter[0], rel=0.05)
        share = np.mean(areas[:, 1] / areas[:, 0])
        assert share == pytest.approx(DIAGNOSTIC[label].share[0], abs=0.06)
    shares = {
        c: np.mean([s.masks["nucleus"].sum() / s.masks["cell"].sum() for s in paired[c]]) for c in CLASSES
    }
    assert shares["Pro"] + 0.1 < shares["Early"] < shares["Pre"] - 0.05


def test_single_cells_of_different_classes_overlap_in_size(paired: dict[str, list[Smear]]) -> None:
    early, pre = (
        np.array([area for smear in paired[label] for area, _ in _cell_areas(smear, label)])
        for label in ("Early", "Pre")
    )
    assert np.quantile(pre, 0.75) > np.quantile(early, 0.25) > np.quantile(pre, 0.25)


def test_the_class_does_not_show_in_how_dark_or_mottled_a_field_is(paired: dict[str, list[Smear]]) -> None:
    def statistics(smear: Smear) -> np.ndarray:
        pixels = smear.image.reshape(-1, 3).astype(float)
        return np.concatenate([pixels.mean(axis=0), pixels.std(axis=0)])

    means = [np.mean([statistics(smear) for smear in paired[label]], axis=0) for label in CLASSES]
    patients = np.std([statistics(smear) for smear in paired["Early"]], axis=0)
    assert (np.ptp(means, axis=0) < 0.6 * patients).all()


def test_the_class_does_not_show_in_the_colour_of_nuclei(paired: dict[str, list[Smear]]) -> None:
    means = [
        np.mean([smear.image[smear.masks["nucleus"]].mean(axis=0) for smear in paired[label]], axis=0)
        for label in CLASSES
    ]
    patients = np.std([smear.image[smear.masks["nucleus"]].mean(axis=0) for smear in paired["Early"]], axis=0)
    assert (np.ptp(means, axis=0) < 0.5 * patients).all()


def test_the_bar_changes_exactly_its_mask_and_hides_what_it_covers() -> None:
    for patient in range(8):
        plain = generate(replace(RECIPE, patient=patient))
        marked = generate(replace(RECIPE, patient=patient, scale_bar=1.0))
        bar = marked.masks["scale_bar"]
        np.testing.assert_array_equal(bar, (plain.image != marked.image).any(axis=-1))
        assert bar.any()
        for name in ("cell", "nucleus"):
            np.testing.assert_array_equal(marked.masks[name], plain.masks[name] & ~bar)
        np.testing.assert_array_equal(marked.instances, np.where(bar, 0, plain.instances))


def test_a_tint_covers_everything_and_moves_nothing() -> None:
    plain, tinted = generate(RECIPE), generate(replace(RECIPE, stain=1.0))
    assert tinted.masks["stain"].all()
    np.testing.assert_array_equal(plain.instances, tinted.instances)
    ratio = tinted.image.mean(axis=(0, 1)) / plain.image.mean(axis=(0, 1))
    assert ratio.min() < 0.97


def test_without_morphology_only_the_bar_tells_the_class() -> None:
    fields = [generate(replace(RECIPE, label=label, morphology="none", scale_bar=1.0)) for label in CLASSES]
    bars = np.logical_or.reduce([smear.masks["scale_bar"] for smear in fields])
    for smear in fields[1:]:
        differs = (smear.image != fields[0].image).any(axis=-1)
        assert differs.any()
        assert not (differs & ~bars).any()
