"""The mean of a training's last weights, and of those that it began with.

Izmailov et al., "Averaging weights leads to wider optima", UAI 2018; Wortsman et al., "Robust fine-tuning of zero-shot
models", CVPR 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from allsight.models.training.checkpoint import tensors_under

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allsight.models.classifier import Classifier

_PREFIX = "average."


@final
class Average:
    """A running mean of a classifier's weights.

    Args:
        classifier: what is trained, in place. It still has the weights that it begins with, in a training that is taken
            up again as well.
        share: of all steps, the last ones, above 0.
        total: steps of the training.
        of_start: share of the weights that the training began with in what is put; the mean of the last has the rest.
    """

    def __init__(self, classifier: Classifier, *, share: float, total: int, of_start: float = 0.0) -> None:
        self.classifier = classifier
        self.of_start = of_start
        self.start = {k: v.detach().clone() for k, v in classifier.named_parameters()} if of_start else {}
        self.first = total - max(1, round(share * total))  # step that is counted first
        self.mean = AveragedModel(classifier)

    def count(self, step: int) -> None:
        """Take in the weights as they are after step `step`, counted from 0."""
        if step >= self.first:
            self.mean.update_parameters(self.classifier)

    def put(self, inputs: Iterable[Tensor]) -> None:
        """Put the mean in place of the weights, and fit batch normalisations to batches of normalised inputs."""
        self.classifier.load_state_dict(self.mean.module.state_dict())
        with torch.no_grad():
            for name, begun_with in self.start.items():
                self.classifier.get_parameter(name).lerp_(begun_with, self.of_start)
        update_bn(inputs, _OfInputs(self.classifier))

    def tensors(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return {f"{_PREFIX}{k}": v.contiguous() for k, v in self.mean.state_dict().items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `tensors`, from all tensors of a checkpoint."""
        self.mean.load_state_dict(tensors_under(_PREFIX, tensors))


class _OfInputs(nn.Module):
    """A classifier whose forward pass begins with normalised inputs, as `update_bn` calls it."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalised float (N, 3, size, size) → logits (N, C)."""
        return self.classifier.classify(inputs).logits
