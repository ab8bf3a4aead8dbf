"""LIME: the package's coefficients from the package's samples, the same bytes twice, the truth where it is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from allsight.core.contracts import Runtime
from allsight.core.errors import UsageError
from allsight.core.records import Outputs
from allsight.explain.explainers.lime import Lime
from allsight.explain.perturbation import filling, perturbed
from allsight.explain.superpixels import superpixels
from allsight.explain.surrogate import fit_surrogate
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.models import classifier_of, fields, judge


class Brightness(Runtime):
    """Its only logit is the mean of red over the left third, less twice that over the right third. Made by hand."""

    def __init__(self) -> None:
        self.largest_batch = 0

    @classmethod
    def open(cls, folder: Path, *, precision: str | None = None, threads: int | None = None) -> Brightness:
        raise NotImplementedError(folder)

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        self.largest_batch = max(self.largest_batch, len(images))
        red = images[..., 0].astype(np.float64)
        third = images.shape[2] // 3
        logits = red[:, :, :third].mean(axis=(1, 2)) - 2 * red[:, :, -third:].mean(axis=(1, 2))
        return Outputs(logits[:, None].astype(np.float32), None, np.zeros((len(images), 1), dtype=np.float32))


def test_the_packages_samples_give_the_packages_coefficients() -> None:
    """Same superpixels, same draws: the perturbed images are the same bytes and the coefficients agree."""
    runtime = PyTorch(classifier_of("tiny", size=64))
    image, target = fields(1, 64)[0], 1
    regions = superpixels(image, count=20)
    seen: list[NDArray[np.uint8]] = []
    drawn: list[NDArray[np.int64]] = []
    package = judge("lime.lime_image").LimeImageExplainer(random_state=0)
    inner = package.data_labels

    def keep(*args: object, **kwargs: object) -> object:
        data, labels = inner(*args, **kwargs)
        drawn.append(data)
        return data, labels

    def classify(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(images)
        return runtime.run(images).logits

    package.data_labels = keep
    theirs = package.explain_instance(
        image, classify, labels=(target,), top_labels=None, num_samples=300, segmentation_fn=lambda _: regions
    )
    shown = drawn[0].astype(bool)
    ours = perturbed(image, regions, shown=shown, hidden=filling(image, regions, kind="mean"))
    np.testing.assert_array_equal(ours, np.concatenate(seen))

    outputs = runtime.run(ours).logits[:, target].astype(np.float64)
    surrogate = fit_surrogate(shown, outputs)
    expected = np.array([weight for _, weight in sorted(theirs.local_exp[target])])
    assert np.corrcoef(surrogate.coefficients, expected)[0, 1] >= 0.99
    np.testing.assert_allclose(surrogate.coefficients, expected, rtol=1e-4, atol=1e-6)
    assert surrogate.intercept == pytest.approx(theirs.intercept[target], rel=1e-4)
    assert surrogate.r_squared == pytest.approx(theirs.score, rel=1e-4)


def test_agrees_with_the_package_on_draws_of_its_own() -> None:
    runtime = PyTorch(classifier_of("tiny", size=64))
    image, target = fields(1, 64, seed=2)[0], 0
    ours = Lime(samples=2000, superpixels=20).explain(runtime, image[None], targets=np.array([target]))
    regions = ours.arrays[0]["superpixels"]
    theirs = (
        judge("lime.lime_image")
        .LimeImageExplainer(random_state=0)
        .explain_instance(
            image,
            lambda images: runtime.run(images).logits,
            labels=(target,),
            top_labels=None,
            num_samples=2000,
            segmentation_fn=lambda _: regions,
        )
    )
    expected = np.array([weight for _, weight in sorted(theirs.local_exp[target])])
    assert np.corrcoef(ours.arrays[0]["coefficients"], expected)[0, 1] >= 0.97


def test_finds_the_known_effect_of_every_superpixel() -> None:
    image = fields(1, 60, seed=4)[0]
    runtime = Brightness()
    found = Lime(samples=1500, superpixels=16).explain(runtime, image[None], targets=np.array([0]))
    regions = np.asarray(found.arrays[0]["superpixels"], dtype=np.int32)
    coefficients = np.asarray(found.arrays[0]["coefficients"], dtype=np.float64)
    hidden = filling(image, regions, kind="mean")
    truth = np.empty(len(coefficients))
    for i in range(len(truth)):
        without = image.copy()
        without[regions == i] = hidden[regions == i]
        truth[i] = (runtime.run(image[None]).logits - runtime.run(without[None]).logits)[0, 0]
    np.testing.assert_allclose(coefficients, truth, atol=0.02 * np.abs(truth).max())
    sums = [float(found.heatmaps[0][regions == i].sum(dtype=np.float64)) for i in range(len(truth))]
    np.testing.assert_allclose(np.array(sums), coefficients, rtol=1e-3, atol=1e-4)


def test_one_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    runtime, image = PyTorch(classifier_of("tiny", size=64)), fields(1, 64)
    first, second = (Lime(seed=3).explain(runtime, image, targets=np.array([1])) for _ in range(2))
    assert first.heatmaps.tobytes() == second.heatmaps.tobytes()
    assert first.used == second.used
    for name, array in first.arrays[0].items():
        assert array.tobytes() == second.arrays[0][name].tobytes()
    other = Lime(seed=4).explain(runtime, image, targets=np.array([1]))
    assert first.heatmaps.tobytes() != other.heatmaps.tobytes()


def test_a_stable_ranking_is_one_that_other_seeds_confirm() -> None:
    runtime, image = PyTorch(classifier_of("tiny", size=64)), fields(1, 64, seed=5)
    leaders = []
    for seed in range(10):
        found = Lime(seed=seed, superpixels=24).explain(runtime, image, targets=np.array([2]))
        leaders.append(
            set(np.argsort(-np.abs(np.asarray(found.arrays[0]["coefficients"], dtype=float)))[:5].tolist())
        )
    pairs = [(a, b) for i, a in enumerate(leaders) for b in leaders[:i]]
    assert np.mean([len(a & b) / len(a | b) for a, b in pairs]) >= 0.8


def test_a_fixed_number_is_exact_and_at_least_ten_a_superpixel() -> None:
    runtime, image = Brightness(), fields(1, 60)
    told: list[tuple[str, int, int]] = []
    found = Lime(samples=301, superpixels=16).explain(
        runtime, image, targets=np.array([0]), progress=lambda *now: told.append(now)
    )
    assert found.used[0]["samples"] == 301
    assert told[-1] == ("lime", 301, 301)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert runtime.largest_batch <= 8
    few = Lime(samples=20, superpixels=16).explain(runtime, image, targets=np.array([0])).used[0]
    n = few["superpixels"]
    assert isinstance(n, int)
    assert few["samples"] == 10 * n


@pytest.mark.parametrize(
    "settings",
    [{"fill": "green"}, {"superpixels": 1}, {"samples": 1}, {"agreement": 0.0}, {"agreement": 1.5}],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Lime(**settings)  # type: ignore[arg-type]
