"""The document: its keys, that it is strict JSON, that it is read back, and that its figures are right."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from allsight.core.errors import DataError, UsageError
from allsight.evaluate.evaluation import Context, Evaluation, Predictions, evaluate_predictions
from allsight.evaluate.metrics.families import OVERALL
from allsight.evaluate.metrics.metric import Floats, Labels

CLASSES = ("Benign", "Early", "Pre", "Pro")
SUSPICIOUS = ("Early", "Pre", "Pro")
DESIGN = {"model", "data", "protocol", "metrics", "per_class", "confusion", "controls", "coverage"}


def softmax(logits: Floats) -> Floats:
    odds = np.exp(logits)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def predictions(n: int = 200, *, skill: float = 3.0, labels: Labels | None = None) -> Predictions:
    rng = np.random.default_rng(1)
    y = rng.integers(4, size=n) if labels is None else labels
    logits = rng.normal(size=(n, 4))
    logits[np.arange(n), y] += skill
    groups = [f"g{i // 5}" for i in range(n)]
    return Predictions([f"{i:04d}.png" for i in range(n)], y, CLASSES, SUSPICIOUS, softmax(logits), groups)


def guesses(n: int = 200) -> Floats:
    return softmax(np.random.default_rng(2).normal(size=(n, 4)))


CONTEXT = Context(model={"name": "lite0"}, data="synthetic:0", protocol={"split": "patient", "seed": 0})


def evaluated(found: Predictions, **settings: Any) -> Evaluation:
    return evaluate_predictions(found, CONTEXT, **({"resamples": 200} | settings))


def test_the_document_has_the_keys_of_the_design() -> None:
    document = evaluated(
        predictions(), controls={"colour": guesses()}, answered=np.arange(200) > 20
    ).to_json()
    assert document.keys() >= DESIGN
    assert document["protocol"].keys() >= {"split", "seed", "n_images", "n_groups"}
    assert (document["protocol"]["n_images"], document["protocol"]["n_groups"]) == (200, 40)
    assert list(document["metrics"]) == list(OVERALL)
    assert all(figure.keys() == {"value", "low", "high"} for figure in document["metrics"].values())
    assert list(document["per_class"]) == list(CLASSES)
    assert all(isinstance(v, float) for of in document["per_class"].values() for v in of.values())
    assert document["controls"]["colour"].keys() >= {"accuracy", "f1_macro", "auc_macro"}
    assert document["coverage"].keys() >= {"answered", "accuracy_answered"}


def test_its_figures_are_those_of_scikit_learn() -> None:
    found = predictions()
    document = evaluated(found, controls={"colour": guesses()}).to_json()
    named = found.probabilities.argmax(axis=1)
    for name, expected in {
        "accuracy": accuracy_score(found.labels, named),
        "f1_macro": f1_score(found.labels, named, average="macro"),
        "auc_macro": roc_auc_score(found.labels, found.probabilities, multi_class="ovr"),
    }.items():
        figure = document["metrics"][name]
        assert figure["value"] == pytest.approx(expected)
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert np.sum(document["confusion"]) == 200
    assert np.trace(document["confusion"]) == (named == found.labels).sum()
    assert document["controls"]["colour"]["accuracy"] == accuracy_score(
        found.labels, guesses().argmax(axis=1)
    )
    assert document["suspicion"]["metrics"]["auc"]["value"] == pytest.approx(
        roc_auc_score(found.labels > 0, 1 - found.probabilities[:, 0])
    )


def test_it_is_read_back_as_it_was() -> None:
    evaluation = evaluated(predictions(), controls={"colour": guesses()}, answered=np.arange(200) > 20)
    text = json.dumps(evaluation.to_json(), allow_nan=False)
    assert Evaluation.from_json(json.loads(text)) == evaluation


def test_what_the_caller_adds_is_made_strict_too() -> None:
    context = Context(
        model={"penalty": float("nan")},
        data="d",
        protocol={"split": "field", "seed": 0},
        provenance={"at": np.inf},
    )
    document = evaluate_predictions(predictions(10), context, resamples=10).to_json()
    assert document["model"] == {"penalty": None}
    assert document["provenance"] == {"at": None}


def test_keys_of_a_later_version_are_passed_over() -> None:
    evaluation = evaluated(predictions())
    assert Evaluation.from_json(evaluation.to_json() | {"fairness": {}}) == evaluation


@pytest.mark.parametrize(
    ("labels", "group"),
    [(np.zeros(20, dtype=np.intp), "g0"), (np.zeros(20, dtype=np.intp), None), (np.arange(20) % 3, "g0")],
)
def test_what_is_undefined_is_null_and_the_document_strict(labels: Labels, group: str | None) -> None:
    found = predictions(20, labels=labels)
    groups = [group] * 20 if group else found.groups
    found = Predictions(found.names, labels, CLASSES, SUSPICIOUS, found.probabilities, groups)
    evaluation = evaluated(found, controls={"colour": guesses(20)}, answered=np.zeros(20, dtype=bool))
    text = json.dumps(evaluation.to_json(), allow_nan=False)
    assert Evaluation.from_json(json.loads(text)) == evaluation
    assert evaluation.coverage.answered == 0.0
    assert evaluation.coverage.accuracy_answered is None
    assert evaluation.per_class["Pro"]["recall"] is None
    assert any("No image is of class Pro" in remark for remark in evaluation.remarks)
    if group:
        assert not evaluation.controls["colour"].model_clearly_better
        assert any("no interval" in remark for remark in evaluation.remarks)


def test_a_model_beats_guessing_clearly_and_itself_not() -> None:
    found = predictions()
    evaluation = evaluated(found, controls={"guess": guesses(), "itself": found.probabilities})
    assert evaluation.controls["guess"].model_clearly_better
    itself = evaluation.controls["itself"]
    assert not itself.model_clearly_better
    assert all((d.value, d.low, d.high) == (0, 0, 0) for d in itself.difference.values())
    assert itself.accuracy == evaluation.metrics["accuracy"].value
    assert itself.intervals["accuracy"].low == evaluation.metrics["accuracy"].low
    assert [r for r in evaluation.remarks if "clearly beat" in r] == [
        "The model does not clearly beat the control 'itself', which sees no cells."
    ]


def test_coverage_counts_what_is_answered_and_right() -> None:
    probabilities = np.eye(2)[[0, 1, 1, 1]]  # the first three right, the last wrong
    found = Predictions(
        ["a", "b", "c", "d"], np.array([0, 1, 1, 0]), ("HEM", "ALL"), ("ALL",), probabilities, list("abcd")
    )
    coverage = evaluated(found, answered=np.array([True, False, True, True])).coverage
    assert (coverage.answered, coverage.accuracy_answered, coverage.n_answered) == (0.75, 2 / 3, 3)
    assert evaluated(found).coverage.answered is None


def test_the_hardest_images_come_first_and_say_where_their_pictures_belong() -> None:
    found = predictions()
    own = found.probabilities[np.arange(200), found.labels]
    hardest = evaluated(found, hardest=7).hardest
    assert [h.probability_of_label for h in hardest] == sorted(own)[:7]
    assert [h.image for h in hardest][:2] == ["hardest/01.png", "hardest/02.png"]
    for h in hardest:
        i = list(found.names).index(h.name)
        assert h.label == CLASSES[found.labels[i]]
        assert (
            h.probability
            == found.probabilities[i, CLASSES.index(h.prediction)]
            == found.probabilities[i].max()
        )


def test_curves_are_small_and_there_is_none_without_two_sides() -> None:
    evaluation = evaluated(predictions(3000, skill=1.0), resamples=20)
    every = [*evaluation.roc.classes.values(), *evaluation.pr.classes.values(), evaluation.roc.suspicion]
    assert len(every) == 9
    assert all(curve is not None and len(curve.x) == len(curve.y) <= 200 for curve in every)
    only_benign = evaluated(predictions(20, labels=np.zeros(20, dtype=np.intp)))
    assert only_benign.roc.classes == {}
    assert list(only_benign.pr.classes) == ["Benign"]


def test_without_two_kinds_of_classes_there_is_no_suspicion() -> None:
    found = predictions()
    for suspicious in ((), CLASSES):
        other = Predictions(found.names, found.labels, CLASSES, suspicious, found.probabilities, found.groups)
        evaluation = evaluated(other, resamples=10)
        assert evaluation.suspicion is None
        assert evaluation.roc.suspicion is None


def test_the_bins_of_reliability_hold_every_image() -> None:
    bins = evaluated(predictions()).reliability
    assert len(bins) == 15
    assert sum(b.n_images for b in bins) == 200
    for b in bins:
        assert (b.confidence is None) == (b.n_images == 0)
        assert b.confidence is None or b.low < b.confidence <= b.high


@pytest.mark.parametrize("part", ["train", "validation"])
def test_figures_on_images_the_model_was_made_with_are_named_as_such(part: str) -> None:
    context = Context(model="m", data="d", protocol={"split": "field", "seed": 0, "part": part})
    remarks = evaluate_predictions(predictions(50), context, resamples=10).remarks
    assert any("say nothing about new ones" in remark for remark in remarks)
    assert not any("new ones" in remark for remark in evaluated(predictions(50), resamples=10).remarks)


def test_a_random_split_and_few_groups_are_remarked_on() -> None:
    context = Context(model="m", data="d", protocol={"split": "random", "seed": 3})
    remarks = " ".join(evaluate_predictions(predictions(50), context, resamples=10).remarks)
    assert "divided at random" in remarks
    assert "only 10 groups" in remarks
    assert "No control was measured" in remarks


def test_patients_are_judged_by_the_mean_of_their_images() -> None:
    labels = np.repeat(np.random.default_rng(0).integers(4, size=40), 5)  # one class a patient
    found = predictions(labels=labels, skill=1.5)
    by_patient = evaluated(found).by_patient
    assert by_patient is not None
    assert by_patient.n_patients == 40
    mean = found.probabilities.reshape(40, 5, 4).mean(axis=1)
    right = mean.argmax(axis=1) == labels[::5]
    assert by_patient.metrics["accuracy"].value == pytest.approx(right.mean())
    assert (
        right.mean() > (found.probabilities.argmax(axis=1) == labels).mean()
    )  # five views see more than one
    assert by_patient.metrics["accuracy"].low is not None


def test_patients_of_several_classes_and_other_splits_have_no_such_figures() -> None:
    assert evaluated(predictions()).by_patient is None
    labels = np.repeat(np.random.default_rng(0).integers(4, size=40), 5)
    context = Context(model="m", data="d", protocol={"split": "field", "seed": 0})
    assert evaluate_predictions(predictions(labels=labels), context, resamples=10).by_patient is None


def test_progress_runs_from_nothing_to_all() -> None:
    heard: list[tuple[int, int]] = []
    evaluated(predictions(), progress=lambda _, done, total: heard.append((done, total)))
    assert heard[0][0] == 0
    assert heard[-1][0] == heard[-1][1]
    assert heard == sorted(heard)


def changed(**changes: Any) -> dict[str, Any]:
    found = predictions(10)
    fields = {name: getattr(found, name) for name in Predictions.__slots__}
    return fields | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": (), "labels": np.empty(0, dtype=np.intp)}, "no labelled image"),
        ({"labels": np.zeros(9, dtype=np.intp)}, "9 labels"),
        ({"groups": ["g"] * 11}, "11 groups"),
        ({"labels": np.full(10, 4)}, "0 … 3"),
        ({"suspicious": ("early",)}, "early"),
        ({"probabilities": np.zeros((10, 3))}, r"\(10, 4\)"),
        ({"probabilities": np.full((10, 4), 2.5)}, "softmax"),
        ({"probabilities": np.full((10, 4), np.nan)}, "finite"),
        ({"probabilities": np.full((10, 4), 0.2)}, "sum 1"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Predictions(**changed(**changes))


def test_a_protocol_without_a_split_and_a_control_of_other_images_are_refused() -> None:
    with pytest.raises(UsageError, match="split"):
        evaluate_predictions(predictions(10), Context(model="m", data="d", protocol={"seed": 0}))
    with pytest.raises(UsageError, match=r"\(10, 4\)"):
        evaluated(predictions(10), controls={"colour": guesses(11)})
    with pytest.raises(UsageError, match="one per image"):
        evaluated(predictions(10), answered=np.ones(11, dtype=bool))


@pytest.mark.parametrize(
    ("key", "inner"),
    [("metrics", "ece"), ("protocol", "n_groups"), ("per_class", "Pre"), ("per_class_intervals", "Pro")],
)
def test_a_document_that_lacks_a_figure_is_refused(key: str, inner: str) -> None:
    document = evaluated(predictions(10), resamples=10).to_json()
    del document[key][inner]
    with pytest.raises(DataError, match=inner):
        Evaluation.from_json(document)


@pytest.mark.parametrize("spoil", ["metrics", "confusion", "roc"])
def test_another_document_is_refused_by_name_of_the_key(spoil: str) -> None:
    document = evaluated(predictions(10), resamples=10).to_json()
    with pytest.raises(DataError, match=spoil):
        Evaluation.from_json(document | {spoil: "nothing"})
    del document[spoil]
    with pytest.raises(DataError, match="allsight evaluate"):
        Evaluation.from_json(document)


def test_a_confusion_matrix_of_other_classes_is_refused() -> None:
    document = evaluated(predictions(10), resamples=10).to_json()
    with pytest.raises(DataError, match="4 × 4"):
        Evaluation.from_json(document | {"confusion": [[1, 2], [3, 4]]})
