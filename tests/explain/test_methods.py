"""Explainers by name with settings from a command line."""

from __future__ import annotations

import pytest

from allsight.core.errors import UnknownNameError, UsageError
from allsight.explain.explainers.integrated_gradients import IntegratedGradients
from allsight.explain.explainers.lime import Lime
from allsight.explain.methods import METHODS, controls, explainers, measures


def test_the_four_come_in_the_order_asked_for() -> None:
    assert list(explainers(METHODS)) == list(METHODS)
    assert list(explainers(["LIME", "grad-cam"])) == ["lime", "grad_cam"]


def test_settings_given_as_text_become_what_the_field_is() -> None:
    settings = {
        "lime": {"samples": "640", "fill": "background"},
        "integrated-gradients": {"tolerance": "0.05"},
    }
    found = explainers(["lime", "integrated_gradients"], settings=settings)
    assert found["lime"] == Lime(samples=640, fill="background")
    assert found["integrated_gradients"] == IntegratedGradients(tolerance=0.05)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"lime": {"sample": "640"}}, "samples"),
        ({"lime": {"samples": "many"}}, "samples"),
        ({"lime": {"fill": "pink"}}, "fill"),
        ({"lime": {"superpixels": "1"}}, "2 superpixels"),
        ({"cam": {}}, "not asked for"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, dict[str, str]], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        explainers(["lime"], settings=settings)
    assert told in str(caught.value)


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="grad_cam"):
        explainers(["gradcam"])


def test_controls_are_the_explainers_that_say_so() -> None:
    found = controls(seed=3)
    assert set(found) == {"centre_blob", "random_control"}
    assert all(c.control for c in found.values())
    assert getattr(found["random_control"], "seed", None) == 3


def test_what_explains_again_comes_last() -> None:
    again = [m.repeats for m in measures().values()]
    assert again == sorted(again)
    assert any(again)
