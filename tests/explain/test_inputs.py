"""Checks, and maps brought onto pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from allsight.core.errors import UsageError
from allsight.explain.inputs import batches, check_inputs, check_targets, on_pixels

IMAGES = np.zeros((2, 8, 9, 3), dtype=np.uint8)
TARGETS = np.zeros(2, dtype=np.int64)


def test_good_arrays_pass() -> None:
    check_inputs(IMAGES, TARGETS)
    check_targets(TARGETS, n_classes=1)


@pytest.mark.parametrize(
    ("images", "targets"),
    [
        (IMAGES[0], TARGETS),
        (IMAGES[..., :1], TARGETS),
        (IMAGES.astype(np.float32), TARGETS),
        (IMAGES[:0], TARGETS[:0]),
        (IMAGES, TARGETS[:1]),
        (IMAGES, TARGETS.astype(np.float64)),
    ],
)
def test_others_are_named(images: np.ndarray, targets: np.ndarray) -> None:
    with pytest.raises(UsageError, match="must be"):
        check_inputs(images, targets)


@pytest.mark.parametrize("target", [-1, 4])
def test_a_class_the_model_does_not_have(target: int) -> None:
    with pytest.raises(UsageError, match=f"0 to 3, the target {target}"):
        check_targets(np.array([0, target]), n_classes=4)


def test_batches_cover_everything_once() -> None:
    for n, pixels in ((1, 1), (17, 50_000), (5, 100_000_000)):
        parts = list(batches(n, pixels=pixels))
        assert [i for s in parts for i in range(s.start, s.stop)] == list(range(n))


def test_enlarging_is_pytorchs() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 7, 5)).astype(np.float32)
    expected = F.interpolate(torch.from_numpy(maps)[:, None], (50, 61), mode="bilinear", align_corners=False)[
        :, 0
    ]
    np.testing.assert_allclose(on_pixels(maps, height=50, width=61), expected, atol=1e-5)
