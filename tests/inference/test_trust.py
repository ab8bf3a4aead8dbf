"""Calibration, sets and distances against independent computations."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import mahalanobis

from allsight.data.appearance import appearance
from allsight.inference.trust import (
    FALSE_REFUSALS,
    UNSURE,
    Space,
    Trust,
    conformal_thresholds,
    distance_limit,
    fit_space,
    fit_temperature,
    fit_trust,
    judge,
    least_certainty,
    softmax,
)

CLASSES = ("Benign", "Early", "Pre")


def sharpened(n: int, *, by: float, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits that are `by` times too sure, and labels drawn from the honest probabilities."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(size=(n, 3)) * 1.5
    labels = np.array([rng.choice(3, p=p) for p in softmax(honest.astype(np.float32))])
    return (honest * by).astype(np.float32), labels


@pytest.mark.parametrize("by", [0.5, 1.0, 4.0])
def test_the_temperature_undoes_what_was_done(by: float) -> None:
    logits, labels = sharpened(20_000, by=by)
    assert fit_temperature(logits, labels) == pytest.approx(by, rel=0.05)


@pytest.mark.parametrize("n", [30, 300])
def test_images_that_are_all_right_do_not_make_it_sure(n: int) -> None:
    """A temperature of 0.05 would claim 1; that one of n + 2 is wrong cannot be excluded."""
    labels = np.arange(n) % 3
    logits = (6 * np.eye(3)[labels]).astype(np.float32)
    claimed = softmax(logits, fit_temperature(logits, labels)).max(axis=1)
    np.testing.assert_allclose(claimed, 1 - 1 / (n + 2), rtol=1e-4)


def test_sets_cover_each_class_on_fresh_images() -> None:
    logits, labels = sharpened(4000, by=3.0)
    trust = fit_trust(logits, labels, distances=np.ones(4000, dtype=np.float32))
    fresh, truth = sharpened(20_000, by=3.0, seed=1)
    answers = judge(
        fresh, np.ones(20_000, dtype=np.float32), trust=trust, classes=CLASSES, suspicious=("Early", "Pre")
    )
    for c, name in enumerate(CLASSES):
        covered = np.mean([name in a.set for a, t in zip(answers, truth, strict=True) if t == c])
        assert 0.935 <= covered <= 0.965


def test_too_few_images_of_a_class_never_exclude_it() -> None:
    logits, labels = sharpened(60, by=1.0)
    labels[:] = np.where(labels == 2, 1, labels)
    labels[:5] = 2
    trust = fit_trust(logits, labels, distances=np.ones(60, dtype=np.float32))
    assert trust.thresholds[2] == 1.0


def threshold(scores: NDArray[np.float64], groups: NDArray[np.str_] | None = None) -> float:
    """Of one class."""
    (found,) = conformal_thresholds(scores, np.zeros(len(scores), dtype=np.int64), n_classes=1, groups=groups)
    return found


def test_sets_are_for_the_images_of_a_new_group() -> None:
    """Eight groups with offsets of their own: image by image too few of a new group's are covered."""
    rng = np.random.default_rng(0)

    def drawn(groups: int) -> NDArray[np.float64]:
        offsets = rng.normal(size=(groups, 1)) * 2
        return 1 / (1 + np.exp(-(offsets + rng.normal(size=(groups, 25)))))

    names = np.repeat(np.arange(8).astype(str), 25)
    by_image, by_group = [], []
    for _ in range(200):
        known, fresh = drawn(8).ravel(), drawn(40)
        by_image.append((fresh <= threshold(known)).mean())
        by_group.append((fresh <= threshold(known, names)).mean())
    assert np.mean(by_image) < 0.93
    assert 0.935 <= np.mean(by_group) <= 0.965


def test_groups_that_are_single_images_change_little() -> None:
    scores = np.random.default_rng(1).random(400)
    assert threshold(scores, np.arange(400).astype(str)) == pytest.approx(threshold(scores), abs=0.015)
    assert threshold(scores, np.full(400, "one")) == threshold(scores)
    assert threshold(scores[:18], np.arange(18).astype(str)) == 1.0


def test_a_threshold_is_the_rank_of_split_conformal_prediction() -> None:
    scores = np.random.default_rng(2).random(99)
    assert threshold(scores) == np.sort(scores)[94]  # the ⌈100 · 0.95⌉-th


