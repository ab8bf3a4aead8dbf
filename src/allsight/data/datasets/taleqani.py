"""Taleqani ALL set: 3,256 smear fields of 224×224 pixels, four classes. Kaggle mehradaria/leukemia.

Source: doi 10.34740/KAGGLE/DSV/2175623. The card is docs/data/taleqani.md. The second tree, `Segmented/`,
holds colour-threshold masks that are nearly empty for Pro; it is not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, final

from allsight.core.contracts import Dataset
from allsight.core.errors import DataError
from allsight.core.records import Box, Sample
from allsight.data.images import images_below, read_sample
from allsight.data.source import split_location

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

TREE = "Original"
CLASSES = ("Benign", "Early", "Pre", "Pro")
"""Benign are hematogones; the others are the immunophenotypes early pre-B, pre-B and pro-B ALL."""

_NAME = re.compile(r"WBC-(?:Malignant-)?(Benign|Early|Pre|Pro)-(\d+)", re.IGNORECASE)
_LAYOUT = f"Expected PATH/{TREE}/{{{','.join(CLASSES)}}}/WBC-….jpg, as the source has it."


@final
@dataclass(frozen=True, eq=False)
class Taleqani(Dataset):
    """Smear fields of 89 people; who is on which image was never published."""

    overlay = Box(0.84, 0.84, 1, 1)
    licence = "not verified; research use"
    caution = (
        "In the Taleqani set scale bar and stain go with the class and many images repeat a field, so a "
        "figure means little without its split and its controls."
    )

    samples: tuple[Sample, ...]
    classes: tuple[str, ...] = CLASSES
    suspicious: tuple[str, ...] = CLASSES[1:]
    units: tuple[str, ...] = ("field", "random")

    @classmethod
    def open(cls, location: str) -> Self:
        """List PATH, which is the folder that holds `Original/`, or `Original/` itself.

        Raises:
            DataError: a class folder is missing or empty, or a file stands in the wrong one.
        """
        tree = _tree(Path(split_location(location, known=()).place).expanduser())
        samples = (sample for label in CLASSES for sample in _class_samples(tree / label, label))
        return cls(tuple(sorted(samples, key=lambda sample: sample.name)))

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """Pixels of one field, uint8 RGB (H, W, 3)."""
        return read_sample(sample)


def _tree(place: Path) -> Path:
    """The folder with all four class folders."""
    tree = place / TREE if (place / TREE).is_dir() else place
    missing = [label for label in CLASSES if not (tree / label).is_dir()]
    if missing:
        what = f"no folder {', '.join(missing)}" if tree.is_dir() else "no such folder"
        raise DataError(f"{tree}: expected the Taleqani set, found {what}.", hint=_LAYOUT)
    return tree


def _class_samples(folder: Path, label: str) -> Iterator[Sample]:
    paths = images_below(folder)
    if not paths:
        raise DataError(f"{folder}: expected images of class {label}, found none.", hint=_LAYOUT)
    for path in paths:
        found = _NAME.fullmatch(path.stem)
        if found is None or found[1].lower() != label.lower():
            raise DataError(
                f"{path}: expected an image of class {label} by its name.",
                hint=f"{_LAYOUT} Move the file where it belongs, or out of the tree.",
            )
        name = f"{TREE}/{label}/{path.relative_to(folder).as_posix()}"
        yield Sample(name, path=path, label=label, number=int(found[2]))
