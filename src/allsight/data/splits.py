"""Train, validation and test: stratified by class, whole groups only, verified before anything uses them."""

from __future__ import annotations

import warnings
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from allsight.core.errors import DataError, LeakError, UsageError
from allsight.core.records import PARTS, TEST, TRAIN, VALIDATION
from allsight.data.groups import FIELD, PATIENT, RANDOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from allsight.core.records import Sample
    from allsight.data.groups import Groups

VALIDATION_FOLDS = 8
"""The validation part is one in eight of what is not test, or more where there are fewer groups."""


@dataclass(frozen=True)
class Split:
    """Which image is in which part.

    Attributes:
        unit: what was kept together: "patient", "field" or "random".
        seed: all randomness.
        folds: of how many folds the test part is one; 0 where parts of the source are held out, or nothing is.
        fold: which one, from 0.
        parts: sample names, sorted, by "train", "validation" and "test".
        groups: block by sample name, for every sample in a part: what a bootstrap draws.
        excluded: why, by sample name, for samples in no part.
        straddling: under `random`, how many groups of images that belong together are in several parts.
        hold_out: the source's own parts that are the test part.
    """

    unit: str
    seed: int
    folds: int
    fold: int
    parts: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, str]
    excluded: Mapping[str, str] = field(default_factory=dict)
    straddling: int = 0
    hold_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON's types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """The split that `to_dict` was asked of."""
        parts = {part: tuple(names) for part, names in document["parts"].items()}
        return cls(**{**document, "parts": parts, "hold_out": tuple(document["hold_out"])})


def make_split(
    samples: Iterable[Sample],
    groups: Groups,
    *,
    unit: str,
    seed: int = 0,
    folds: int = 5,
    fold: int = 0,
    hold_out: Sequence[str] = (),
    training_parts: Sequence[str] | None = None,
    whole: bool = False,
) -> Split:
    """Divide labelled samples into train, validation and test; the order of `samples` does not matter.

    Without `hold_out` the test part is one fold of a stratified k-fold over blocks (scikit-learn's
    StratifiedGroupKFold; StratifiedKFold under `random`). With it the test part is those parts of the source,
    and other samples that share a group with them are left out. With `whole` there is no test part.

    Args:
        samples: all samples of the data set; unlabelled ones are left out.
        groups: of the same samples and under the same unit.
        unit: the unit of `groups`, named again because every figure carries it.
        seed: all randomness.
        folds: at least 2.
        fold: in [0, folds).
        hold_out: parts of the source to test on.
        training_parts: parts of the source that may be trained on; None for all that are not held out.
        whole: test on nothing, for a model that is to be used and whose figures come from other folds.

    Raises:
        UsageError: fold, folds, unit or hold_out name what is not there.
        DataError: some class is not in the training part, or could be but is not in the test part.
        LeakError: a group would be in two parts.
    """
    samples = sorted(samples, key=lambda sample: sample.name)
    if whole and hold_out:
        raise UsageError("Nothing can be held out of the whole.", hint="Give either --whole or --hold-out.")
    _check_usage(samples, groups, unit=unit, folds=folds, fold=fold, hold_out=hold_out)
    usable, held, excluded = _sorted_out(samples, hold_out=hold_out, training_parts=training_parts)
    table = _Table({s.name: s.label for s in samples if s.label is not None}, groups)
    _check_enough(usable, held, table, folds=2 if whole else folds, hold_out=hold_out)
    if hold_out or whole:
        rest = _without_shared(usable, held, table, excluded=excluded)
    else:
        held = table.fold(usable, folds=folds, fold=fold, seed=seed)
        rest = sorted(set(usable) - set(held))
        _check_test(held, usable, table, where=f"fold {fold} of {folds}")
    validation = _validation(rest, table, seed=seed)
    train = sorted(set(rest) - set(validation))
    parts = {TRAIN: tuple(train), VALIDATION: tuple(validation), TEST: tuple(held)}
    _check_training(train, table)
    if unit != RANDOM:
        assert_no_leak(parts, groups.indivisible, unit=unit)
    return Split(
        unit=unit,
        seed=seed,
        folds=0 if hold_out or whole else folds,
        fold=0 if hold_out or whole else fold,
        parts=parts,
        groups={name: groups.block[name] for part in PARTS for name in parts[part]},
        excluded=excluded,
        straddling=len(_divided(parts, groups.honest)),
        hold_out=tuple(hold_out),
    )


