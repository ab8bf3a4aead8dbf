"""A folder of class folders: PATH/{class}/**/images. The card is docs/data/image_folder.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, final

from allsight.core.contracts import Dataset
from allsight.core.errors import DataError
from allsight.core.records import Sample
from allsight.data.images import hidden, images_below, read_sample
from allsight.data.source import split_location, suspicious_classes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LAYOUT = "Expected PATH/CLASS/…/image.jpg, one folder for each class."


@final
@dataclass(frozen=True, eq=False)
class ImageFolder(Dataset):
    """Images whose class is the folder they lie in. Who they are of is unknown: a manifest can say it."""

    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    suspicious: tuple[str, ...] = ()
    units: tuple[str, ...] = ("field", "random")

    @classmethod
    def open(cls, location: str) -> Self:
        """List "PATH" or "PATH?suspicious=CLASS,CLASS".

        Which classes mean leukemia is never guessed from their names: without the option none does, and what
        needs it (suspicion, sensitivity) is left out.

        Raises:
            DataError: there is no class folder, one is empty, or an image lies beside the class folders.
            UsageError: the option names a class that there is no folder for.
        """
        place, options = split_location(location, known=("suspicious",))
        root = Path(place).expanduser()
        if not root.is_dir():
            raise DataError(f"{root}: there is no such folder.", hint=_LAYOUT)
        classes = tuple(sorted(f.name for f in root.iterdir() if f.is_dir() and not hidden(f.name)))
        samples = tuple(
            Sample(path.relative_to(root).as_posix(), path=path, label=path.relative_to(root).parts[0])
            for path in images_below(root)
        )
        _check(samples, classes, root=root)
        return cls(
            tuple(sorted(samples, key=lambda sample: sample.name)),
            classes=classes,
            suspicious=suspicious_classes(options, classes),
        )

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """Pixels of one image, uint8 RGB (H, W, 3)."""
        return read_sample(sample)


def _check(samples: tuple[Sample, ...], classes: tuple[str, ...], *, root: Path) -> None:
    if not classes:
        raise DataError(f"{root}: expected class folders, found none.", hint=_LAYOUT)
    stray = next((sample.path for sample in samples if sample.label not in classes), None)
    if stray is not None:
        raise DataError(f"{stray}: this image lies in no class folder.", hint=_LAYOUT)
    empty = set(classes) - {sample.label for sample in samples}
    if empty:
        raise DataError(
            f"{root}: no image in the class folder {', '.join(sorted(empty))}.",
            hint="Fill it or remove it: an empty class would still be one of the model's outputs.",
        )
