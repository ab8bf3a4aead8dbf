"""A CSV file with one image a row: manifest:FILE.csv. The card is docs/data/manifest.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, final

from allsight.core.contracts import Dataset
from allsight.core.errors import DataError, ImageError
from allsight.core.records import Sample
from allsight.data.images import read_sample
from allsight.data.manifest import read_manifest
from allsight.data.source import split_location, suspicious_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from allsight.data.manifest import ManifestRow


@final
@dataclass(frozen=True, eq=False)
class Manifest(Dataset):
    """Images as a table lists them; classes are its labels, sorted.

    Attributes:
        rows: the manifest, by sample name.
    """

    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    suspicious: tuple[str, ...]
    units: tuple[str, ...]
    rows: Mapping[str, ManifestRow]

    @classmethod
    def open(cls, location: str) -> Self:
        """List "FILE.csv" or "FILE.csv?suspicious=CLASS,CLASS"; relative paths start at the file's folder.

        Raises:
            DataError: the file is no manifest, lists no image, or names patients for some of its labelled images only.
            UsageError: the option names a class that no row has.
        """
        place, options = split_location(location, known=("suspicious",))
        table = Path(place).expanduser()
        rows = sorted(read_manifest(table), key=lambda row: row.path)
        if not rows:
            raise DataError(
                f"{table}: it names columns and lists no image.", hint="Write a row for each image."
            )
        classes = tuple(sorted({row.label for row in rows if row.label is not None}))
        return cls(
            samples=tuple(_sample(row, table.parent) for row in rows),
            classes=classes,
            suspicious=suspicious_classes(options, classes),
            units=_units(rows, table),
            rows={row.path: row for row in rows},
        )

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """Pixels of one image, uint8 RGB (H, W, 3).

        Raises:
            ImageError: also where the file is not the one that the manifest states.
        """
        pixels = read_sample(sample)
        listed = self.rows[sample.name].sha256
        if listed is not None and self.sha256(sample) != listed:
            raise ImageError(
                f"{sample.path}: the file is not the one that the manifest lists (its SHA-256 differs).",
                hint="Restore the file, or write the manifest anew if the change is meant.",
            )
        return pixels

    def stated_hashes(self) -> Mapping[str, str]:
        """What the column `sha256` says."""
        return {name: row.sha256 for name, row in self.rows.items() if row.sha256 is not None}

    def groups(self) -> Mapping[str, str]:
        """What the column `group` keeps together, by sample name."""
        return {name: row.group for name, row in self.rows.items() if row.group is not None}

    def parts(self) -> Mapping[str, str]:
        """The part that the column `split` has decided, by sample name."""
        return {name: row.split for name, row in self.rows.items() if row.split is not None}


def _sample(row: ManifestRow, folder: Path) -> Sample:
    path = folder / row.path  # an absolute path stays what it is
    return Sample(row.path, path=path, label=row.label, patient=row.patient, part=row.part, number=row.number)


def _units(rows: Sequence[ManifestRow], table: Path) -> tuple[str, ...]:
    labelled = [row for row in rows if row.label is not None]
    known = sum(row.patient is not None for row in labelled)
    if 0 < known < len(labelled):
        raise DataError(
            f"{table}: {known} of {len(labelled)} labelled images name a patient.",
            hint="Name one for each, or leave the column out: a patient unknown is a patient that may leak.",
        )
    return ("patient", "field", "random") if known else ("field", "random")
