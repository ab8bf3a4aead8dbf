"""Which images belong together, so that a split or a resample must not take them apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from allsight.core.errors import DataError, UsageError
from allsight.core.progress import silent
from allsight.data.duplicates import connected, exact_duplicates, find_overlaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from allsight.core.contracts import Dataset
    from allsight.core.progress import Progress
    from allsight.core.records import Sample

PATIENT, FIELD, RANDOM = "patient", "field", "random"
RUN = 25
"""Consecutive numbers of one class that make one block where the unit is `field`."""


@dataclass(frozen=True)
class Groups:
    """Which images belong together under one unit; all mappings are by sample name.

    Attributes:
        unit: "patient", "field" or "random".
        indivisible: what must never be divided: the patient; overlapping fields and identical bytes; under
            `random` every image alone.
        block: what is kept together and resampled together: the patient; the run of 25 numbers that holds most
            of the indivisible group; under `random` every image alone.
        honest: `indivisible` of the most honest unit that the data supports, by which a random split is judged.
    """

    unit: str
    indivisible: Mapping[str, str]
    block: Mapping[str, str]
    honest: Mapping[str, str]


def groups_of(
    dataset: Dataset,
    samples: Iterable[Sample],
    unit: str,
    *,
    hashes: Mapping[str, str],
    progress: Progress = silent,
) -> Groups:
    """Groups of the samples under a unit, the same whichever samples are asked about.

    Args:
        dataset: the whole data set; images outside `samples` can link images inside.
        samples: those to be grouped.
        unit: one of `dataset.units`.
        hashes: content hash by name, for all samples of the data set.
        progress: is told how far the search for overlaps is.

    Raises:
        UsageError: the data set does not support the unit.
        DataError: the unit is `patient` and a labelled image names none.
    """
    if unit not in dataset.units:
        raise UsageError(
            f"This data set cannot be split by {unit!r}.", hint=f"Units it has: {', '.join(dataset.units)}."
        )
    names = [sample.name for sample in samples]
    honest = unit if unit != RANDOM else dataset.units[0]
    linked = [*exact_duplicates(hashes), *_members(dataset.groups())]
    if honest == PATIENT:
        indivisible = _patients(dataset.samples, linked)
    elif honest == FIELD:
        fields = find_overlaps(dataset, hashes, progress=progress).groups
        indivisible = _fields(dataset.samples, [*fields, *linked])
    else:
        indivisible = _fields(dataset.samples, linked)
    chosen = {name: indivisible[name] for name in names}
    if unit == RANDOM:
        alone = {name: name for name in names}
        return Groups(unit, indivisible=alone, block=alone, honest=chosen)
    if unit == PATIENT:
        return Groups(unit, indivisible=chosen, block=chosen, honest=chosen)
    blocks = _runs(dataset.samples, indivisible)
    return Groups(
        unit, indivisible=chosen, block={name: blocks[chosen[name]] for name in names}, honest=chosen
    )


def _members(group_of: Mapping[str, str]) -> list[tuple[str, ...]]:
    members = defaultdict(list)
    for name, group in group_of.items():
        members[group].append(name)
    return [tuple(names) for names in members.values()]


def _patients(samples: Sequence[Sample], linked: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """Patient by name; patients who share an image are one, named by all of them: "20=21".

    An unlabelled image without a patient, which no split uses, stands for itself.
    """
    nameless = [sample.name for sample in samples if sample.patient is None and sample.label is not None]
    if nameless:
        raise DataError(
            f"{len(nameless)} labelled images name no patient, {nameless[0]} for one.",
            hint="A patient unknown is a patient that may leak: name one for each, or split by field.",
        )
    own = {sample.name: sample.patient or sample.name for sample in samples}
    merged = {
        patient: "=".join(group)
        for group in connected((own[names[0]], own[name]) for names in linked for name in names)
        for patient in group
    }
    return {name: merged.get(patient, patient) for name, patient in own.items()}


def _fields(samples: Sequence[Sample], linked: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """Group by name, called by its first image; an image that nothing links is a group of its own."""
    group_of = {sample.name: sample.name for sample in samples}
    for group in connected((names[0], name) for names in linked for name in names):
        group_of |= dict.fromkeys(group, group[0])
    return group_of


def _runs(samples: Sequence[Sample], indivisible: Mapping[str, str]) -> dict[str, str]:
    """Block by indivisible group: the run that holds most of its images, the first of equals.

    A group without numbers is its own block.
    """
    runs: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in sorted(samples, key=lambda s: (s.number is None, s.number, s.name)):
        if sample.number is not None:
            first = max(sample.number - 1, 0) // RUN * RUN + 1
            runs[indivisible[sample.name]][f"{sample.label} {first}-{first + RUN - 1}"] += 1
    # most_common keeps the order in which equals were met, here that of the numbers.
    return {
        group: runs[group].most_common(1)[0][0] if group in runs else group for group in indivisible.values()
    }
