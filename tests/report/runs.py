"""Runs on disk for the tests of pages."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from allsight.core.files import write_json
from allsight.evaluate.evaluation import Context, Evaluation, Predictions, evaluate_predictions

CLASSES = ("Benign", "Early", "Pre", "Pro")
HOSTILE = ('<script>alert("1")</script>', "T-ALL $x^2$ & 'quoted'", '"><img src=x onerror=alert(2)>')


def evaluation_of(
    classes: tuple[str, ...] = CLASSES,
    *,
    n: int = 120,
    names: str = "field-{:03d}.png",
    groups: int = 30,
    bare: bool = False,
    model: object = "lite0",
    resamples: int = 60,
) -> Evaluation:
    """An evaluation of made-up predictions; `bare` leaves out all that may be left out."""
    rng = np.random.default_rng(4)
    size = len(classes)
    labels = np.arange(n) % size
    logits = rng.normal(size=(n, size))
    guesses = np.exp(rng.normal(size=(n, size)))
    logits[np.arange(n), labels] += 2.5
    odds = np.exp(logits)
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    found = Predictions(
        names=[names.format(i) for i in range(n)],
        labels=labels,
        classes=classes,
        suspicious=() if bare else classes[1:],
        probabilities=probabilities,
        groups=[f"g{i % groups}" for i in range(n)],
    )
    context = Context(
        model=model,
        data={"source": "synthetic:0", "n_images": n},
        protocol={"split": "patient", "seed": 0, "part": "test", "folds": 5, "fold": 0},
        caution="" if bare else "Generated smears, not patients.",
        provenance={}
        if bare
        else {"command": "allsight evaluate B synthetic:0", "versions": {"python": "3"}},
    )
    return evaluate_predictions(
        found,
        context,
        controls=None if bare else {"colour_statistics": guesses / guesses.sum(axis=1, keepdims=True)},
        answered=None if bare else probabilities.max(axis=1) > 0.6,
        hardest=0 if bare else 6,
        resamples=resamples,
    )


def write_run(folder: Path, evaluation: Evaluation, *, extras: bool = True) -> Path:
    """evaluation.json and, if asked, everything else that a run may hold; the sixth picture is missing."""
    write_json(folder / "evaluation.json", evaluation.to_json())
    if not extras:
        return folder
    from PIL import Image

    (folder / "hardest").mkdir(parents=True, exist_ok=True)
    for hard in evaluation.hardest[:5]:
        pixels = np.random.default_rng(1).integers(0, 255, size=(300, 300, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / hard.image)
    write_json(
        folder / "audit.json",
        {
            "data": "synthetic:0",
            "n_images": 640,
            "classes": dict.fromkeys(evaluation.classes, 160),
            "exact_duplicates": [["a.png", "b.png"], ["c.png", "d.png", "e.png"]],
            "groups": {"n_groups": 40, "n_repeats": 3, "largest": 4, "crossing_classes": 0},
            "leaks": [{"group": "patient 11", "parts": ["train", "test"]}],
            "shortcuts": {"corner": {"accuracy": 0.5125, "f1_macro": 0.4871}},
        },
    )
    with (folder / "training.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "train_loss", "validation_loss", "validation_f1_macro", "note"])
        writer.writerows([[1, 1.2, 1.1, 0.4, "warm-up"], [2, 0.8, "", 0.6, ""], [3, 0.5, 0.7, 0.7, ""]])
    return folder
