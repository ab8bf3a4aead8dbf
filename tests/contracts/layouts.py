"""A small copy of each data set's layout, made of generated pixels: what the contract suite runs over.

A new data set needs one function here, called like its file: it fills a folder and gives the location, which is
what follows the colon in DATA.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from allsight.data.manifest import ManifestRow, write_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def save_image(path: Path, *, side: int = 24, seed: int = 0) -> Path:
    """Write one image of noise; its format follows from the extension, its bytes from the seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def taleqani(folder: Path) -> str:
    """Three numbers a class, and a segmented tree that must not be read."""
    for label in ("Benign", "Early", "Pre", "Pro"):
        stem = "WBC-Benign" if label == "Benign" else f"WBC-Malignant-{label}"
        for number in (1, 2, 30):
            for tree in ("Original", "Segmented"):
                save_image(folder / tree / label / f"{stem}-{number:03d}.jpg", seed=len(stem) * 100 + number)
    return str(folder)


def c_nmc(folder: Path) -> str:
    """Two training folds, two labelled cells of the preliminary test and a larger one of the final test."""
    for fold, stem in enumerate(("UID_10_1_1_all", "UID_H10_1_1_hem", "UID_20_2_1_all", "UID_h3_1_2_hem")):
        place = folder / f"C-NMC_training_data/fold_{fold % 2}" / stem.rpartition("_")[2]
        save_image(place / f"{stem}.bmp", side=450, seed=fold)
    for number in (1, 2):
        save_image(folder / f"C-NMC_test_prelim_phase_data/{number}.bmp", side=450, seed=10 + number)
    save_image(folder / "C-NMC_test_final_phase_data/1.bmp", side=600, seed=20)
    with (folder / "C-NMC_test_prelim_phase_data_labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("Patient_ID", "new_names", "labels"),
                ("UID_57_29_1_all.bmp", "1.bmp", 1),
                ("UID_H49_35_1_hem.bmp", "2.bmp", 0),
            ]
        )
    return str(folder)


def multi_cancer(folder: Path) -> str:
    """The ALL part, and one image of another cancer beside it."""
    for at, label in enumerate(("benign", "early", "pre", "pro")):
        for number in (1, 2):
            save_image(folder / f"ALL/all_{label}/all_{label}_{number:04d}.jpg", seed=at * 10 + number)
    save_image(folder / "Brain Cancer/brain_glioma/brain_glioma_0001.jpg", seed=99)
    return str(folder)


def image_folder(folder: Path) -> str:
    """Two classes, one of them in deeper folders."""
    save_image(folder / "blast/slide 1/a.png", seed=1)
    save_image(folder / "blast/slide 2/b.tif", seed=2)
    save_image(folder / "lymphocyte/c.bmp", seed=3)
    return f"{folder}?suspicious=blast"


def manifest(folder: Path) -> str:
    """Four labelled images of three patients and one without a label."""
    rows = []
    for number, (label, patient) in enumerate([("b", "1"), ("a", "1"), ("a", "2"), ("b", "3"), (None, None)]):
        path = save_image(folder / f"images/{number}.png", seed=number)
        rows.append(ManifestRow(path.relative_to(folder).as_posix(), label, patient, number=number))
    write_manifest(folder / "manifest.csv", rows)
    return f"{folder / 'manifest.csv'}?suspicious=b"


def synthetic(folder: Path) -> str:  # noqa: ARG001 - it lies nowhere
    """A seed."""
    return "7"


LAYOUTS: dict[str, Callable[[Path], str]] = {
    function.__name__: function
    for function in (taleqani, c_nmc, multi_cancer, image_folder, manifest, synthetic)
}
