"""`study`: the paper's comparison. Networks × splits × folds, trained and tested one by one, and their table."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allsight.core import catalog
from allsight.core.contracts import Backbone, Dataset
from allsight.core.errors import AllsightError, UsageError
from allsight.core.files import check_writable
from allsight.core.progress import Progress, silent
from allsight.core.provenance import fingerprint
from allsight.data.hashing import content_hashes, data_fingerprint
from allsight.data.source import open_dataset
from allsight.evaluate.document import Evaluation
from allsight.evaluate.stress import damages_of
from allsight.evaluate.study import Missing, Study
from allsight.models.bundle import CONFIG_FILE, BundleConfig, bundle_folder, read_config
from allsight.models.training.ancestry import training_before
from allsight.models.training.settings import FineTuning
from allsight.verbs.evaluate import evaluate
from allsight.verbs.export import export as write_graphs
from allsight.verbs.run_files import EVALUATION_FILE
from allsight.verbs.study_files import BUNDLES, ELSEWHERE, RUNS, gathered, tell, times_of, write_study
from allsight.verbs.train import train

if TYPE_CHECKING:
    from collections.abc import Sequence


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


@dataclass(frozen=True)
class _Plan:
    """What all cells have in common."""

    data: str
    dataset: Dataset
    weights: str | None
    size: int | None
    folds: int
    settings: FineTuning
    progress: Progress

    @cached_property
    def fingerprint(self) -> str:
        """Of the data as it lies there now."""
        return data_fingerprint(self.dataset, content_hashes(self.dataset, progress=self.progress))


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
    export: bool = False,
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
        weights: where the networks start, as in `train`; or the folder of another study, where each goes on from its
            own bundle there: the same network, split, seed and fold, so that what is held back stays unseen.
        size: side of their input in pixels; by default as published.
        settings: of the fine-tuning.
        splits: "patient", "field", "random"; by default the data's most honest and "random".
        seeds: of split and training; each makes rows of its own.
        folds: of how many one is the test part.
        only_folds: which of them; by default all.
        hold_out: the source's own parts to test on, one after the other, instead of folds; "a+b" is two at once.
        whole: also train each network on all of the data, for use, with this study's figures in its card.
        export: also write the OpenVINO graph of each network trained for a test, and test that: on a processor it is
            faster. A network whose graph does not answer as PyTorch does is missing, with that reason.
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
    check_writable(folder)
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
    plan = _Plan(data, dataset, weights, size, folds, settings, progress)
    missing: list[Missing] = []
    total = len(cells) + len(bundles)
    todo = [(cell.name, folder / BUNDLES / cell.name) for cell in cells]
    given = [bundle_folder(b) for b in bundles]
    todo += [(read_config(place).name, place) for place in given]
    if twice := [name for name, n in Counter(name for name, _ in todo).items() if n > 1]:
        raise UsageError(
            f"Two models of this study are called {twice[0]!r}.", hint="Give their folders different names."
        )
    for done, (name, place) in enumerate(todo):
        progress("study", done, total)
        try:
            if done < len(cells):
                _train(cells[done], place, plan)
                if export and "openvino fp32" not in read_config(place).exports:
                    write_graphs(place, data=data, progress=progress)
            _test(place, folder / RUNS / name, data, stress=stress, resamples=resamples, progress=progress)
            for other in elsewhere:
                at = folder / ELSEWHERE / name / f"{other.partition(':')[0]}-{fingerprint([other])[:8]}"
                _test(place, at, other, stress="none", resamples=resamples, progress=progress)
        except UsageError:
            raise
        except AllsightError as error:
            missing.append(Missing(name, str(error)))
    if whole:
        for cell in _wholes(cells):
            _train(cell, folder / BUNDLES / cell.name, plan)
    progress("study", total, total)
    found = gathered(
        folder,
        data,
        dataset,
        bundles=given,
        times={} if benchmark is None else times_of(Path(benchmark)),
        missing=missing,
        resamples=resamples,
    )
    write_study(folder, found)
    for cell in _wholes(cells) if whole else ():
        tell(folder / BUNDLES / cell.name, found)
    return Studied(folder, found)


def _wholes(cells: Sequence[_Cell]) -> list[_Cell]:
    """One training on all of the data for each network and seed, divided as the first split is."""
    first = [cell for cell in cells if cell.split == cells[0].split]
    return list(dict.fromkeys(replace(cell, fold=None, hold_out=()) for cell in first))


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


def _train(cell: _Cell, place: Path, plan: _Plan) -> None:
    """Train one cell, go on with it, or see that it is what was asked for."""
    weights = _start_of(cell, plan.weights)
    if (place / CONFIG_FILE).is_file():
        _check_same(cell, read_config(place), weights, plan)
        return
    train(
        plan.data,
        out=place,
        backbone=cell.backbone,
        weights=weights,
        freeze=cell.recipe == "frozen",
        split=cell.split,
        seed=cell.seed,
        folds=plan.folds,
        fold=cell.fold or 0,
        hold_out=cell.hold_out,
        whole=cell.is_whole,
        size=plan.size,
        settings=plan.settings,
        resume=True,
        progress=plan.progress,
    )


def _start_of(cell: _Cell, weights: str | None) -> str | None:
    """What a cell begins with: the weights that are named, or in another study's folder its own bundle."""
    if weights is None or not (Path(weights) / BUNDLES).is_dir():
        return weights
    return str(Path(weights) / BUNDLES / cell.name)


def _check_same(cell: _Cell, config: BundleConfig, weights: str | None, plan: _Plan) -> None:
    differing = []
    if config.data.fingerprint != plan.fingerprint:
        differing.append(f"data {config.data.source}")
    if weights is not None and config.weights not in (weights, Path(weights).name):
        differing.append(f"weights {config.weights}")
    before = config.training.get("before")
    if weights is not None and before is not None and before != training_before(weights):
        differing.append(f"weights of another training of {config.weights}")
    if plan.size is not None and config.preprocessing.size != plan.size:
        differing.append(f"size {config.preprocessing.size}")
    if cell.fold is not None and config.protocol.folds != plan.folds:
        differing.append(f"{config.protocol.folds} folds")
    if cell.recipe == "tuned":
        now, then = plan.settings.model_dump(mode="json"), _settings_of(config).model_dump(mode="json")
        differing += [f"{k} {then[k]}" for k in now if then[k] != now[k]]
    if differing:
        raise UsageError(
            f"{cell.name} was trained otherwise: {'; '.join(differing)}.",
            hint="Ask for the same settings again, or give this study another --out.",
        )


def _settings_of(config: BundleConfig) -> FineTuning:
    """What a bundle was trained with; a setting that came later has its default, which changes nothing."""
    return FineTuning.model_validate(
        {k: v for k, v in config.training.items() if k in FineTuning.model_fields}
    )


def _test(place: Path, run: Path, data: str, *, stress: str, resamples: int, progress: Progress) -> None:
    """Test one bundle, unless that was done."""
    path = run / EVALUATION_FILE
    if path.is_file():
        known = Evaluation.from_json(json.loads(path.read_text(encoding="utf-8")))
        if {(row.damage, row.severity) for row in known.stress} >= set(damages_of(stress)):
            return
    evaluate(place, data, out=run, stress=stress, resamples=resamples, overwrite=True, progress=progress)
