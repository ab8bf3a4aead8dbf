"""`evaluate`: a bundle on labelled images it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import ImageError
from allsight.core.files import check_writable
from allsight.core.progress import Progress, silent
from allsight.core.provenance import commit, machine, versions
from allsight.core.records import TEST
from allsight.data.source import open_dataset
from allsight.evaluate.document import Evaluation
from allsight.evaluate.evaluation import Context, evaluate_predictions
from allsight.evaluate.stress import damages_of
from allsight.inference.cascade import open_answering
from allsight.models.bundle import (
    BundleConfig,
    bundle_folder,
    count_parameters,
    read_config,
    read_split,
    weights_digest,
)
from allsight.verbs.controls import controls_of
from allsight.verbs.damaged import stress_tests
from allsight.verbs.reading import reading_of
from allsight.verbs.run_files import check_run, write_run
from allsight.verbs.unseen import Chosen, choose

if TYPE_CHECKING:
    from allsight.core.contracts import Dataset
    from allsight.inference.cascade import Cascade
    from allsight.inference.predictor import Predictor
    from allsight.inference.trust import Judgement


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
    overwrite: bool = False,
    progress: Progress = silent,
) -> Evaluated:
    """Every metric with a 95 % interval, and what can be had without looking at cells beside it.

    On the data the bundle was trained on: its held-out part. On other data: everything except images that the
    bundle has seen, known by their hashes, and images that share a patient or field with one of those.

    Args:
        bundle: folder of the bundle.
        data: "taleqani:PATH", "synthetic:SEED" or another DATA, labelled with classes the model knows.
        split: "test"; or "train" or "validation" to see the other side, named as such in every output.
        out: folder for the results; by default runs/NAME-KIND-SPLIT. An evaluation of the same model on the same
            part of the same DATA is replaced, with the report and the explanations made of it.
        seed: of the bootstrap and the controls.
        resamples: of the bootstrap.
        controls: whether to fit the controls.
        stress: "usual" tries the images again with each damage of the catalog once, "all" in five severities.
        runtime: "pytorch", "onnx" or "openvino"; None takes the fastest that the bundle was exported for.
        precision: "fp32" or "int8"; None takes the fastest there is.
        overwrite: replace an evaluation of another model, DATA or part, too.
        progress: told how far it is.

    Raises:
        BundleError: no bundle, or a damaged one.
        UsageError: the folder holds another evaluation.
        DataError: the data has no labelled image left, or classes the model does not know and no word of which are
            suspicious; else those are read as suspicious or not.
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
    folder = bundle_folder(bundle)
    config, digest = read_config(folder), weights_digest(folder)
    run = Path(out) if out is not None else _default_run(config, data, split)
    if not overwrite:
        check_run(run, name=config.name, digest=digest, data=data, part=split)
    check_writable(run)
    predictor = open_answering(folder, runtime=runtime, precision=precision)
    dataset = open_dataset(data)
    reading = reading_of(predictor.config, dataset)
    chosen = choose(predictor.config, read_split(folder), dataset, part=split, progress=progress)
    answers, failed = _answers(predictor, dataset, chosen, progress=progress)
    kept = [s for s in chosen.samples if s.name in answers]
    predictions = reading.predictions(kept, answers, chosen.groups)
    asked = controls_of(reading, dataset, chosen, kept, seed=seed, progress=progress) if controls else {}
    evaluation = evaluate_predictions(
        predictions,
        _context(
            predictor,
            chosen,
            digest=digest,
            parameters=count_parameters(folder),
            remark=reading.remark,
            data=data,
            command=f"allsight evaluate {bundle} {data} --split {split} --seed {seed} "
            f"--runtime {predictor.served.name} --precision {predictor.served.precision}",
        ),
        controls=asked,
        answered=np.array([answers[s.name].verdict == "answer" for s in kept]),
        stress=stress_tests(
            predictor,
            reading,
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
    write_run(run, evaluation, dataset, kept, answers=answers, predictions=predictions, controls=asked)
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


def _context(
    predictor: Predictor | Cascade,
    chosen: Chosen,
    *,
    digest: str,
    parameters: int,
    remark: str,
    data: str,
    command: str,
) -> Context:
    config, served = predictor.config, predictor.served
    return Context(
        model={
            "name": config.name,
            "sha256": digest,
            "backbone": config.backbone,
            "parameters": parameters,
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
        remark=remark,
        provenance={
            "versions": dict(versions()),
            "commit": commit(),
            "machine": machine(),
            "command": command,
        },
    )


def _default_run(config: BundleConfig, data: str, split: str) -> Path:
    return Path("runs") / f"{config.name}-{data.partition(':')[0]}-{split}"
