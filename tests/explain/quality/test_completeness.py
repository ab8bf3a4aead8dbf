"""Completeness: what Integrated Gradients claims holds, and a damaged heatmap is found out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from allsight.explain.explainers.cam import Cam
from allsight.explain.explainers.integrated_gradients import IntegratedGradients
from allsight.explain.explainers.lime import Lime
from allsight.explain.perturbation import filling
from allsight.explain.quality.completeness import Completeness
from allsight.explain.removal import fill_of
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.models import classifier_of, fields
from tests.explain.quality.cases import case_of, explained, linear_of


def test_integrated_gradients_keeps_its_word() -> None:
    method = IntegratedGradients()
    case = explained(method, PyTorch(classifier_of("tiny", size=64)), fields(1, 64)[0], target=1)
    claimed = case.used["completeness_error"]
    assert isinstance(claimed, float)
    score = Completeness().score(case)
    assert score is not None
    assert score <= method.tolerance
    assert score == pytest.approx(claimed, abs=1e-4)
    for factor in (0.5, 1.5):
        damaged = dataclasses.replace(case, heatmap=case.heatmap * np.float32(factor))
        assert Completeness().score(damaged) == pytest.approx(0.5, abs=method.tolerance)


def test_by_hand_on_a_linear_model() -> None:
    image = fields(1, 32)[0]
    runtime = linear_of(image)
    black = fill_of(image, "black")
    truth = runtime.attribution(image, black)
    used = {"at_baseline": runtime.bias}
    whole = Completeness().score(case_of(runtime, image, heatmap=truth, used=used))
    assert whole == pytest.approx(0, abs=1e-5)
    doubled = Completeness().score(case_of(runtime, image, heatmap=2 * truth, used=used))
    assert doubled == pytest.approx(1, rel=1e-5)
    assert Completeness().score(case_of(runtime, black, heatmap=truth, used=used)) is None  # no rise
    assert Completeness().score(case_of(runtime, image, heatmap=truth)) is None  # nothing claimed


def test_nothing_is_asked_of_methods_that_claim_nothing() -> None:
    case = explained(Cam(), PyTorch(classifier_of("tiny", size=64)), fields(1, 64)[0])
    assert Completeness().score(case) is None


def test_lime_reports_both_ends_and_adds_up_on_a_linear_model() -> None:
    image = fields(1, 48)[0]
    runtime = linear_of(image)
    method = Lime(superpixels=12, samples=600, fill="background")
    found = method.explain(runtime, image[None], targets=np.array([0]))
    regions = np.asarray(found.arrays[0]["superpixels"], dtype=np.int32)
    ends = np.stack([image, filling(image, regions, kind=method.fill)])
    np.testing.assert_allclose(
        [float(found.used[0][end] or 0) for end in ("at_image", "at_baseline")],
        runtime.run(ends).logits[:, 0],
        rtol=1e-6,
    )
    case = case_of(runtime, image, heatmap=found.heatmaps[0], used=found.used[0])
    total = float(np.asarray(found.arrays[0]["coefficients"], dtype=np.float64).sum())
    rise = float(np.subtract(*runtime.run(ends).logits[:, 0].astype(np.float64)))
    score = Completeness().score(case)
    assert score == pytest.approx(abs(total - rise) / abs(rise), abs=1e-4)
    assert abs(total - rise) < 0.05 * abs(rise)
