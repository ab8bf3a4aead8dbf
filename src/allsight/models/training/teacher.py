"""A trained model whose soft answers a smaller or slower one learns from (Hinton, Vinyals & Dean 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from torch.nn import functional as F

from allsight.core.errors import UsageError
from allsight.models.bundle import load_classifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from allsight.models.classifier import Classifier


@final
class Teacher:
    """A bundle that is asked about every varied training image.

    Args:
        classifier: in evaluation mode.
        weight: share of its part in the loss; the rest is the labels'.
        temperature: both answers are softened by it.
    """

    def __init__(self, classifier: Classifier, *, weight: float, temperature: float) -> None:
        self.classifier = classifier
        classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.weight, self.temperature = weight, temperature

    @classmethod
    def open(cls, folder: Path, *, classes: Sequence[str], weight: float, temperature: float) -> Teacher:
        """The bundle in `folder`.

        Raises:
            BundleError: there is none, or it is damaged.
            UsageError: it knows other classes.
        """
        classifier, config = load_classifier(folder)
        if config.classes != tuple(classes):
            raise UsageError(
                f"The teacher knows {', '.join(config.classes)}; the data has {', '.join(classes)}.",
                hint="Give a teacher that was trained on the same classes.",
            )
        return cls(classifier, weight=weight, temperature=temperature)

    def prepare(self, images: Tensor) -> Tensor:
        """uint8 RGB (N, H, W, 3) → its own normalised input."""
        return self.classifier.prepare(images)

    def softened(self, inputs: Tensor) -> Tensor:
        """Its own normalised input (N, 3, size, size) → log-probabilities (N, C) at the temperature."""
        with torch.no_grad():
            logits = self.classifier.classify(inputs.contiguous(memory_format=torch.channels_last)).logits
            return F.log_softmax(logits / self.temperature, dim=1)

    def loss(self, logits: Tensor, *, of_labels: Tensor, softened: Tensor) -> Tensor:
        """The labels' loss and the divergence from the teacher, weighed.

        The divergence is multiplied by the squared temperature, which keeps the size of its gradients.

        Args:
            logits: the student's (N, C).
            of_labels: its loss against the labels, a scalar.
            softened: what `softened` gave for the same images.
        """
        own = F.log_softmax(logits / self.temperature, dim=1)
        divergence = F.kl_div(own, softened, reduction="batchmean", log_target=True)
        return (1 - self.weight) * of_labels + self.weight * self.temperature**2 * divergence
