"""One image, several methods: what is scored, what is refused, what is not asked twice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from allsight.core.errors import UsageError
from allsight.core.records import Outputs
from allsight.explain.methods import controls, explainers, measures
from allsight.explain.scoring import agreements, explain_image, score_image
from allsight.explain.swift import Remembering, swift
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.models import classifier_of, fields

IMAGE = fields(1, 64)[0]


class Counting(PyTorch):  # type: ignore[misc]
    """Counts forward passes."""

    passes = 0

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        self.passes += 1
        return super().run(images)


def test_every_method_is_scored_beside_the_controls() -> None:
    runtime = PyTorch(classifier_of("tiny", size=64))
    chosen = explainers(["cam", "integrated_gradients"]) | controls()
    found = explain_image(runtime, IMAGE, target=1, explainers=chosen)
    cells = IMAGE.mean(axis=2) < 180
    scores = score_image(runtime, IMAGE, found, explainers=chosen, measures=measures(), cells=cells)
    assert list(scores) == list(chosen)
    assert all(set(s) == {*measures(), "agreement", "seconds"} for s in scores.values())
    completeness = scores["integrated_gradients"]["completeness"]
    assert completeness is not None
    assert completeness < 0.02
    assert scores["cam"]["completeness"] is None
    assert scores["centre_blob"]["randomisation"] == pytest.approx(1)


def test_a_method_that_cannot_is_named_and_the_others_go_on() -> None:
    runtime = PyTorch(classifier_of("alexnet", size=64))
    found = explain_image(runtime, IMAGE, target=0, explainers=explainers(["cam", "grad_cam"]))
    assert list(found.found) == ["grad_cam"]
    assert "grad_cam" in found.inapplicable["cam"]
    with pytest.raises(UsageError, match="class activation maps"):
        explain_image(runtime, IMAGE, target=0, explainers=explainers(["cam"]))


def test_agreement_is_the_mean_rank_correlation_with_the_other_methods() -> None:
    rng = np.random.default_rng(0)
    a, b, c = (rng.random((20, 30), dtype=np.float32) for _ in range(3))
    found = agreements({"a": a, "b": b, "c": c}, rivals=["a", "b"])
    expected = float(spearmanr(a.ravel(), b.ravel()).statistic)
    assert found["a"] == pytest.approx(expected, abs=1e-5)
    of_c = np.mean([spearmanr(c.ravel(), other.ravel()).statistic for other in (a, b)])
    assert found["c"] == pytest.approx(float(of_c), abs=1e-5)
    assert agreements({"a": a, "flat": np.ones_like(a)}, rivals=["a", "flat"])["flat"] is None


def test_the_same_question_is_asked_once() -> None:
    counting = Counting(classifier_of("tiny", size=64))
    remembering = Remembering(counting)
    first = remembering.run(IMAGE[None])
    np.testing.assert_array_equal(remembering.run(IMAGE[None].copy()).logits, first.logits)
    assert counting.passes == 1
    remembering.run(255 - IMAGE[None])
    assert counting.passes == 2


def test_swift_gives_the_same_answers() -> None:
    runtime = PyTorch(classifier_of("efficientnet_lite0", size=64))
    np.testing.assert_allclose(
        swift(runtime).run(IMAGE[None]).logits, runtime.run(IMAGE[None]).logits, rtol=1e-3, atol=1e-3
    )
