"""The whole explanation of an image as it is served, beside what its makers' packages take on the same network.

    python benchmarks/transparency.py BUNDLE [--data DATA] [--images 1] [--first 3] [--of 12] [--only cam,...]
        [--lime-on pytorch] [--json]

Ours: CAM, Grad-CAM, Integrated Gradients and LIME with at most 1,000 samples, until its five leading superpixels are
stable, on the fastest graphs that were exported with `allsight export BUNDLE --int8 --gradients`. Theirs: grad-cam,
Captum with 50 steps and lime with 1,000 samples and its batch of ten, on the model in PyTorch as their users have it.
One thread; processor time, one after the other for each image. `--lime-on openvino` lets the package ask the fp32 graph
instead, whose logits are PyTorch's within a thousandth of their spread, where only what it finds is wanted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from explainers import captum_error, lime_package, loaded, timed
from torch import nn

from allsight.core.errors import AllsightError, DataError
from allsight.core.records import TEST
from allsight.data.source import open_dataset
from allsight.explain.explainers.cam import Cam
from allsight.explain.explainers.grad_cam import GradCam
from allsight.explain.explainers.integrated_gradients import IntegratedGradients
from allsight.explain.explainers.lime import LEADERS, Lime
from allsight.explain.superpixels import superpixels
from allsight.explain.surrogate import expected_agreement, leading
from allsight.inference.choice import open_runtime
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.bundle import bundle_folder, read_split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime
    from allsight.core.explanation import Explanation
    from allsight.explain.surrogate import Surrogate
    from allsight.models.classifier import Classifier

    Image = NDArray[np.uint8]

SAMPLES, STEPS = 1000, 50
METHODS = ("cam", "grad_cam", "integrated_gradients", "lime")


def main() -> None:
    """Explain, and time both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle")
    parser.add_argument("--data", default="synthetic:2?images=12&patients=12")
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--first", type=int, default=3, help="of those spread over what was not trained on")
    parser.add_argument("--of", type=int, default=12, help="how many are spread")
    parser.add_argument("--only", default=",".join(METHODS))
    parser.add_argument("--lime-on", choices=("pytorch", "openvino"), default="pytorch")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    loaded("pytorch_grad_cam", "captum.attr", "lime.lime_image")
    folder = bundle_folder(given.bundle)
    served = open_runtime(folder, runtime=None, precision=None, threads=1)
    classifier = PyTorch.open(folder).classifier
    asked = open_runtime(folder, runtime=given.lime_on, precision="fp32", threads=1).runtime
    rows = []
    for image in chosen(folder, given.data, first=given.first, count=given.images, of=given.of):
        rows.append(compared(served.runtime, classifier, asked, image, methods=given.only.split(",")))
        print(told(rows[-1]), file=sys.stderr, flush=True)
    found = {
        "runtime": served.name,
        "precision": served.precision,
        "lime_on": given.lime_on,
        "images": rows,
        **totals(rows),
    }
    print(json.dumps(found, indent=1) if given.json else summary(found))


def chosen(folder: Path, data: str, *, first: int, count: int, of: int) -> list[Image]:
    """Images that the bundle did not learn from, spread evenly."""
    source = open_dataset(data)
    learned = {row.name for row in read_split(folder) if row.part != TEST}
    samples = [s for s in source.samples if s.name not in learned]
    if not samples:
        raise DataError("The model learned from every image of this DATA.", hint="Name other DATA: --data.")
    places = np.linspace(0, len(samples) - 1, max(of, first + count)).astype(int)[first : first + count]
    return [source.read(samples[i]) for i in places.tolist()]


