"""The four meanings of "nothing here"."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from allsight.core.errors import UsageError
from allsight.explain.baselines import BASELINES, Baseline, baseline_of
from tests.explain.models import fields


@pytest.mark.parametrize("kind", BASELINES)
def test_is_an_image_in_pixel_values(kind: Baseline) -> None:
    image = fields(1, 40, width=56)[0]
    before = image.copy()
    baseline = baseline_of(image, kind)
    assert baseline.shape == image.shape
    assert baseline.dtype == np.float32
    assert baseline.flags.writeable
    assert 0 <= baseline.min() <= baseline.max() <= 255
    np.testing.assert_array_equal(image, before)


def test_uniform_baselines() -> None:
    image = fields(1, 64)[0]
    assert (baseline_of(image, "white_field") == 255).all()
    assert (baseline_of(image, "black") == 0).all()
    np.testing.assert_allclose(baseline_of(image, "background")[0, 0], (235, 235, 235), atol=8)


def test_blurring_leaves_no_spot() -> None:
    image = fields(1, 64)[0]
    blurred = baseline_of(image, "blurred")
    np.testing.assert_allclose(blurred, cv2.GaussianBlur(image.astype(np.float32), (0, 0), 6.4), atol=1e-3)
    assert np.ptp(blurred) < 0.7 * np.ptp(image)


def test_an_unknown_baseline_is_refused() -> None:
    with pytest.raises(UsageError, match="white_field"):
        baseline_of(fields(1, 16)[0], "grey")  # type: ignore[arg-type]
