"""The table of kinds: drawn cells follow it, and no diagnostic class has a dye of its own."""

from __future__ import annotations

import numpy as np
import pytest

from allsight.data.smears.morphology import BYSTANDERS, DIAGNOSTIC, draw_traits, kind_for
from allsight.data.smears.recipe import CLASSES

AVERAGE = (0.0, 0.0, 0.0, 0.0, 0.0)


def test_every_class_has_a_kind_and_all_have_the_same_dyes() -> None:
    assert tuple(DIAGNOSTIC) == CLASSES
    assert not set(DIAGNOSTIC) & set(BYSTANDERS)
    assert (
        len({(kind.chromatin, kind.cytoplasm, kind.eosin, kind.lobes) for kind in DIAGNOSTIC.values()}) == 1
    )


@pytest.mark.parametrize("name", CLASSES)
def test_cells_follow_their_kind(name: str) -> None:
    rng, kind = np.random.default_rng(0), DIAGNOSTIC[name]
    cells = [draw_traits(name, build=AVERAGE, rng=rng) for _ in range(1500)]
    assert np.mean([c.diameter for c in cells]) == pytest.approx(kind.diameter[0], rel=0.01)
    assert np.std([c.diameter for c in cells]) == pytest.approx(kind.diameter[1], rel=0.1)
    assert np.mean([c.share for c in cells]) == pytest.approx(kind.share[0], rel=0.02)
    assert np.mean([c.cleft for c in cells]) == pytest.approx(kind.cleft, abs=0.04)
    counts = np.bincount([c.nucleoli for c in cells], minlength=4) / len(cells)
    np.testing.assert_allclose(counts, kind.nucleoli, atol=0.04)


def test_a_patients_build_shifts_all_cells() -> None:
    def mean_diameter(build: float) -> float:
        rng = np.random.default_rng(0)
        cells = [draw_traits("Pro", build=(build, 0, 0, 0, 0), rng=rng) for _ in range(300)]
        return float(np.mean([c.diameter for c in cells]))

    assert mean_diameter(-1) < mean_diameter(0) < mean_diameter(1)


def test_without_morphology_cells_are_of_any_class() -> None:
    rng = np.random.default_rng(0)
    assert {kind_for("Pro", morphology="full", rng=rng) for _ in range(20)} == {"Pro"}
    drawn = [kind_for("Pro", morphology="none", rng=rng) for _ in range(800)]
    assert [drawn.count(name) / 800 for name in CLASSES] == pytest.approx([0.25] * 4, abs=0.05)
