"""Parameter randomisation: maps that show what was learned change, others do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from allsight.core import catalog
from allsight.core.contracts import Explainer
from allsight.explain.explainers.cam import Cam
from allsight.explain.explainers.centre_blob import CentreBlob
from allsight.explain.explainers.grad_cam import GradCam
from allsight.explain.explainers.integrated_gradients import IntegratedGradients
from allsight.explain.explainers.random_control import RandomControl
from allsight.explain.quality.randomisation import Randomisation, rank_resemblance, shuffled
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.explainers.test_cam import Elsewhere
from tests.explain.models import classifier_of, fields, state_of
from tests.explain.quality.cases import explained


@pytest.mark.parametrize("control", [CentreBlob(), RandomControl()])
def test_controls_do_not_look_at_the_model(control: Explainer) -> None:
    case = explained(control, PyTorch(classifier_of("tiny", size=64)), fields(1, 64)[0])
    assert Randomisation().score(case) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("method", [GradCam(), IntegratedGradients(steps=16)])
def test_methods_do(method: Explainer) -> None:
    runtime = PyTorch(classifier_of("efficientnet_lite0", size=160))
    scores = [
        Randomisation().score(explained(method, runtime, image, target=target, seed=target))
        for target, image in enumerate(fields(4, 160))
    ]
    found = [score for score in scores if score is not None]
    assert len(found) >= 3
    assert np.mean(found) <= 0.3


def test_shuffling_moves_values_within_tensors_and_leaves_the_original() -> None:
    classifier = classifier_of("tiny", size=64)
    before = state_of(classifier)
    other, again = shuffled(classifier, seed=3), shuffled(classifier, seed=3)
    assert state_of(classifier) == before
    pairs = list(zip(classifier.parameters(), other.parameters(), again.parameters(), strict=True))
    for original, moved, repeated in pairs:
        assert torch.equal(original.flatten().sort().values, moved.flatten().sort().values)
        assert torch.equal(moved, repeated)
    weights = [(a, b) for a, b, _ in pairs if a.dim() > 1]
    assert weights
    assert not any(torch.equal(a, b) for a, b in weights)
    assert not other.training
    for a, b in zip(classifier.buffers(), other.buffers(), strict=True):
        assert torch.equal(a, b)


def test_no_answer_where_there_is_none() -> None:
    image = fields(1, 64)[0]
    runtime = PyTorch(classifier_of("tiny", size=64))
    case = explained(Cam(), runtime, image)
    assert Randomisation().score(case) is not None
    assert Randomisation().score(explained(CentreBlob(), Elsewhere(runtime), image)) is None
    flat = explained(CentreBlob(spread=1e9), runtime, image)
    assert np.ptp(flat.heatmap) == 0
    assert Randomisation().score(flat) is None


@pytest.mark.parametrize("name", catalog.names(Explainer))
def test_no_answer_where_shuffled_weights_give_no_numbers(name: str) -> None:
    runtime = PyTorch(classifier_of("tiny", size=64))
    settings = {"superpixels": 8, "samples": 80} if name == "lime" else {}
    case = explained(catalog.load(Explainer, name)(**settings), runtime, fields(1, 64)[0])
    with torch.no_grad():
        runtime.classifier.head.weight[:, 0] = float("inf")
    assert Randomisation().score(case) is None


def test_rank_resemblance_by_hand() -> None:
    a = np.array([[1, 2], [3, 4]], dtype=np.float32)
    assert rank_resemblance(a, np.exp(a)) == pytest.approx(1)
    assert rank_resemblance(a, -a) == pytest.approx(1)
    assert rank_resemblance(a, np.array([[1, 2], [4, 3]], dtype=np.float32)) == pytest.approx(0.8)
    assert rank_resemblance(a, np.full_like(a, 2)) is None
    assert rank_resemblance(a, np.full_like(a, np.nan)) is None
