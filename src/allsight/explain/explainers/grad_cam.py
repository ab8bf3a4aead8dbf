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
from allsight.explain.differentiable import classifier_of, frozen
from allsight.explain.inputs import batches, check_inputs, check_targets, on_pixels

if TYPE_CHECKING:
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

    needs_gradients: ClassVar[bool] = True
    signed: ClassVar[bool] = False

    def explain(
        self,
        runtime: Runtime,
        images: NDArray[np.uint8],
        *,
        targets: NDArray[np.int64],
        progress: Progress = silent,
    ) -> Explanation:
        """Heatmaps of N images; see `Explainer.explain`. No hooks are set."""
        import torch

        check_inputs(images, targets)
        classifier = classifier_of(runtime, method="grad_cam")
        check_targets(targets, n_classes=classifier.head.out_features)
        started = time.perf_counter()
        n, height, width = images.shape[:3]
        heatmaps = np.empty((n, height, width), dtype=np.float32)
        grid = (0, 0)
        with frozen(classifier):
            for part in batches(n, pixels=max(height * width, classifier.preprocessing.size**2)):
                pixels = torch.from_numpy(np.ascontiguousarray(images[part]))
                maps = grad_cam_maps(classifier, pixels, torch.from_numpy(targets[part])).cpu().numpy()
                grid = maps.shape[1:]
                heatmaps[part] = on_pixels(maps, height=height, width=width)
                progress("grad_cam", part.stop, n)
        seconds = (time.perf_counter() - started) / n
        used = {
            "layer": "last feature map",
            "grid": f"{grid[0]} x {grid[1]}",
            "gradient": "analytic" if classifier.pooled else "backward pass through the hidden layers",
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


def grad_cam_maps(classifier: Classifier, images: Tensor, targets: Tensor) -> Tensor:
    """Grad-CAM on the feature map's own grid, float (N, h, w), at least 0.

    Args:
        classifier: in evaluation mode.
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

    if classifier.pooled:
        # The logit is the head applied to the mean over h × w positions, so each has the same gradient w / (h w).
        return classifier.head.weight.detach()[targets] / (features.shape[2] * features.shape[3])
    with torch.enable_grad():
        leaf = features.detach().requires_grad_()
        logits = classifier.head(classifier.network.embed(leaf))
        (gradients,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), leaf)
    return gradients.mean(dim=(2, 3))
