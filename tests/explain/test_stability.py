"""LIME as it is by default, on a trained model: ten seeds name the same superpixels, one seed gives the same bytes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from allsight.core.explanation import Explanation
from allsight.explain.explainers.lime import LEADERS, Lime
from allsight.explain.surrogate import leading
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.trained import Fields, answered, fields_of, train

SEEDS = 10
LEAST_JACCARD = 0.8


@pytest.fixture(scope="module")
def known() -> tuple[PyTorch, Fields]:
    """A model that tells the planted stain, and two held-out fields that it answers correctly."""
    options = "shortcut=stain&strength=1"
    classifier = train(fields_of(1, patients=96, options=options), epochs=6, rate=5e-3, turned=True)
    held, accuracy = answered(classifier, fields_of(2, patients=24, options=options), each=1)
    assert accuracy > 0.5  # chance is 0.25
    return PyTorch(classifier), Fields(held.images[:2], held.labels[:2], {})


@pytest.fixture(scope="module")
def by_seed(known: tuple[PyTorch, Fields]) -> list[Explanation]:
    runtime, fields = known
    return [Lime(seed=seed).explain(runtime, fields.images, targets=fields.labels) for seed in range(SEEDS)]


def test_ten_seeds_name_the_same_leading_superpixels(by_seed: list[Explanation]) -> None:
    for i in range(2):
        leaders = [
            set(leading(np.asarray(found.arrays[i]["coefficients"], float), count=LEADERS).tolist())
            for found in by_seed
        ]
        jaccard = [len(a & b) / len(a | b) for a, b in itertools.combinations(leaders, 2)]
        assert np.mean(jaccard) >= LEAST_JACCARD


def test_seeds_draw_different_samples(by_seed: list[Explanation]) -> None:
    """Otherwise their agreement would say nothing."""
    assert len({found.heatmaps.tobytes() for found in by_seed}) == SEEDS


def test_one_seed_gives_the_same_bytes(known: tuple[PyTorch, Fields], by_seed: list[Explanation]) -> None:
    runtime, fields = known
    again = Lime(seed=3).explain(runtime, fields.images, targets=fields.labels)
    assert again.heatmaps.tobytes() == by_seed[3].heatmaps.tobytes()
    assert again.used == by_seed[3].used
    for first, second in zip(by_seed[3].arrays, again.arrays, strict=True):
        assert {name: a.tobytes() for name, a in first.items()} == {
            name: a.tobytes() for name, a in second.items()
        }
