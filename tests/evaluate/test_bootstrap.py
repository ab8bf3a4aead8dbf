"""Intervals over groups: against scipy, against what they promise, and where there must be none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from allsight.core.errors import UsageError
from allsight.evaluate import bootstrap
from allsight.evaluate.bootstrap import Draws, Estimate, draw, resampled_weights, scores
from allsight.evaluate.metrics.families import measure_of
from allsight.evaluate.metrics.metric import Floats, Labels, Measure


def mean_of(values: Floats) -> Measure:
    return lambda weights: {"mean": weights @ values / weights.sum(axis=1)}


def predictions(n: int, *, seed: int = 0, classes: int = 4, skill: float = 2.0) -> tuple[Floats, Labels]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), labels] += skill
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), labels


def names(n: int) -> list[str]:
    return [f"image {i}" for i in range(n)]


def test_a_resample_draws_whole_groups_as_many_as_there_are() -> None:
    groups = ["a", "b", "a", "c", "c", "c"]
    weights = np.concatenate(list(resampled_weights(groups, resamples=500, seed=1)))
    assert weights.shape == (500, 6)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 3:5] == weights[:, 4:]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.15)


def test_resamples_depend_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [f"g{i % 7}" for i in range(40)]

    def drawn(seed: int) -> Floats:
        return np.concatenate(list(resampled_weights(groups, resamples=50, seed=seed)))

    first = drawn(3)
    assert (drawn(3) == first).all()
    assert (drawn(4) != first).any()
    monkeypatch.setattr(bootstrap, "_BLOCK", 40 * 3)
    assert (drawn(3) == first).all()


def test_the_order_of_the_images_does_not_matter() -> None:
    probabilities, labels = predictions(60)
    groups = np.array([f"g{i % 9}" for i in range(60)])
    shuffled = np.random.default_rng(2).permutation(60)
    classes = ("a", "b", "c", "d")
    one = scores(probabilities, labels, classes, list(groups), resamples=100)
    other = scores(probabilities[shuffled], labels[shuffled], classes, list(groups[shuffled]), resamples=100)
    assert one.confusion == other.confusion
    for name, estimate in one.metrics.items():
        assert other.metrics[name].low == pytest.approx(estimate.low, abs=1e-12)
        assert other.metrics[name].high == pytest.approx(estimate.high, abs=1e-12)


def test_repeats_inside_a_group_tell_nothing_new() -> None:
    probabilities, labels = predictions(50)
    once = draw(measure_of(probabilities, labels), names(50), resamples=200)
    ten = np.repeat(np.arange(50), 10)
    repeated = draw(measure_of(probabilities[ten], labels[ten]), [names(50)[i] for i in ten], resamples=200)
    for name in once:
        if name != "support":
            np.testing.assert_allclose(once[name].resampled, repeated[name].resampled, atol=1e-9)


def test_images_that_stand_alone_give_the_interval_of_scipy() -> None:
    values = np.random.default_rng(5).random(200) ** 2
    found = draw(mean_of(values), names(200), resamples=4000)["mean"].estimate()
    judge = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(6)
    ).confidence_interval
    assert found.low == pytest.approx(judge.low, abs=4e-3)
    assert found.high == pytest.approx(judge.high, abs=4e-3)


def test_about_95_of_100_intervals_hold_the_truth_when_groups_differ() -> None:
    rng = np.random.default_rng(8)
    held = 0
    for repeat in range(200):
        ability = np.repeat(rng.beta(8, 2, size=80), 10)  # mean 0.8; images of a group resemble one another
        right = (rng.random(800) < ability).astype(np.float64)
        groups = [f"g{i // 10}" for i in range(800)]
        estimate = draw(mean_of(right), groups, resamples=300, seed=repeat)["mean"].estimate()
        assert estimate.low is not None
        assert estimate.high is not None
        held += estimate.low <= 0.8 <= estimate.high
    assert 180 <= held <= 198  # 95 % of 200 is 190, standard deviation 3


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    probabilities, labels = predictions(300, skill=2.0)
    worse = 0.7 * probabilities + 0.3 * predictions(300, seed=0, skill=0.0)[0]
    model, other = (
        draw(measure_of(p, labels), names(300), resamples=500)["nll"] for p in (probabilities, worse)
    )
    gained = (model - other).estimate()
    assert gained.value == pytest.approx(float(model.value - other.value))
    assert gained.high is not None
    assert gained.low is not None
    assert gained.high < 0
    one = model.estimate()
    assert one.high is not None
    assert one.low is not None
    assert gained.high - gained.low < one.high - one.low
    assert (model - model).estimate() == Estimate(0.0, 0.0, 0.0)


@pytest.mark.parametrize(("groups", "resamples"), [(["g"] * 20, 100), ([f"g{i}" for i in range(20)], 0)])
def test_one_group_or_no_resample_gives_no_interval(groups: list[str], resamples: int) -> None:
    probabilities, labels = predictions(20)
    found = scores(probabilities, labels, ("a", "b", "c", "d"), groups, resamples=resamples)
    for estimate in found.metrics.values():
        assert estimate.value is not None
        assert (estimate.low, estimate.high) == (None, None)


def test_a_class_of_one_group_has_a_value_and_no_interval() -> None:
    # Class 1 comes from one patient of ten: about 35 % of the resamples lack it.
    labels = np.array([0] * 18 + [1] * 2)
    found = scores(
        np.eye(2)[labels], labels, ("HEM", "ALL"), [f"p{i // 2}" for i in range(20)], resamples=300
    )
    assert found.per_class["ALL"]["recall"] == Estimate(1.0, None, None)
    assert found.per_class["HEM"]["recall"] == Estimate(1.0, 1.0, 1.0)
    assert found.metrics["auc_macro"].value == 1.0


def test_an_undefined_figure_is_none_throughout() -> None:
    undefined = Draws(np.array(np.nan), np.full(100, np.nan))
    assert undefined.estimate() == Estimate(None, None, None)


def test_nothing_to_resample_is_an_error_that_says_what_to_give() -> None:
    with pytest.raises(UsageError, match="one group per image"):
        draw(mean_of(np.empty(0)), [])
    with pytest.raises(UsageError, match="-1 resamples"):
        draw(mean_of(np.ones(1)), ["g"], resamples=-1)
