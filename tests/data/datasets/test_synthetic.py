"""The generated data set: patients, shortcuts, hashes, and what its colours do not tell."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from allsight.core.errors import DataError, UsageError
from allsight.core.records import Sample
from allsight.data.datasets.synthetic import Synthetic, export
from allsight.data.smears.shortcuts import SCALE_BAR_BOX
from allsight.data.source import open_dataset

if TYPE_CHECKING:
    from pathlib import Path

TINY = "3?images=12&patients=4&size=64"


def test_every_patient_has_one_diagnosis_and_the_diagnoses_are_balanced() -> None:
    dataset = Synthetic.open("7?images=480&patients=24")
    diagnoses = {sample.patient: sample.label for sample in dataset.samples}
    assert len(dataset.samples) == 480
    assert len(diagnoses) == 24
    assert all(diagnoses[sample.patient] == sample.label for sample in dataset.samples)
    assert set(Counter(diagnoses.values()).values()) == {6}
    assert set(Counter(sample.patient for sample in dataset.samples).values()) == {20}
    assert "patient-00/" in dataset.samples[0].name
    assert dataset.samples[0].name.endswith("-0000.png")


def test_diagnoses_do_not_follow_the_patients_number() -> None:
    labels = [
        next(
            s.label
            for s in Synthetic.open(f"{seed}?images=4&patients=4").samples
            if s.patient == "patient-00"
        )
        for seed in range(60)
    ]
    assert min(Counter(labels).values()) >= 6
    assert len(set(labels)) == 4


def test_what_does_not_divide_is_spread() -> None:
    dataset = Synthetic.open("7?images=23&patients=6")
    assert sorted(Counter(sample.patient for sample in dataset.samples).values()) == [3, 4, 4, 4, 4, 4]


def test_more_images_and_patients_leave_the_earlier_ones_as_they_are() -> None:
    few, many = Synthetic.open("7?images=8&patients=4"), Synthetic.open("7?images=60&patients=12")
    known = {sample.name: many.sha256(sample) for sample in many.samples}
    assert {sample.name: few.sha256(sample) for sample in few.samples}.items() <= known.items()
    assert set(few.samples) <= set(many.samples)


def test_hashes_change_with_what_changes_pixels_and_cost_no_drawing() -> None:
    base = "7?images=8&patients=4&size=64"
    variants = (
        "8?images=8&patients=4&size=64",
        "7?images=8&patients=4&size=65",
        f"{base}&pixels_per_micron=3",
        f"{base}&shortcut=stain",
        f"{base}&shortcut=scale_bar",
        f"{base}&shortcut=scale_bar&strength=0.5",
        f"{base}&morphology=none",
    )
    hashes: set[str] = set()
    for location in (base, *variants):
        dataset = Synthetic.open(location)
        hashes |= {dataset.sha256(sample) for sample in dataset.samples}
    assert len(hashes) == 8 * (1 + len(variants))


def test_options_reach_the_recipes() -> None:
    dataset = Synthetic.open(
        "7?images=4&patients=4&shortcut=stain,scale_bar&strength=0.9,0.5&morphology=none"
    )
    assert {(r.stain, r.scale_bar, r.morphology) for r in dataset.recipes.values()} == {(0.9, 0.5, "none")}
    shared = Synthetic.open("7?images=4&patients=4&shortcut=stain,scale_bar&strength=0.7")
    assert {(r.stain, r.scale_bar) for r in shared.recipes.values()} == {(0.7, 0.7)}
    plain = Synthetic.open("7")
    assert {(r.stain, r.scale_bar, r.size, r.morphology) for r in plain.recipes.values()} == {
        (None, None, 224, "full")
    }


def test_the_overlay_is_declared_only_where_a_bar_is_planted() -> None:
    assert Synthetic.open(TINY).overlay is None
    assert Synthetic.open(f"{TINY}&shortcut=stain").overlay is None
    marked = Synthetic.open(f"{TINY}&shortcut=scale_bar")
    assert marked.overlay == SCALE_BAR_BOX
    bar = marked.masks(marked.samples[0])["scale_bar"]
    bar[marked.overlay.pixels(64, 64)] = False
    assert not bar.any()


@pytest.mark.parametrize(
    "location",
    [
        "",
        "x",
        "-1",
        "1.5",
        "9" * 5000,
        "7?patients=3",
        "7?images=10&patients=12",
        "7?images=1000001",
        "7?size=63",
        "7?size=224.0",
        "7?pixels_per_micron=fine",
        "7?shortcut=tint",
        "7?shortcut=stain,stain",
        "7?strength=0.5",
        "7?shortcut=stain&strength=1.5",
        "7?shortcut=stain&strength=nan",
        "7?shortcut=stain&strength=0.5,0.5",
        "7?morphology=half",
    ],
)
def test_a_wrong_location_is_refused_with_a_hint(location: str) -> None:
    with pytest.raises(UsageError) as caught:
        Synthetic.open(location)
    assert caught.value.hint


def test_a_stranger_is_named() -> None:
    dataset = Synthetic.open(TINY)
    with pytest.raises(DataError, match="patient-99"):
        dataset.read(Sample("patient-99/Pro-0000.png"))


@pytest.mark.parametrize("masks", [True, False])
def test_export_is_read_back_as_a_manifest(masks: bool, tmp_path: Path) -> None:
    dataset = Synthetic.open(f"{TINY}&shortcut=scale_bar")
    told: list[tuple[str, int, int]] = []
    manifest = export(dataset, tmp_path, masks=masks, progress=lambda *how: told.append(how))
    again = open_dataset(f"manifest:{manifest}")
    assert told[-1][1:] == (12, 12)
    assert [s.name for s in again.samples] == [f"images/{s.name}" for s in dataset.samples]
    for written, drawn in zip(again.samples, dataset.samples, strict=True):
        assert (written.label, written.patient) == (drawn.label, drawn.patient)
        np.testing.assert_array_equal(again.read(written), dataset.read(drawn))
        if masks:
            for kind, mask in dataset.masks(drawn).items():
                with Image.open(tmp_path / "masks" / kind / drawn.name) as image:
                    np.testing.assert_array_equal(np.asarray(image) > 0, mask)
    assert (tmp_path / "masks").exists() == masks


def _colour_accuracy(dataset: Synthetic) -> float:
    """Accuracy on unseen patients of a random forest on mean and standard deviation of R, G and B."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    pictures = [dataset.read(sample).reshape(-1, 3) for sample in dataset.samples]
    statistics = np.array([[*pixels.mean(axis=0), *pixels.std(axis=0)] for pixels in pictures])
    labels = np.array([sample.label for sample in dataset.samples])
    patients = [sample.patient for sample in dataset.samples]
    predicted = cross_val_predict(
        RandomForestClassifier(60, random_state=0),
        statistics,
        labels,
        groups=patients,
        cv=StratifiedGroupKFold(4, shuffle=True, random_state=0),
    )
    return float((predicted == labels).mean())


def test_colour_does_not_tell_the_class_unless_a_tint_is_planted() -> None:
    fields = "11?images=160&patients=80&size=112&pixels_per_micron=1.6"
    assert _colour_accuracy(Synthetic.open(fields)) < 0.37  # a quarter by chance; 160 images, s.d. 0.034
    assert _colour_accuracy(Synthetic.open(f"{fields}&shortcut=stain")) > 0.5
