"""Which superpixels are shown, and what hidden ones look like."""

from __future__ import annotations

import numpy as np
import pytest

from allsight.core.errors import UsageError
from allsight.explain.perturbation import complementary_rows, draws_of, filling, perturbed
from tests.explain.models import fields

REGIONS = np.repeat(np.arange(4, dtype=np.int32), 16 * 4).reshape(16, 16)


def test_rows_come_in_opposite_pairs_of_fair_coins() -> None:
    rows = complementary_rows(30, rows=2000, rng=np.random.default_rng(0), intact=False)
    np.testing.assert_array_equal(rows[0::2], ~rows[1::2])
    np.testing.assert_array_equal(rows.mean(axis=0), 0.5)
    ones = rows.sum(axis=1)
    assert ones.mean() == 15
    assert ones.var() == pytest.approx(30 / 4, rel=0.1)


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_the_intact_image_comes_first(n: int) -> None:
    rows = complementary_rows(5, rows=n, rng=np.random.default_rng(0), intact=True)
    draws = draws_of(n)
    assert rows.shape == (n, 5)
    assert rows[0].all()
    for draw in range(1, draws.max() + 1):
        members = rows[draws == draw]
        assert len(members) == 1 or (members[0] == ~members[1]).all()


def test_hidden_superpixels_take_the_filling_and_others_stay() -> None:
    image = fields(1, 16)[0]
    hidden = filling(image, REGIONS, kind="mean")
    for region in range(4):
        inside = np.equal(REGIONS, region)
        np.testing.assert_array_equal(
            hidden[inside], np.floor(image[inside].mean(axis=0))[None].repeat(64, axis=0)
        )
    shown = np.array([[1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]], dtype=bool)
    made = perturbed(image, REGIONS, shown=shown, hidden=hidden)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made[0], image)
    np.testing.assert_array_equal(made[2], hidden)
    np.testing.assert_array_equal(made[1][REGIONS % 2 == 1], image[REGIONS % 2 == 1])
    np.testing.assert_array_equal(made[1][REGIONS % 2 == 0], hidden[REGIONS % 2 == 0])


def test_background_is_one_bright_colour() -> None:
    hidden = filling(fields(1, 16)[0], REGIONS, kind="background")
    assert (hidden == hidden[0, 0]).all()
    assert hidden.min() > 200


def test_an_unknown_filling_is_refused() -> None:
    with pytest.raises(UsageError, match="background"):
        filling(fields(1, 16)[0], REGIONS, kind="green")  # type: ignore[arg-type]
