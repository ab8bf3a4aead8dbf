"""What can be predicted without looking at cells. A model that does not clearly beat this has learned nothing.

Three controls, each a random forest on a handful of numbers: `colour` (mean and standard deviation of red, green and
blue, which alone reach about 0.83 macro-F1 on Taleqani), `background` (the same and five quantiles a channel of what
is neither cell nor scale bar), `corner` (the bottom-right 16 %, where Taleqani's scale bar lies, as a thumbnail).
"""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from allsight.core.errors import DataError
from allsight.core.files import cache_folder, whole_file
from allsight.core.progress import Progress, silent
from allsight.core.provenance import fingerprint, versions
from allsight.core.records import Box
from allsight.data.cells import cell_mask
from allsight.data.sweep import sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample

VERSION = "3"  # of the features: raised when their values change
CORNER = Box(0.84, 0.84, 1.0, 1.0)
THUMBNAIL = 8  # pixels a side
TREES = 300
FOLDS = 5
LENGTHS = {"colour": 6, "background": 21, "corner": 3 * THUMBNAIL**2 + 6}
"""The controls, and how many numbers each has of an image."""
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Shortcuts:
    """Features of some images, by control; rows in the order of the samples.

    Attributes:
        features: float32 (n, F) by control.
        unreadable: what was wrong, by name; such images have rows of zeros.
    """

    features: Mapping[str, NDArray[np.float32]]
    unreadable: Mapping[str, str]


