"""Classifiers of which it is known where they look, trained in seconds on generated smears.

The backbone is `tiny`: a position of its last feature map sees 15 pixels and the next lies 8 pixels on, so that a map
can say where the evidence lies. On the 7 × 7 grid of a published network a scale bar is smaller than one position.

The head has no bias. A class could be told by a constant alone, and a constant lies nowhere.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.data.source import open_dataset
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.classifier import Classifier
from allsight.models.preprocessing import Preprocessing

SIZE = 160  # pixels a side, of fields and of what the network sees
STRIDE = 8  # pixels from one position of `tiny`'s last feature map to the next
N_CLASSES = 4
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Fields:
    """Generated smears and what is known of them.

    Attributes:
        images: uint8 RGB (N, SIZE, SIZE, 3).
        labels: int64 (N,).
        masks: bool (N, SIZE, SIZE) by what they cover.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    masks: Mapping[str, NDArray[np.bool_]]


def fields_of(seed: int, *, patients: int, each: int = 1, options: str) -> Fields:
    """The fields of "synthetic:SEED?…", `each` of every patient, with their exact masks.

    Args:
        seed: of the generator; another seed has other patients.
        patients: how many.
        each: fields of one patient.
        options: what follows in DATA, such as "morphology=none".
    """
    data = open_dataset(
        f"synthetic:{seed}?images={patients * each}&patients={patients}&size={SIZE}&{options}"
    )
    drawn = [(data.read(sample), data.masks(sample)) for sample in data.samples]
    return Fields(
        np.stack([image for image, _ in drawn]),
        np.array([data.classes.index(str(sample.label)) for sample in data.samples]),
        {kind: np.stack([masks[kind] for _, masks in drawn]) for kind in drawn[0][1]},
    )


def train(
    fields: Fields, *, empty: Fields | None = None, epochs: int, rate: float, turned: bool
) -> Classifier:
    """A classifier in evaluation mode, trained with cross-entropy and AdamW on one thread; repeatable.

    Args:
        fields: what it learns from.
        empty: fields that show no class: all classes are then equally right. Without them softmax lets a network tell
            one class by the absence of the others' signs, and the evidence for that one lies everywhere but in a sign.
        epochs: passes over all fields.
        rate: highest learning rate of the schedule, one cycle.
        turned: whether a batch is turned and mirrored at random; not where the class shows in one corner.
    """
    images, answers = torch.from_numpy(fields.images), F.one_hot(torch.from_numpy(fields.labels), N_CLASSES)
    answers = answers.float()
    if empty is not None:
        images = torch.cat([images, torch.from_numpy(empty.images)])
        answers = torch.cat([answers, torch.full((len(empty.images), N_CLASSES), 1 / N_CLASSES)])
    with _repeatable():
        classifier = _fresh()
        wanted = [p for p in classifier.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(wanted, lr=rate, weight_decay=0.01)
        steps = epochs * (len(images) // _BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
        for batch in _batches(len(images), epochs=epochs):
            pixels = _turned(images[batch]) if turned else images[batch]
            loss = F.cross_entropy(classifier(pixels).logits, answers[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return classifier.eval()


def answered(classifier: Classifier, fields: Fields, *, each: int) -> tuple[Fields, float]:
    """The first `each` fields of every class that the classifier answers correctly, and its accuracy on all."""
    right = PyTorch(classifier).run(fields.images).logits.argmax(axis=1) == fields.labels
    chosen = np.concatenate(
        [np.flatnonzero(right & (fields.labels == label))[:each] for label in range(N_CLASSES)]
    )
    masks = {kind: mask[chosen] for kind, mask in fields.masks.items()}
    return Fields(fields.images[chosen], fields.labels[chosen], masks), float(right.mean())


def shuffled(classifier: Classifier, *, seed: int) -> Classifier:
    """A copy in which the values of each parameter have changed places among themselves."""
    generator = torch.Generator().manual_seed(seed)
    other = copy.deepcopy(classifier)
    with torch.no_grad():
        for parameter in other.parameters():
            order = torch.randperm(parameter.numel(), generator=generator)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return other


def _fresh() -> Classifier:
    classifier = Classifier(
        catalog.load(Backbone, "tiny").build(),
        n_classes=N_CLASSES,
        preprocessing=Preprocessing(size=SIZE),
        pooled=True,
    )
    nn.init.zeros_(classifier.head.bias)
    classifier.head.bias.requires_grad_(False)
    return classifier.train()


def _batches(n: int, *, epochs: int) -> Iterator[Tensor]:
    """Indices of whole batches, every epoch in another order."""
    for _ in range(epochs):
        order = torch.randperm(n)
        yield from torch.split(order[: n - n % _BATCH], _BATCH)


def _turned(pixels: Tensor) -> Tensor:
    quarters, mirror = torch.randint(0, 4, ()), torch.randint(0, 2, ())
    turned = torch.rot90(pixels, int(quarters), (1, 2))
    return turned.flip(1) if mirror else turned


@contextmanager
def _repeatable() -> Iterator[None]:
    """Seed 0 and one thread inside the block; the caller's randomness and threads after it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            yield
    finally:
        torch.set_num_threads(threads)
