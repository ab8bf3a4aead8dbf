"""Augmentation: one generator state gives one picture, and every setting does what it is for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.core.records import Box
from allsight.data.cells import nucleus_mask
from allsight.data.datasets.synthetic import Synthetic
from allsight.data.effects import TURNS, lab_statistics
from allsight.data.transforms import Augmentation, augment

CHANCES = ("flip", "transplant", "hide_corner", "recolour", "grey", "blur", "shade", "dust", "jpeg")
OFF: dict[str, Any] = dict.fromkeys((*CHANCES, "zoom", "stain", "stain_shift", "gain", "noise"), 0.0)
NOTHING = Augmentation(turn=False, **OFF)


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    source = Synthetic.open("3?images=4&patients=4&size=96")
    return source.read(source.samples[0])


def varied(picture: NDArray[np.uint8], seed: int, **settings: object) -> NDArray[np.uint8]:
    return augment(picture, NOTHING.model_copy(update=settings), rng=np.random.default_rng(seed))


def test_same_generator_same_bytes(picture: NDArray[np.uint8]) -> None:
    palette = lab_statistics(picture)[None]
    one, two, other = (
        augment(picture, Augmentation(recolour=1), rng=np.random.default_rng(seed), palette=palette).tobytes()
        for seed in (5, 5, 6)
    )
    assert one == two
    assert one != other


def test_everything_off_is_the_image(picture: NDArray[np.uint8]) -> None:
    assert (varied(picture, 1) == picture).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"zoom": 0.3},
        {"stain": 0.4},
        {"stain_shift": 0.1},
        {"gain": 0.3},
        {"grey": 1.0},
        {"blur": 1.0},
        {"noise": 0.05},
        {"shade": 1.0},
        {"dust": 1.0},
        {"jpeg": 1.0},
    ],
)
def test_each_setting_changes_the_image(picture: NDArray[np.uint8], settings: dict[str, float]) -> None:
    assert any((varied(picture, seed, **settings) != picture).any() for seed in range(4))


def test_an_untouched_image_is_mirrored_and_turned_at_most(picture: NDArray[np.uint8]) -> None:
    strong = Augmentation(untouched=1.0, recolour=1.0, grey=1.0, blur=1.0, jpeg=1.0, hide_corner=1.0)
    palette, overlay = lab_statistics(picture)[None] + 5, Box(0.75, 0.75, 1.0, 1.0)
    views = {turn(picture).tobytes() for turn in TURNS}
    seen = {
        augment(picture, strong, rng=np.random.default_rng(seed), overlay=overlay, palette=palette).tobytes()
        for seed in range(40)
    }
    assert seen == views


def test_so_many_are_untouched(picture: NDArray[np.uint8]) -> None:
    n = sum((varied(picture, seed, untouched=0.3, grey=1.0) == picture).all() for seed in range(400))
    assert 95 <= n <= 145  # 120 expected, with a standard deviation of 9


def test_with_no_least_damage_an_image_has_any_part_of_its_changes(picture: NDArray[np.uint8]) -> None:
    """Of two changes that are due: neither, one alone and both, a third of the images each."""

    def seen(seed: int, least: float) -> int:
        settings = NOTHING.model_copy(update={"damage_least": least, "grey": 1.0, "hide_corner": 1.0})
        rng = np.random.default_rng(seed)
        found = augment(picture, settings, rng=rng, overlay=Box(0.75, 0.75, 1.0, 1.0))
        corner = found[-24:, -24:].reshape(-1, 3)
        return int((found[..., 0] == found[..., 1]).all()) + int(len(np.unique(corner, axis=0)) == 1)

    assert {seen(seed, 1.0) for seed in range(20)} == {2}
    counts = np.bincount([seen(seed, 0.0) for seed in range(300)], minlength=3)
    assert counts.min() >= 70  # 100 expected of each, with a standard deviation of 8


def test_one_setting_leaves_the_draws_of_the_others(picture: NDArray[np.uint8]) -> None:
    turned = varied(picture, 2, turn=True)
    both = varied(picture, 2, turn=True, grey=1.0)
    assert (both[..., 1] == varied(turned, 0, grey=1.0)[..., 1]).all()


def test_all_four_corners_are_hidden(picture: NDArray[np.uint8]) -> None:
    found = augment(
        picture,
        NOTHING.model_copy(update={"hide_corner": 1.0}),
        rng=np.random.default_rng(0),
        overlay=Box(0.75, 0.75, 1.0, 1.0),
    )
    for corner in (found[:24, :24], found[:24, -24:], found[-24:, :24], found[-24:, -24:]):
        assert len(np.unique(corner.reshape(-1, 3), axis=0)) == 1
    assert (found[24:-24] == picture[24:-24]).all()


def test_a_transplant_takes_the_field_that_is_given_for_its_draw(picture: NDArray[np.uint8]) -> None:
    asked: list[float] = []

    def another(share: float) -> NDArray[np.uint8]:
        asked.append(share)
        return np.full_like(picture, 250)

    settings = NOTHING.model_copy(update={"transplant": 0.5})
    pictures = [augment(picture, settings, rng=np.random.default_rng(i), another=another) for i in range(60)]
    changed = sum(bool((other != picture).any()) for other in pictures)
    assert changed == len(asked)
    assert 18 <= changed <= 42  # 30 expected, with a standard deviation of 4
    assert min(asked) < 0.3
    assert max(asked) > 0.7
    assert (varied(picture, 3, transplant=1.0) == picture).all()  # no other image, no transplant


def test_leukocytes_are_shown_with_the_least_probability_or_more() -> None:
    source = Synthetic.open("3?images=8&patients=8&size=224")
    crowded = max((source.read(sample) for sample in source.samples), key=lambda i: nucleus_mask(i).sum())
    empty = np.full_like(crowded, 240)

    def shown(least: float) -> list[int]:
        settings = NOTHING.model_copy(update={"transplant": 1.0, "transplant_least": least})
        rngs = [np.random.default_rng(seed) for seed in range(8)]
        return [
            int(nucleus_mask(augment(crowded, settings, rng=rng, another=lambda _: empty)).sum())
            for rng in rngs
        ]

    everything = shown(1.0)
    assert min(everything) == max(everything) > 0
    assert min(shown(0.0)) < 0.5 * everything[0]
