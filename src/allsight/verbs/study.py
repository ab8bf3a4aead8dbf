"""`study`: the paper's comparison. Networks × splits × folds, trained and tested one by one, and their table."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.errors import AllsightError, UsageError
from allsight.core.files import whole_file, write_json, write_text
from allsight.core.progress import Progress, silent
from allsight.core.provenance import commit, machine, versions
from allsight.data.source import open_dataset
from allsight.evaluate.claims import claims_on
from allsight.evaluate.document import Evaluation
from allsight.evaluate.study import Elsewhere, Missing, Study, Tested, row_of, versus
from allsight.models.bundle import (
    CARD_FILE,
    CONFIG_FILE,
    MODEL_FILE,
    BundleConfig,
    bundle_folder,
    read_config,
    write_config,
)
from allsight.models.card import model_card
from allsight.models.training.settings import FineTuning
from allsight.report.study import csv_rows, in_words, study_page, tables
from allsight.verbs.evaluate import evaluate
from allsight.verbs.run_files import EVALUATION_FILE, read_predictions
from allsight.verbs.train import train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allsight.core.contracts import Dataset

JSON_FILE, CSV_FILE, TABLES_FILE, PAGE_FILE = "study.json", "study.csv", "study.md", "study.html"
BUNDLES, RUNS, ELSEWHERE = "bundles", "runs", "elsewhere"


@dataclass(frozen=True, slots=True)
class Studied:
    """What a study left.

    Attributes:
        out: its folder, with study.json, study.csv, study.md and study.html.
        study: the table and what belongs to it.
    """

    out: Path
    study: Study

    def to_json(self) -> dict[str, Any]:
        """The document of `study --json`."""
        return {"out": str(self.out), **asdict(self.study)}


@dataclass(frozen=True, slots=True)
class _Cell:
    """One training and its test."""

    backbone: str
    recipe: str
    split: str
    seed: int
    fold: int | None
    hold_out: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return self.fold is None and not self.hold_out

    @property
    def name(self) -> str:
        where = f"f{self.fold}" if self.fold is not None else "-".join(self.hold_out) or "whole"
        return f"{self.backbone}-{self.recipe}-{self.split}-s{self.seed}-{where}"


def study(
    data: str,
    *,
    out: str | Path,
    backbones: Sequence[str] = (),
    freeze: bool = False,
    weights: str | None = None,
    size: int | None = None,
    settings: FineTuning | None = None,
    splits: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    folds: int = 5,
    only_folds: Sequence[int] = (),
    hold_out: Sequence[str] = (),
    whole: bool = False,
    bundles: Sequence[str | Path] = (),
    elsewhere: Sequence[str] = (),
    stress: str = "none",
    benchmark: str | Path | None = None,
    resamples: int = 2000,
    progress: Progress = silent,
) -> Studied:
    """Train and test networks under honest and usual protocols, and put the table together.

    What is there already is not done again: a study that was killed goes on where it stopped and gives the same table,
    and networks, folds and splits can be added to it by and by.

    Args:
        data: "taleqani:PATH" or another DATA.
        out: the study's folder.
        backbones: networks of the catalog; none where only `bundles` are to be tested.
        freeze: fit only the linear head.
        weights: where the networks start, as in `train`.
        size: side of their input in pixels; by default as published.
        settings: of the fine-tuning.
        splits: "patient", "field", "random"; by default the data's most honest and "random".
        seeds: of split and training; each makes rows of its own.
        folds: of how many one is the test part.
        only_folds: which of them; by default all.
        hold_out: the source's own parts to test on, one after the other, instead of folds; "a+b" is two at once.
        whole: also train each network on all of the data, for use, with this study's figures in its card.
        bundles: trained already, on this data; tested and put into the table like the others.
        elsewhere: other DATA to try every model on.
        stress: "usual" or "all" damages, as in `evaluate`.
        benchmark: a benchmark.json as `allsight benchmark` wrote it, for times an image beside the figures.
        resamples: of the bootstrap.
        progress: told of each model, and of what goes on inside.

    Raises:
        UsageError: nothing to do, or a cell of the folder was trained otherwise.
        KeyboardInterrupt: asked to stop; the same call goes on.
    """
    folder = Path(out)
    dataset = open_dataset(data)
    settings = settings or FineTuning()
    cells = _cells(
        dataset,
        backbones,
        freeze=freeze,
        splits=splits,
        seeds=seeds,
        folds=folds,
        only=only_folds,
        hold_out=hold_out,
    )
    if not cells and not bundles and not (folder / RUNS).is_dir():
        raise UsageError("There is nothing to study.", hint="Name networks with --backbones, or --bundles.")
    missing: list[Missing] = []
    total = len(cells) + len(bundles)
    todo = [(cell.name, folder / BUNDLES / cell.name) for cell in cells]
    given = [bundle_folder(b) for b in bundles]
    todo += [(read_config(place).name, place) for place in given]
    for done, (name, place) in enumerate(todo):
        progress("study", done, total)
        try:
            if done < len(cells):
                cell = cells[done]
                _train(
                    cell,
                    data,
                    place,
                    weights=weights,
                    size=size,
                    folds=folds,
                    settings=settings,
                    progress=progress,
                )
            _test(place, folder / RUNS / name, data, stress=stress, resamples=resamples, progress=progress)
            for i, other in enumerate(elsewhere):
                at = folder / ELSEWHERE / f"{name}-{i}-{other.partition(':')[0]}"
                _test(place, at, other, stress="none", resamples=resamples, progress=progress)
        except UsageError:
            raise
        except AllsightError as error:
            missing.append(Missing(name, str(error)))
    if whole:
        for cell in _wholes(cells):
            _train(
                cell,
                data,
                folder / BUNDLES / cell.name,
                weights=weights,
                size=size,
                folds=folds,
                settings=settings,
                progress=progress,
            )
    progress("study", total, total)
    found = _together(
        folder,
        data,
        dataset,
        bundles=given,
        times={} if benchmark is None else _times(Path(benchmark)),
        missing=missing,
        resamples=resamples,
    )
    _write(folder, found)
    for cell in _wholes(cells) if whole else ():
        _tell(folder / BUNDLES / cell.name, found)
    return Studied(folder, found)


def _write(folder: Path, found: Study) -> None:
    write_json(folder / JSON_FILE, asdict(found))
    with whole_file(folder / CSV_FILE) as part, part.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(csv_rows(found))
    write_text(folder / TABLES_FILE, tables(found))
    write_text(folder / PAGE_FILE, study_page(found))


def _wholes(cells: Sequence[_Cell]) -> list[_Cell]:
    """One training on all of the data for each network and seed, divided as the first split is."""
    first = [cell for cell in cells if cell.split == cells[0].split]
    return list(dict.fromkeys(replace(cell, fold=None, hold_out=()) for cell in first))


def _tell(place: Path, found: Study) -> None:
    """Write into a model for use what was found of its kind."""
    config = read_config(place)
    name = row_name(config)
    row = next((row for row in found.rows if row.name == name), None)
    if row is None:
        return
    figures: dict[str, Any] = {
        "models": f"{len(row.folds)} model{'s' * (len(row.folds) > 1)}",
        "tested": f"{in_words(row)}, {row.n_images} images in {row.n_groups} groups, by {row.split}",
        "metrics": {m: [e.value, e.low, e.high] for m, e in row.metrics.items()},
        "controls": {
            c: [e["accuracy"].value, e["accuracy"].low, e["accuracy"].high] for c, e in row.controls.items()
        },
        "stress": [{"meaning": s.meaning, "accuracy": s.mean} for s in row.stress],
    }
    config = config.model_copy(update={"figures": figures})
    write_config(place, config)
    write_text(place / CARD_FILE, model_card(config))


def _times(path: Path) -> dict[str, dict[str, float]]:
    """Median processor time of one image in ms, by network and graph."""
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


def _cells(
    dataset: Dataset,
    backbones: Sequence[str],
    *,
    freeze: bool,
    splits: Sequence[str],
    seeds: Sequence[int],
    folds: int,
    only: Sequence[int],
    hold_out: Sequence[str],
) -> list[_Cell]:
    names = [name.replace("-", "_").lower() for name in backbones]
    for name in names:
        catalog.load(Backbone, name)
    chosen = tuple(splits) or tuple(dict.fromkeys((dataset.units[0], "random")))
    if strange := [s for s in chosen if s not in dataset.units]:
        raise UsageError(
            f"This data cannot be split by {', '.join(strange)}.",
            hint=f"It can by {', '.join(dataset.units)}.",
        )
    if strange_folds := [f for f in only if not 0 <= f < folds]:
        raise UsageError(f"There is no fold {strange_folds[0]} of {folds}.", hint="Folds are counted from 0.")
    held = [tuple(parts.split("+")) for parts in hold_out]
    recipe = "frozen" if freeze else "tuned"
    return [
        _Cell(name, recipe, split, seed, fold, parts)
        for split in chosen
        for seed in seeds
        for fold, parts in (
            [(None, parts) for parts in held] if held else [(f, ()) for f in (only or range(folds))]
        )
        for name in names
    ]


def _train(
    cell: _Cell,
    data: str,
    place: Path,
    *,
    weights: str | None,
    size: int | None,
    folds: int,
    settings: FineTuning,
    progress: Progress,
) -> None:
    """Train one cell, go on with it, or see that it is what was asked for."""
    if (place / CONFIG_FILE).is_file():
        _check_same(cell, read_config(place), weights=weights, size=size, folds=folds, settings=settings)
        return
    train(
        data,
        out=place,
        backbone=cell.backbone,
        weights=weights,
        freeze=cell.recipe == "frozen",
        split=cell.split,
        seed=cell.seed,
        folds=folds,
        fold=cell.fold or 0,
        hold_out=cell.hold_out,
        whole=cell.is_whole,
        size=size,
        settings=settings,
        resume=True,
        progress=progress,
    )


def _check_same(
    cell: _Cell,
    config: BundleConfig,
    *,
    weights: str | None,
    size: int | None,
    folds: int,
    settings: FineTuning,
) -> None:
    differing = []
    if weights is not None and config.weights not in (weights, Path(weights).name):
        differing.append(f"weights {config.weights}")
    if size is not None and config.preprocessing.size != size:
        differing.append(f"size {config.preprocessing.size}")
    if cell.fold is not None and config.protocol.folds != folds:
        differing.append(f"{config.protocol.folds} folds")
    if cell.recipe == "tuned":
        now = settings.model_dump(mode="json")
        differing += [f"{k} {config.training.get(k)}" for k in now if config.training.get(k) != now[k]]
    if differing:
        raise UsageError(
            f"{cell.name} was trained otherwise: {'; '.join(differing)}.",
            hint="Ask for the same settings again, or give this study another --out.",
        )


def _test(place: Path, run: Path, data: str, *, stress: str, resamples: int, progress: Progress) -> None:
    """Test one bundle, unless that was done."""
    path = run / EVALUATION_FILE
    if path.is_file():
        known = Evaluation.from_json(json.loads(path.read_text(encoding="utf-8")))
        if known.stress or stress == "none":
            return
    evaluate(place, data, out=run, stress=stress, resamples=resamples, progress=progress)


def _together(
    folder: Path,
    data: str,
    dataset: Dataset,
    *,
    bundles: Sequence[Path],
    times: dict[str, dict[str, float]],
    missing: Sequence[Missing],
    resamples: int,
) -> Study:
    """The table of everything in the study's folder."""
    places = (
        {place.name: place for place in sorted((folder / BUNDLES).glob("*"))}
        if (folder / BUNDLES).is_dir()
        else {}
    )
    places |= {read_config(b).name: b for b in bundles}
    tested: dict[str, list[Tested]] = {}
    others: list[Elsewhere] = []
    for run in sorted((folder / RUNS).glob("*")) if (folder / RUNS).is_dir() else []:
        if not (run / EVALUATION_FILE).is_file() or run.name not in places:
            continue
        one = _tested(places[run.name], run)
        tested.setdefault(one.row, []).append(one)
        others += [_elsewhere(one, at) for at in sorted((folder / ELSEWHERE).glob(f"{run.name}-*-*"))]
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
        parameters=_parameters(place),
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
    """How a model was started and trained."""
    begun = {"none": "from scratch", "packaged": "ImageNet", "imagenet": "ImageNet"}.get(
        config.weights, f"from {config.weights}"
    )
    facts, size = config.training, config.preprocessing.size
    if facts.get("mode") != "fine-tuned":
        return f"{begun}, frozen, {size} px"
    teacher = f", taught by {facts['teacher']}" if facts.get("teacher") else ""
    return f"{begun}, {facts['epochs_run']} epochs, {size} px{teacher}"


def _parameters(place: Path) -> int:
    """Numbers that training may change, read without loading them."""
    from safetensors import safe_open

    statistics = ("running_mean", "running_var", "num_batches_tracked")
    with safe_open(place / MODEL_FILE, framework="numpy") as file:
        return sum(
            math.prod(file.get_slice(k).get_shape())
            for k in file.keys()  # noqa: SIM118 - no mapping
            if not k.startswith("trust.") and not k.endswith(statistics)
        )


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
