"""Infidelity: against Captum with the same regions, and on a model whose drops are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from allsight.explain.explainers.centre_blob import CentreBlob
from allsight.explain.explainers.integrated_gradients import IntegratedGradients
from allsight.explain.explainers.random_control import RandomControl
from allsight.explain.quality.infidelity import Infidelity, region_sums, square_regions, unexplained_share
from allsight.explain.removal import fill_of
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.models import classifier_of, fields, judge
from tests.explain.quality.cases import Linear, case_of, explained, linear_of


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_captum_on_the_same_regions(seed: int) -> None:
    runtime, image = PyTorch(classifier_of("tiny", size=64)), fields(1, 64, seed=seed)[0]
    case = explained(IntegratedGradients(baseline="background"), runtime, image, target=1, seed=seed)
    removed = square_regions(64, 64, side=16, count=64, rng=np.random.default_rng(seed))
    fill = torch.from_numpy(fill_of(image, "background")).float()
    masks = torch.from_numpy(removed).float()[..., None].expand(-1, -1, -1, 3)

    def perturb(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return masks, torch.where(masks.bool(), fill, inputs)

    def logits(inputs: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(runtime.run(inputs.numpy().astype(np.uint8)).logits)

    theirs: Any = judge("captum.metrics").infidelity(
        logits,
        perturb,
        torch.from_numpy(image).float()[None],
        torch.from_numpy(case.heatmap)[None, ..., None].expand(-1, -1, -1, 3) / 3,
        target=1,
        n_perturb_samples=64,
        normalize=True,
    )
    images = torch.where(masks.bool(), fill, torch.from_numpy(image).float())
    drops = (runtime.run(image[None]).logits[0, 1] - logits(images).numpy()[:, 1]).astype(np.float64)
    assert region_sums(case.heatmap, removed) @ drops > 0  # where Captum's scale is ours
    ours = Infidelity().score(case)
    assert ours == pytest.approx(theirs.item() / np.mean(drops**2), rel=1e-3)
    assert ours is not None
    assert 0 < ours < 1


@pytest.mark.parametrize("seed", range(5))
def test_the_truth_is_perfect_in_any_unit_and_controls_are_not(seed: int) -> None:
    image = fields(1, 48, seed=seed, width=60)[0]
    runtime = linear_of(image, seed=seed)
    truth = runtime.attribution(image, fill_of(image, "background"))

    def score(heatmap: Any) -> float:
        found = Infidelity().score(case_of(runtime, image, heatmap=heatmap, seed=seed))
        assert found is not None
        return found

    assert score(truth) < 1e-8
    assert score(truth * 1e-20) == pytest.approx(score(truth), abs=1e-8)
    assert score(-truth) == 1.0  # the opposite of the truth is no explanation
    assert score(np.zeros_like(truth)) == 1.0
    for control in (RandomControl(), CentreBlob()):
        assert score(explained(control, runtime, image).heatmap) > 0.3


def test_nothing_to_explain() -> None:
    image = fields(1, 32)[0]
    blind = Linear(np.zeros((32, 32, 3)))
    assert Infidelity().score(case_of(blind, image, heatmap=np.ones((32, 32), dtype=np.float32))) is None
    assert unexplained_share(np.ones(3), np.zeros(3)) is None
    assert unexplained_share(np.ones(3), np.array([0, 1e-7, -1e-7]), resolution=1e-6) is None


def test_every_pixel_is_as_likely_hit() -> None:
    removed = square_regions(10, 14, side=4, count=20_000, rng=np.random.default_rng(0))
    share = removed.mean(axis=0)
    expected = 16 / (13 * 17)
    np.testing.assert_allclose(share, expected, atol=5 * np.sqrt(expected / 20_000))
    assert removed.any(axis=(1, 2)).all()
    assert removed.sum(axis=(1, 2)).max() == 16
