"""Multi-Cancer, its ALL part: augmented copies of Taleqani fields, 4 × 5,000 images of 512×512 pixels.

Source: Kaggle obulisainaren/multi-cancer, doi 10.34740/KAGGLE/DSV/3415848. The card is
docs/data/multi_cancer.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, final

from allsight.core.contracts import Dataset
from allsight.core.errors import DataError
from allsight.core.records import Sample
from allsight.data.images import hidden, images_below, read_sample
from allsight.data.source import split_location

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

TREE = "ALL"
FOLDERS = {"all_benign": "Benign", "all_early": "Early", "all_pre": "Pre", "all_pro": "Pro"}
"""The source's folders and the names of the same classes in Taleqani, whose fields these are."""

_LAYOUT = f"Expected PATH/{TREE}/{{{','.join(FOLDERS)}}}/all_…_0001.jpg, as the source has it."


@final
@dataclass(frozen=True, eq=False)
class MultiCancer(Dataset):
    """Rotated, sheared and brightened Taleqani fields under new names; of which fields, nobody published."""

    independent = False
    licence = "CC BY-NC-SA 4.0"
    caution = (
        "The ALL part of Multi-Cancer is made of augmented Taleqani fields: copies of one field fall on both "
        "sides of a random split, and it is no independent test of a Taleqani model."
    )

    samples: tuple[Sample, ...]
    root: Path | None = None
    classes: tuple[str, ...] = tuple(FOLDERS.values())
    suspicious: tuple[str, ...] = ("Early", "Pre", "Pro")
    units: tuple[str, ...] = ("field", "random")

    @classmethod
    def open(cls, location: str) -> Self:
        """List PATH, which is the folder that holds `ALL/` and the other cancers, or `ALL/` itself.

        Raises:
            DataError: a class folder is missing or empty, or a file is not named as the source names it.
        """
        place = Path(split_location(location, known=()).place).expanduser()
        tree = place / TREE if (place / TREE).is_dir() else place
        missing = [folder for folder in FOLDERS if not (tree / folder).is_dir()]
        if missing:
            what = f"no folder {', '.join(missing)}" if tree.is_dir() else "no such folder"
            raise DataError(f"{tree}: expected the ALL part of Multi-Cancer, found {what}.", hint=_LAYOUT)
        samples = (sample for folder in FOLDERS for sample in _class_samples(tree / folder))
        return cls(
            tuple(sorted(samples, key=lambda sample: sample.name)), root=place if tree != place else None
        )

    @cached_property
    def other_cancers(self) -> tuple[Sample, ...]:
        """Images of the set's other cancers, which a leukemia model must refuse: unlabelled, `part` the cancer.

        Listed when first asked for; empty where the set was opened at `ALL/` itself.
        """
        if self.root is None:
            return ()
        beside = sorted(
            f for f in self.root.iterdir() if f.is_dir() and f.name != TREE and not hidden(f.name)
        )
        return tuple(
            Sample(path.relative_to(self.root).as_posix(), path=path, part=folder.name)
            for folder in beside
            for path in images_below(folder)
        )

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """Pixels of one image, uint8 RGB (H, W, 3)."""
        return read_sample(sample)


def _class_samples(folder: Path) -> Iterator[Sample]:
    paths = images_below(folder)
    if not paths:
        raise DataError(f"{folder}: expected images, found none.", hint=_LAYOUT)
    for path in paths:
        found = re.fullmatch(rf"{folder.name}_(\d+)", path.stem)
        if found is None:
            raise DataError(
                f"{path}: expected a name like {folder.name}_0001.jpg.",
                hint=f"{_LAYOUT} Move the file where it belongs, or out of the tree.",
            )
        name = f"{TREE}/{folder.name}/{path.relative_to(folder).as_posix()}"
        yield Sample(name, path=path, label=FOLDERS[folder.name], number=int(found[1]))
