"""What a training works on: the readable images of a data set, divided into parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allsight.core.errors import DataError, RefusedError
from allsight.core.progress import Progress, silent
from allsight.data.groups import groups_of
from allsight.data.hashing import content_hashes, data_fingerprint
from allsight.data.loading import unreadable
from allsight.data.splits import Split, make_split, stated_split
from allsight.models.bundle import SplitRow
from allsight.models.training.data import Portion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allsight.core.contracts import Dataset

STATED = "stated"  # the split that the data itself names


@dataclass(frozen=True, slots=True)
class Material:
    """A data set, divided.

    Attributes:
        dataset: all of it.
        hashes: SHA-256 of the pixels, by name.
        fingerprint: of the data set as a whole.
        split: which images and groups are in which part.
        excluded: images left out, by name, each with the reason.
    """

    dataset: Dataset
    hashes: Mapping[str, str]
    fingerprint: str
    split: Split
    excluded: dict[str, str]

    def portion(self, part: str) -> Portion:
        """Images of one part, with their labels."""
        return Portion.of(self.dataset, self.split.parts[part], groups=self.split.groups)

    def rows(self) -> list[SplitRow]:
        """A line for each image that has a part, as a bundle keeps it."""
        labels = {s.name: s.label or "" for s in self.dataset.samples}
        return [
            SplitRow(name, self.hashes[name], labels[name], part, self.split.groups[name])
            for part, names in self.split.parts.items()
            for name in names
        ]


def divide(
    dataset: Dataset,
    *,
    split: str | None,
    seed: int,
    folds: int,
    fold: int,
    hold_out: tuple[str, ...],
    whole: bool,
    progress: Progress = silent,
) -> Material:
    """Leave out what cannot be read, group what belongs together, and divide the rest.

    Raises:
        DataError: no image can be read, or the data cannot be divided as asked.
        LeakError: the data's own parts share a group.
        RefusedError: the data is made of copies, and a test part was asked of it.
    """
    unit = dataset.units[0] if split in (None, STATED) else str(split)
    if not dataset.independent and hold_out:
        raise RefusedError("This data is made of copies and cannot serve as a test.", hint=dataset.caution)
    allowed = None if dataset.training_parts is None else {*dataset.training_parts, *hold_out}
    samples = tuple(s for s in dataset.samples if allowed is None or s.part in allowed)
    hashes = content_hashes(dataset, progress=progress)
    bad = unreadable(dataset, samples, hashes=hashes, progress=progress)
    if bad and len(bad) == len(samples):
        raise DataError(f"None of {len(bad)} images can be read; the first: {next(iter(bad.values()))}")
    samples = tuple(s for s in samples if s.name not in bad)
    groups = groups_of(dataset, samples, unit, hashes=hashes, progress=progress)
    if split == STATED:
        made = stated_split(samples, groups, stated=dataset.parts())
    else:
        made = make_split(
            samples, groups, unit=unit, seed=seed, folds=folds, fold=fold, hold_out=hold_out, whole=whole
        )
    named = {name: f"unreadable: {error}" for name, error in bad.items()}
    return Material(dataset, hashes, data_fingerprint(dataset, hashes), made, {**made.excluded, **named})
