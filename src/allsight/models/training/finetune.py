"""Trains every layer. A run that was killed and resumed gives the very bytes of one that was not.

Nothing random carries over from one step to the next: the order of an epoch comes from (seed, epoch), the changes to
an image from (seed, epoch, index), what the network itself draws (dropout, stochastic depth) from (seed, step). So a
checkpoint needs weights, optimizer moments and counters, and no generator states.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from allsight.core.errors import UsageError
from allsight.core.progress import Progress, silent
from allsight.core.torchvision_ops import ensure
from allsight.data.loading import in_order
from allsight.data.transforms import augment
from allsight.models.training.averaging import Average
from allsight.models.training.checkpoint import (
    Checkpoint,
    read_checkpoint,
    restore,
    save_best,
    save_checkpoint,
    tensors_of,
)
from allsight.models.training.interruption import Interruption, deferred_interruption
from allsight.models.training.reproducible import reproducible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from allsight.core.records import Sample
    from allsight.models.classifier import Classifier
    from allsight.models.training.data import Portion
    from allsight.models.training.settings import FineTuning
    from allsight.models.training.teacher import Teacher


@dataclass(slots=True)
class _Progress:
    """The counters of a run; everything in it goes into a checkpoint's JSON."""

    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    seconds: float = 0.0
    best_loss: float = float("inf")
    best_epoch: int = -1
    best_file: str = ""
    history: list[dict[str, float]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """JSON knows no infinity."""
        state = {name: getattr(self, name) for name in self.__slots__}
        return {**state, "best_loss": None if self.best_epoch < 0 else self.best_loss}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> _Progress:
        known = {k: v for k, v in state.items() if k in cls.__slots__}
        return cls(
            **{**known, "best_loss": float("inf") if known["best_loss"] is None else known["best_loss"]}
        )


def finetune(
    classifier: Classifier,
    train: Portion,
    *,
    validation: Portion,
    settings: FineTuning,
    seed: int,
    folder: Path,
    identity: str,
    teacher: Teacher | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 30.0,
    progress: Progress = silent,
) -> list[dict[str, float]]:
    """Train in place; afterwards the classifier holds the last weights, their mean, or with patience the best epoch's.

    Args:
        classifier: network and head with their starting weights.
        train: images learned from.
        validation: images that every epoch is tried on.
        settings: of the optimisation.
        seed: all randomness.
        folder: where checkpoints lie while it runs.
        identity: what makes this training this one; a checkpoint of another is not resumed.
        teacher: a trained model to learn from beside the labels, or None.
        resume: go on from the checkpoint in `folder`, if there is one.
        checkpoint_seconds: longest time between checkpoints; longer where writing one takes long.
        progress: told after each step.

    Returns:
        One row an epoch: epoch, step, lr, train_loss, train_accuracy, validation_loss, validation_accuracy,
        validation_f1_macro, seconds.

    Raises:
        UsageError: the checkpoint belongs to a training with other settings or data.
        KeyboardInterrupt: asked to stop; a checkpoint was written.
    """
    run = _Run(
        classifier,
        train,
        validation=validation,
        settings=settings,
        seed=seed,
        folder=folder,
        identity=identity,
        teacher=teacher,
    )
    with reproducible(run.threads), deferred_interruption() as interruption:
        if resume:
            run.restore()
        run.go(interruption, checkpoint_seconds=checkpoint_seconds, progress=progress)
    run.load_best()
    return run.at.history


class _Batch(NamedTuple):
    """What one step learns from.

    Attributes:
        inputs: normalised float (N, 3, size, size).
        labels: int64 (N,).
        softened: the teacher's log-probabilities (N, C), or None.
    """

    inputs: Tensor
    labels: Tensor
    softened: Tensor | None


class _Run:
    """One training under way."""

    def __init__(
        self,
        classifier: Classifier,
        train: Portion,
        *,
        validation: Portion,
        settings: FineTuning,
        seed: int,
        folder: Path,
        identity: str,
        teacher: Teacher | None,
    ) -> None:
        self.classifier, self.train, self.validation = classifier, train, validation
        self.teacher = teacher
        self.settings, self.seed, self.folder, self.identity = settings, seed, folder, identity
        self.batch = min(settings.batch_size, len(train))
        self.steps_per_epoch = len(train) // self.batch  # the odd rest is others' turn in the next epoch
        self.total = self.steps_per_epoch * settings.epochs
        self.at = _Progress()
        checkpoint = read_checkpoint(folder)
        # Sums of floats depend on how many threads share them.
        self.threads = int(checkpoint.state["threads"]) if checkpoint else torch.get_num_threads()
        self.fabric = _fabric(settings.precision)
        # Convolutions and batch norms of mobile networks train 1.3 to 1.7 times as fast with colour channels last.
        classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(
            _parameter_groups(classifier, settings.weight_decay), lr=settings.learning_rate
        )
        self.model, self.optimizer = self.fabric.setup(classifier, optimizer)
        self.model.mark_forward_method("classify")
        counts = np.bincount(train.labels, minlength=len(train.dataset.classes))
        weights = counts.sum() / (len(counts) * counts) if settings.class_weights else np.ones(len(counts))
        self.class_weights = torch.tensor(weights, dtype=torch.float32, device=self.fabric.device)
        self.palette = train.stains() if settings.augmentation.recolour else None
        share, of_start = settings.averaged, settings.of_start
        self.average = (
            Average(classifier, share=share, total=self.total, of_start=of_start) if share else None
        )

    def go(self, interruption: Interruption, *, checkpoint_seconds: float, progress: Progress) -> None:
        saved = started = time.monotonic()
        every = checkpoint_seconds
        for batch in self._batches_left():
            self._step(batch)
            self.at.seconds += time.monotonic() - started
            started = time.monotonic()
            progress(f"epoch {(self.at.step - 1) // self.steps_per_epoch + 1}", self.at.step, self.total)
            ends_epoch = self.at.step % self.steps_per_epoch == 0
            if ends_epoch:
                self._end_epoch()
            if ends_epoch or interruption.asked or time.monotonic() - saved > every:
                before = time.monotonic()
                self.save()
                saved = time.monotonic()
                every = max(
                    checkpoint_seconds, 20 * (saved - before)
                )  # big networks: at most 5 % of the time
            if interruption.asked:
                raise KeyboardInterrupt
            if ends_epoch and self._is_enough():
                return

    def save(self) -> None:
        state = {**self.at.to_json(), "identity": self.identity, "threads": self.threads}
        tensors = tensors_of(self.classifier, self.optimizer)
        if self.average is not None:
            tensors |= self.average.tensors()
        save_checkpoint(self.folder, Checkpoint(state, tensors))

    def restore(self) -> None:
        checkpoint = read_checkpoint(self.folder)
        if checkpoint is None:
            return
        if checkpoint.state["identity"] != self.identity:
            raise UsageError(
                f"The checkpoint in {self.folder} belongs to a training with other settings, data or versions.",
                hint="Give the arguments of that training again, or train from the start without --resume.",
            )
        restore(self.classifier, self.optimizer, checkpoint.tensors)
        if self.average is not None:
            self.average.restore(checkpoint.tensors)
        self.at = _Progress.from_json(checkpoint.state)

    def load_best(self) -> None:
        from safetensors.torch import load_file

        self.classifier.load_state_dict(load_file(self.folder / self.at.best_file))
        self.classifier.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]

    def _is_enough(self) -> bool:
        waited = len(self.at.history) - 1 - self.at.best_epoch
        return 0 < self.settings.patience <= waited

    def _batches_left(self) -> Iterator[_Batch]:
        if self.at.history and self._is_enough():
            return
        yield from self._batches(range(self.at.step, self.total), teacher=self.teacher)

    def _batches(self, steps: range, *, teacher: Teacher | None) -> Iterator[_Batch]:
        """The batches of some steps, prepared on threads."""
        students = [self.classifier.prepare, *([teacher.prepare] if teacher else [])]

        def prepared(place: tuple[int, int]) -> list[Tensor]:
            epoch, index = place
            image = self._read(self.train, self.train.samples[index])
            rng = np.random.default_rng([self.seed, epoch, index])
            varied = augment(
                image,
                self.settings.augmentation,
                rng=rng,
                overlay=self.train.dataset.overlay,
                palette=self.palette,
                another=self._another,
            )
            with torch.no_grad():
                pixels = torch.from_numpy(varied)[None].to(self.fabric.device)
                return [prepare(pixels) for prepare in students]

        places = (p for step in steps for p in self._places(step))
        order = (p for step in steps for p in self._places(step))
        images: list[list[Tensor]] = []
        labels: list[int] = []
        for (_, index), image in zip(order, in_order(prepared, places, ahead=2 * self.batch), strict=True):
            images.append(image)
            labels.append(int(self.train.labels[index]))
            if len(images) == self.batch:
                inputs, *seen_by_teacher = (torch.cat(tensors) for tensors in zip(*images, strict=True))
                yield _Batch(
                    inputs.contiguous(memory_format=torch.channels_last),
                    torch.tensor(labels, device=self.fabric.device),
                    teacher.softened(*seen_by_teacher) if teacher else None,
                )
                images, labels = [], []

    def _another(self, share: float) -> NDArray[np.uint8]:
        """The training image that lies at a share in [0, 1) of all."""
        return self._read(self.train, self.train.samples[int(share * len(self.train))])

    def _read(self, portion: Portion, sample: Sample) -> NDArray[np.uint8]:
        return self.classifier.preprocessing.reduced(portion.dataset.read(sample))

    def _places(self, step: int) -> list[tuple[int, int]]:
        """(epoch, index) of the images of a step."""
        epoch, within = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.train))
        return [(epoch, int(i)) for i in order[within * self.batch : (within + 1) * self.batch]]

    def _step(self, batch: _Batch) -> None:
        labels = batch.labels
        self.model.train()
        torch.manual_seed(int(np.random.SeedSequence([self.seed, self.at.step]).generate_state(1)[0]))
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate(self.at.step, self.total)
        logits = self.model.classify(batch.inputs).logits
        loss = F.cross_entropy(
            logits, labels, weight=self.class_weights, label_smoothing=self.settings.label_smoothing
        )
        if self.teacher is not None and batch.softened is not None:
            loss = self.teacher.loss(logits, of_labels=loss, softened=batch.softened)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self.optimizer.step()
        if self.average is not None:
            self.average.count(self.at.step)
        self.at.step += 1
        self.at.loss_sum += float(loss.detach()) * len(labels)
        self.at.correct += int((logits.argmax(dim=1) == labels).sum())
        self.at.seen += len(labels)

    def _put_average(self, average: Average) -> None:
        """The mean of the weights, its batch normalisations fitted to one more epoch."""
        torch.manual_seed(self.seed)  # what the network draws for itself, stochastic depth say
        more = range(self.total, self.total + self.steps_per_epoch)
        average.put(batch.inputs for batch in self._batches(more, teacher=None))

    def _end_epoch(self) -> None:
        started = time.monotonic()
        if self.average is not None and self.at.step == self.total:
            self._put_average(self.average)
        loss, accuracy, f1 = self._validate()
        epoch = len(self.at.history)
        self.at.seconds += time.monotonic() - started
        self.at.history.append(
            {
                "epoch": epoch + 1,
                "step": self.at.step,
                "lr": self.settings.rate(self.at.step - 1, self.total),
                "train_loss": self.at.loss_sum / self.at.seen,
                "train_accuracy": self.at.correct / self.at.seen,
                "validation_loss": loss,
                "validation_accuracy": accuracy,
                "validation_f1_macro": f1,
                "seconds": round(self.at.seconds, 3),
            }
        )
        self.at.loss_sum, self.at.correct, self.at.seen, self.at.seconds = 0.0, 0, 0, 0.0
        if loss < self.at.best_loss or not self.settings.patience:
            self.at.best_loss, self.at.best_epoch = loss, epoch
            self.at.best_file = save_best(self.folder, self.classifier, epoch=epoch)

    def _validate(self) -> tuple[float, float, float]:
        """Class-weighted loss, accuracy and macro F1 on the validation images."""
        from sklearn.metrics import f1_score

        def prepared(sample: Sample) -> Tensor:
            with torch.no_grad():
                image = torch.from_numpy(self._read(self.validation, sample))[None]
                return self.classifier.prepare(image.to(self.fabric.device))

        self.model.eval()
        logits: list[Tensor] = []
        waiting: list[Tensor] = []
        with torch.no_grad():
            for done, image in enumerate(
                in_order(prepared, self.validation.samples, ahead=2 * self.batch), start=1
            ):
                waiting.append(image)
                if len(waiting) == self.batch or done == len(self.validation):
                    logits.append(self.model.classify(torch.cat(waiting)).logits.float())
                    waiting = []
        everything = torch.cat(logits)
        labels = torch.tensor(self.validation.labels, device=everything.device)
        loss = F.cross_entropy(everything, labels, weight=self.class_weights)
        guesses = everything.argmax(dim=1).cpu().numpy()
        accuracy = float((guesses == self.validation.labels).mean())
        return float(loss), accuracy, float(f1_score(self.validation.labels, guesses, average="macro"))


def _fabric(precision: str) -> Any:
    ensure()
    from lightning_fabric import Fabric

    bf16 = precision == "bf16" or (precision == "auto" and torch.cuda.is_available())
    return Fabric(accelerator="auto", devices=1, precision="bf16-mixed" if bf16 else "32-true")


def _parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Biases and norms are not decayed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
