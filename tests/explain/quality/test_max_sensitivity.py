"""Max-sensitivity: against Captum with the same noise, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from allsight.explain.explainers.cam import Cam
from allsight.explain.explainers.centre_blob import CentreBlob
from allsight.explain.explainers.random_control import RandomControl
from allsight.explain.quality.max_sensitivity import MaxSensitivity, largest_change, noisy_images
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.models import classifier_of, fields, judge
from tests.explain.quality.cases import explained


def test_agrees_with_captum_on_the_same_noise() -> None:
    runtime, image = PyTorch(classifier_of("tiny", size=64)), fields(1, 64)[0]
    case = explained(Cam(), runtime, image, target=2, seed=7)
    noisy = noisy_images(image, radius=0.02 * 255, samples=3, rng=np.random.default_rng(7))

    def explain(inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        images = inputs[0].numpy().astype(np.uint8)
        targets = np.full(len(images), 2)
        return (torch.from_numpy(Cam().explain(runtime, images, targets=targets).heatmaps),)

    theirs = judge("captum.metrics").sensitivity_max(
        explain,
        torch.from_numpy(image).float()[None],
        perturb_func=lambda *_: (torch.from_numpy(noisy).float(),),
        n_perturb_samples=3,
    )
    ours = MaxSensitivity().score(case)
    assert ours == pytest.approx(theirs.item(), rel=1e-4)
    assert ours is not None
    assert ours > 0


def test_the_largest_change_by_hand() -> None:
    heatmap = np.array([[3, 0], [0, 4]], dtype=np.float32)
    others = np.stack([heatmap, heatmap + np.array([[0, 1], [0, 0]]), heatmap * 3]).astype(np.float32)
    assert largest_change(heatmap, others[:1]) == 0
    assert largest_change(heatmap, others[:2]) == pytest.approx(0.2)
    assert largest_change(heatmap, others) == pytest.approx(2)
    assert largest_change(0 * heatmap, others) is None
    assert largest_change(heatmap, others * np.float32("nan")) is None


def test_noise_is_within_its_radius_and_gives_images() -> None:
    image = np.full((20, 20, 3), 128, dtype=np.uint8)
    noisy = noisy_images(image, radius=5.1, samples=4, rng=np.random.default_rng(0))
    assert noisy.dtype == np.uint8
    assert (int(noisy.min()), int(noisy.max())) == (123, 133)
    assert len({n.tobytes() for n in noisy}) == 4
    bright = noisy_images(np.full_like(image, 255), radius=5.1, samples=1, rng=np.random.default_rng(0))
    assert bright.min() >= 250  # cut off, not wrapped around


def test_what_does_not_look_at_the_image_never_changes_and_lots_always_do() -> None:
    runtime, image = PyTorch(classifier_of("tiny", size=64)), fields(1, 64)[0]
    assert MaxSensitivity().score(explained(CentreBlob(), runtime, image)) == 0
    drawn = MaxSensitivity().score(explained(RandomControl(), runtime, image))
    assert drawn is not None
    assert drawn > 0.4
