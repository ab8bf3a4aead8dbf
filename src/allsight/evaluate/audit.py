"""What a data set hides: repeats, leaks between its own parts, and what can be told without looking at cells."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import DataError
from allsight.core.progress import Progress, silent
from allsight.core.provenance import fingerprint, versions
from allsight.data.duplicates import Match, exact_duplicates, find_overlaps, match_against
from allsight.data.groups import FIELD, RANDOM, Groups, groups_of
from allsight.data.hashing import content_hashes
from allsight.data.kept import kept, pixels_fingerprint
from allsight.data.loading import unreadable
from allsight.evaluate.shortcuts import Shortcuts, control_recipe, cross_validated, shortcut_features

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
class _AllTold:
    reached: dict[str, Told]
    notes: tuple[str, ...] = ()


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
        dataset, dataset.samples if unit == FIELD else labelled, unit, hashes=hashes, progress=progress
    )
    unlabelled = [s for s in dataset.samples if s.label is None]
    failed = unreadable(dataset, unlabelled, hashes=hashes, progress=progress)
    together = duplicates
    if FIELD in dataset.units:
        overlaps = find_overlaps(dataset, hashes, progress=progress)
        failed |= overlaps.unreadable
        together = overlaps.groups
    found = shortcut_features(dataset, labelled, hashes=hashes, progress=progress)
    failed |= found.unreadable
    told = _shortcuts(dataset, labelled, found, groups=groups, hashes=hashes, seed=seed)
    return Audit(
        data=name,
        n_images=len(dataset.samples),
        classes=_counted(dataset.classes, labelled),
        exact_duplicates=duplicates,
        groups=_repeats(together, {s.name: s.label for s in dataset.samples}),
        leaks=_leaks(dataset.samples, groups),
        shortcuts=told.reached,
        split=unit,
        n_blocks=len({groups.block[s.name] for s in labelled}),
        against=None if against is None else match_against(dataset, against, progress=progress),
        unreadable=dict(sorted(failed.items())),
        notes=(*dataset.notes, *told.notes),
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
    found: Shortcuts,
    *,
    groups: Groups,
    hashes: Mapping[str, str],
    seed: int,
) -> _AllTold:
    """What every control reaches under both splits; kept, because thirty forests take longer than the rest."""
    kept_rows = np.array(
        [i for i, s in enumerate(labelled) if s.name not in found.unreadable], dtype=np.int64
    )
    rows = [f"{labelled[i].name}={labelled[i].label}={groups.block[labelled[i].name]}" for i in kept_rows]
    pixels = pixels_fingerprint(dataset, {s.name: hashes[s.name] for s in labelled})
    libraries = str(versions(("numpy", "scikit-learn")))
    key = fingerprint([control_recipe(), libraries, pixels, *dataset.classes, groups.unit, str(seed), *rows])

    def measure() -> _AllTold:
        place = {c: i for i, c in enumerate(dataset.classes)}
        labels = np.array([place[str(labelled[i].label)] for i in kept_rows], dtype=np.int64)
        alone = np.array([labelled[i].name for i in kept_rows], dtype=np.str_)
        blocks = np.array([groups.block[name] for name in alone], dtype=np.str_)
        reached: dict[str, Told] = {}
        for split, units in {RANDOM: alone, groups.unit: blocks}.items():
            for control, table in found.features.items():
                try:
                    told = _told(table[kept_rows], labels, units, n_classes=len(place), seed=seed)
                except DataError as error:
                    return _AllTold({}, (error.message,))
                reached[f"{control}_{split}"] = told
        return _AllTold(reached)

    return kept(_AllTold, "shortcuts_told", key=key, compute=measure)


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
    f1 = f1_score(labels, guesses, average="macro", labels=np.unique(labels))
    return Told(float(accuracy_score(labels, guesses)), float(f1))
