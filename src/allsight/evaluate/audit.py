"""What a data set hides: repeats, leaks between its own parts, and what can be told without looking at cells."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.progress import Progress, silent
from allsight.data.duplicates import Match, exact_duplicates, find_overlaps, match_against
from allsight.data.groups import Groups, groups_of
from allsight.data.hashing import content_hashes
from allsight.evaluate.shortcuts import cross_validated, shortcut_features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample


@dataclass(frozen=True, slots=True)
class Repeats:
    """Images that show the same thing.

    Attributes:
        n_groups: groups of two or more images.
        n_repeats: images that could be left out without losing a field.
        largest: images in the largest group.
        crossing_classes: groups whose images have different labels, each as its names.
    """

    n_groups: int
    n_repeats: int
    largest: int
    crossing_classes: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that stands in two of the source's own parts.

    Attributes:
        group: the patient or field.
        parts: the parts it stands in.
        n_images: its images.
    """

    group: str
    parts: tuple[str, ...]
    n_images: int


@dataclass(frozen=True, slots=True)
class Told:
    """What a control reaches over all folds together."""

    accuracy: float
    f1_macro: float


@dataclass(frozen=True, slots=True)
class Audit:
    """The `data audit` document.

    Attributes:
        data: DATA as it was named.
        n_images: all images, labelled or not.
        classes: labelled images by class.
        exact_duplicates: names of byte-identical images.
        groups: overlapping fields, or patients' shared images where fields cannot overlap.
        leaks: groups across the source's own parts.
        shortcuts: what each control reaches, by "CONTROL_SPLIT", in 5 folds.
        split: the most honest unit, which the second of each pair of shortcuts is measured under.
        n_blocks: what that unit divides the labelled images into.
        against: where originals of these images were looked for, and what was found; None where not asked.
        unreadable: what was wrong, by name.
        notes: what was found while listing.
        caution: the sentence that every figure on this data must carry, or "".
    """

    data: str
    n_images: int
    classes: Mapping[str, int]
    exact_duplicates: tuple[tuple[str, ...], ...]
    groups: Repeats
    leaks: tuple[Leak, ...]
    shortcuts: Mapping[str, Told]
    split: str
    n_blocks: int
    against: tuple[Match, ...] | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    caution: str = ""

    def to_json(self) -> dict[str, Any]:
        """The document of `data audit --json`."""
        return asdict(self)


def audit(
    dataset: Dataset,
    *,
    name: str,
    against: Dataset | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Audit:
    """Look for everything that would make figures on this data better than they are.

    Args:
        dataset: what is looked at.
        name: DATA as it was named.
        against: another data set in which originals are looked for.
        seed: of folds and forests.
        progress: told how far it is.
    """
    hashes = content_hashes(dataset, progress=progress)
    duplicates = exact_duplicates(hashes)
    labelled = [s for s in dataset.samples if s.label is not None]
    unit = dataset.units[0]
    groups = groups_of(
        dataset, dataset.samples if unit == "field" else labelled, unit, hashes=hashes, progress=progress
    )
    unreadable: dict[str, str] = {}
    together = duplicates
    if "field" in dataset.units:
        overlaps = find_overlaps(dataset, hashes, progress=progress)
        unreadable |= overlaps.unreadable
        together = overlaps.groups
    shortcuts, failed = _shortcuts(dataset, labelled, groups, hashes=hashes, seed=seed, progress=progress)
    return Audit(
        data=name,
        n_images=len(dataset.samples),
        classes=_counted(dataset.classes, labelled),
        exact_duplicates=duplicates,
        groups=_repeats(together, {s.name: s.label for s in dataset.samples}),
        leaks=_leaks(dataset.samples, groups),
        shortcuts=shortcuts,
        split=unit,
        n_blocks=len({groups.block[s.name] for s in labelled}),
        against=None if against is None else match_against(dataset, against, progress=progress),
        unreadable=unreadable | failed,
        notes=dataset.notes,
        caution=dataset.caution,
    )


def _counted(classes: Sequence[str], labelled: Sequence[Sample]) -> dict[str, int]:
    counts = Counter(s.label for s in labelled)
    return {c: counts[c] for c in classes}


def _repeats(together: Sequence[tuple[str, ...]], labels: Mapping[str, str | None]) -> Repeats:
    return Repeats(
        n_groups=len(together),
        n_repeats=sum(len(group) - 1 for group in together),
        largest=max(map(len, together), default=1),
        crossing_classes=tuple(g for g in together if len({labels[n] for n in g} - {None}) > 1),
    )


def _leaks(samples: Sequence[Sample], groups: Groups) -> tuple[Leak, ...]:
    where: dict[str, Counter[str]] = defaultdict(Counter)
    for s in samples:
        if s.part is not None and s.name in groups.indivisible:
            where[groups.indivisible[s.name]][s.part] += 1
    return tuple(
        Leak(group, tuple(sorted(parts)), parts.total())
        for group, parts in sorted(where.items())
        if len(parts) > 1
    )


def _shortcuts(
    dataset: Dataset,
    labelled: Sequence[Sample],
    groups: Groups,
    *,
    hashes: Mapping[str, str],
    seed: int,
    progress: Progress,
) -> tuple[dict[str, Told], dict[str, str]]:
    found = shortcut_features(dataset, labelled, hashes=hashes, progress=progress)
    kept = np.array([i for i, s in enumerate(labelled) if s.name not in found.unreadable], dtype=np.int64)
    place = {c: i for i, c in enumerate(dataset.classes)}
    labels = np.array([place[str(labelled[i].label)] for i in kept])
    alone = np.array([labelled[i].name for i in kept])
    blocks = np.array([groups.block[name] for name in alone])
    told: dict[str, Told] = {}
    for split, units in {"random": alone, groups.unit: blocks}.items():
        for control, features in found.features.items():
            told[f"{control}_{split}"] = _told(features[kept], labels, units, n_classes=len(place), seed=seed)
    return told, dict(found.unreadable)


def _told(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    units: NDArray[np.str_],
    *,
    n_classes: int,
    seed: int,
) -> Told:
    from sklearn.metrics import accuracy_score, f1_score

    probabilities = cross_validated(features, labels, units, n_classes=n_classes, seed=seed)
    guesses = probabilities.argmax(axis=1)
    f1 = f1_score(labels, guesses, average="macro")
    return Told(float(accuracy_score(labels, guesses)), float(f1))
