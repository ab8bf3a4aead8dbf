"""How much of a map lies on the scale bar, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allsight.core.records import Box
from allsight.explain.quality.mass_in_overlay import MassInOverlay
from allsight.inference.runtimes.pytorch import PyTorch
from tests.explain.models import classifier_of, fields
from tests.explain.quality.cases import case_of

BAR = Box(0.75, 0.75, 1.0, 1.0)


def test_the_share_of_what_speaks_for_the_class() -> None:
    heatmap = np.zeros((64, 64), np.float32)
    heatmap[50, 50], heatmap[60, 63], heatmap[2, 2], heatmap[3, 3] = 1.0, 2.0, 3.0, -9.0
    runtime = PyTorch(classifier_of("tiny", size=64))
    case = case_of(runtime, fields(1, 64)[0], heatmap=heatmap)
    assert MassInOverlay().score(case) is None
    assert MassInOverlay().score(replace(case, overlay=BAR)) == pytest.approx(0.5)
    nothing = replace(case, overlay=BAR, heatmap=-np.abs(heatmap))
    assert MassInOverlay().score(nothing) is None
