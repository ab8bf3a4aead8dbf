"""Controls that see no cells: their numbers against NumPy, and what they can and cannot learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from allsight.core.errors import DataError
from allsight.core.records import Box
from allsight.data.source import open_dataset
from allsight.evaluate.shortcuts import (
    LENGTHS,
    background_features,
    colour_features,
    corner_features,
    cross_validated,
    shortcut_features,
    shortcut_probabilities,
)
from tests.data.drawn import Drawn


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked here is plain enough for a small forest."""
    monkeypatch.setattr("allsight.evaluate.shortcuts.TREES", 40)


def noise(seed: int, *, low: int = 0, high: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (60, 80, 3), dtype=np.uint8)


def test_colour_is_mean_and_deviation_of_each_channel() -> None:
    image = noise(1)
    expected = [image[..., c].mean() for c in range(3)] + [image[..., c].std() for c in range(3)]
    assert colour_features(image) == pytest.approx(np.array(expected), rel=1e-4)
    assert colour_features(image).dtype == np.float32


def test_colour_does_not_know_where_anything_is() -> None:
    image = noise(2)
    mixed = np.random.default_rng(3).permutation(image.reshape(-1, 3)).reshape(image.shape)
    assert colour_features(mixed) == pytest.approx(colour_features(image), rel=1e-5)


def test_the_corner_sees_the_corner_alone() -> None:
    image = noise(4)
    elsewhere = image.copy()
    elsewhere[:50, :] = 0
    elsewhere[:, :67] = 0
    assert np.array_equal(corner_features(image), corner_features(elsewhere))
    inside = image.copy()
    inside[52:, 69:] = 0
    assert not np.array_equal(corner_features(image), corner_features(inside))


def test_the_background_sees_neither_cells_nor_the_overlay() -> None:
    data = open_dataset("synthetic:5?images=4&patients=4&shortcut=scale_bar&strength=1")
    overlay = Box(0.84, 0.84, 1, 1)
    for sample in data.samples:
        image = data.read(sample)
        painted = image.copy()
        painted[overlay.pixels(*image.shape[:2])] = 0
        masked = background_features(image, overlay=overlay)
        # The nuclear threshold is set on the whole image, so that painting the corner can move it a little.
        assert background_features(painted, overlay=overlay) == pytest.approx(masked, abs=3)
        cells = data.masks(sample)["cell"]
        if cells.any():
            assert abs(masked[1] - image[~cells][:, 1].mean()) < abs(masked[1] - image[cells][:, 1].mean())


def test_an_image_that_is_all_cell_has_a_background_of_zeros() -> None:
    assert not background_features(noise(6), overlay=Box(0, 0, 1, 1)).any()


def test_features_come_in_the_order_asked_and_damage_is_named() -> None:
    data = Drawn({"a": noise(7), "b": None, "c": noise(8)})
    order = [data.samples[2], data.samples[1], data.samples[0]]
    found = shortcut_features(data, order, hashes=data.hashes)
    assert {name: table.shape for name, table in found.features.items()} == {
        name: (3, length) for name, length in LENGTHS.items()
    }
    assert np.array_equal(found.features["colour"][2], colour_features(noise(7)))
    assert not found.features["corner"][1].any()
    assert list(found.unreadable) == ["b"]


def test_the_second_time_nothing_is_read() -> None:
    images = {"a": noise(9), "b": noise(15)}
    first, again = Drawn(images), Drawn(images)
    found = shortcut_features(first, first.samples, hashes=first.hashes)
    kept = shortcut_features(again, again.samples, hashes=again.hashes)
    assert again.times_read == 0
    assert all(np.array_equal(kept.features[name], table) for name, table in found.features.items())


