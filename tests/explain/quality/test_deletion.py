"""Deletion and insertion: by hand, on a model whose best order is known, and against Quantus."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from allsight.core.contracts import Measure
from allsight.explain.explainers.centre_blob import CentreBlob
from allsight.explain.explainers.random_control import RandomControl
from allsight.explain.quality.deletion import Deletion
from allsight.explain.quality.insertion import Insertion
from allsight.explain.removal import area_under, fill_of, probability_curve, removal_order
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.models import classifier_of, fields, judge
from tests.explain.quality.cases import Linear, case_of, explained, linear_of


def one_pixel(row: int, column: int) -> tuple[Linear, NDArray[np.uint8], float, float]:
    """A model that looks at one pixel of a 4 × 4 image; its probability with the pixel dark and white."""
    weights = np.zeros((4, 4, 3))
    weights[row, column, 0] = -0.02  # a dark pixel speaks for the class
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    return Linear(weights), image, 0.5, float(1 / (1 + np.exp(0.02 * 255)))


def naming(row: int, column: int, *, value: float) -> NDArray[np.float32]:
    """A heatmap with distinct values in [0, 1) but for one pixel."""
    heatmap: NDArray[np.float32] = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    heatmap[row, column] = value
    return heatmap


def test_the_pixel_that_decides_first_and_last_by_hand() -> None:
    runtime, image, dark, white = one_pixel(1, 2)
    deletion, insertion = Deletion(fill="white_field"), Insertion(fill="white_field")
    first = case_of(runtime, image, heatmap=naming(1, 2, value=9))
    last = case_of(runtime, image, heatmap=naming(1, 2, value=-9))
    assert deletion.score(first) == pytest.approx((0.5 * dark + 15.5 * white) / 16)
    assert deletion.score(last) == pytest.approx((15.5 * dark + 0.5 * white) / 16)
    assert insertion.score(first) == pytest.approx((0.5 * white + 15.5 * dark) / 16)
    assert insertion.score(last) == pytest.approx((15.5 * white + 0.5 * dark) / 16)


def test_a_map_that_says_nothing_is_judged_by_lot_and_not_by_position() -> None:
    runtime, image, dark, white = one_pixel(0, 0)
    heatmap = np.zeros((4, 4), dtype=np.float32)
    scores = [
        Deletion(fill="white_field").score(case_of(runtime, image, heatmap=heatmap, seed=seed))
        for seed in range(300)
    ]
    assert np.mean(scores) == pytest.approx((dark + white) / 2, abs=5 * 0.29 * dark / np.sqrt(300))
    assert len(set(scores)) == 16  # every place in the order came up


def test_the_sign_counts() -> None:
    heatmap = np.array([[-5, 0], [2, 1]], dtype=np.float32)
    assert removal_order(heatmap, seed=0).tolist() == [2, 3, 1, 0]


@pytest.mark.parametrize("seed", range(5))
def test_no_heatmap_beats_the_true_one(seed: int) -> None:
    """Removing in the order of true contributions is optimal at every step of a linear model."""
    image = fields(1, 32, seed=seed, width=40)[0]
    runtime = linear_of(image, seed=seed)
    rng = np.random.default_rng(seed)
    for measure, sign in ((Deletion(), 1), (Insertion(), -1)):
        truth = runtime.attribution(image, fill_of(image, measure.fill))
        best = measure.score(case_of(runtime, image, heatmap=truth))
        rivals = [
            *(explained(control, runtime, image).heatmap for control in (RandomControl(), CentreBlob())),
            *(rng.normal(size=truth.shape).astype(np.float32) for _ in range(5)),
            np.abs(truth),
            -truth,
        ]
        scores = [measure.score(case_of(runtime, image, heatmap=rival)) for rival in rivals]
        assert all(sign * score >= sign * best - 1e-6 for score in scores)
        assert all(sign * (score - best) > 0.005 for score in scores[:2])  # the controls, clearly


@pytest.mark.parametrize("measure", [Deletion(), Insertion()])
def test_ends_do_not_hang_on_the_heatmap(measure: Measure) -> None:
    image = fields(1, 32)[0]
    runtime = linear_of(image)
    assert isinstance(measure, Deletion | Insertion)
    fill = fill_of(image, measure.fill)
    curves = [
        probability_curve(
            runtime,
            before=image,
            after=fill,
            order=removal_order(heatmap, seed=0),
            target=0,
            steps=5,
        )
        for heatmap in np.random.default_rng(0).normal(size=(2, 32, 32)).astype(np.float32)
    ]
    assert curves[0].shape == (6,)
    assert curves[0][[0, -1]].tolist() == curves[1][[0, -1]].tolist()
    logits = runtime.run(np.stack([image, fill])).logits.astype(np.float64)
    expected = torch.from_numpy(logits).softmax(1)[:, 0].numpy()
    np.testing.assert_allclose(curves[0][[0, -1]], expected)


class Grey(nn.Module):
    """One channel of floats in, as Quantus wants it, so that a feature is a pixel."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: torch.Tensor) -> Any:
        return self.classifier(x.round().to(torch.uint8).permute(0, 2, 3, 1).expand(-1, -1, -1, 3)).logits


@pytest.mark.skipif(importlib.util.find_spec("quantus") is None, reason="Quantus is not installed")
def test_agrees_with_quantus_pixel_flipping() -> None:
    classifier = classifier_of("tiny", size=64)
    image = fields(1, 64)[0, :, :, :1].repeat(3, axis=2)
    image[5, 5] = 0  # what they call black is the image's own minimum
    heatmap = np.random.default_rng(0).permutation(64 * 64).reshape(64, 64).astype(np.float32)
    model = Grey(classifier).eval()
    metric = judge("quantus").PixelFlipping(
        features_in_step=256, normalise=False, perturb_baseline="black", disable_warnings=True
    )
    (theirs,) = metric(
        model=model,
        x_batch=image[None, None, :, :, 0].astype(np.float32),
        y_batch=np.array([1]),
        a_batch=heatmap[None, None],
        channel_first=True,
        softmax=True,
    )
    case = case_of(PyTorch(classifier), image, heatmap=heatmap, target=1)
    ours = probability_curve(
        case.runtime,
        before=image,
        after=fill_of(image, "black"),
        order=removal_order(heatmap, seed=0),
        target=1,
        steps=16,
    )
    np.testing.assert_allclose(ours[1:], theirs, atol=1e-5)  # they leave out the intact image
    assert np.ptp(ours) > 0.01
    assert Deletion(fill="black").score(case) == pytest.approx(np.trapezoid(ours, dx=1 / 16))
    assert area_under(ours) == pytest.approx(np.trapezoid(ours, dx=1 / 16))
