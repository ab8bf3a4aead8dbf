"""The files of a run: what `evaluate` leaves in a folder, and how they are read again."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from allsight.core.errors import DataError
from allsight.core.files import whole_file, write_json
from allsight.evaluate.document import Evaluation
from allsight.evaluate.predictions import Predictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample
    from allsight.inference.trust import Judgement

EVALUATION_FILE, PREDICTIONS_FILE, CONTROLS_FILE = "evaluation.json", "predictions.csv", "controls.csv"
_COLUMNS = ("name", "group", "label", "class", "prediction")


def write_run(
    run: Path,
    evaluation: Evaluation,
    dataset: Dataset,
    samples: Sequence[Sample],
    *,
    answers: Mapping[str, Judgement],
    predictions: Predictions,
    controls: Mapping[str, NDArray[np.float64]],
) -> None:
    """Write everything of one evaluation; `evaluation.json` comes last, so that a folder with it is complete.

    Args:
        run: the folder.
        evaluation: the figures.
        dataset: reads the hardest images, whose pictures are kept.
        samples: the images the model was asked about.
        answers: its answers, by sample name.
        predictions: the same as probabilities, in the order of the samples.
        controls: probabilities (n, C) by control.
    """
    from PIL import Image

    by_name = {s.name: s for s in samples}
    for hard in evaluation.hardest:
        with whole_file(run / hard.image) as part:
            Image.fromarray(dataset.read(by_name[hard.name])).save(part, format="PNG")
    classes = tuple(predictions.classes)
    probabilities = [f"p_{c}" for c in classes]
    rows = []
    for i, s in enumerate(samples):
        a, of_class = answers[s.name], classes[predictions.labels[i]]
        told = f"{a.suspicion:.6f}", "|".join(a.set), a.verdict, "; ".join(a.reasons)
        named = s.name, predictions.groups[i], s.label, of_class, a.label
        rows.append((*named, *_digits(predictions.probabilities[i]), *told))
    _write(
        run / PREDICTIONS_FILE, (*_COLUMNS, *probabilities, "suspicion", "set", "verdict", "reasons"), rows
    )
    asked = (
        (s.name, control, *_digits(p))
        for control, of in controls.items()
        for s, p in zip(samples, of, strict=True)
    )
    _write(run / CONTROLS_FILE, ("name", "control", *probabilities), asked)
    write_json(run / EVALUATION_FILE, evaluation.to_json())


def _digits(probabilities: NDArray[np.float64]) -> list[str]:
    return [f"{p:.6f}" for p in probabilities]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_predictions(
    runs: Sequence[Path], *, classes: Sequence[str], suspicious: Sequence[str]
) -> tuple[Predictions, dict[str, NDArray[np.float64]]]:
    """What a model and the controls said in several runs, one after the other, as if it were one.

    Args:
        runs: folders that `write_run` filled.
        classes: between which answers were told apart.
        suspicious: those of them that mean leukemia.

    Raises:
        DataError: a file is missing or damaged.
    """
    place = {c: i for i, c in enumerate(classes)}
    try:
        rows = [row for run in runs for row in _read(run / PREDICTIONS_FILE)]
        asked: dict[str, list[list[float]]] = {}
        for run in runs:
            for row in _read(run / CONTROLS_FILE):
                asked.setdefault(row["control"], []).append(_probabilities(row, classes))
        predictions = Predictions(
            names=[row["name"] for row in rows],
            labels=np.array([place[row["class"]] for row in rows], dtype=np.int64),
            classes=tuple(classes),
            suspicious=tuple(suspicious),
            probabilities=np.array([_probabilities(row, classes) for row in rows]),
            groups=[row["group"] for row in rows],
        )
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise DataError(
            f"A run of this study is damaged: {error}.", hint="Remove its folder and run the study again."
        ) from error
    return predictions, {
        control: np.array(found) for control, found in asked.items() if len(found) == len(rows)
    }


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _probabilities(row: Mapping[str, str], classes: Sequence[str]) -> list[float]:
    """Normalised again, as six digits are not."""
    p = np.array([float(row[f"p_{c}"]) for c in classes])
    return [float(v) for v in p / p.sum()]
