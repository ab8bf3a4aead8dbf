"""Splits: whole groups, every class, the same for every order of samples."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allsight.core.errors import DataError, LeakError, UsageError
from allsight.core.records import Sample
from allsight.data.groups import Groups
from allsight.data.splits import Split, assert_no_leak, make_split, stated_split


def patients(per_class: int, images: int, *, classes: str = "xyz", part: str | None = None) -> list[Sample]:
    """Patients of one class each, with so many images each."""
    return [
        Sample(
            f"{part or ''}{label}{patient:02d}-{image}", label=label, patient=f"{label}{patient}", part=part
        )
        for label in classes
        for patient in range(per_class)
        for image in range(images)
    ]


def by_patient(samples: list[Sample], unit: str = "patient") -> Groups:
    honest = {sample.name: str(sample.patient) for sample in samples}
    used = honest if unit != "random" else {sample.name: sample.name for sample in samples}
    return Groups(unit, indivisible=used, block=used, honest=honest)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(5, 9), st.data())
def test_parts_are_disjoint_complete_stratified_and_divide_no_patient(
    seed: int, folds: int, per_class: int, data: st.DataObject
) -> None:
    samples = patients(per_class, 4)
    fold = data.draw(st.integers(0, folds - 1))
    split = make_split(samples, by_patient(samples), unit="patient", seed=seed, folds=folds, fold=fold)
    names = [name for part in split.parts.values() for name in part]
    assert sorted(names) == sorted(sample.name for sample in samples)
    where = {name: part for part, members in split.parts.items() for name in members}
    for patient in {sample.patient for sample in samples}:
        assert len({where[s.name] for s in samples if s.patient == patient}) == 1
    for members in split.parts.values():
        assert {name[0] for name in members} == set("xyz")
    assert set(split.groups) == set(names)
    assert split.straddling == 0


def test_the_folds_together_test_every_image_once() -> None:
    samples = patients(10, 3)
    splits = [make_split(samples, by_patient(samples), unit="patient", fold=fold) for fold in range(5)]
    tested = Counter(name for split in splits for name in split.parts["test"])
    assert set(tested.values()) == {1}
    assert len(tested) == len(samples)
    shares = [len(split.parts["validation"]) / len(samples) for split in splits]
    assert all(0.05 < share < 0.2 for share in shares)


def test_the_order_of_samples_does_not_matter_and_the_seed_does() -> None:
    samples = patients(8, 3)
    groups = by_patient(samples)
    mixed = random.Random(1).sample(samples, len(samples))
    first = make_split(samples, groups, unit="patient", seed=3)
    assert make_split(mixed, groups, unit="patient", seed=3) == first
    assert make_split(samples, groups, unit="patient", seed=4).parts != first.parts


def test_random_counts_what_it_tears_apart() -> None:
    samples = patients(5, 6)
    split = make_split(samples, by_patient(samples, "random"), unit="random")
    where = {name: part for part, members in split.parts.items() for name in members}
    torn = {s.patient for s in samples if len({where[o.name] for o in samples if o.patient == s.patient}) > 1}
    assert split.straddling == len(torn) > 0


def test_held_out_parts_are_the_test_and_their_patients_are_kept_out_of_training() -> None:
    samples = [*patients(4, 3, part="fold_0"), *patients(2, 3, part="fold_1")]
    prelim = [*patients(1, 2, part="prelim"), Sample("final-1", part="final")]
    groups = by_patient([*samples, *prelim])
    split = make_split(
        [*samples, *prelim],
        groups,
        unit="patient",
        hold_out=("fold_1",),
        training_parts=("fold_0", "fold_1", "fold_2"),
    )
    assert {name[:6] for name in split.parts["test"]} == {"fold_1"}
    assert {name[7:9] for part in ("train", "validation") for name in split.parts[part]} == {"02", "03"}
    reasons = Counter(split.excluded.values())
    assert reasons["it has no label"] == 1
    assert reasons["its part, prelim, is not to be trained on"] == 6
    assert reasons["its patient, x0, is in the held-out part too"] == 3
    assert (split.folds, split.hold_out) == (0, ("fold_1",))


def test_json_gives_the_same_split_back() -> None:
    samples = [*patients(5, 2), Sample("unlabelled")]
    split = make_split(samples, by_patient(samples), unit="patient", seed=9)
    assert Split.from_dict(json.loads(json.dumps(split.to_dict()))) == split
    assert split.excluded == {"unlabelled": "it has no label"}


def test_a_leak_is_named_with_both_parts_and_the_cure() -> None:
    groups = {"a": "11", "b": "11", "c": "12", "d": "13", "e": "13"}
    with pytest.raises(LeakError) as error:
        assert_no_leak({"train": ["a", "d"], "test": ["b", "c", "e"]}, groups, unit="patient")
    assert error.value.message == "patient 11 is in train and test, and 1 more are divided."
    assert error.value.hint == "Split with --split patient."
    assert error.value.exit_code == 4
    assert_no_leak({"train": ["a", "b"], "test": ["c"]}, groups)


def test_a_block_that_divides_a_group_is_a_leak() -> None:
    samples = patients(6, 4)
    groups = by_patient(samples)
    wrong = Groups(
        "patient", groups.indivisible, block={s.name: s.name for s in samples}, honest=groups.honest
    )
    with pytest.raises(LeakError):
        make_split(samples, wrong, unit="patient")


@pytest.mark.parametrize(
    ("samples", "settings", "error", "said"),
    [
        (patients(6, 2), {"fold": 5}, UsageError, "no fold 5 of 5"),
        (patients(6, 2), {"folds": 1}, UsageError, "no fold 0 of 1"),
        (patients(6, 2), {"unit": "field"}, UsageError, "groups by field, got groups by patient"),
        (patients(6, 2), {"hold_out": ("fold_7",)}, UsageError, "no part fold_7"),
        (patients(1, 9), {}, DataError, "Too few groups for 5 folds"),
        ([Sample("a")], {}, DataError, "no labelled image"),
        (patients(2, 9, part="p"), {"hold_out": ("p",)}, DataError, "no labelled image to train on"),
    ],
)
def test_what_cannot_be_split_is_explained(
    samples: list[Sample], settings: dict[str, object], error: type[Exception], said: str
) -> None:
    asked: dict[str, object] = {"unit": "patient", **settings}
    with pytest.raises(error, match=said):
        make_split(samples, by_patient(samples), **asked)  # type: ignore[arg-type]


def outcome(samples: list[Sample], fold: int) -> tuple[str, str]:
    """Classes in the test part, or what was said and hinted."""
    try:
        split = make_split(samples, by_patient(samples), unit="patient", fold=fold)
    except DataError as error:
        return error.message, error.hint
    return "".join(sorted({name[0] for name in split.parts["test"]})), ""


def test_the_only_patient_of_a_class_can_be_trained_on_but_not_tested() -> None:
    samples = [*patients(5, 3), *patients(1, 3, classes="w")]
    outcomes = Counter(outcome(samples, fold)[0] for fold in range(5))
    assert outcomes == {"xyz": 4, "No group of w (1 in all) is left to train on.": 1}


def test_a_test_part_without_a_class_is_refused_with_the_number_of_folds_to_ask_for() -> None:
    samples = [*patients(8, 3, classes="xy"), *patients(2, 3, classes="z")]
    outcomes = [outcome(samples, fold) for fold in range(5)]
    refused = [(said, hint) for said, hint in outcomes if hint]
    assert Counter(said for said, hint in outcomes if not hint) == {"xyz": 2}
    assert all("z (2 in all)" in said and "at most 2 folds" in hint for said, hint in refused)


def test_a_stated_split_is_checked_like_a_made_one() -> None:
    samples = patients(3, 2)
    part_of_patient = {"0": "train", "1": "validation", "2": "test"}
    stated = {sample.name: part_of_patient[sample.name[2]] for sample in samples}
    groups = by_patient(samples)
    split = stated_split(samples, groups, stated=stated)
    assert {name[2] for name in split.parts["test"]} == {"2"}
    with pytest.raises(LeakError, match="patient x0 is in train and test"):
        stated_split(samples, groups, stated={**stated, "x00-1": "test"})
    without = {name: part for name, part in stated.items() if part != "validation"}
    with pytest.raises(UsageError, match="no image for validation"):
        stated_split(samples, groups, stated=without)
