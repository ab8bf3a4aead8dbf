"""The settings of a fine-tuning, with what they default to and why."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from allsight.data.transforms import Augmentation


class FineTuning(BaseModel):
    """AdamW with linear warm-up and cosine decay.

    The paper gives no hyper-parameters; these are our own choice.

    Attributes:
        epochs: passes over the training images at most.
        batch_size: images a step.
        learning_rate: its peak.
        weight_decay: decoupled, on weights of two and more dimensions only.
        warm_up: share of all steps over which the learning rate rises.
        least_rate: where the cosine ends, as a share of the peak. A training whose weights are averaged goes on moving.
        averaged: share of all steps, the last ones, over which the weights are averaged; 0 keeps the last weights. A
            mean of many lies where the loss is flat, which holds better on other people's images (Izmailov et al., UAI
            2018; Cha et al., "SWAD", NeurIPS 2021). Batch normalisations see one more epoch for it.
        of_start: share of the weights that the training began with in what it ends with, where it averages; the mean
            has the rest. What a further stage teaches costs less of what was known before it then (Wortsman et al.,
            CVPR 2022).
        label_smoothing: of the cross-entropy.
        dropout: on the embedding.
        class_weights: weight classes by the inverse of their frequency.
        patience: epochs without a better validation loss before it stops and goes back to the best epoch; 0 trains
            all epochs and keeps the last, which few validation groups cannot beat by choosing.
        look_again: whether the model, once trained, looks at images that it is not sure of from all their eight sides,
            four of them in the usual stain of its training images; it should have learned from turned, mirrored and
            recoloured ones.
        teacher_weight: share of the teacher in the loss, where there is one; the rest is the labels'.
        teacher_temperature: softens the answers of both.
        precision: "auto" is bf16 on a GPU and fp32 on a CPU, where bf16 is slower.
        augmentation: how training images are varied.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.02, ge=0)
    warm_up: float = Field(default=0.1, ge=0, le=1)
    least_rate: float = Field(default=0.0, ge=0, le=1)
    averaged: float = Field(default=0.0, ge=0, le=1)
    of_start: float = Field(default=0.0, ge=0, lt=1)
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    class_weights: bool = True
    patience: int = Field(default=0, ge=0)
    look_again: bool = False
    teacher_weight: float = Field(default=0.7, ge=0, le=1)
    teacher_temperature: float = Field(default=2.0, gt=0)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    augmentation: Augmentation = Augmentation()

    def rate(self, step: int, total: int) -> float:
        """Learning rate of step `step` of `total`, both counted from 0.

        >>> s = FineTuning(learning_rate=1.0, warm_up=0.5)
        >>> [round(s.rate(i, 4), 3) for i in range(4)]
        [0.5, 1.0, 1.0, 0.5]
        """
        rising = round(self.warm_up * total)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        fallen = 0.5 * (1 - math.cos(math.pi * (step - rising) / max(1, total - rising)))
        return self.learning_rate * (1 - (1 - self.least_rate) * fallen)

    @model_validator(mode="after")
    def _averages_whole_trainings(self) -> Self:
        if self.averaged and self.patience:
            raise ValueError(
                "a training that may stop early (patience) cannot average its last steps (averaged)"
            )
        if self.of_start and not self.averaged:
            raise ValueError(
                "the weights that a training began with (of_start) are mixed with a mean of its last: averaged above 0"
            )
        return self
