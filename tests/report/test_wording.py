"""Figures in words: nothing is rounded to perfection, and no sentence says more than the record."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from allsight.evaluate.document import Evaluation, Interval
from allsight.report.wording import (
    PERCENT,
    controls_in_words,
    figure,
    interval,
    name_of,
    sample,
    split_in_words,
)

from .runs import evaluation_of

EVALUATION = evaluation_of(n=24, groups=6, resamples=20)


def changed(**protocol: object) -> Evaluation:
    return dataclasses.replace(EVALUATION, protocol={**EVALUATION.protocol, **protocol})


@given(st.floats(0.00001, 0.99999))
def test_only_what_is_1_or_0_is_printed_as_such(value: float) -> None:
    for name in ("accuracy", "auc_macro"):
        printed = float(figure(value, name).removesuffix(PERCENT)) / (100 if name == "accuracy" else 1)
        assert 0 < printed < 1
        assert abs(printed - value) <= 0.00051


def test_ends_are_printed_plainly() -> None:
    assert figure(1.0, "accuracy") == f"100.0{PERCENT}"
    assert figure(0.0, "auc_macro") == "0.000"
    assert interval(Interval(None, 0.5), "accuracy") == ""


def test_images_and_groups_are_called_what_they_are() -> None:
    assert sample(changed()) == "24 images of 6 patients"
    assert sample(changed(split="field", n_groups=1)) == "24 images in 1 run of fields"
    assert sample(changed(split="random", n_groups=24)) == "24 images, each a group of its own"
    assert sample(changed(split="whatever", n_images=1500)) == "1,500 images in 6 groups"


def test_the_protocol_is_said_as_far_as_it_is_known() -> None:
    assert split_in_words(changed()) == "split by patient, seed 0, fold 0 of 0 to 4, part “test”"
    assert split_in_words(changed(split="random", fold=None, part="")) == "split at random, seed 0"


def test_a_model_that_beats_no_control_is_said_to() -> None:
    control = EVALUATION.controls["colour_statistics"]
    beaten = dataclasses.replace(control, model_clearly_better=True, f1_macro=0.4)
    unbeaten = dataclasses.replace(control, model_clearly_better=False)
    both = dataclasses.replace(EVALUATION, controls={"corner": beaten, "back_ground": unbeaten})
    assert "does not clearly beat" in controls_in_words(both)
    assert "(back ground)" in controls_in_words(both)
    won = dataclasses.replace(EVALUATION, controls={"corner": beaten, "colour": beaten})
    assert controls_in_words(won).startswith("It clearly beats all 2 controls that see no cells")
    assert "0.400" in controls_in_words(won)
    assert controls_in_words(dataclasses.replace(EVALUATION, controls={})) == ""


def test_a_name_is_found_in_a_record_or_is_the_record() -> None:
    assert name_of({"backbone": "b", "name": "n"}) == "n"
    assert name_of("synthetic:0") == "synthetic:0"
    assert name_of({}) == "unnamed"
