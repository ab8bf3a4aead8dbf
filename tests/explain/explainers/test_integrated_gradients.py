"""Integrated Gradients: the same sums as Captum, complete where steps may be added, honest where they may not."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from allsight.core.errors import UsageError
from allsight.explain.baselines import BASELINES, Baseline, baseline_of
from allsight.explain.explainers.integrated_gradients import IntegratedGradients
from allsight.explain.quadrature import FEWEST_STEPS, RULES, Rule
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.classifier import Classifier
from tests.explain.models import classifier_of, fields, judge, state_of

TARGET = np.array([2])


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """With random weights a ReLU6 network such as Lite0 is so rough along the path that no rule is complete."""
    return classifier_of("resnet50", size=64)


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("rule", RULES)
def test_agrees_with_captum(rule: Rule, baseline: Baseline) -> None:
    """Every rule and baseline, through the resizing of an image that is not square."""
    classifier = classifier_of("tiny", size=64)
    image = fields(1, 50, width=80)
    ours = IntegratedGradients(baseline=baseline, rule=rule, steps=9).explain(
        PyTorch(classifier), image, targets=TARGET
    )
    pixels = torch.from_numpy(image).float()
    captum = judge("captum.attr").IntegratedGradients(lambda x: classifier(x).logits)
    theirs, delta = captum.attribute(
        pixels,
        baselines=torch.from_numpy(baseline_of(image[0], baseline))[None],
        target=int(TARGET[0]),
        n_steps=9,
        method=rule,
        return_convergence_delta=True,
    )
    expected = theirs.sum(dim=3).detach().numpy()
    assert np.abs(ours.heatmaps - expected).max() <= 1e-4 * np.abs(expected).max()
    facts = ours.used[0]
    change = float(facts["at_image"] or 0) - float(facts["at_baseline"] or 0)
    assert float(facts["completeness_error"] or 0) * abs(change) == pytest.approx(abs(float(delta)), abs=1e-3)


@pytest.mark.parametrize("baseline", ["white_field", "black", "blurred"])
def test_is_complete(classifier: Classifier, baseline: Baseline) -> None:
    """Judged without our own accounting: two forward passes and the heatmap's sum."""
    image = fields(1, 64, seed=3)
    found = IntegratedGradients(baseline=baseline, most_steps=1025).explain(
        PyTorch(classifier), image, targets=TARGET
    )
    start = torch.from_numpy(baseline_of(image[0], baseline))[None]
    with torch.inference_mode():
        change = float((classifier(torch.from_numpy(image)).logits - classifier(start).logits)[0, 2])
    assert found.used[0]["complete"]
    assert float(found.heatmaps.sum(dtype=np.float64)) == pytest.approx(change, rel=0.0105)


def test_added_steps_lead_where_very_many_even_ones_do(classifier: Classifier) -> None:
    image = fields(1, 64, seed=1)
    runtime = PyTorch(classifier)
    added = IntegratedGradients().explain(runtime, image, targets=TARGET)
    many = IntegratedGradients(steps=1000, rule="riemann_middle").explain(runtime, image, targets=TARGET)
    few = IntegratedGradients(steps=17, rule="riemann_left").explain(runtime, image, targets=TARGET)
    steps = added.used[0]["steps"]
    assert isinstance(steps, int)
    assert FEWEST_STEPS <= steps < 260
    correlation = np.corrcoef(added.heatmaps.ravel(), many.heatmaps.ravel())[0, 1]
    assert correlation > 0.98
    assert correlation > np.corrcoef(few.heatmaps.ravel(), many.heatmaps.ravel())[0, 1]


def test_says_when_it_is_not_complete(classifier: Classifier) -> None:
    found = IntegratedGradients(tolerance=1e-9, most_steps=30).explain(
        PyTorch(classifier), fields(1, 64), targets=TARGET
    )
    facts = found.used[0]
    assert facts["complete"] is False
    assert facts["steps"] == 29
    assert float(facts["completeness_error"] or 0) > 1e-9


def test_memory_changes_nothing_but_the_batches(classifier: Classifier) -> None:
    # In double precision: another batch is another rounding, and next to a kink that turns a gradient.
    image, runtime = fields(1, 64), PyTorch(copy.deepcopy(classifier).double())
    roomy = IntegratedGradients(steps=12).explain(runtime, image, targets=TARGET)
    narrow = IntegratedGradients(steps=12, memory=1).explain(runtime, image, targets=TARGET)
    scale = float(np.abs(roomy.heatmaps).max())
    np.testing.assert_allclose(narrow.heatmaps, roomy.heatmaps, atol=1e-4 * scale)


def test_a_pixel_equal_to_its_baseline_gets_nothing() -> None:
    """The known blind spot of a black baseline: surroundings that were cut out and filled with black."""
    image = fields(1, 64)
    image[:, :20] = 0
    found = IntegratedGradients(baseline="black", steps=5).explain(
        PyTorch(classifier_of("tiny", size=64)), image, targets=TARGET
    )
    assert not found.heatmaps[:, :20].any()
    assert found.heatmaps[:, 20:].any()


def test_an_exception_on_the_way_leaves_nothing_behind() -> None:
    classifier = classifier_of("tiny", size=64)
    classifier.train()
    before = state_of(classifier)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        IntegratedGradients().explain(PyTorch(classifier), fields(1, 64), targets=TARGET, progress=stop)
    assert state_of(classifier) == before


@pytest.mark.parametrize(
    "settings", [{"baseline": "grey"}, {"rule": "boole"}, {"tolerance": 0.0}, {"steps": 1}, {"most_steps": 3}]
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        IntegratedGradients(**settings)  # type: ignore[arg-type]
