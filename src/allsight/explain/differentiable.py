"""The PyTorch model behind a runtime, and a frame in which it can be differentiated and is left as it was found."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from allsight.core.errors import UsageError
from allsight.inference.runtimes.pytorch import PyTorch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from allsight.core.contracts import Runtime
    from allsight.models.classifier import Classifier


def classifier_of(runtime: Runtime, *, method: str) -> Classifier:
    """The classifier that a runtime runs.

    Raises:
        UsageError: the runtime gives no gradients.
    """
    if not isinstance(runtime, PyTorch):
        raise UsageError(
            f"{method} needs gradients, and the runtime {type(runtime).__name__} gives none.",
            hint="Explain with the runtime pytorch, or with the methods cam or lime.",
        )
    return runtime.classifier


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients for parameters inside the block; both as they were after it."""
    modes = [(m, m.training) for m in module.modules()]
    wanted = [(p, p.requires_grad) for p in module.parameters()]
    try:
        module.eval().requires_grad_(False)
        yield
    finally:
        for m, training in modes:
            m.training = training
        for p, requires_grad in wanted:
            p.requires_grad_(requires_grad)
