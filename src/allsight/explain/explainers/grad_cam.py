"""Grad-CAM: Selvaraju, Cogswell, Das, Vedantam, Parikh & Batra, "Grad-CAM: visual explanations from deep networks via
gradient-based localization", ICCV 2017 (arXiv 1610.02391).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from allsight.core.contracts import Explainer
from allsight.core.explanation import Explanation
from allsight.core.progress import Progress, silent
from allsight.explain.inputs import (
    batches,
    check_inputs,
    check_targets,
    no_gradients,
    on_pixels,
    run_in_batches,
)
from allsight.inference.runtimes.pytorch import PyTorch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from allsight.core.contracts import Runtime
    from allsight.models.classifier import Classifier


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GradCam(Explainer):
    """The last feature map, each channel weighted by the logit's mean gradient, negative sums cut off.

    Cutting off is part of the published method (eq. 2): it shows only what speaks for the class. For what speaks
    against it take `cam`, which is the same map with its sign.
    """

    signed: ClassVar[bool] = False

    def runs_on(self, runtime: Runtime) -> bool:
        """PyTorch; and where the head is linear and tells its bias, any runtime, for then the gradient is known."""
        return isinstance(runtime, PyTorch) or runtime.head_bias() is not None

    def explain(
        self,
        runtime: Runtime,
        images: NDArray[np.uint8],
        *,
        targets: NDArray[np.int64],
        progress: Progress = silent,
    ) -> Explanation:
        """Heatmaps of N images; see `Explainer.explain`. No hooks are set."""
        check_inputs(images, targets)
        started = time.perf_counter()
        n, height, width = images.shape[:3]
        heatmaps = np.empty((n, height, width), dtype=np.float32)
        grid = (0, 0)
        bias = runtime.head_bias()
        if bias is not None:
            found = analytic_maps(runtime, images, targets, bias=bias)
        elif isinstance(runtime, PyTorch):
            found = _differentiated(runtime.classifier, images, targets)
        else:
            raise no_gradients(runtime, method="grad_cam")
        for part, maps in found:
            grid = maps.shape[1:]
            heatmaps[part] = on_pixels(maps, height=height, width=width)
            progress("grad_cam", part.stop, n)
        seconds = (time.perf_counter() - started) / n
        used = {
            "layer": "last feature map",
            "grid": f"{grid[0]} x {grid[1]}",
            "gradient": "backward pass through the hidden layers" if bias is None else "analytic",
        }
        return Explanation(
            "grad_cam",
            heatmaps,
            targets,
            self.signed,
            used=(used,) * n,
            seconds=(seconds,) * n,
            arrays=({},) * n,
        )


def analytic_maps(
    runtime: Runtime, images: NDArray[np.uint8], targets: NDArray[np.int64], *, bias: NDArray[np.float32]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Where the head is linear: the logit is its mean over the positions, so each has the same gradient w / (h w)."""
    for part, (logits, maps, _) in run_in_batches(runtime, images):
        check_targets(targets, n_classes=logits.shape[1])
        chosen = targets[part]
        assert maps is not None  # a runtime that tells its bias has maps
        of_targets = maps[np.arange(len(chosen)), chosen] - bias[chosen, None, None]
        yield part, (of_targets / (of_targets.shape[1] * of_targets.shape[2])).clip(0, None)  # eq. 1 and 2


def _differentiated(
    classifier: Classifier, images: NDArray[np.uint8], targets: NDArray[np.int64]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    import torch

    from allsight.inference.autograd import frozen

    check_targets(targets, n_classes=classifier.head.out_features)
    with frozen(classifier):
        for part in batches(
            len(images), pixels=max(images[0, ..., 0].size, classifier.preprocessing.size**2)
        ):
            pixels = torch.from_numpy(np.ascontiguousarray(images[part]))
            yield part, grad_cam_maps(classifier, pixels, torch.from_numpy(targets[part])).cpu().numpy()


def grad_cam_maps(classifier: Classifier, images: Tensor, targets: Tensor) -> Tensor:
    """Grad-CAM on the feature map's own grid, float (N, h, w), at least 0.

    Args:
        classifier: in evaluation mode, with hidden layers between its last feature map and its outputs.
        images: uint8 RGB (N, H, W, 3).
        targets: int64 (N,).
    """
    import torch

    place = classifier.head.weight.device
    with torch.no_grad():
        features = classifier.network.features(classifier.prepare(images.to(place)))  # (N, K, h, w)
    weights = channel_weights(classifier, features, targets.to(place))  # (N, K)
    return torch.einsum("nk,nkhw->nhw", weights, features).relu()  # Grad-CAM eq. 2


def channel_weights(classifier: Classifier, features: Tensor, targets: Tensor) -> Tensor:
    """The target logit's gradient averaged over positions, float (N, K): Grad-CAM eq. 1.

    Args:
        classifier: in evaluation mode.
        features: (N, K, h, w).
        targets: int64 (N,).
    """
    import torch

    with torch.enable_grad():
        leaf = features.detach().requires_grad_()
        logits = classifier.head(classifier.network.embed(leaf))
        (gradients,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), leaf)
    return gradients.mean(dim=(2, 3))
