"""What every damage in the catalog must do."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.core import catalog
from allsight.core.contracts import Damage
from allsight.core.records import Box, Scene
from allsight.data.datasets.synthetic import Synthetic

NAMES = catalog.names(Damage)
OVERLAY = Box(0.84, 0.84, 1.0, 1.0)


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    source = Synthetic.open("3?images=6&patients=6&size=224")
    return [source.read(s) for s in source.samples]


def after(
    name: str, severity: int, image: NDArray[np.uint8], *, other: NDArray[np.uint8], seed: int = 0
) -> NDArray[np.uint8]:
    kind = catalog.load(Damage, name)
    scene = Scene(np.random.default_rng(seed), OVERLAY, lambda: other)
    return kind.apply(image, kind.levels[severity - 1], scene=scene)


def distance(image: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(image.astype(float) - other).mean())


def test_those_of_the_study_and_of_the_robustness_table_are_there() -> None:
    assert {
        *("corner_hidden", "grey", "channel_gain", "blur", "colour_swap", "jpeg", "noise", "rotation"),
        *("resolution", "stain", "illumination", "dust", "crop", "other_field"),
    } <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_is(name: str) -> None:
    kind = catalog.load(Damage, name)
    assert len(kind.levels) == 5
    assert kind.usual in range(1, 6)
    said = [kind.meaning.format(level=level) for level in kind.levels]
    assert len(set(said)) == 5, said


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("severity", range(1, 6))
def test_gives_a_picture_of_the_same_shape_and_leaves_the_one_given_alone(
    name: str, severity: int, pictures: list[NDArray[np.uint8]]
) -> None:
    image = pictures[0][:, :200]  # not square, not contiguous
    before = image.copy()
    found = after(name, severity, image, other=pictures[1])
    assert found.shape == image.shape
    assert found.dtype == np.uint8
    assert (image == before).all()
    assert (found != image).any()
    assert (found == after(name, severity, image, other=pictures[1])).all()


@pytest.mark.parametrize("name", NAMES)
def test_each_severity_is_worse_than_the_one_before(name: str, pictures: list[NDArray[np.uint8]]) -> None:
    changes = [
        np.mean(
            [
                distance(image, after(name, severity, image, other=pictures[i - 1], seed=seed))
                for i, image in enumerate(pictures)
                for seed in range(4)
            ]
        )
        for severity in range(1, 6)
    ]
    if name in ("rotation", "crop"):  # once every pixel has moved, it cannot differ more
        assert changes[0] < changes[1] < changes[-1]
    else:
        assert changes == sorted(changes), changes
    assert changes[-1] > 1.5 * changes[0]
