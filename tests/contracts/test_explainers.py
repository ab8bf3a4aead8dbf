"""What every explainer in the catalog must do."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from allsight.core import catalog
from allsight.core.contracts import Explainer
from allsight.core.errors import UsageError
from allsight.core.explanation import Explanation
from allsight.explain.quality.randomisation import shuffled
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.classifier import Classifier
from tests.explain.explainers.test_cam import Elsewhere
from tests.explain.models import classifier_of, fields, state_of

NAMES = catalog.names(Explainer)
METHODS = tuple(name for name in NAMES if not catalog.load(Explainer, name).control)  # they look at the model
SIZE = 64
ENOUGH = {"lime": {"samples": 640}, "integrated_gradients": {"steps": 32}}  # to tell two networks apart


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return classifier_of("tiny", size=SIZE)


def explain(
    name: str, classifier: Classifier, images: NDArray[np.uint8], targets: list[int], **settings: object
) -> Explanation:
    explainer = catalog.load(Explainer, name)(**settings)
    return explainer.explain(PyTorch(classifier), images, targets=np.array(targets))


def rank_correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a.ravel(), b.ravel()).statistic)


def test_all_four_and_their_controls_are_there() -> None:
    assert {"cam", "grad_cam", "integrated_gradients", "lime"} <= set(METHODS)
    assert {"random_control", "centre_blob"} <= set(NAMES) - set(METHODS)


@pytest.mark.parametrize("name", NAMES)
def test_gives_heatmaps_on_the_images_own_pixels(name: str, classifier: Classifier) -> None:
    images, targets = fields(3, 50, width=72), [0, 3, 1]
    before, kept = state_of(classifier), images.copy()
    found = explain(name, classifier, images, targets)
    assert found.method == name
    assert found.heatmaps.shape == (3, 50, 72)
    assert found.heatmaps.dtype == np.float32
    assert np.isfinite(found.heatmaps).all()
    assert all(heatmap.any() for heatmap in found.heatmaps)
    assert found.signed == catalog.load(Explainer, name).signed
    assert found.signed or found.heatmaps.min() >= 0
    assert found.targets.tolist() == targets
    assert len(found.used) == len(found.seconds) == len(found.arrays) == 3
    assert all(seconds > 0 for seconds in found.seconds)
    json.dumps(found.used, allow_nan=False)
    assert state_of(classifier) == before
    np.testing.assert_array_equal(images, kept)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_explained_as_it_is_alone_and_the_same_twice(name: str, classifier: Classifier) -> None:
    images = fields(2, SIZE)
    both = explain(name, classifier, images, [1, 2])
    alone = explain(name, classifier, images[1:], [2])
    again = explain(name, classifier, images, [1, 2])
    np.testing.assert_allclose(
        alone.heatmaps[0], both.heatmaps[1], rtol=1e-3, atol=1e-4 * both.heatmaps.max()
    )
    assert again.heatmaps.tobytes() == both.heatmaps.tobytes()


@pytest.mark.parametrize("name", METHODS)
def test_classes_have_maps_of_their_own(name: str, classifier: Classifier) -> None:
    images = np.repeat(fields(1, SIZE), 2, axis=0)
    heatmaps = explain(name, classifier, images, [0, 1]).heatmaps
    assert rank_correlation(heatmaps[0], heatmaps[1]) < 0.9


@pytest.mark.parametrize("name", NAMES)
def test_runs_where_it_says_it_does(name: str, classifier: Classifier) -> None:
    explainer = catalog.load(Explainer, name)()
    runtime = Elsewhere(PyTorch(classifier))
    images, targets = fields(1, SIZE), np.array([0])
    assert explainer.runs_on(PyTorch(classifier))
    if not explainer.runs_on(runtime):
        with pytest.raises(UsageError, match="gradients"):
            explainer.explain(runtime, images, targets=targets)
    else:
        assert explainer.explain(runtime, images, targets=targets).heatmaps.any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("images", "targets"),
    [(fields(1, SIZE), [4]), (fields(1, SIZE), [-1]), (fields(1, SIZE), [0, 1]), (fields(1, SIZE)[0], [0])],
)
def test_refuses_what_it_cannot_explain(
    name: str, classifier: Classifier, images: NDArray[np.uint8], targets: list[int]
) -> None:
    with pytest.raises(UsageError):
        explain(name, classifier, images, targets)


@pytest.mark.parametrize("name", METHODS)
def test_an_exception_in_the_network_leaves_nothing_behind(name: str) -> None:
    classifier = classifier_of("tiny", size=SIZE)
    classifier.head.bias.requires_grad_(False)
    last = [m for m in classifier.network.modules() if isinstance(m, torch.nn.Conv2d)][-1]
    with torch.no_grad():
        last.weight = torch.nn.Parameter(last.weight[:, :3].clone())  # fits the layer before it no longer
    before = state_of(classifier)
    with pytest.raises(RuntimeError):
        explain(name, classifier, fields(1, SIZE), [0])
    assert state_of(classifier) == before


@pytest.mark.parametrize("name", NAMES)
def test_says_how_far_it_is(name: str, classifier: Classifier) -> None:
    told: list[tuple[str, int, int]] = []
    explainer = catalog.load(Explainer, name)()
    explainer.explain(
        PyTorch(classifier), fields(2, SIZE), targets=np.array([0, 1]), progress=lambda *now: told.append(now)
    )
    assert told
    assert all(done <= total or total == 0 for _, done, total in told)


@pytest.mark.parametrize("name", METHODS)
def test_shuffled_weights_give_another_map(name: str) -> None:
    """Adebayo et al. 2018: a map that survives shuffling shows the image and not the model."""
    classifier = classifier_of("efficientnet_lite0", size=96)
    images, enough = fields(4, 96), ENOUGH.get(name, {})
    mine = explain(name, classifier, images, [0, 1, 2, 3], **enough).heatmaps
    found = []
    for seed in range(3):  # the maps of some methods have nine values: one shuffle says little
        others = explain(name, shuffled(classifier, seed=seed), images, [0, 1, 2, 3], **enough).heatmaps
        found += [rank_correlation(a, b) for a, b in zip(mine, others, strict=True)]
    assert abs(np.mean(found)) <= 0.3
