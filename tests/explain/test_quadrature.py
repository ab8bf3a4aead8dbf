"""Quadrature rules against SciPy, NumPy and integrals known by heart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import simpson as scipy_simpson

from allsight.core.errors import UsageError
from allsight.explain.quadrature import (
    FIRST_PANELS,
    RULES,
    Node,
    Panel,
    Rule,
    fixed_rule,
    nodes_of,
    panel_errors,
    simpson,
    split_worst,
)
from tests.explain.models import judge

NOTHING = np.zeros((1, 1), dtype=np.float32)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("steps", [2, 7, 50])
def test_rules_are_captums(rule: Rule, steps: int) -> None:
    weights, positions = judge("captum.attr._utils.approximation_methods").approximation_parameters(rule)
    ours = fixed_rule(rule, steps)
    np.testing.assert_allclose(ours[0], positions(steps), atol=1e-6)
    np.testing.assert_allclose(ours[1], weights(steps), atol=1e-12)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(UsageError, match="gausslegendre"):
        fixed_rule("boole", 3)  # type: ignore[arg-type]


def test_simpson_weights_are_scipys() -> None:
    positions = nodes_of(FIRST_PANELS)
    values = np.sin(3 * np.array(positions)) + np.array(positions) ** 5
    weights = simpson(FIRST_PANELS)
    ours = sum(weights[p] * v for p, v in zip(positions, values, strict=True))
    panels = [
        scipy_simpson(values[i : i + 3], x=positions[i : i + 3]) for i in range(0, len(positions) - 1, 2)
    ]
    assert ours == pytest.approx(sum(panels), rel=1e-12)
    assert sum(weights.values()) == pytest.approx(1, abs=1e-12)


def test_panels_cover_the_path_once() -> None:
    panels: tuple[Panel, ...] = FIRST_PANELS
    for _ in range(5):
        assert panels[0][0] == 0
        assert panels[-1][1] == 1
        assert all(left[1] == right[0] for left, right in pairwise(panels))
        panels = split_worst(panels, np.array([b - a for a, b in panels]), most=2)
    assert len(panels) == len(FIRST_PANELS) + 10


def test_panels_gather_where_the_function_turns() -> None:
    """A step of width 1 / 500 at 1 / 3: equal steps would need hundreds."""

    def value(x: float) -> float:
        return float(np.tanh((x - 1 / 3) * 500))

    def slope(x: float) -> float:
        return float(500 / np.cosh((x - 1 / 3) * 500) ** 2)

    panels: tuple[Panel, ...] = FIRST_PANELS
    for _ in range(20):
        nodes = {x: Node(value(x), slope(x), NOTHING) for x in nodes_of(panels)}
        errors = panel_errors(panels, nodes)
        panels = split_worst(panels, errors, most=1)
    narrow = [b - a for a, b in panels if a <= 1 / 3 <= b]
    assert min(narrow) <= 1 / 500
    assert max(abs(errors)) < 0.02
    assert len(nodes_of(panels)) < 60
    assert sum(errors) == pytest.approx(
        sum(w * slope(x) for x, w in simpson(panels).items()) - (value(1) - value(0)), abs=0.02
    )
