"""The learning in a training: from parts of a data set to a classifier and to what it is trusted with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allsight.core.errors import UsageError
from allsight.core.provenance import fingerprint, versions
from allsight.core.records import TRAIN, VALIDATION, Outputs
from allsight.data.appearance import looks_of
from allsight.inference.checks import fit_limits
from allsight.inference.second_look import fit_doubt, fit_stain, looked_again
from allsight.inference.trust import Space, Trust, fit_space, fit_trust
from allsight.models.bundle import MODEL_FILE, begun_from, read_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.contracts import Backbone
    from allsight.core.progress import Progress
    from allsight.core.records import Sample
    from allsight.inference.trust import Stain
    from allsight.models.classifier import Classifier
    from allsight.models.training.data import Portion
    from allsight.models.training.settings import FineTuning
    from allsight.models.training.teacher import Teacher
    from allsight.verbs.material import Material

CHECKPOINTS = "checkpoint"


@dataclass(frozen=True, slots=True)
class Plan:
    """The arguments that decide what comes out."""

    data: str
    backbone: str
    weights: str
    seed: int
    size: int | None
    freeze: bool
    teacher: Path | None
    settings: FineTuning


@dataclass(frozen=True, slots=True)
class Learned:
    """What training gave."""

    classifier: Classifier
    space: Space
    trust: Trust
    facts: dict[str, Any]
    history: list[dict[str, float]]


def learn(
    plan: Plan,
    kind: type[Backbone],
    material: Material,
    *,
    folder: Path,
    resume: bool,
    checkpoint_seconds: float,
    progress: Progress,
) -> Learned:
    """Train on one part, and fit on the validation part what the model is trusted with.

    Args:
        plan: what is asked for.
        kind: the network.
        material: the divided data set.
        folder: of the bundle in the making; checkpoints go there.
        resume: go on from the checkpoint.
        checkpoint_seconds: longest time between two checkpoints.
        progress: told how far it is.
    """
    from allsight.models.training.features import embeddings_of

    train_part, validation = material.portion(TRAIN), material.portion(VALIDATION)
    both = (*train_part.samples, *validation.samples)
    n = len(train_part)
    classifier = _untrained(plan, kind, material)
    history: list[dict[str, float]] = []
    if plan.freeze:
        embeddings = _frozen(classifier, material, both, progress=progress)
        facts = _fit_head(classifier, embeddings[:n], train_part, seed=plan.seed)
    else:
        from allsight.models.training.finetune import finetune

        history = finetune(
            classifier,
            train_part,
            validation=validation,
            settings=plan.settings,
            seed=plan.seed,
            folder=folder / CHECKPOINTS,
            identity=_identity(plan, material),
            teacher=_teacher(plan, material),
            resume=resume,
            checkpoint_seconds=checkpoint_seconds,
            progress=progress,
        )
        facts = {
            "mode": "fine-tuned",
            **plan.settings.model_dump(mode="json"),
            "epochs_run": len(history),
            "teacher": None if plan.teacher is None else read_config(plan.teacher).name,
        }
        embeddings = embeddings_of(classifier, material.dataset, samples=both, progress=progress)
    space, trust = fit_trusted(
        classifier,
        material,
        embeddings,
        again=plan.settings.look_again and not plan.freeze,
        progress=progress,
    )
    return Learned(classifier, space, trust, facts, history)


def fit_trusted(
    classifier: Classifier,
    material: Material,
    embeddings: NDArray[np.float32],
    *,
    again: bool,
    progress: Progress,
) -> tuple[Space, Trust]:
    """What a trained model is trusted with, from its validation images.

    Args:
        classifier: trained.
        material: what it was trained on.
        embeddings: (N, D) of the training images, then of the validation images.
        again: whether it is to look again at what it is not sure of.
        progress: told how far it is.
    """
    import torch

    train_part, validation = material.portion(TRAIN), material.portion(VALIDATION)
    n = len(train_part)
    with torch.inference_mode():
        logits = classifier.head(torch.from_numpy(embeddings[n:])).numpy()
    doubt, stain = 0.0, None
    if again:
        doubt, stain = fit_doubt(logits), fit_stain(train_part.stains())
        logits = _looked_again(classifier, validation, logits, embeddings[n:], doubt=doubt, stain=stain)
    space = fit_space(embeddings[:n], train_part.labels, n_classes=len(material.dataset.classes))
    both = (*train_part.samples, *validation.samples)
    looks = looks_of(material.dataset, both, progress=progress)  # no network learned from these figures
    trust = fit_trust(
        logits,
        validation.labels,
        distances=space.distances(embeddings[n:]),
        groups=validation.groups,
        limits=fit_limits([*looks.values()], [material.split.groups[name] for name in looks]),
        doubt=doubt,
        stain=stain,
    )
    return space, trust


def _looked_again(
    classifier: Classifier,
    portion: Portion,
    logits: NDArray[np.float32],
    embeddings: NDArray[np.float32],
    *,
    doubt: float,
    stain: Stain,
) -> NDArray[np.float32]:
    """Logits (N, C) as they are answered: those of all eight sides where the first look left doubt."""
    import numpy as np

    from allsight.inference.runtimes.pytorch import PyTorch

    runtime = PyTorch(classifier)
    rows = []
    for sample, first, embedding in zip(portion.samples, logits, embeddings, strict=True):
        image = classifier.preprocessing.reduced(portion.dataset.read(sample))
        outputs = Outputs(first[None], None, embedding[None])
        rows.append(looked_again(runtime, image, outputs, doubt=doubt, stain=stain).logits)
    return np.concatenate(rows)


def _untrained(plan: Plan, kind: type[Backbone], material: Material) -> Classifier:
    import torch

    from allsight.models.classifier import Classifier
    from allsight.models.weights import start, starting_head

    classes = material.dataset.classes
    with torch.random.fork_rng():
        torch.manual_seed(plan.seed)
        network, preprocessing = start(kind, plan.weights, size=plan.size)
        classifier = Classifier(
            network,
            n_classes=len(classes),
            preprocessing=preprocessing,
            pooled=kind.pooled,
            dropout=0.0 if plan.freeze else plan.settings.dropout,
        )
    if (head := starting_head(plan.weights, network, classes=classes)) is not None:
        classifier.put_head(*(tensor.numpy() for tensor in head))
    elif plan.settings.of_start and not plan.freeze:
        raise UsageError(
            "of_start mixes in what was known before, and this training does not begin with a bundle of its classes.",
            hint=f"Give --weights a bundle for {', '.join(classes)}, or leave of_start 0.",
        )
    return classifier


def _teacher(plan: Plan, material: Material) -> Teacher | None:
    from allsight.models.training.teacher import Teacher

    if plan.teacher is None:
        return None
    return Teacher.open(
        plan.teacher,
        classes=material.dataset.classes,
        weight=plan.settings.teacher_weight,
        temperature=plan.settings.teacher_temperature,
    )


def _frozen(
    classifier: Classifier, material: Material, samples: Sequence[Sample], *, progress: Progress
) -> NDArray[np.float32]:
    """Embeddings of some samples; those of all are cached, so that another split need not run the network again."""
    from allsight.models.training.features import frozen_embeddings

    everything = [s for s in material.dataset.samples if s.name in material.split.groups]
    rows = frozen_embeddings(
        classifier, material.dataset, samples=everything, hashes=material.hashes, progress=progress
    )
    place = {s.name: i for i, s in enumerate(everything)}
    found: NDArray[np.float32] = rows[[place[s.name] for s in samples]]
    return found


def _fit_head(
    classifier: Classifier, embeddings: NDArray[np.float32], portion: Portion, *, seed: int
) -> dict[str, Any]:
    from allsight.models.training.head import fit_head

    head = fit_head(embeddings, portion.labels, groups=portion.groups, seed=seed)
    classifier.put_head(head.weight, head.bias)
    return {
        "mode": "frozen features, logistic regression",
        "inverse_regularisation": head.inverse_regularisation,
        "log_loss_by_candidate": {str(c): round(v, 6) for c, v in head.log_loss.items()},
    }


def check_ancestors(plan: Plan, material: Material) -> None:
    """Neither the teacher nor the bundle that training starts from may know what is held back.

    Raises:
        LeakError: one does.
    """
    from allsight.models.training.ancestry import assert_has_not_seen

    for role, bundle in (("The teacher", plan.teacher), ("The starting point", begun_from(plan.weights))):
        if bundle is not None:
            split = material.split
            assert_has_not_seen(
                bundle, role=role, hashes=material.hashes, parts=split.parts, groups=split.groups
            )


def _identity(plan: Plan, material: Material) -> str:
    """What must be the same for a checkpoint to be resumed."""
    return fingerprint(
        [
            json.dumps(plan.settings.model_dump(mode="json"), sort_keys=True),
            *(str(v) for v in (plan.backbone, plan.weights, plan.seed, plan.size)),
            *("" if b is None else _digest(b / MODEL_FILE) for b in (plan.teacher, begun_from(plan.weights))),
            material.fingerprint,
            *(name for part in material.split.parts.values() for name in ("", *part)),
            str(versions(("torch", "timm", "torchvision"))),
        ]
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
