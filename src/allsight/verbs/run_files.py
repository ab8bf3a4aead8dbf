"""The files of a run: what `evaluate` leaves in a folder, and how they are read again."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from allsight.core.errors import DataError, UsageError
from allsight.core.files import whole_file, write_json
from allsight.core.records import TEST
from allsight.evaluate.document import Evaluation
from allsight.evaluate.predictions import Predictions
from allsight.report.page import PAGE_FILE
from allsight.report.run import AUDIT_FILE
from allsight.verbs import explained_files
from allsight.verbs.unseen import ALL_UNSEEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample
    from allsight.inference.trust import Judgement

EVALUATION_FILE, PREDICTIONS_FILE, CONTROLS_FILE = "evaluation.json", "predictions.csv", "controls.csv"
_COLUMNS = ("name", "group", "label", "class", "prediction")
_HARDEST = "hardest"  # folder of pictures, as an evaluation names them


@dataclass(frozen=True, slots=True)
class _Held:
    """Of what a folder holds an evaluation; `digest` is None where one written before there were digests."""

    name: str
    digest: str | None
    data: str
    part: str


def check_run(run: Path, *, name: str, digest: str, data: str, part: str) -> None:
    """See that a folder holds no evaluation, or one that may be replaced: of the same model on the same part of DATA.

    Args:
        run: the folder.
        name: of the model.
        digest: of its weights.
        data: the DATA.
        part: of it, as in `evaluate`.

    Raises:
        UsageError: it holds another.
    """
    if not (run / EVALUATION_FILE).is_file():
        return
    held = _held(run)
    if held is None:
        what = f"an {EVALUATION_FILE} that cannot be read"
    elif held == _Held(name, held.digest and digest, data, part):
        return
    else:
        another = "another model called " if held.name == name and held.digest not in (None, digest) else ""
        what = f"the evaluation of {another}{held.name!r} on {held.data}, part {held.part!r}"
    raise UsageError(
        f"{str(run)!r} holds {what}.", hint="Choose another --out, or add --overwrite to replace it."
    )


def _held(run: Path) -> _Held | None:
    """None where there is no evaluation that can be read."""
    try:
        found = Evaluation.from_json(json.loads((run / EVALUATION_FILE).read_text(encoding="utf-8")))
        part = found.protocol["part"]
        return _Held(
            name=found.model["name"],
            digest=found.model.get("sha256"),
            data=found.data["source"],
            part=TEST if part == ALL_UNSEEN else part,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError):
        return None


def _clear(run: Path, *, data: str) -> None:
    """Remove an earlier evaluation, `evaluation.json` last, and what was made of it; whatever else lies there stays.

    An audit tells of the data alone, so it stays where that is the same.
    """
    if not (run / EVALUATION_FILE).is_file():
        return
    held = _held(run)
    explained_files.clear(run / explained_files.FOLDER)
    files = [run / name for name in (PAGE_FILE, PREDICTIONS_FILE, CONTROLS_FILE)]
    files += (run / _HARDEST).glob("[0-9][0-9].png")
    if held is None or held.data != data:
        files.append(run / AUDIT_FILE)
    for file in (*files, run / EVALUATION_FILE):
        file.unlink(missing_ok=True)
    for name in (explained_files.FOLDER, _HARDEST):
        explained_files.remove_if_empty(run / name)


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

    An earlier evaluation in the folder is removed first, with the report and the explanations made of it.

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

    _clear(run, data=evaluation.data["source"])
    by_name = {s.name: s for s in samples}
    for hard in evaluation.hardest:
        with whole_file(run / hard.image) as part:
            Image.fromarray(dataset.read(by_name[hard.name])).save(part, format="PNG")
    classes = tuple(predictions.classes)
    probabilities = [f"p_{c}" for c in classes]
    rows = []
    for i, s in enumerate(samples):
        a, of_class = answers[s.name], classes[predictions.labels[i]]
        suspicion = "" if a.suspicion is None else f"{a.suspicion:.6f}"
        told = suspicion, "|".join(a.set), a.verdict, "; ".join(a.reasons)
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