def stated_split(samples: Iterable[Sample], groups: Groups, *, stated: Mapping[str, str]) -> Split:
    """The split that a source has decided itself, such as a manifest's column `split`, after the same checks.

    Args:
        samples: all samples of the data set; unlabelled ones and those without a part are left out.
        groups: of the same samples, under the most honest unit that the data supports.
        stated: "train", "validation" or "test" by sample name.

    Raises:
        UsageError: the source decides nothing, or names no image for training or validation.
        DataError: some class is not in the training part.
        LeakError: a group is in two parts.
    """
    names: dict[str, list[str]] = {part: [] for part in PARTS}
    excluded: dict[str, str] = {}
    labels: dict[str, str] = {}
    for sample in sorted(samples, key=lambda sample: sample.name):
        if sample.label is None or sample.name not in stated:
            excluded[sample.name] = "it has no label" if sample.label is None else "it is in no stated part"
            continue
        labels[sample.name] = sample.label
        names[stated[sample.name]].append(sample.name)
    missing = [part for part in (TRAIN, VALIDATION) if not names[part]]
    if missing:
        raise UsageError(
            f"The data states no image for {' and '.join(missing)}.",
            hint="Fill the manifest's column split with train, validation and test, or give --split a unit.",
        )
    parts = {part: tuple(members) for part, members in names.items()}
    _check_training(parts[TRAIN], _Table(labels, groups))
    if groups.unit != RANDOM:
        assert_no_leak(parts, groups.indivisible, unit=groups.unit)
    return Split(
        unit=groups.unit,
        seed=0,
        folds=0,
        fold=0,
        parts=parts,
        groups={name: groups.block[name] for name in labels},
        excluded=excluded,
        straddling=len(_divided(parts, groups.honest)),
    )


def assert_no_leak(
    parts: Mapping[str, Iterable[str]], indivisible: Mapping[str, str], *, unit: str = "group"
) -> None:
    """Refuse parts that take a group apart.

    Args:
        parts: sample names by part.
        indivisible: group by sample name.
        unit: what a group is called: "patient", "field".

    Raises:
        LeakError: a group is in two parts, or an image in two.
    """
    divided = _divided(parts, indivisible)
    if not divided:
        return
    group, where = next(iter(divided.items()))
    more = f", and {len(divided) - 1} more are divided" if len(divided) > 1 else ""
    raise LeakError(
        f"{unit} {group} is in {' and '.join(where)}{more}.",
        hint=f"Split with --split {unit if unit in (PATIENT, FIELD) else f'{PATIENT} or {FIELD}'}.",
    )


@dataclass(frozen=True)
class _Table:
    """What stratifying needs to know of each sample.

    Attributes:
        label_of: class by name of every labelled sample.
        groups: of these samples.
    """

    label_of: Mapping[str, str]
    groups: Groups

    def blocks(self, names: Iterable[str]) -> dict[str, int]:
        """In how many blocks each class is found."""
        found = defaultdict(set)
        for name in names:
            found[self.label_of[name]].add(self.groups.block[name])
        return {label: len(blocks) for label, blocks in sorted(found.items())}

    def fold(self, names: Sequence[str], *, folds: int, fold: int, seed: int) -> list[str]:
        """One of the stratified folds of the names, sorted; blocks stay whole."""
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

        kind = StratifiedKFold if self.groups.unit == RANDOM else StratifiedGroupKFold
        dealer = kind(n_splits=folds, shuffle=True, random_state=seed)
        labels = [self.label_of[name] for name in names]
        blocks = [self.groups.block[name] for name in names]
        with warnings.catch_warnings():
            # A class with fewer members than folds; what follows from it is checked afterwards.
            warnings.simplefilter("ignore", UserWarning)
            chosen = list(dealer.split(names, labels, blocks))[fold][1]
        return sorted(names[i] for i in chosen)


def _check_usage(
    samples: Sequence[Sample], groups: Groups, *, unit: str, folds: int, fold: int, hold_out: Sequence[str]
) -> None:
    if unit != groups.unit:
        raise UsageError(f"Expected groups by {unit}, got groups by {groups.unit}.", hint="Make them anew.")
    if folds < 2 or not 0 <= fold < folds:
        raise UsageError(
            f"There is no fold {fold} of {folds}.", hint="Folds are 2 or more and counted from 0."
        )
    known = sorted({sample.part for sample in samples if sample.part is not None})
    strange = [part for part in hold_out if part not in known]
    if strange:
        raise UsageError(
            f"The data has no part {', '.join(strange)} to hold out.",
            hint=f"Parts it has: {', '.join(known) or 'none'}.",
        )


