"""Damages are repeatable, other pictures are of other classes, and the rows say what was measured."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.core import catalog
from allsight.core.contracts import Damage
from allsight.core.errors import UsageError
from allsight.data.effects import lab_statistics
from allsight.evaluate.predictions import Predictions
from allsight.evaluate.stress import damaged, damages_of, of_another_class, stressed

IMAGE = np.random.default_rng(0).integers(0, 255, (48, 48, 3), dtype=np.uint8)


def test_the_extents() -> None:
    names = catalog.names(Damage)
    assert damages_of("none") == ()
    assert [name for name, _ in damages_of("usual")] == list(names)
    assert len(damages_of("all")) == 5 * len(names)
    with pytest.raises(UsageError, match="'some'"):
        damages_of("some")


def test_what_is_random_depends_on_image_and_seed_alone() -> None:
    first = damaged(IMAGE, "noise", 3, key="a")
    assert (first == damaged(IMAGE, "noise", 3, key="a")).all()
    assert (first != damaged(IMAGE, "noise", 3, key="b")).any()
    assert (first != damaged(IMAGE, "noise", 3, key="a", seed=1)).any()


def test_the_other_picture_is_of_another_class() -> None:
    labels = np.array([0, 0, 1, 2, 2, 2] * 20)
    found = labels[of_another_class(labels, seed=1)]
    assert (found != labels).all()
    assert set(found[labels == 0].tolist()) == {1, 2}
    assert of_another_class(labels[labels == 1]) == [*range(20)]


def test_a_damage_that_needs_another_picture_asks_for_it_and_only_then() -> None:
    other = IMAGE[::-1] // 2
    asked = []

    def another() -> NDArray[np.uint8]:
        asked.append(1)
        return other

    damaged(IMAGE, "noise", 1, key="a", another=another)
    assert not asked
    found = damaged(IMAGE, "colour_swap", 5, key="a", another=another)
    assert asked
    assert np.abs(lab_statistics(found) - lab_statistics(other)).max() < 3 < distance_of_colours(IMAGE, other)
    assert (damaged(IMAGE, "colour_swap", 5, key="a") == IMAGE).all()


def distance_of_colours(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> float:
    return float(np.abs(lab_statistics(one) - lab_statistics(two)).max())


def test_a_row_says_what_was_measured() -> None:
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    predictions = Predictions(
        names=list("abcd"),
        labels=np.array([0, 0, 1, 1]),
        classes=("no", "yes"),
        suspicious=("yes",),
        probabilities=p,
        groups=["1", "2", "3", "4"],
    )
    row = stressed(
        predictions,
        "blur",
        2,
        answered=np.array([True, True, True, False]),
        controls={"colour": p[::-1]},
        resamples=200,
    )
    assert row.metrics["accuracy"].value == 0.75
    assert row.coverage.answered == 0.75
    assert row.coverage.accuracy_answered == 1.0
    assert row.controls == {"colour": 0.25}
    assert row.meaning == "Gaussian blur of 1 px in a picture of 224 px"
    assert (row.metrics["accuracy"].low or 1) < 0.75