def test_only_images_not_seen_before_are_read() -> None:
    images = {"a": noise(11), "b": noise(12), "c": noise(13)}
    first, again = Drawn({name: images[name] for name in "ab"}), Drawn(images)
    shortcut_features(first, first.samples, hashes=first.hashes)
    found = shortcut_features(again, again.samples[1:], hashes=again.hashes)
    assert again.times_read == 1
    assert np.array_equal(found.features["colour"][0], colour_features(noise(12)))
    assert np.array_equal(found.features["colour"][1], colour_features(noise(13)))


def test_what_cannot_be_read_under_one_name_can_be_under_another() -> None:
    """The same bytes with a wrong extension, say: a failure belongs to a name, features to content."""
    broken, data = Drawn({"a": None}), Drawn({"b": noise(16), "c": noise(17)})
    same = {"a": data.hashes["b"]}
    assert list(shortcut_features(broken, broken.samples, hashes=same).unreadable) == ["a"]
    found = shortcut_features(data, data.samples, hashes=data.hashes)
    assert not found.unreadable
    for row, seed in enumerate((16, 17)):
        assert np.array_equal(found.features["colour"][row], colour_features(noise(seed)))
    later = Drawn({"d": noise(18)})
    more = shortcut_features(later, later.samples, hashes=later.hashes)
    assert np.array_equal(more.features["colour"][0], colour_features(noise(18)))


def test_a_damaged_cache_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLSIGHT_CACHE", str(tmp_path))
    images = {"a": noise(14)}
    first, again = Drawn(images), Drawn(images)
    found = shortcut_features(first, first.samples, hashes=first.hashes)
    (file,) = (tmp_path / "shortcuts").glob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    made = shortcut_features(again, again.samples, hashes=again.hashes)
    assert again.times_read == 1
    assert np.array_equal(made.features["colour"], found.features["colour"])


def test_a_forest_learns_what_goes_with_the_class_and_nothing_else() -> None:
    rng = np.random.default_rng(10)
    labels = np.repeat([0, 1, 2], 40)
    told = (rng.normal(size=(120, 6)) + 2 * labels[:, None]).astype(np.float32)
    untold = rng.normal(size=(120, 6)).astype(np.float32)
    train, test = np.arange(0, 120, 2), np.arange(1, 120, 2)
    accuracy = []
    for features in (told, untold):
        answer = shortcut_probabilities(features, labels, train=train, test=test, n_classes=3)
        assert answer.sum(axis=1) == pytest.approx(np.ones(60))
        accuracy.append(accuracy_score(labels[test], answer.argmax(axis=1)))
    assert accuracy[0] > 0.8
    assert accuracy[1] < 0.55


def test_a_class_that_was_never_seen_has_probability_zero() -> None:
    features = np.random.default_rng(11).normal(size=(30, 6)).astype(np.float32)
    labels = np.repeat([0, 2], 15)
    answer = shortcut_probabilities(features, labels, train=np.arange(30), test=np.arange(5), n_classes=4)
    assert not answer[:, [1, 3]].any()


def test_groups_are_not_divided_by_the_folds() -> None:
    """Features that name the patient and nothing more are worth something only where patients are torn apart."""
    rng = np.random.default_rng(12)
    patients = np.repeat(np.arange(24), 6)
    labels = rng.integers(0, 2, 24)[patients]
    features = (rng.normal(size=(24, 6))[patients] + rng.normal(scale=0.01, size=(144, 6))).astype(np.float32)
    alone = cross_validated(features, labels, np.arange(144).astype(str), n_classes=2, seed=0)
    together = cross_validated(features, labels, patients.astype(str), n_classes=2, seed=0)
    assert accuracy_score(labels, alone.argmax(axis=1)) > 0.95
    assert accuracy_score(labels, together.argmax(axis=1)) < 0.75


@pytest.mark.parametrize("labels", [[], [0], [0, 1]])
def test_too_few_images_are_refused(labels: list[int]) -> None:
    features = np.zeros((len(labels), 6), np.float32)
    units = np.arange(len(labels)).astype(str)
    with pytest.raises(DataError, match="two groups"):
        cross_validated(features, np.array(labels, dtype=np.int64), units, n_classes=2, seed=0)
