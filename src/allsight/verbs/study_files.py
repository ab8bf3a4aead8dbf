"""The folder of a study: trained models and their tests, read together into one table, and the table's files."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Any

from allsight.core.errors import UsageError
from allsight.core.files import whole_file, write_json, write_text
from allsight.core.provenance import commit, machine, versions
from allsight.evaluate.claims import claims_on
from allsight.evaluate.document import Evaluation
from allsight.evaluate.study import Elsewhere, Missing, Study, Tested, row_of, versus
from allsight.models.bundle import CARD_FILE, BundleConfig, count_parameters, read_config, write_config
from allsight.models.card import model_card
from allsight.report.study import csv_rows, in_words, study_page, tables
from allsight.verbs.run_files import EVALUATION_FILE, read_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from allsight.core.contracts import Dataset

JSON_FILE, CSV_FILE, TABLES_FILE, PAGE_FILE = "study.json", "study.csv", "study.md", "study.html"
BUNDLES, RUNS, ELSEWHERE = "bundles", "runs", "elsewhere"
_EVALUATIONS = f"*/{EVALUATION_FILE}"  # a folder without one was not finished


def gathered(
    folder: Path,
    data: str,
    dataset: Dataset,
    *,
    bundles: Sequence[Path],
    times: dict[str, dict[str, float]],
    missing: Sequence[Missing],
    resamples: int,
) -> Study:
    """The table of everything in the study's folder.

    Args:
        folder: of the study.
        data: the DATA.
        dataset: the same, opened.
        bundles: models that lie elsewhere.
        times: as `times_of` gives them.
        missing: what could not be trained or tested.
        resamples: of the bootstrap.

    Raises:
        DataError: a run in the folder is damaged.
    """
    places = {place.name: place for place in sorted((folder / BUNDLES).glob("*"))}
    places |= {read_config(b).name: b for b in bundles}
    tested: dict[str, list[Tested]] = {}
    others: list[Elsewhere] = []
    for run in sorted(file.parent for file in (folder / RUNS).glob(_EVALUATIONS)):
        if run.name not in places:
            continue
        one = _tested(places[run.name], run)
        tested.setdefault(one.row, []).append(one)
        others += [
            _elsewhere(one, at.parent) for at in sorted((folder / ELSEWHERE / run.name).glob(_EVALUATIONS))
        ]
    rows = [row_of(models, resamples=resamples) for models in tested.values()]
    rows.sort(
        key=lambda row: (_place(row.split, dataset), -(row.metrics[dataset.ranking].value or 0.0), row.name)
    )
    comparisons = []
    for split in dict.fromkeys(row.split for row in rows):
        best, *rest = [row for row in rows if row.split == split]
        pairs = (versus(tested[best.name], tested[row.name], resamples=resamples) for row in rest)
        comparisons += [pair for pair in pairs if pair is not None]
    return Study(
        data=data,
        ranking=dataset.ranking,
        caution=dataset.caution,
        rows=tuple(rows),
        comparisons=tuple(comparisons),
        elsewhere=tuple(others),
        claims=claims_on(data),
        times=times,
        missing=tuple(missing),
        provenance={"versions": dict(versions()), "commit": commit(), "machine": machine()},
    )


def _place(split: str, dataset: Dataset) -> int:
    return dataset.units.index(split) if split in dataset.units else len(dataset.units)


def _tested(place: Path, run: Path) -> Tested:
    """A model and its test. An evaluation says how many parameters it is of; one of before does not, its weights do."""
    config = read_config(place)
    evaluation = Evaluation.from_json(json.loads((run / EVALUATION_FILE).read_text(encoding="utf-8")))
    predictions, controls = read_predictions(
        [run], classes=evaluation.classes, suspicious=evaluation.suspicious
    )
    protocol = config.protocol
    fold = " and ".join(protocol.hold_out) or f"fold {protocol.fold}"
    return Tested(
        row=row_name(config),
        backbone=config.backbone,
        recipe=recipe_in_words(config),
        split=protocol.split,
        fold=fold,
        folds=protocol.folds,
        parameters=evaluation.model.get("parameters") or count_parameters(place),
        training_seconds=_seconds(place / "training.csv"),
        predictions=predictions,
        controls=controls,
        stress=evaluation.stress,
    )


def row_name(config: BundleConfig) -> str:
    """The line of the table that a model belongs to: the same for all folds of one network and recipe."""
    protocol = config.protocol
    seed = f", seed {protocol.seed}" if protocol.seed else ""
    return f"{config.backbone}, {recipe_in_words(config)}, by {protocol.split}{seed}"


def recipe_in_words(config: BundleConfig) -> str:
    """How a model was started and trained; one that went on from another bundle has all its trainings."""
    learned = {"backbone": config.backbone, "weights": config.weights, "size": config.preprocessing.size}
    return _trainings({**learned, **config.training})


def _trainings(facts: dict[str, Any]) -> str:
    before = facts.get("before")
    if before is None:
        names = {"none": "from scratch", "packaged": "ImageNet", "imagenet": "ImageNet"}
        begun = names.get(facts["weights"], f"from {facts['weights']}")
    elif before["backbone"] == facts["backbone"]:
        begun = f"{_trainings(before)}; then"
    else:
        begun = f"grown from {before['backbone']} ({_trainings(before)}); then"
    teacher = f", taught by {facts['teacher']}" if facts.get("teacher") else ""
    learned = "frozen"
    if facts.get("mode") == "fine-tuned":
        learned = f"{facts['epochs_run']} epoch{'s' if facts['epochs_run'] > 1 else ''}"
    return f"{begun}{' ' if before else ', '}{learned}, {facts['size']} px{teacher}"


def _seconds(path: Path) -> float | None:
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        return sum(float(row["seconds"]) for row in csv.DictReader(file))


def _elsewhere(one: Tested, at: Path) -> Elsewhere:
    found = Evaluation.from_json(json.loads((at / EVALUATION_FILE).read_text(encoding="utf-8")))
    metrics = {name: found.metrics[name] for name in ("accuracy", "f1_macro")}
    if found.suspicion is not None:
        metrics["suspicion_auc"] = found.suspicion.metrics["auc"]
    return Elsewhere(
        row=one.row,
        fold=one.fold,
        data=found.data["source"],
        classes=found.classes,
        n_images=found.protocol["n_images"],
        n_groups=found.protocol["n_groups"],
        metrics=metrics,
        coverage=found.coverage,
    )


def write_study(folder: Path, found: Study) -> None:
    """Write the table in every form.

    Args:
        folder: of the study.
        found: what is in it.
    """
    write_json(folder / JSON_FILE, asdict(found))
    with whole_file(folder / CSV_FILE) as part, part.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(csv_rows(found))
    write_text(folder / TABLES_FILE, tables(found))
    write_text(folder / PAGE_FILE, study_page(found))


def tell(place: Path, found: Study) -> None:
    """Write into a model for use what was found of its kind.

    Args:
        place: its folder.
        found: the study.
    """
    config = read_config(place)
    name = row_name(config)
    row = next((row for row in found.rows if row.name == name), None)
    if row is None:
        return
    figures: dict[str, Any] = {
        "models": f"{len(row.folds)} model{'s' * (len(row.folds) > 1)}",
        "tested": f"{in_words(row)}, {row.n_images} images in {row.n_groups} groups, by {row.split}",
        "metrics": {m: list(astuple(e)) for m, e in row.metrics.items()},
        "controls": {c: list(astuple(e["accuracy"])) for c, e in row.controls.items()},
        "stress": [{"meaning": s.meaning, "accuracy": s.mean} for s in row.stress],
    }
    config = config.model_copy(update={"figures": figures})
    write_config(place, config)
    write_text(place / CARD_FILE, model_card(config))


def times_of(path: Path) -> dict[str, dict[str, float]]:
    """Median processor time of one image in ms, by network and graph, from a benchmark.json.

    Raises:
        UsageError: it is none.
    """
    times: dict[str, dict[str, float]] = {}
    try:
        for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
            if row["batch"] == 1:
                graph = f"{row['runtime']} {row['precision']}"
                times.setdefault(str(row["backbone"]), {})[graph] = float(row["cpu_ms"]["median"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no benchmark: {error}.",
            hint="Give the benchmark.json that `allsight benchmark` wrote.",
        ) from error
    return times
