"""`train`: from a data set to a bundle."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.errors import UsageError
from allsight.core.files import check_writable, whole_file, write_text
from allsight.core.progress import Progress, silent
from allsight.core.provenance import commit, machine, versions
from allsight.core.records import VALIDATION
from allsight.data.source import open_dataset
from allsight.inference.trust import FEWEST_FOR_SETS
from allsight.models.bundle import (
    BUILTIN,
    CARD_FILE,
    CONFIG_FILE,
    BundleConfig,
    DataFacts,
    Protocol,
    begun_from,
    bundle_folder,
    read_config,
    read_split,
    save_bundle,
)
from allsight.models.card import model_card
from allsight.models.training.ancestry import training_before
from allsight.models.training.settings import FineTuning
from allsight.verbs.learning import CHECKPOINTS, Learned, Plan, check_ancestors, learn
from allsight.verbs.material import Material, divide

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allsight.models.bundle import SplitRow


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training left.

    Attributes:
        bundle: the folder.
        config: what the bundle says of itself.
        excluded: images left out, by name, each with the reason.
        notes: what was found while listing the data, and what the model cannot do.
    """

    bundle: Path
    config: BundleConfig
    excluded: dict[str, str]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document of `train --json`."""
        return {
            "bundle": str(self.bundle),
            "name": self.config.name,
            "backbone": self.config.backbone,
            "weights": self.config.weights,
            "training": self.config.training,
            "protocol": self.config.protocol.model_dump(mode="json"),
            "excluded": self.excluded,
            "notes": list(self.notes),
        }


def train(
    data: str,
    *,
    out: str | Path,
    backbone: str = "efficientnet-lite0",
    weights: str | None = None,
    freeze: bool = False,
    split: str | None = None,
    seed: int = 0,
    folds: int = 5,
    fold: int = 0,
    hold_out: Sequence[str] = (),
    whole: bool = False,
    size: int | None = None,
    teacher: str | Path | None = None,
    settings: FineTuning | None = None,
    resume: bool = False,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
    progress: Progress = silent,
) -> Trained:
    """Train a classifier and write it as a bundle.

    Args:
        data: "taleqani:PATH", "synthetic:SEED" or another DATA.
        out: folder of the bundle.
        backbone: a network of the catalog.
        weights: "imagenet", "packaged", "none", a bundle or a .safetensors file. By default "packaged" where
            a package carries them, else "imagenet". A bundle of the same classes gives its head, too; from one of a
            smaller EfficientNet a larger one is grown.
        freeze: fit only the linear head, on features computed once and cached; minutes on two cores.
        split: "patient", "field" or "random"; by default the most honest that the data supports. "stated" takes
            the parts that a manifest names, after the same checks.
        seed: of the split and the training.
        folds: the test part is one of so many.
        fold: which one.
        hold_out: the source's own parts that are the test instead of a fold, such as ("prelim_test",).
        whole: no test part: for a model that is to be used, after other folds have said how good it is.
        size: side of the network's input in pixels; by default as published, and grown from a bundle as the bundle has.
        teacher: folder of a bundle whose soft answers are learned from beside the labels; it must not have learned
            from what this training holds back. Not with `freeze`.
        settings: of the fine-tuning; not used with `freeze`.
        resume: go on where a killed training stopped.
        overwrite: replace a finished bundle.
        checkpoint_seconds: longest time between two checkpoints of a fine-tuning.
        progress: told how far it is.

    Raises:
        LeakError: the split would put one patient or field on both sides, or the teacher learned from images held back.
        DataError: the data cannot be divided as asked.
        UsageError: arguments that contradict each other, or a bundle that is already there.
        KeyboardInterrupt: asked to stop; the training can be resumed.

    >>> import tempfile
    >>> trained = train("synthetic:1?images=72&patients=24&size=64", out=tempfile.mkdtemp(),
    ...                 backbone="tiny", weights="none", freeze=True)
    >>> trained.config.protocol.split
    'patient'
    """
    if teacher is not None and freeze:
        raise UsageError("A teacher changes nothing in a frozen network.", hint="Leave out --freeze.")
    folder = Path(out)
    done = _finished(folder, resume=resume, overwrite=overwrite, freeze=freeze)
    if done is not None:
        return done
    kind = catalog.load(Backbone, backbone)
    start_from = (
        str(bundle_folder(weights))
        if weights == BUILTIN
        else weights or ("packaged" if kind.packaged else "imagenet")
    )
    if freeze and (place := begun_from(start_from)) is not None:
        begun = read_config(place).backbone
        if catalog.load(Backbone, begun) is not kind:
            raise UsageError(
                f"{start_from!r} holds {begun}; a larger network that is grown from it must be trained.",
                hint="Leave out --freeze.",
            )
    dataset = open_dataset(data)
    material = divide(
        dataset,
        split=split,
        seed=seed,
        folds=folds,
        fold=fold,
        hold_out=tuple(hold_out),
        whole=whole,
        progress=progress,
    )
    settings = settings or FineTuning()
    plan = Plan(
        data=data,
        backbone=backbone.replace("-", "_").lower(),
        weights=start_from,
        seed=seed,
        size=size,
        freeze=freeze,
        teacher=None if teacher is None else bundle_folder(teacher),
        settings=settings,
    )
    check_ancestors(plan, material)
    learned = learn(
        plan,
        kind,
        material,
        folder=folder,
        resume=resume,
        checkpoint_seconds=checkpoint_seconds,
        progress=progress,
    )
    config = _describe(plan, material, learned, name=folder.resolve().name)
    save_bundle(
        folder,
        learned.classifier,
        config=config,
        split=material.rows(),
        tensors=learned.space.tensors(),
    )
    write_text(folder / CARD_FILE, model_card(config))
    if learned.history:
        _write_history(folder / "training.csv", learned.history)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return Trained(
        folder, config, material.excluded, (*dataset.notes, *_shortcomings(config, material.rows()))
    )


def _finished(folder: Path, *, resume: bool, overwrite: bool, freeze: bool) -> Trained | None:
    """The bundle that is already there, where that is what was asked for."""
    if resume and overwrite:
        raise UsageError("--resume and --overwrite contradict each other.", hint="Give one of them.")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is a file; a bundle is a folder.", hint="Choose another --out.")
    if (folder / CONFIG_FILE).is_file() and not overwrite:
        if resume:
            config = read_config(folder)
            return Trained(folder, config, {}, _shortcomings(config, read_split(folder)))
        raise UsageError(
            f"{str(folder)!r} already holds a bundle.", hint="Choose another --out, or add --overwrite."
        )
    check_writable(folder)
    unfinished = (folder / CHECKPOINTS).is_dir()
    if unfinished and resume and freeze:
        raise UsageError(
            f"{str(folder)!r} holds an unfinished training of every layer, and --freeze is another.",
            hint="Go on without --freeze, or choose another --out.",
        )
    if unfinished and not resume:
        if not overwrite:
            raise UsageError(
                f"{str(folder)!r} holds an unfinished training.",
                hint="Go on with --resume, or add --overwrite.",
            )
        shutil.rmtree(folder / CHECKPOINTS)
    return None


def _shortcomings(config: BundleConfig, rows: Iterable[SplitRow]) -> tuple[str, ...]:
    """What the model cannot do because it was told or shown too little, each with what helps."""
    found = []
    held = Counter(row.label for row in rows if row.part == VALIDATION)
    few = {c: held[c] for c in config.classes if held[c] < FEWEST_FOR_SETS}
    if few:
        counts = ", ".join(f"{c} {n}" for c, n in few.items())
        effect = "every image is referred" if len(few) > 1 else f"only {next(iter(few))} is ever answered"
        found.append(
            f"Fewer than {FEWEST_FOR_SETS} validation images of a class ({counts}): it is in every prediction set, so "
            f"{effect}. Bring more images of it, or a manifest that names a larger validation part (--split stated)."
        )
    if not config.suspicious:
        found.append(
            "No class is named as suspicious, so no suspicion can be given. To name them: "
            f"'{config.data.source.partition('?')[0]}?suspicious=CLASS,CLASS'"
        )
    return tuple(found)


def _describe(plan: Plan, material: Material, learned: Learned, *, name: str) -> BundleConfig:
    split, dataset = material.split, material.dataset
    before = training_before(plan.weights)
    return BundleConfig(
        name=name,
        backbone=plan.backbone,
        id2label=dict(enumerate(dataset.classes)),
        suspicious=dataset.suspicious,
        pooled=learned.classifier.pooled,
        preprocessing=learned.classifier.preprocessing,
        weights=plan.weights if plan.weights in ("imagenet", "packaged", "none") else Path(plan.weights).name,
        training={"seed": plan.seed, **learned.facts, **({"before": before} if before else {})},
        data=DataFacts(
            source=plan.data,
            fingerprint=material.fingerprint,
            n_images=len(split.groups),
            caution=dataset.caution,
            licence=dataset.licence,
        ),
        protocol=Protocol(
            split=split.unit,
            seed=split.seed,
            folds=split.folds,
            fold=split.fold,
            hold_out=split.hold_out,
            n_images={part: len(names) for part, names in split.parts.items()},
            n_groups={part: len({split.groups[n] for n in names}) for part, names in split.parts.items()},
            straddling=split.straddling,
            excluded=len(material.excluded),
        ),
        trust=learned.trust.model_dump(mode="json"),
        provenance={"versions": dict(versions()), "commit": commit(), "machine": machine()},
    )


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    import csv

    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
