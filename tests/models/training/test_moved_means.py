"""The head of a new place, on clouds of points whose truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from allsight.inference.trust import fit_space, fit_temperature
from allsight.models.training.moved_means import CANDIDATES, MovedHead, fit_moved_head, grouped_folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH, CLASSES = 24, 3


class Places:
    """Classes that lie apart at home, and somewhere else abroad."""

    def __init__(self, seed: int, *, shift: float, apart: float) -> None:
        self.rng = np.random.default_rng(seed)
        self.means = self.rng.normal(size=(CLASSES, WIDTH))
        self.abroad = (
            self.means + shift * self.rng.normal(size=WIDTH) + apart * self.rng.normal(size=self.means.shape)
        )
        x, y = self.draw(self.means, 200)
        self.space = fit_space(x, y, n_classes=CLASSES)
        centres = self.space.centres
        self.old = (self.space.projection @ centres.T).T, -(centres**2).sum(axis=1) / 2

    def draw(self, means: NDArray[np.float64], n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        labels = np.repeat(np.arange(CLASSES), n)
        return (means[labels] + self.rng.normal(size=(len(labels), WIDTH)) * 1.2).astype(np.float32), labels

    def fit(self, x: NDArray[np.float32], labels: NDArray[np.int64], **given: Any) -> MovedHead:
        arguments = {
            "turned": x,
            "groups": np.array([str(i // 2) for i in range(len(labels))]),
            "projection": self.space.projection,
            "centres": self.space.centres,
            "old": self.old,
            "temperature": fit_temperature,
            "seed": 0,
        }
        return fit_moved_head(x, labels, **{**arguments, **given})

    def right(self, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> float:
        x, labels = self.draw(self.abroad, 300)
        return float(((x @ weight.T + bias).argmax(axis=1) == labels).mean())


@pytest.mark.parametrize("seed", range(4))
def test_classes_that_moved_together_are_read_again(seed: int) -> None:
    """Moved from one class towards the next, so that the old head errs; four images a class are few by themselves."""
    places = Places(seed, shift=0.0, apart=0.0)
    places.abroad = places.means + (places.means[1] - places.means[0])
    x, labels = places.draw(places.abroad, 4)
    head = places.fit(x, labels)
    own = np.stack([x[labels == c].mean(axis=0) for c in range(CLASSES)]) @ places.space.projection
    alone = (places.space.projection @ own.T).T, -(own**2).sum(axis=1) / 2
    assert places.right(head.weight, head.bias) > max(places.right(*places.old) + 0.1, places.right(*alone))
    assert head.old_images


@pytest.mark.parametrize("seed", range(4))
def test_where_nothing_is_as_it_was_the_new_images_count(seed: int) -> None:
    places = Places(seed, shift=1.0, apart=1.5)
    head = places.fit(*places.draw(places.abroad, 20))
    assert head.old_images is not None
    assert head.old_images <= 10
    assert places.right(head.weight, head.bias) > 0.9


def test_at_home_the_old_head_loses_nothing() -> None:
    places = Places(0, shift=0.0, apart=0.0)
    head = places.fit(*places.draw(places.abroad, 8))
    assert places.right(head.weight, head.bias) > places.right(*places.old) - 0.02


def test_the_choice_has_the_least_loss() -> None:
    places = Places(1, shift=1.0, apart=0.5)
    head = places.fit(*places.draw(places.abroad, 6))
    assert set(head.log_loss) == {*CANDIDATES, None}
    assert head.log_loss[head.old_images] == min(head.log_loss.values())


def test_a_class_without_images_moves_with_the_others() -> None:
    places = Places(2, shift=2.0, apart=0.0)
    x, labels = places.draw(places.abroad, 12)
    seen = labels < CLASSES - 1
    head = places.fit(x[seen], labels[seen])
    x, labels = places.draw(places.abroad, 300)
    named = (x @ head.weight.T + head.bias).argmax(axis=1)
    assert (named[labels == CLASSES - 1] == CLASSES - 1).mean() > 0.8


def test_the_old_head_is_kept_where_none_is_better() -> None:
    """New images whose labels are drawn by the old head itself, through a space that hides what it looks at."""
    places = Places(3, shift=0.0, apart=0.0)
    x, _ = places.draw(places.abroad, 20)
    weight = np.eye(CLASSES, WIDTH, dtype=np.float32) * 9
    labels = (x @ weight.T).argmax(axis=1)
    projection = np.zeros_like(places.space.projection)
    projection[CLASSES:] = places.space.projection[CLASSES:]
    head = places.fit(x, labels, projection=projection, old=(weight, np.zeros(CLASSES, dtype=np.float32)))
    assert head.old_images is None
    np.testing.assert_array_equal(head.weight, weight)


def test_folds_divide_no_group() -> None:
    groups = np.array(["a", "a", "b", "c", "c", "c"])
    folds = grouped_folds(np.zeros(6, dtype=np.int64), groups, folds=5, seed=0)
    assert len(folds) == 3
    for known, held_back in folds:
        assert not {*groups[known]} & {*groups[held_back]}
    assert sorted(np.concatenate([held_back for _, held_back in folds]).tolist()) == list(range(6))
