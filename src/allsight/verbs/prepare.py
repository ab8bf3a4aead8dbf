"""`data prepare`: a data set as a manifest, with hashes, groups and the parts of an honest split."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allsight.core.errors import UsageError
from allsight.core.files import check_writable
from allsight.core.progress import Progress, silent
from allsight.data.groups import groups_of
from allsight.data.hashing import content_hashes, is_hash
from allsight.data.loading import unreadable
from allsight.data.manifest import ManifestRow, write_manifest
from allsight.data.source import open_dataset
from allsight.data.splits import make_split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allsight.core.records import Sample, Verification


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was written.

    Attributes:
        manifest: the CSV file.
        split: the unit of the split.
        n_images: images by part.
        n_groups: groups by part.
        excluded: labelled or unlabelled images in no part, by name, each with the reason.
        verification: the files compared with their source's published hashes; None where it publishes none.
    """

    manifest: Path
    split: str
    n_images: dict[str, int]
    n_groups: dict[str, int]
    excluded: dict[str, str]
    verification: Verification | None

    def to_json(self) -> dict[str, Any]:
        """The document of `data prepare --json`."""
        verified = self.verification
        return {
            "manifest": str(self.manifest),
            "split": self.split,
            "n_images": self.n_images,
            "n_groups": self.n_groups,
            "excluded": self.excluded,
            "verification": None
            if verified is None
            else {
                "verified": verified.verified,
                "absent": verified.absent,
                "altered": list(verified.altered),
                "unknown": list(verified.unknown),
            },
        }


def prepare(
    data: str,
    *,
    out: str | Path,
    split: str | None = None,
    seed: int = 0,
    folds: int = 5,
    fold: int = 0,
    hold_out: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Prepared:
    """Write a manifest: path, label, patient, group, split, sha256. `manifest:FILE` reads it back.

    Args:
        data: "taleqani:PATH" or another DATA whose images are files.
        out: the CSV file.
        split: "patient", "field" or "random"; by default the most honest that the data supports.
        seed: of the split.
        folds: the test part is one of so many.
        fold: which one.
        hold_out: the source's own parts that are the test instead of a fold.
        progress: told how far it is.

    Raises:
        UsageError: the images are generated; `data synthesize` writes those with a manifest of their own.
        LeakError: the split would put one patient or field on both sides.

    >>> prepare("synthetic:1", out="x.csv")
    Traceback (most recent call last):
    ...
    allsight.core.errors.UsageError: These images are no files yet. Write them with `allsight data synthesize`.
    """
    table = Path(out)
    check_writable(table.parent)
    dataset = open_dataset(data)
    if any(s.path is None for s in dataset.samples):
        raise UsageError("These images are no files yet.", hint="Write them with `allsight data synthesize`.")
    unit = split or dataset.units[0]
    allowed = None if dataset.training_parts is None else {*dataset.training_parts, *hold_out}
    verification = dataset.verify(progress=progress)
    hashes = content_hashes(dataset, progress=progress)
    lost = [s for s in dataset.samples if not is_hash(hashes[s.name])]
    missing = unreadable(dataset, lost, hashes=hashes)
    samples = tuple(
        s for s in dataset.samples if s.name not in missing and (allowed is None or s.part in allowed)
    )
    groups = groups_of(dataset, samples, unit, hashes=hashes, progress=progress)
    made = make_split(samples, groups, unit=unit, seed=seed, folds=folds, fold=fold, hold_out=hold_out)
    part_of = {name: part for part, names in made.parts.items() for name in names}
    write_manifest(
        table,
        (_row(s, table.parent, hashes=hashes, groups=made.groups, part_of=part_of) for s in dataset.samples),
    )
    return Prepared(
        manifest=table,
        split=unit,
        n_images={part: len(names) for part, names in made.parts.items()},
        n_groups={part: len({made.groups[n] for n in names}) for part, names in made.parts.items()},
        excluded={**made.excluded, **{name: f"unreadable: {error}" for name, error in missing.items()}},
        verification=verification,
    )


def _row(
    sample: Sample,
    folder: Path,
    *,
    hashes: Mapping[str, str],
    groups: Mapping[str, str],
    part_of: Mapping[str, str],
) -> ManifestRow:
    return ManifestRow(
        path=Path(os.path.relpath(str(sample.path), folder)).as_posix(),
        label=sample.label,
        patient=sample.patient,
        group=groups.get(sample.name),
        split=part_of.get(sample.name),
        sha256=hashes[sample.name] if is_hash(hashes[sample.name]) else None,
        part=sample.part,
        number=sample.number,
    )
