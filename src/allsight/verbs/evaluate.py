"""`evaluate`: a bundle on labelled images it was not trained on."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import ImageError
from allsight.core.files import whole_file, write_json
from allsight.core.progress import Progress, silent
from allsight.core.provenance import commit, machine, versions
from allsight.core.records import TEST
from allsight.data.source import open_dataset
from allsight.evaluate.document import Evaluation, Stressed
from allsight.evaluate.evaluation import Context, evaluate_predictions
from allsight.evaluate.predictions import Predictions
from allsight.evaluate.shortcuts import cross_validated, shortcut_features, shortcut_probabilities
from allsight.evaluate.stress import damages_of, stressed
from allsight.inference.cascade import open_answering
from allsight.models.bundle import BundleConfig, read_split
from allsight.verbs.damaged import Damaged, Tried
from allsight.verbs.unseen import Chosen, choose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample
    from allsight.inference.cascade import Cascade
    from allsight.inference.predictor import Predictor
    from allsight.inference.trust import Judgement

EVALUATION_FILE, PREDICTIONS_FILE = "evaluation.json", "predictions.csv"


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What an evaluation left.

    Attributes:
        run: the folder with evaluation.json, predictions.csv and hardest/.
        evaluation: the figures.
        failed: images that could not be read, by name, each with the reason.
    """

    run: Path
    evaluation: Evaluation
    failed: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The document of `evaluate --json`."""
        failed = [{"path": name, "error": error} for name, error in self.failed.items()]
        return {**self.evaluation.to_json(), "run": str(self.run), "failed": failed}


def evaluate(
    bundle: str | Path,
    data: str,
    *,
    split: str = TEST,
    out: str | Path | None = None,
    seed: int = 0,
    resamples: int = 2000,
    controls: bool = True,
    stress: str = "none",
    runtime: str | None = None,
    precision: str | None = None,
    progress: Progress = silent,
) -> Evaluated:
    """Every metric with a 95 % interval, and what can be had without looking at cells beside it.

    On the data the bundle was trained on: its held-out part. On other data: everything except images that the
    bundle has seen, known by their hashes, and images that share a patient or field with one of those.

    Args:
        bundle: folder of the bundle.
        data: "taleqani:PATH", "synthetic:SEED" or another DATA, labelled with classes the model knows.
        split: "test"; or "train" or "validation" to see the other side, named as such in every output.
        out: folder for the results; by default runs/NAME-KIND-SPLIT.
        seed: of the bootstrap and the controls.
        resamples: of the bootstrap.
        controls: whether to fit the controls.
        stress: "usual" tries the images again with each damage of the catalog once, "all" in five severities.
        runtime: "pytorch", "onnx" or "openvino"; None takes the fastest that the bundle was exported for.
        precision: "fp32" or "int8"; None takes the fastest there is.
        progress: told how far it is.

    Raises:
        BundleError: no bundle, or a damaged one.
        DataError: the data has no labelled image left, or classes the model does not know.
        RefusedError: the data is made of copies of another set and tells nothing new.

    >>> import tempfile
    >>> from allsight.verbs.train import train
    >>> folder, data = tempfile.mkdtemp(), "synthetic:1?images=72&patients=24&size=64"
    >>> _ = train(data, out=folder, backbone="tiny", weights="none", freeze=True)
    >>> found = evaluate(folder, data, out=folder + "/run", resamples=50, controls=False)
    >>> found.evaluation.protocol["split"]
    'patient'
    """
    tests = damages_of(stress)
    folder = Path(bundle)
    predictor = open_answering(folder, runtime=runtime, precision=precision)
    dataset = open_dataset(data)
    chosen = choose(predictor.config, read_split(folder), dataset, part=split, progress=progress)
    answers, failed = _answers(predictor, dataset, chosen, progress=progress)
    kept = [s for s in chosen.samples if s.name in answers]
    predictions = _predictions(predictor.config, kept, chosen.groups, answers)
    run = Path(out) if out is not None else _default_run(predictor.config, data, split)
    evaluation = evaluate_predictions(
        predictions,
        _context(
            predictor,
            chosen,
            data=data,
            command=f"allsight evaluate {bundle} {data} --split {split} --seed {seed} "
            f"--runtime {predictor.served.name} --precision {predictor.served.precision}",
        ),
        controls=_controls(predictor.config, dataset, chosen, kept, seed=seed, progress=progress)
        if controls
        else None,
        answered=np.array([answers[s.name].verdict == "answer" for s in kept]),
        stress=_stress(
            predictor,
            dataset,
            chosen,
            kept,
            tests,
            controls=controls,
            seed=seed,
            resamples=resamples,
            progress=progress,
        ),
        seed=seed,
        resamples=resamples,
        progress=progress,
    )
    _write(run, evaluation, dataset, kept, answers)
    return Evaluated(run, evaluation, failed)


def _answers(
    predictor: Predictor | Cascade, dataset: Dataset, chosen: Chosen, *, progress: Progress
) -> tuple[dict[str, Judgement], dict[str, str]]:
    answers: dict[str, Judgement] = {}
    failed: dict[str, str] = {}
    total = len(chosen.samples)
    for done, (sample, answer) in enumerate(predictor.answers(chosen.samples, read=dataset.read), start=1):
        if isinstance(answer, ImageError):
            failed[sample.name] = str(answer)
        else:
            answers[sample.name] = answer.judgement
        progress("images", done, total)
    return answers, failed


def _predictions(
    config: BundleConfig, kept: Sequence[Sample], groups: Mapping[str, str], answers: Mapping[str, Judgement]
) -> Predictions:
    place = {c: i for i, c in enumerate(config.classes)}
    return Predictions(
        names=[s.name for s in kept],
        labels=np.array([place[s.label] for s in kept if s.label is not None], dtype=np.int64),
        classes=config.classes,
        suspicious=config.suspicious,
        probabilities=np.array([[answers[s.name].probabilities[c] for c in config.classes] for s in kept]),
        groups=[groups[s.name] for s in kept],
    )


def _controls(
    config: BundleConfig,
    dataset: Dataset,
    chosen: Chosen,
    kept: Sequence[Sample],
    *,
    seed: int,
    progress: Progress,
) -> dict[str, NDArray[np.float64]]:
    """What forests that see no cells say of the same images.

    They learn from the images the model learned from; on data that the model was not trained on, from the other
    folds of that data, which is more than the model had.
    """
    known = {s.name for s in kept}
    training = tuple(s for s in chosen.training if s.name not in known)
    samples = [*training, *kept]
    found = shortcut_features(dataset, samples, hashes=chosen.hashes, progress=progress)
    place = {c: i for i, c in enumerate(config.classes)}
    labels = np.array([place[str(s.label)] for s in samples])
    n, n_classes = len(training), len(place)
    if not training:
        units = np.array([chosen.groups[s.name] for s in kept])
        return {
            name: cross_validated(rows, labels, units, n_classes=n_classes, seed=seed)
            for name, rows in found.features.items()
        }
    train, test = np.arange(n), np.arange(n, len(samples))
    return {
        name: shortcut_probabilities(rows, labels, train=train, test=test, n_classes=n_classes, seed=seed)
        for name, rows in found.features.items()
    }


def _stress(
    predictor: Predictor | Cascade,
    dataset: Dataset,
    chosen: Chosen,
    kept: Sequence[Sample],
    tests: Sequence[tuple[str, int]],
    *,
    controls: bool,
    seed: int,
    resamples: int,
    progress: Progress,
) -> list[Stressed]:
    """The images once more with each damage; the controls, trained on whole images, are asked about the same ones."""
    if not tests:
        return []
    config = predictor.config
    labels = np.array([config.classes.index(str(s.label)) for s in kept])
    images = Damaged(dataset, kept, labels=labels, hashes=chosen.hashes, seed=seed)
    with_controls = controls and bool(chosen.training)
    tried = []
    for done, (damage, severity) in enumerate(tests):
        progress("damages", done, len(tests))
        tried.append(images.tried(predictor, damage, severity, with_features=with_controls))
    progress("damages", len(tests), len(tests))
    asked = _controls_when_damaged(config, dataset, chosen, kept, tried, seed=seed) if with_controls else {}
    found = []
    for i, ((damage, severity), once) in enumerate(zip(tests, tried, strict=True)):
        here = slice(i * len(kept), (i + 1) * len(kept))
        found.append(
            stressed(
                _predictions(config, kept, chosen.groups, once.answers),
                damage,
                severity,
                answered=np.array([once.answers[s.name].verdict == "answer" for s in kept]),
                controls={name: p[here] for name, p in asked.items()},
                seed=seed,
                resamples=resamples,
            )
        )
    return found


def _controls_when_damaged(
    config: BundleConfig,
    dataset: Dataset,
    chosen: Chosen,
    kept: Sequence[Sample],
    tried: Sequence[Tried],
    *,
    seed: int,
) -> dict[str, NDArray[np.float64]]:
    """What forests trained on whole training images say of every damaged image, damage after damage."""
    training = shortcut_features(dataset, chosen.training, hashes=chosen.hashes)
    labels = np.array([config.classes.index(str(s.label)) for s in chosen.training])
    n = len(labels)
    asked = {}
    for name, rows in training.features.items():
        others = np.array([once.features[s.name][name] for once in tried for s in kept], dtype=np.float32)
        everything = np.concatenate([rows, others])
        asked[name] = shortcut_probabilities(
            everything,
            np.concatenate([labels, np.zeros(len(others), dtype=labels.dtype)]),
            train=np.arange(n),
            test=np.arange(n, len(everything)),
            n_classes=len(config.classes),
            seed=seed,
        )
    return asked


def _context(predictor: Predictor | Cascade, chosen: Chosen, *, data: str, command: str) -> Context:
    config, served = predictor.config, predictor.served
    return Context(
        model={
            "name": config.name,
            "backbone": config.backbone,
            "weights": config.weights,
            "training": config.training,
            "trained_on": config.data.source,
            "runtime": served.name,
            "precision": served.precision,
            "cascade": None if config.cascade is None else config.cascade.model_dump(mode="json"),
        },
        data={"source": data, "n_images": len(chosen.samples)},
        protocol=chosen.protocol,
        caution=config.data.caution,
        provenance={
            "versions": dict(versions()),
            "commit": commit(),
            "machine": machine(),
            "command": command,
        },
    )


def _default_run(config: BundleConfig, data: str, split: str) -> Path:
    return Path("runs") / f"{config.name}-{data.partition(':')[0]}-{split}"


def _write(
    run: Path,
    evaluation: Evaluation,
    dataset: Dataset,
    kept: Sequence[Sample],
    answers: Mapping[str, Judgement],
) -> None:
    from PIL import Image

    by_name = {s.name: s for s in kept}
    for hard in evaluation.hardest:
        with whole_file(run / hard.image) as part:
            Image.fromarray(dataset.read(by_name[hard.name])).save(part, format="PNG")
    with whole_file(run / PREDICTIONS_FILE) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        classes = evaluation.classes
        writer.writerow(
            [
                "name",
                "label",
                "prediction",
                *(f"p_{c}" for c in classes),
                "suspicion",
                "set",
                "verdict",
                "reasons",
            ]
        )
        for s in kept:
            a = answers[s.name]
            probabilities = (f"{a.probabilities[c]:.6f}" for c in classes)
            writer.writerow(
                [
                    s.name,
                    s.label,
                    a.label,
                    *probabilities,
                    f"{a.suspicion:.6f}",
                    "|".join(a.set),
                    a.verdict,
                    "; ".join(a.reasons),
                ]
            )
    write_json(run / EVALUATION_FILE, evaluation.to_json())