def test_a_class_with_few_images_takes_no_part() -> None:
    rng = np.random.default_rng(3)
    scores, labels = rng.random(105), np.repeat([0, 1], [99, 6])
    groups = np.array([str(i // 5) for i in range(105)])
    both = conformal_thresholds(scores, labels, n_classes=2, groups=groups)
    alone = conformal_thresholds(scores[:99], labels[:99], n_classes=1, groups=groups[:99])
    assert both == (*alone, 1.0)


def test_distances_are_mahalanobis() -> None:
    """With more images than directions the whitened distance is SciPy's, up to the shrinkage."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 6))
    labels = np.repeat([0, 1], 20_000)
    embeddings = (rng.normal(size=(40_000, 6)) @ mixing + labels[:, None] * 5).astype(np.float32)
    space = fit_space(embeddings, labels, n_classes=2)
    inverse = np.linalg.inv(mixing.T @ mixing)
    points = rng.normal(size=(20, 6)).astype(np.float32) * 3
    expected = [
        min(mahalanobis(p, m, inverse) ** 2 for m in (np.zeros(6), np.full(6, 5))) / 6 for p in points
    ]
    np.testing.assert_allclose(space.distances(points), expected, rtol=0.06)


def test_a_stranger_is_referred_with_its_figures() -> None:
    trust = Trust(temperature=1.0, thresholds=(0.9, 0.9, 0.9), distance_limit=2.0, n_images=10)
    sure = np.array([[9.0, 0.0, 0.0]], dtype=np.float32)
    near, far = (
        judge(
            sure, np.array([d], dtype=np.float32), trust=trust, classes=CLASSES, suspicious=("Early", "Pre")
        )[0]
        for d in (1.0, 7.5)
    )
    assert near.verdict == "answer"
    assert not near.reasons
    assert near.suspicion == pytest.approx(1 - near.probabilities["Benign"])
    assert far.verdict == "refer"
    assert far.reasons == ("unlike the training images: distance 7.5, limit 2.0",)


@pytest.mark.parametrize("suspicious", [(), ("Blast",)])
def test_without_a_suspicious_class_there_is_no_suspicion(suspicious: tuple[str, ...]) -> None:
    trust = Trust(temperature=1.0, thresholds=(0.9, 0.9, 0.9), distance_limit=2.0, n_images=10)
    sure, near = np.array([[0.0, 9.0, 0.0]], dtype=np.float32), np.ones(1, dtype=np.float32)
    (found,) = judge(sure, near, trust=trust, classes=CLASSES, suspicious=suspicious)
    assert found.suspicion is None
    assert found.to_json()["suspicion"] is None


def test_what_it_looks_like_is_said_first() -> None:
    limits = {"brightness": (100.0, 250.0)}
    trust = Trust(temperature=1.0, thresholds=(0.9, 0.9, 0.9), distance_limit=2.0, limits=limits, n_images=10)
    look = appearance(np.full((8, 8, 3), 50, dtype=np.uint8))
    (found,) = judge(
        np.array([[9.0, 0.0, 0.0]], dtype=np.float32),
        np.array([7.5], dtype=np.float32),
        trust=trust,
        classes=CLASSES,
        suspicious=(),
        looks=[look],
    )
    assert found.reasons == (
        "no cells found",
        "too dark: mean brightness 50, at least 100 needed",
        "unlike the training images: distance 7.5, limit 2.0",
    )


@pytest.mark.parametrize("grouped", [True, False])
def test_of_a_new_group_the_distance_refuses_what_it_says(grouped: bool) -> None:
    """Simulated: few groups with effects of their own, and the limit tried on one more."""
    rng = np.random.default_rng(0)
    refused = []
    for _ in range(400):
        effects = rng.normal(0, 0.3, 13)
        logs = effects[:, None] + rng.normal(0, 0.3, (13, 20))
        groups = np.repeat([f"{i:02d}" for i in range(12)], 20)
        limit = distance_limit(np.exp(logs[:12]).ravel().astype(np.float32), groups if grouped else None)
        refused.append(float((np.exp(logs[12]) > limit).mean()))
    if grouped:
        assert 0.2 * FALSE_REFUSALS < np.mean(refused) < FALSE_REFUSALS
    else:  # taken one by one, they promise more than they keep
        assert np.mean(refused) > FALSE_REFUSALS


def test_one_image_is_enough_for_a_limit() -> None:
    assert distance_limit(np.array([2.0], dtype=np.float32)) == pytest.approx(2.0)


def test_what_cannot_be_told_apart_is_said() -> None:
    trust = Trust(temperature=1.0, thresholds=(0.9, 0.9, 0.1), distance_limit=2.0, n_images=10)
    unsure = np.array([[1.0, 1.0, 0.0]], dtype=np.float32)
    answer = judge(unsure, np.zeros(1, dtype=np.float32), trust=trust, classes=CLASSES, suspicious=())[0]
    assert answer.set == ("Benign", "Early")
    assert answer.reasons == ("cannot tell Benign from Early",)


def test_a_set_without_the_likeliest_class_is_no_answer() -> None:
    """Thresholds are a class's own: Benign may pass at 0.4 where Early does not at 0.6."""
    trust = Trust(temperature=1.0, thresholds=(0.7, 0.2, 0.2), distance_limit=2.0, n_images=10)
    logits = np.log(np.array([[0.35, 0.6, 0.05], [0.9, 0.05, 0.05]], dtype=np.float32))
    torn, sure = judge(logits, np.zeros(2, dtype=np.float32), trust=trust, classes=CLASSES, suspicious=())
    assert (torn.label, torn.set, torn.verdict) == ("Early", ("Benign",), "refer")
    assert torn.reasons == ("cannot tell Benign from Early, which is likeliest at 0.60",)
    assert (sure.label, sure.set, sure.verdict) == ("Benign", ("Benign",), "answer")


def test_too_little_certainty_is_said() -> None:
    """Where Benign is excluded already at 0.45, a set of one class is no certainty."""
    trust = Trust(temperature=1.0, thresholds=(0.5, 0.6, 0.2), certainty=0.8, distance_limit=2.0, n_images=10)
    logits = np.log(np.array([[0.45, 0.5, 0.05], [0.1, 0.85, 0.05]], dtype=np.float32))
    torn, sure = judge(logits, np.zeros(2, dtype=np.float32), trust=trust, classes=CLASSES, suspicious=())
    assert (torn.set, torn.verdict) == (("Early",), "refer")
    assert torn.reasons == ("not sure enough: Early at 0.500, at least 0.800 needed",)
    assert (sure.set, sure.verdict) == (("Early",), "answer")


def test_so_many_are_not_sure_enough() -> None:
    logits, labels = sharpened(2000, by=3.0)
    trust = fit_trust(logits, labels, distances=np.ones(2000, dtype=np.float32))
    fresh, _ = sharpened(20_000, by=3.0, seed=1)
    unsure = softmax(fresh, trust.temperature).max(axis=1) < trust.certainty
    assert unsure.mean() == pytest.approx(UNSURE, abs=0.01)


@pytest.mark.parametrize(("images", "smaller"), [(23, None), (24, 0), (48, 0), (49, 1), (74, 2)])
def test_certainty_is_a_rank(images: int, smaller: int | None) -> None:
    """The ⌊(n + 1) · 0.04⌋-th smallest: so many lie below it; with fewer than 24 images nothing can be asked."""
    top = np.linspace(0.5, 0.99, images)
    found = least_certainty(np.stack([1 - top, top], axis=1)[::-1])
    assert found == (0.0 if smaller is None else pytest.approx(top[smaller]))


def test_tensors_come_back() -> None:
    rng = np.random.default_rng(0)
    space = fit_space(rng.normal(size=(40, 5)).astype(np.float32), np.arange(40) % 2, n_classes=2)
    again = Space.from_tensors(space.tensors())
    points = rng.normal(size=(4, 5)).astype(np.float32)
    np.testing.assert_array_equal(space.distances(points), again.distances(points))


def test_a_distance_leaves_no_thread_waiting_for_more() -> None:
    """Threads of BLAS spin after a product; a prediction pays for that with the cores that its network needs."""
    program = """
import time
import numpy as np
from allsight.inference.trust import Space
space = Space(np.ones((1280, 1280), np.float32), np.ones((4, 1280), np.float32))
embedding = np.ones((1, 1280), np.float32)
space.distances(embedding)
time.sleep(0.2)
before = time.process_time()
for _ in range(10):
    space.distances(embedding)
    time.sleep(0.02)
print(time.process_time() - before)
"""
    many = {**os.environ, "OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=many, capture_output=True, text=True, check=True
    )
    assert float(ran.stdout) < 0.1