def colour_features(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean and standard deviation of red, green and blue in [0, 255], float32 (6,), of uint8 RGB (H, W, 3)."""
    pixels = image.reshape(-1, 3).astype(np.float32)
    return np.concatenate([pixels.mean(axis=0), pixels.std(axis=0)])


def background_features(image: NDArray[np.uint8], *, overlay: Box | None = None) -> NDArray[np.float32]:
    """Mean, deviation and quantiles of what is neither cell nor overlay, float32 (21,), in [0, 255].

    Args:
        image: uint8 RGB (H, W, 3).
        overlay: where the source burnt in a scale bar.
    """
    import cv2

    height, width = image.shape[:2]
    reach = 2 * (min(height, width) // 45) + 1  # about half a red cell, so that no rim of a cell remains
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    outside = cv2.dilate(cell_mask(image).astype(np.uint8), kernel) == 0
    if overlay is not None:
        outside[overlay.pixels(height, width)] = False
    pixels = image[outside].astype(np.float32)
    if len(pixels) < 16:
        return np.zeros(21, dtype=np.float32)
    quantiles = np.quantile(pixels, _QUANTILES, axis=0).ravel()
    return np.concatenate([pixels.mean(axis=0), pixels.std(axis=0), quantiles]).astype(np.float32)


def corner_features(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The bottom-right corner as a thumbnail and its colour statistics, float32 (198,), in [0, 255]."""
    import cv2

    rows, columns = CORNER.pixels(*image.shape[:2])
    corner = np.ascontiguousarray(image[rows, columns])
    small = cv2.resize(corner, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return np.concatenate([small.ravel().astype(np.float32), colour_features(corner)])


def features_of(image: NDArray[np.uint8], *, overlay: Box | None = None) -> dict[str, NDArray[np.float32]]:
    """What each control sees of one image, uint8 RGB (H, W, 3): float32 (F,) by control, F as `LENGTHS` has it.

    Args:
        image: the pixels.
        overlay: where the source burnt in a scale bar.
    """
    return {
        "colour": colour_features(image),
        "background": background_features(image, overlay=overlay),
        "corner": corner_features(image),
    }


def shortcut_features(
    dataset: Dataset,
    samples: Sequence[Sample],
    *,
    hashes: Mapping[str, str],
    progress: Progress = silent,
) -> Shortcuts:
    """Features of every control for each sample, on all cores, kept in the cache image by image.

    Images that cannot be read are tried again each time: why one cannot be read is not in its bytes alone.

    Args:
        dataset: reads the samples; its overlay is no background.
        samples: which images.
        hashes: content hash by sample name.
        progress: told after each image that is looked at.
    """
    libraries = str(versions(("numpy", "opencv-python-headless")))
    key = fingerprint([VERSION, libraries, type(dataset).__name__, repr(dataset.overlay)])
    path = cache_folder() / "shortcuts" / f"{key}.npz"
    known = _Known.read(path)
    missing = [sample for sample in samples if hashes[sample.name] not in known.places]

    def look(image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        return features_of(image, overlay=dataset.overlay)

    unreadable: Mapping[str, str] = {}
    if missing:
        swept = sweep(dataset, look, samples=missing, what="shortcuts", progress=progress)
        unreadable = swept.unreadable
        if swept.results:  # read once more: another process may have added to it
            known = _Known.read(path).with_more({hashes[n]: row for n, row in swept.results.items()})
            known.write(path)
    features = {
        control: np.zeros((len(samples), length), dtype=np.float32) for control, length in LENGTHS.items()
    }
    readable = [row for row, sample in enumerate(samples) if sample.name not in unreadable]
    places = [known.places[hashes[samples[row].name]] for row in readable]
    for control, table in known.tables.items():
        features[control][readable] = table[places]
    return Shortcuts(features, unreadable)


@dataclass(frozen=True, slots=True)
class _Known:
    """Features of every image that was ever looked at, rows by content hash."""

    places: Mapping[str, int]
    tables: Mapping[str, NDArray[np.float32]]

    @classmethod
    def read(cls, path: Path) -> _Known:
        """What earlier runs wrote; nothing where there is nothing that can be read."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                places = {name: row for row, name in enumerate(stored["hashes"].tolist())}
                tables = {control: stored[control] for control in LENGTHS}
        except (FileNotFoundError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
            places, tables = {}, {}
        if {len(table) for table in tables.values()} != {len(places)}:
            return cls({}, {c: np.zeros((0, length), dtype=np.float32) for c, length in LENGTHS.items()})
        return cls(places, tables)

    def with_more(self, rows: Mapping[str, Mapping[str, NDArray[np.float32]]]) -> _Known:
        """These and others by hash."""
        added = [name for name in rows if name not in self.places]
        tables = {
            control: np.concatenate([table, *(rows[name][control][None] for name in added)])
            for control, table in self.tables.items()
        }
        n = len(self.places)
        return _Known({**self.places, **{name: n + row for row, name in enumerate(added)}}, tables)

    def write(self, path: Path) -> None:
        """Whole, or not at all."""
        with whole_file(path) as part, part.open("wb") as file:
            np.savez(
                file, allow_pickle=False, hashes=np.array(list(self.places), dtype=np.str_), **self.tables
            )


def control_recipe() -> str:
    """Everything beside the features that a control's answer depends on; part of the key of what is kept."""
    return f"features {VERSION}, {TREES} trees, {FOLDS} folds"


def shortcut_probabilities(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    n_classes: int,
    seed: int = 0,
) -> NDArray[np.float64]:
    """What a random forest that saw some rows says of others.

    Args:
        features: (n, F).
        labels: (n,) in [0, n_classes).
        train: indices of the rows it learns from.
        test: indices of the rows it is asked about.
        n_classes: C.
        seed: of the forest.

    Returns:
        Probabilities (len(test), C); 0 for classes it never saw.
    """
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(TREES, class_weight="balanced", random_state=seed, n_jobs=-1)
    forest.fit(features[train], labels[train])
    probabilities = np.zeros((len(test), n_classes))
    probabilities[:, forest.classes_] = forest.predict_proba(features[test])
    return probabilities


def cross_validated(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    units: NDArray[np.str_],
    *,
    n_classes: int,
    seed: int,
) -> NDArray[np.float64]:
    """What a forest that saw the other folds says of each row, float64 (n, n_classes).

    Args:
        features: (n, F).
        labels: (n,) in [0, n_classes).
        units: (n,) what folds do not divide.
        n_classes: C.
        seed: of folds and forests.

    Raises:
        DataError: there are fewer than two units, or no class has two images.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    most = int(np.bincount(labels, minlength=1).max())
    folds = min(FOLDS, len(set(units.tolist())), most)
    if folds < 2:
        raise DataError(
            "Controls need two groups of images and a class with two images.",
            hint="Add images, or leave them out.",
        )
    probabilities = np.zeros((len(labels), n_classes))
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer images than folds
        dealt = list(dealer.split(features, labels, units))
    for train, test in dealt:
        if len(train) and len(test):  # few large groups can leave a fold empty
            probabilities[test] = shortcut_probabilities(
                features, labels, train=train, test=test, n_classes=n_classes, seed=seed
            )
    return probabilities