def compared(
    runtime: Runtime, classifier: Classifier, asked: Runtime, image: Image, *, methods: Sequence[str]
) -> dict[str, Any]:
    """Seconds of each method, ours and theirs, and what both found."""
    target = int(runtime.run(image[None]).logits[0].argmax())
    targets = np.array([target])
    regions = superpixels(image, count=64)
    ours = {
        "cam": lambda: Cam().explain(runtime, image[None], targets=targets),
        "grad_cam": lambda: GradCam().explain(runtime, image[None], targets=targets),
        "integrated_gradients": lambda: IntegratedGradients().explain(runtime, image[None], targets=targets),
        "lime": lambda: Lime(most_samples=SAMPLES).explain(runtime, image[None], targets=targets),
    }
    theirs = {
        "grad_cam": lambda: grad_cam(classifier, image, target),
        "integrated_gradients": lambda: captum_error(classifier, image, target=target, steps=STEPS),
        "lime": lambda: lime_package(asked, image, target, regions=regions, samples=SAMPLES),
    }
    for run in (ours["grad_cam"], theirs["grad_cam"]):  # the first pass sets up what later ones use
        run()
    row: dict[str, Any] = {"ours": {}, "theirs": {}}
    for method in methods:
        mine, row["ours"][method] = timed(ours[method])
        if method not in theirs:
            continue
        other, row["theirs"][method] = timed(theirs[method])
        if method == "integrated_gradients":
            row["steps"], row["error"] = mine.used[0]["steps"], mine.used[0]["completeness_error"]
            row["error_captum"] = other
        elif method == "lime":
            row |= leaders_beside(mine, other)
    return row


def leaders_beside(mine: Explanation, other: Surrogate) -> dict[str, float]:
    """How LIME's model compares with the package's, and how sure each is."""
    coefficients, errors = (
        np.asarray(mine.arrays[0][name], dtype=float) for name in ("coefficients", "standard_errors")
    )
    ours, theirs = (set(leading(c, count=LEADERS).tolist()) for c in (coefficients, other.coefficients))
    return {
        "samples": float(str(mine.used[0]["samples"])),
        "correlation": float(np.corrcoef(coefficients, other.coefficients)[0, 1]),
        "leaders_shared": len(ours & theirs),
        "agreement": float(str(mine.used[0]["agreement"])),
        "agreement_package": expected_agreement(other, count=LEADERS, rng=np.random.default_rng(0)),
        "standard_error_ratio": float(errors.mean() / other.standard_errors.mean()),
    }


def grad_cam(classifier: Classifier, image: Image, target: int) -> Any:
    """The package's map at the last features."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    class Prepared(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            network = classifier.network
            found: torch.Tensor = classifier.head(network.embed(network.features(inputs)))
            return found

    model = Prepared()
    model.network = classifier.network
    inputs = classifier.prepare(torch.from_numpy(image)[None])
    with GradCAM(model, target_layers=[classifier.network.body]) as package:
        return package(inputs, [ClassifierOutputTarget(target)])


def totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Theirs ÷ ours: the median over images of each method, and of all together."""
    ratios = {
        method: statistics.median(row["theirs"][method] / row["ours"][method] for row in rows)
        for method in rows[0]["theirs"]
    }
    whole = statistics.median(sum(row["theirs"].values()) / sum(row["ours"].values()) for row in rows)
    found: dict[str, Any] = {"ratios": ratios, "ratio_of_all": whole}
    if "leaders_shared" in rows[0]:
        found["same_leaders"] = statistics.mean(row["leaders_shared"] == LEADERS for row in rows)
        found["leaders_shared"] = statistics.mean(row["leaders_shared"] for row in rows)
    return found


def told(row: dict[str, Any]) -> str:
    parts = []
    for method, seconds in row["ours"].items():
        beside = f" against {row['theirs'][method]:.2f} s" if method in row["theirs"] else ""
        parts.append(f"{method} {seconds:.2f} s{beside}")
    parts += [f"{name} {value:.4g}" for name, value in row.items() if not isinstance(value, dict)]
    return "; ".join(parts)


def summary(found: dict[str, Any]) -> str:
    ratios = ", ".join(f"{method} {ratio:.2f}" for method, ratio in found["ratios"].items())
    told = f"{found['runtime']} {found['precision']}: {ratios}; all {found['ratio_of_all']:.2f} times as fast"
    if "same_leaders" in found:
        n = len(found["images"])
        told += f"; the same {LEADERS} leading superpixels in {found['same_leaders']:.0%} of {n} images"
    return told


if __name__ == "__main__":
    try:
        main()
    except AllsightError as error:
        sys.exit(f"{type(error).__name__}: {error}")
