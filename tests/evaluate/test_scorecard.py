"""Scores put together: means and paired differences against hand-made numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from allsight.core.errors import DataError
from allsight.evaluate.scorecard import Scorecard, scorecard
from allsight.explain.methods import measures

MEASURES = {name: m for name, m in measures().items() if name in ("deletion", "insertion")}
N = 40


def rows() -> list[dict[str, dict[str, float | None]]]:
    """A method that deletes better than the control by 0.2 everywhere and inserts worse; defined on half for one."""
    rng = np.random.default_rng(0)
    found: list[dict[str, dict[str, float | None]]] = []
    for i in range(N):
        base = float(rng.uniform(0.3, 0.7))
        found.append(
            {
                "method": {
                    "deletion": base - 0.2,
                    "insertion": base - 0.1 if i % 2 else None,
                    "seconds": 2.0,
                },
                "blob": {"deletion": base, "insertion": base, "seconds": 0.0},
            }
        )
    return found


def card() -> Scorecard:
    groups = [f"g{i // 2}" for i in range(N)]
    return scorecard(rows(), groups, measures=MEASURES, controls=["blob"], resamples=300)


def test_means_are_over_the_images_where_a_score_is_defined() -> None:
    given = [row["method"]["insertion"] for row in rows()]
    expected = np.mean([v for v in given if v is not None])
    figure = card().methods["method"]["insertion"]
    assert figure.n_images == N // 2
    assert figure.mean.value == pytest.approx(expected)
    assert figure.mean.low is not None
    assert figure.mean.high is not None
    assert figure.mean.low < expected < figure.mean.high


def test_a_difference_is_paired_and_in_the_measures_direction() -> None:
    found = card().methods["method"]
    deletion, insertion = found["deletion"], found["insertion"]
    assert deletion.over["blob"].value == pytest.approx(0.2)
    assert deletion.over["blob"].low == pytest.approx(0.2)  # the same on every image, so nothing varies
    assert deletion.beats_controls is True
    assert insertion.over["blob"].value == pytest.approx(-0.1)
    assert insertion.beats_controls is False


def test_seconds_and_controls_are_compared_with_nothing() -> None:
    found = card().methods
    assert found["method"]["seconds"].beats_controls is None
    assert found["blob"]["deletion"].beats_controls is None
    assert card().controls == ("blob",)
    assert card().n_groups == N // 2


def test_it_is_strict_json_and_comes_back() -> None:
    document = json.loads(json.dumps(card().to_json(), allow_nan=False))
    assert Scorecard.from_json(document) == card()
    with pytest.raises(DataError, match="methods"):
        Scorecard.from_json({**document, "methods": 3})