def _check_enough(
    usable: Sequence[str], held: Sequence[str], table: _Table, *, folds: int, hold_out: Sequence[str]
) -> None:
    if hold_out and not held:
        raise DataError(
            f"No image of {' or '.join(hold_out)} has a label.", hint="Hold out a part that has labels."
        )
    blocks = table.blocks(usable)
    if not blocks or (not hold_out and max(blocks.values()) < folds):
        raise DataError(
            f"Too few groups for {folds} folds: {_listed(blocks) or 'no labelled image to train on'}.",
            hint="Bring images of more patients or fields, or ask for fewer folds.",
        )


def _sorted_out(
    samples: Iterable[Sample], *, hold_out: Sequence[str], training_parts: Sequence[str] | None
) -> tuple[list[str], list[str], dict[str, str]]:
    """Names to divide, names held out by the source's parts, and the reason for each other name."""
    usable: list[str] = []
    held: list[str] = []
    excluded: dict[str, str] = {}
    for sample in samples:
        if sample.label is None:
            excluded[sample.name] = "it has no label"
        elif sample.part in hold_out:
            held.append(sample.name)
        elif training_parts is not None and sample.part not in training_parts:
            excluded[sample.name] = f"its part, {sample.part}, is not to be trained on"
        else:
            usable.append(sample.name)
    return usable, held, excluded


def _without_shared(
    usable: Iterable[str], held: Iterable[str], table: _Table, *, excluded: dict[str, str]
) -> list[str]:
    """Names whose group is not held out; the others are noted in `excluded`. Under `random` all stay."""
    tested = {table.groups.indivisible[name] for name in held}
    rest = []
    for name in usable:
        group = table.groups.indivisible[name]
        if group in tested:
            excluded[name] = f"its {table.groups.unit}, {group}, is in the held-out part too"
        else:
            rest.append(name)
    return rest


def _validation(rest: Sequence[str], table: _Table, *, seed: int) -> list[str]:
    """About one in eight, with every class of which training can spare a block."""
    blocks = table.blocks(rest)
    spare = [count for count in blocks.values() if count > 1]
    if not spare:
        raise DataError(
            "No class has two groups left for training and validation.",
            hint="Bring images of more patients or fields, or hold out less.",
        )
    folds = min(VALIDATION_FOLDS, *spare, sum(blocks.values()))
    best: list[str] = []
    for fold in range(folds):
        chosen = table.fold(rest, folds=folds, fold=fold, seed=seed)
        trains_all = len(table.blocks(set(rest) - set(chosen))) == len(blocks)
        if trains_all and len(table.blocks(chosen)) > len(table.blocks(best)):
            best = chosen
    if not best:
        raise DataError(
            "No choice of groups leaves every class to train on.",
            hint="Bring images of more patients or fields.",
        )
    return best


def _check_test(held: Iterable[str], usable: Iterable[str], table: _Table, *, where: str) -> None:
    tested = table.blocks(held)
    lacking = {
        label: count for label, count in table.blocks(usable).items() if count > 1 and label not in tested
    }
    if lacking:
        raise DataError(
            f"No group of {_listed(lacking)} falls into the test part, {where}.",
            hint=f"Ask for at most {min(lacking.values())} folds, or another fold or seed.",
        )


def _check_training(train: Iterable[str], table: _Table) -> None:
    present = {table.label_of[name] for name in train}
    lacking = table.blocks(name for name in table.label_of if table.label_of[name] not in present)
    if lacking:
        raise DataError(
            f"No group of {_listed(lacking)} is left to train on.",
            hint="Every class needs two groups or more: bring more patients or fields, or hold out less.",
        )


def _listed(blocks: Mapping[str, int]) -> str:
    return " and ".join(f"{label} ({count} in all)" for label, count in blocks.items())


def _divided(parts: Mapping[str, Iterable[str]], group_of: Mapping[str, str]) -> dict[str, list[str]]:
    """Parts of each group that is in several, by group."""
    where: dict[str, list[str]] = {}
    for part, names in parts.items():
        for group in {group_of[name] for name in names}:
            where.setdefault(group, []).append(part)
    return {group: found for group, found in sorted(where.items()) if len(found) > 1}
