"""Classifiers and images to explain: random weights, with activations of the size that trained ones have."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.torchvision_ops import ensure
from allsight.models.classifier import Classifier
from allsight.models.preprocessing import Preprocessing

PAPER = ("efficientnet_b7", "resnet50", "densenet121", "inception_resnet_v2", "vgg19", "alexnet")


def judge(module: str) -> Any:
    """A module of an independent library; some of them import torchvision."""
    ensure()
    return importlib.import_module(module)


def classifier_of(
    backbone: str, *, size: int, n_classes: int = 4, interpolation: Any = "bicubic", seen: int = 4
) -> Classifier:
    """A classifier in evaluation mode whose normalisations know the size of its activations.

    With fresh statistics the signal of a deep network fades to nothing, and no map could be told from another. With
    statistics of few images a deep one trembles: rounding turns into percents.
    """
    torch.manual_seed(0)
    kind = catalog.load(Backbone, backbone)
    classifier = Classifier(
        kind.build(),
        n_classes=n_classes,
        preprocessing=Preprocessing(size=size, interpolation=interpolation),
        pooled=kind.pooled,
    )
    norms = [m for m in classifier.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0  # what was seen last is all that is remembered
    classifier.train()
    with torch.no_grad():
        if norms:
            classifier(torch.from_numpy(fields(seen, size)))
        else:
            for layer in classifier.network.modules():
                if isinstance(layer, (nn.Conv2d, nn.Linear)):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        classifier.head.weight.normal_(std=0.1)
        classifier.head.bias.normal_()
    return classifier.eval()


def fields(n: int, side: int, *, seed: int = 0, width: int | None = None) -> NDArray[np.uint8]:
    """Bright images with dark round spots, uint8 (n, side, width, 3)."""
    rng = np.random.default_rng(seed)
    width = width or side
    y, x = np.mgrid[:side, :width]
    images = np.full((n, side, width, 3), 235.0) + rng.normal(0, 6, (n, side, width, 3))
    for image in images:
        for _ in range(6):
            centre, radius = rng.uniform(0, 1, 2) * (side, width), side * rng.uniform(0.06, 0.14)
            spot = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
            image[spot] = rng.uniform(40, 200, 3) + rng.normal(0, 12, (int(spot.sum()), 3))
    return np.clip(images, 0, 255).astype(np.uint8)


def state_of(module: nn.Module) -> list[Any]:
    """Everything about a module that explaining must not change: modes, wishes for gradients, hooks, weights."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [
        [m.training for m in module.modules()],
        [
            (p.requires_grad, p.grad is None, p.is_contiguous(), float(p.double().sum()))
            for p in module.parameters()
        ],
        [len(getattr(m, kind)) for m in module.modules() for kind in hooks],
        [len(p._backward_hooks or ()) for p in module.parameters()],
    ]
