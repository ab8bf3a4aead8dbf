"""What belongs together, on small sets solved by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from allsight.core.errors import DataError, UsageError
from allsight.core.records import Sample
from allsight.data.groups import groups_of
from allsight.data.hashing import content_hashes
from allsight.data.source import open_dataset
from tests.data.drawn import Drawn, field

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def flat(value: int) -> NDArray[np.uint8]:
    """An image in which nothing can be matched."""
    return np.full((32, 32, 3), value, np.uint8)


def cells(patients: dict[str, str | None], *, same: str = "") -> Drawn:
    """Images of patients; those named in `same` are byte-identical."""
    images = {name: flat(0 if name in same else 1 + i) for i, name in enumerate(patients)}
    samples = [Sample(name, label="all", patient=patient) for name, patient in patients.items()]
    return Drawn(images, samples=samples, units=("patient", "random"))


def test_patients_who_share_an_image_are_one() -> None:
    data = cells({"a": "20", "b": "20", "c": "21", "d": "21", "e": "H4"}, same="bc")
    groups = groups_of(data, data.samples, "patient", hashes=data.hashes)
    assert groups.indivisible == {"a": "20=21", "b": "20=21", "c": "20=21", "d": "20=21", "e": "H4"}
    assert groups.block == groups.honest == groups.indivisible


def test_a_chain_of_shared_images_is_one_patient_even_through_images_not_asked_about() -> None:
    data = cells({"a": "1", "b": "1", "c": "2", "d": "2", "e": "3", "f": "3"}, same="bc")
    data.images = {**data.images, "d": flat(200), "e": flat(200)}
    asked = [sample for sample in data.samples if sample.name in "af"]
    groups = groups_of(data, asked, "patient", hashes=data.hashes)
    assert groups.indivisible == {"a": "1=2=3", "f": "1=2=3"}


def test_a_labelled_image_without_a_patient_is_refused() -> None:
    data = cells({"a": "1", "b": None})
    with pytest.raises(DataError, match="1 labelled images name no patient, b"):
        groups_of(data, data.samples, "patient", hashes=data.hashes)


def test_random_takes_everything_apart_but_knows_better() -> None:
    data = cells({"a": "20", "b": "20", "c": "21"}, same="ac")
    groups = groups_of(data, data.samples, "random", hashes=data.hashes)
    assert groups.indivisible == groups.block == {"a": "a", "b": "b", "c": "c"}
    assert set(groups.honest.values()) == {"20=21"}


def test_a_unit_the_data_does_not_have_is_refused_with_those_it_has() -> None:
    data = cells({"a": "1"})
    with pytest.raises(UsageError) as error:
        groups_of(data, data.samples, "field", hashes=data.hashes)
    assert "patient, random" in error.value.hint


def numbered(numbers: dict[str, tuple[str, int]], images: dict[str, NDArray[np.uint8]]) -> Drawn:
    samples = [Sample(name, label=label, number=number) for name, (label, number) in numbers.items()]
    return Drawn(images, samples=samples)


def test_runs_of_25_numbers_of_one_class_are_blocks() -> None:
    numbers = {"a": ("Pre", 1), "b": ("Pre", 25), "c": ("Pre", 26), "d": ("Pro", 1), "e": ("Pro", 0)}
    data = numbered(numbers, {name: flat(10 * i) for i, name in enumerate(numbers)})
    groups = groups_of(data, data.samples, "field", hashes=data.hashes)
    assert groups.block == {
        "a": "Pre 1-25",
        "b": "Pre 1-25",
        "c": "Pre 26-50",
        "d": "Pro 1-25",
        "e": "Pro 1-25",
    }
    assert groups.indivisible == {name: name for name in numbers}


def test_overlapping_fields_go_whole_into_the_run_that_holds_most_of_them() -> None:
    numbers = {"a": ("Pre", 24), "b": ("Pre", 26), "c": ("Pre", 27), "d": ("Pre", 2), "e": ("Pre", 90)}
    images = {
        "a": field(50),
        "b": field(50, left=130),
        "c": field(50, left=115, top=85),
        "d": field(51),
        "e": field(51),  # identical to d: one image in each run, so the first run has them
    }
    data = numbered(numbers, images)
    groups = groups_of(data, data.samples, "field", hashes=data.hashes)
    assert groups.indivisible == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d"}
    assert groups.block == {**dict.fromkeys("abc", "Pre 26-50"), **dict.fromkeys("de", "Pre 1-25")}


def test_without_numbers_the_indivisible_group_is_the_block() -> None:
    data = Drawn({"a": field(52), "b": field(52, top=60), "c": field(53)})
    groups = groups_of(data, data.samples, "field", hashes=data.hashes)
    assert groups.block == groups.indivisible == {"a": "a", "b": "a", "c": "c"}


def test_groups_that_the_source_states_are_kept_too() -> None:
    data = Drawn({name: flat(20 * i) for i, name in enumerate("abc")})
    data.stated = {"a": "slide 1", "c": "slide 1", "b": "slide 2"}
    groups = groups_of(data, data.samples, "field", hashes=data.hashes)
    assert groups.indivisible == {"a": "a", "b": "b", "c": "a"}


@pytest.mark.real
def test_c_nmc_subjects_that_share_images_are_one_patient(real_data: Path) -> None:
    """The groups come from a table of the whole set; the files at hand must not contradict it."""
    data = open_dataset(f"c_nmc:{real_data / 'c_nmc_sample'}")
    samples = [sample for sample in data.samples if sample.label is not None]
    groups = groups_of(data, samples, "patient", hashes=content_hashes(data))
    assert {"20=21"} >= {group for group in groups.indivisible.values() if group.startswith("20")}
    assert len(set(groups.indivisible.values())) <= len({sample.patient for sample in samples})
