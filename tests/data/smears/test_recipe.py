"""What a recipe accepts."""

from __future__ import annotations

import math
from typing import Any

import pytest

from allsight.core.errors import UsageError
from allsight.data.smears import Recipe

RIGHT: dict[str, Any] = {"seed": 0, "patient": 0, "image": 0, "label": "Pre"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"patient": -1},
        {"image": -1},
        {"label": "pre"},
        {"size": 63},
        {"size": 4097},
        {"pixels_per_micron": 0.5},
        {"pixels_per_micron": math.nan},
        {"size": 4096, "pixels_per_micron": 2.0},
        {"scale_bar": 1.1},
        {"stain": -0.1},
        {"stain": math.nan},
        {"morphology": "some"},
    ],
)
def test_a_value_out_of_range_is_refused_with_a_hint(wrong: dict[str, Any]) -> None:
    Recipe(**RIGHT)
    with pytest.raises(UsageError) as caught:
        Recipe(**RIGHT | wrong)
    assert caught.value.hint
