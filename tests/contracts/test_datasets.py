"""What every data set must do, run over each that the catalog lists."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from allsight.core import catalog
from allsight.core.contracts import Dataset
from allsight.core.errors import AllsightError, ImageError, UsageError
from allsight.data.source import open_dataset
from tests.contracts.layouts import LAYOUTS

if TYPE_CHECKING:
    from pathlib import Path

UNITS = ("patient", "field", "random")  # the most honest first

NAMES = catalog.names(Dataset)


@pytest.fixture(scope="module", params=NAMES)
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """DATA for one small copy of each data set."""
    name = request.param
    if name not in LAYOUTS:
        pytest.fail(
            f"There is no layout of {name!r}: add a function of that name to tests/contracts/layouts.py."
        )
    return f"{name}:{LAYOUTS[name](tmp_path_factory.mktemp(name))}"


@pytest.fixture(scope="module")
def dataset(data: str) -> Dataset:
    return open_dataset(data)


def test_classes_are_named_once_and_hold_the_suspicious_ones(dataset: Dataset) -> None:
    assert len(set(dataset.classes)) == len(dataset.classes) > 0
    assert set(dataset.suspicious) <= set(dataset.classes)
    assert {sample.label for sample in dataset.samples} - {None} == set(dataset.classes)


def test_samples_are_sorted_and_named_once(dataset: Dataset) -> None:
    names = [sample.name for sample in dataset.samples]
    assert names == sorted(set(names))
    assert names


def test_units_are_known_ones_the_most_honest_first(dataset: Dataset) -> None:
    assert [unit for unit in UNITS if unit in dataset.units] == list(dataset.units)
    assert "random" in dataset.units


def test_the_unit_patient_means_that_every_labelled_image_has_one(dataset: Dataset) -> None:
    patients = {sample.patient for sample in dataset.samples if sample.label is not None}
    assert (None not in patients) == ("patient" in dataset.units)


def test_what_may_be_trained_on_is_a_part_of_the_source(dataset: Dataset) -> None:
    parts = {sample.part for sample in dataset.samples}
    if dataset.training_parts is not None:
        assert parts & set(dataset.training_parts)


def test_copies_carry_a_caution(dataset: Dataset) -> None:
    assert dataset.independent or dataset.caution
    assert dataset.caution == dataset.caution.strip()
    assert not dataset.caution or dataset.caution.endswith(".")


def test_the_overlay_lies_inside_the_image(dataset: Dataset) -> None:
    if dataset.overlay is not None:
        rows, columns = dataset.overlay.pixels(100, 100)
        assert 0 <= rows.start < rows.stop <= 100
        assert 0 <= columns.start < columns.stop <= 100


def test_pixels_are_rgb_bytes_and_the_same_each_time(dataset: Dataset) -> None:
    for sample in dataset.samples[:8]:
        pixels = dataset.read(sample)
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        assert pixels.flags.c_contiguous
        assert pixels.flags.writeable
        np.testing.assert_array_equal(pixels, dataset.read(sample))


def test_hashes_identify_content(dataset: Dataset) -> None:
    samples = dataset.samples[:8]
    hashes = [dataset.sha256(sample) for sample in samples]
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in hashes)
    assert hashes == [dataset.sha256(sample) for sample in samples]
    pixels = [dataset.read(sample).tobytes() for sample in samples]
    assert len(set(hashes)) == len(set(pixels))


def test_masks_fit_their_image(dataset: Dataset) -> None:
    for sample in dataset.samples[:4]:
        for mask in dataset.masks(sample).values():
            assert mask.dtype == np.bool_
            assert mask.shape == dataset.read(sample).shape[:2]


def test_opened_twice_it_is_the_same(data: str, dataset: Dataset) -> None:
    again = open_dataset(data)
    assert again.samples == dataset.samples
    assert (again.classes, again.suspicious, again.units) == (
        dataset.classes,
        dataset.suspicious,
        dataset.units,
    )


def test_names_and_hashes_do_not_depend_on_where_it_lies(data: str, dataset: Dataset, tmp_path: Path) -> None:
    if all(sample.path is None for sample in dataset.samples):
        return  # generated: it lies nowhere
    name = data.partition(":")[0]
    elsewhere = tmp_path / "another" / "place"
    elsewhere.mkdir(parents=True)
    moved = open_dataset(f"{name}:{LAYOUTS[name](elsewhere)}")
    assert [sample.name for sample in moved.samples] == [sample.name for sample in dataset.samples]
    assert [moved.sha256(s) for s in moved.samples] == [dataset.sha256(s) for s in dataset.samples]


def test_it_can_be_sent_to_another_process(dataset: Dataset) -> None:
    sent = pickle.loads(pickle.dumps(dataset))
    assert sent.samples == dataset.samples
    np.testing.assert_array_equal(sent.read(sent.samples[0]), dataset.read(dataset.samples[0]))


def test_a_damaged_file_is_named_and_the_rest_is_read(data: str, dataset: Dataset, tmp_path: Path) -> None:
    if any(sample.path is None for sample in dataset.samples):
        return  # generated: no file to damage
    name = data.partition(":")[0]
    copy = open_dataset(f"{name}:{LAYOUTS[name](tmp_path)}")
    first, second = copy.samples[:2]
    assert first.path is not None
    first.path.write_bytes(first.path.read_bytes()[:50])
    with pytest.raises(ImageError, match=first.path.name) as caught:
        copy.read(first)
    assert caught.value.hint
    assert copy.read(second).size
    first.path.unlink()
    with pytest.raises(ImageError, match=first.path.name):
        copy.read(first)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_place_is_a_clear_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "nowhere", tmp_path / "empty"):
        with pytest.raises(AllsightError) as caught:
            open_dataset(f"{name}:{place}")
        assert caught.value.hint


def test_an_unknown_option_is_a_usage_error(data: str) -> None:
    joint = "&" if "?" in data else "?"
    with pytest.raises(UsageError, match="nonsense") as caught:
        open_dataset(f"{data}{joint}nonsense=1")
    assert caught.value.hint
