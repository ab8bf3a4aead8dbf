"""What every measure in the catalog must do."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from allsight.core import catalog
from allsight.core.contracts import Explainer, Measure
from allsight.core.errors import UsageError
from allsight.core.explanation import Case
from allsight.core.records import Box
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.explainers.test_cam import Elsewhere
from tests.explain.models import classifier_of, fields, state_of

NAMES = catalog.names(Measure)
EXPLAINERS = catalog.names(Explainer)
SIZE = 64
BAR = Box(0.75, 0.75, 1.0, 1.0)
FAST = {"lime": {"superpixels": 8, "samples": 80}, "integrated_gradients": {"steps": 16}}


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """One image explained by every explainer."""
    runtime = PyTorch(classifier_of("tiny", size=SIZE))
    image = fields(1, 50, width=72)[0]
    cells = image.sum(axis=2) < 600
    made = {}
    for name in EXPLAINERS:
        explainer = catalog.load(Explainer, name)(**FAST.get(name, {}))
        found = explainer.explain(runtime, image[None], targets=np.array([1]))
        facts = found.used[0]
        made[name] = Case(
            runtime, image, 1, explainer, found.heatmaps[0], facts, cells=cells, overlay=BAR, seed=5
        )
    return made


def is_possible(measure: Measure, score: float | None) -> bool:
    low, high = measure.span
    return score is None or (isinstance(score, float) and math.isfinite(score) and low <= score <= high)


def test_all_are_there() -> None:
    assert {
        "deletion",
        "insertion",
        "infidelity",
        "max_sensitivity",
        "randomisation",
        "completeness",
        "mass_in_cells",
        "pointing_in_cells",
        "mass_in_overlay",
    } <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_is(name: str) -> None:
    kind = catalog.load(Measure, name)
    assert isinstance(kind.higher_is_better, bool)
    assert isinstance(kind.repeats, bool)
    assert kind.span[0] < kind.span[1]
    assert kind.meaning.endswith(".")
    assert any(word.isdigit() and len(word) == 4 for word in kind.source.replace(",", " ").split())  # a year
    assert kind() == kind()  # a record of settings


@pytest.mark.parametrize("explainer", EXPLAINERS)
@pytest.mark.parametrize("name", NAMES)
def test_scores_and_touches_nothing(name: str, explainer: str, cases: dict[str, Case]) -> None:
    measure, case = catalog.load(Measure, name)(), cases[explainer]
    assert isinstance(case.runtime, PyTorch)
    assert case.cells is not None
    kept = [a.tobytes() for a in (case.image, case.heatmap, case.cells)]
    before, used = state_of(case.runtime.classifier), dict(case.used)
    score = measure.score(case)
    assert is_possible(measure, score)
    assert [a.tobytes() for a in (case.image, case.heatmap, case.cells)] == kept
    assert state_of(case.runtime.classifier) == before
    assert case.used == used


@pytest.mark.parametrize("name", NAMES)
def test_gives_the_same_score_twice(name: str, cases: dict[str, Case]) -> None:
    measure = catalog.load(Measure, name)()
    for explainer in ("grad_cam", "integrated_gradients", "random_control"):
        first, second = (measure.score(dataclasses.replace(cases[explainer])) for _ in range(2))
        assert first == second
    assert measure.score(cases["integrated_gradients"]) is not None


@pytest.mark.parametrize("name", NAMES)
def test_takes_any_runtime(name: str, cases: dict[str, Case]) -> None:
    measure, case = catalog.load(Measure, name)(), cases["lime"]
    assert isinstance(case.runtime, PyTorch)
    score = measure.score(dataclasses.replace(case, runtime=Elsewhere(case.runtime)))
    assert is_possible(measure, score)
    assert (score is None) == (name == "randomisation")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_takes_a_map_that_says_nothing_of_an_image_that_shows_nothing(
    name: str, value: float, cases: dict[str, Case]
) -> None:
    measure = catalog.load(Measure, name)()
    case = dataclasses.replace(
        cases["cam"],
        image=np.full((50, 72, 3), 200, dtype=np.uint8),
        heatmap=np.full((50, 72), value, dtype=np.float32),
        used={},
        cells=None,
        overlay=None,
    )
    score = measure.score(case)
    assert is_possible(measure, score)
    if name not in {
        "deletion",
        "insertion",
        "max_sensitivity",
    }:  # there is nothing that they could be a share of
        assert score is None
    if name == "max_sensitivity":
        assert (score is None) == (value == 0)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("deletion", {"fill": "green"}),
        ("deletion", {"steps": 1}),
        ("insertion", {"fill": "green"}),
        ("insertion", {"steps": 0}),
        ("infidelity", {"fill": "green"}),
        ("infidelity", {"count": 1}),
        ("infidelity", {"side": 0.0}),
        ("infidelity", {"side": 1.5}),
        ("max_sensitivity", {"samples": 0}),
        ("max_sensitivity", {"radius": 0.0}),
        ("max_sensitivity", {"radius": 2.0}),
    ],
)
def test_settings_that_mean_nothing_are_refused(name: str, settings: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        catalog.load(Measure, name)(**settings)
