"""Do the maps say where a model looks? Two models of which it is known, judged by the generator's exact masks.

One can only cheat: its fields' class shows in the scale bar and nowhere else. The other cannot: its class shows in the
leukocytes, and the bars beside them are drawn at random.

The settings are the same for both. Integrated Gradients sets out from the background's colour, and LIME fills a
hidden region with it: both ask what the field would say had nothing been there. LIME's other filling, a region's own
mean colour, leaves the colour of a bar or a nucleus standing, which is part of what is to be explained.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from allsight.core.contracts import Explainer
from allsight.explain.explainers.cam import Cam
from allsight.explain.explainers.grad_cam import GradCam
from allsight.explain.explainers.integrated_gradients import IntegratedGradients
from allsight.explain.explainers.lime import Lime
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.classifier import Classifier
from tests.explain.trained import STRIDE, Fields, answered, fields_of, shuffled, train

METHODS: dict[str, Explainer] = {
    "cam": Cam(),
    "grad_cam": GradCam(),
    "integrated_gradients": IntegratedGradients(baseline="background"),
    "lime": Lime(samples=640, superpixels=64, fill="background"),
}
LEAST_SHARE = 0.7
MOST_CORRELATION = 0.3
SHUFFLES = 4


@dataclass(frozen=True, slots=True)
class Known:
    """A model of which it is known where it looks.

    Attributes:
        classifier: the model.
        fields: held-out patients' fields that it answers correctly, two of each class.
        accuracy: on all held-out fields; chance is 0.25.
        sign: bool (N, H, W), where the class shows.
        found: heatmaps (N, H, W) by method, each for the class predicted.
    """

    classifier: Classifier
    fields: Fields
    accuracy: float
    sign: NDArray[np.bool_]
    found: dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def cheat() -> Known:
    """Cells are drawn from the even mixture of the classes; without a bar the same fields show no class."""
    options = "morphology=none&shortcut=scale_bar&strength=1"
    fields = fields_of(1, patients=240, options=options)
    empty = fields_of(1, patients=240, options="morphology=none")
    classifier = train(fields, empty=empty, epochs=20, rate=5e-3, turned=False)
    held, accuracy = answered(classifier, fields_of(2, patients=24, options=options), each=2)
    # Half the bar's pixels lie at its rim, and a map cannot be finer than its grid: one position more on every side.
    ring = np.ones((2 * STRIDE + 1, 2 * STRIDE + 1), dtype=np.uint8)
    sign = np.stack([cv2.dilate(bar.astype(np.uint8), ring) > 0 for bar in held.masks["scale_bar"]])
    return known(classifier, held, accuracy=accuracy, sign=sign)


@pytest.fixture(scope="module")
def honest() -> Known:
    """Every field has a bar, of a class drawn at random. The masks of cells are taken as they are."""
    options = "shortcut=scale_bar&strength=0"
    fields = fields_of(1, patients=240, each=2, options=options)
    classifier = train(fields, epochs=34, rate=7e-3, turned=True)
    held, accuracy = answered(classifier, fields_of(2, patients=48, options=options), each=2)
    return known(classifier, held, accuracy=accuracy, sign=held.masks["cell"])


def known(classifier: Classifier, fields: Fields, *, accuracy: float, sign: NDArray[np.bool_]) -> Known:
    found = {name: maps(name, classifier, fields) for name in METHODS}
    return Known(classifier, fields, accuracy, sign, found)


def maps(name: str, classifier: Classifier, fields: Fields, *, every: int = 1) -> NDArray[np.float32]:
    """Heatmaps of each `every`-th field for its label."""
    some = slice(None, None, every)
    return (
        METHODS[name].explain(PyTorch(classifier), fields.images[some], targets=fields.labels[some]).heatmaps
    )


def share(heatmaps: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Positive attribution in the mask ÷ all positive attribution, averaged over images."""
    positive = np.clip(heatmaps, 0, None).astype(np.float64)
    return float(np.mean((positive * mask).sum(axis=(1, 2)) / positive.sum(axis=(1, 2))))


def rank_correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Spearman's; 0 where a map is the same everywhere, so that it ranks nothing."""
    return float(spearmanr(a.ravel(), b.ravel()).statistic) if np.ptp(a) > 0 and np.ptp(b) > 0 else 0.0


def correlation_after_shuffling(case: Known, name: str, *, shuffles: int) -> float:
    """Mean over shuffles and over one field of each class."""
    return float(
        np.mean(
            [
                rank_correlation(before, after)
                for seed in range(shuffles)
                for before, after in zip(
                    case.found[name][::2],
                    maps(name, shuffled(case.classifier, seed=seed), case.fields, every=2),
                    strict=True,
                )
            ]
        )
    )


def test_the_models_are_what_they_should_be(cheat: Known, honest: Known) -> None:
    assert cheat.accuracy >= 0.95
    assert honest.accuracy >= 0.6
    assert len(cheat.fields.images) == len(honest.fields.images) == 8
    assert cheat.sign.mean() < 0.1
    assert honest.sign.mean() < 0.25


def test_the_cheat_falls_to_chance_where_the_bar_says_nothing(cheat: Known) -> None:
    """The proof, without any map, that it is the bar and nothing else that it uses."""
    without = fields_of(2, patients=48, options="morphology=none&shortcut=scale_bar&strength=0")
    assert answered(cheat.classifier, without, each=1)[1] < 0.5


@pytest.mark.parametrize("name", METHODS)
def test_a_cheat_is_seen(cheat: Known, name: str) -> None:
    assert share(cheat.found[name], cheat.sign) >= LEAST_SHARE


@pytest.mark.parametrize("name", METHODS)
def test_an_honest_model_is_seen_to_look_at_cells(honest: Known, name: str) -> None:
    assert share(honest.found[name], honest.sign) >= LEAST_SHARE


@pytest.mark.parametrize("name", METHODS)
def test_maps_do_not_survive_shuffled_weights(cheat: Known, honest: Known, name: str) -> None:
    """Adebayo et al. 2018. One shuffle says little: a random network can resemble any other by chance."""
    for case in (cheat, honest):
        correlation = correlation_after_shuffling(case, name, shuffles=SHUFFLES)
        assert abs(correlation) <= MOST_CORRELATION
