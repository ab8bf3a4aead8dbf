"""How fast, how large and how steady our explainers are, held against Captum and the lime package.

    python benchmarks/explainers.py [--backbone efficientnet_b7] [--size 224] [--only ig,lime,memory,stability]
        [--repeats 3] [--images 3] [--first 0] [--samples 1000] [--seeds 10] [--stability-size PIXELS]
        [--weights FILE] [--bundle FOLDER] [--data DATA] [--json]

One thread. Times are processor time; ours and theirs run alternately in one process on one model, which Captum and the
lime package get as their users have it: not folded, eager. Without ImageNet weights a model is trained for some minutes
on crops of generated smears (`--weights` keeps it); `--bundle FOLDER` takes a trained one instead.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import importlib
import io
import itertools
import json
import multiprocessing
import resource
import statistics
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.errors import AllsightError
from allsight.core.torchvision_ops import ensure
from allsight.data.source import open_dataset
from allsight.explain.baselines import baseline_of
from allsight.explain.explainers.integrated_gradients import IntegratedGradients
from allsight.explain.explainers.lime import LEADERS, Lime
from allsight.explain.quadrature import FEWEST_STEPS
from allsight.explain.superpixels import superpixels
from allsight.explain.surrogate import fit_surrogate, leading
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.classifier import Classifier
from allsight.models.networks import begun_as_identity
from allsight.models.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Runtime
    from allsight.explain.surrogate import Surrogate

    Image = NDArray[np.uint8]

PARTS = ("ig", "lime", "memory", "stability")
LEARNED = "synthetic:1?images=200&patients=24&size=224"
CROP, BATCH, STEPS, RATE = 96, 24, 120, 3e-3
CALIBRATION, AT_ONCE = 48, 12  # fields whose statistics the normalisations get, and how many at a time
CAPTUM_STEPS = (10, 20, 50, 100, 200)
ENOUGH = 0.01  # completeness error
MEMORY_SIZE = 600


@dataclass(frozen=True, slots=True)
class Times:
    """Processor seconds of ours and theirs, run alternately; ratios are theirs ÷ ours, run by run."""

    ours: list[float]
    theirs: list[float]

    def told(self) -> str:
        ratios = [b / a for a, b in zip(self.ours, self.theirs, strict=True)]
        return (
            f"ours {statistics.median(self.ours):.1f} s, theirs {statistics.median(self.theirs):.1f} s, "
            f"ratio {statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}] of {len(ratios)}"
        )


def fields(data: str) -> tuple[Image, NDArray[np.int64]]:
    """All images of a generated set (N, H, W, 3) and their classes (N,)."""
    source = open_dataset(data)
    labels = [source.classes.index(str(sample.label)) for sample in source.samples]
    return np.stack([source.read(sample) for sample in source.samples]), np.array(labels)


def chosen(data: str, *, first: int, count: int) -> Image:
    """`count` images (N, H, W, 3) from the `first` of twelve that are spread evenly over a set."""
    source = open_dataset(data)
    places = np.linspace(0, len(source.samples) - 1, 12).astype(int)[first : first + count]
    return np.stack([source.read(source.samples[i]) for i in places.tolist()])


def fresh(backbone: str, *, size: int) -> Classifier:
    """Random weights, as `train --weights none` starts from."""
    torch.manual_seed(0)
    kind = catalog.load(Backbone, backbone)
    return Classifier(
        begun_as_identity(kind.build()),
        n_classes=4,
        preprocessing=Preprocessing(size=size),
        pooled=kind.pooled,
    )


def trained(backbone: str, *, size: int) -> Classifier:
    """Briefly trained on crops; then the normalisations get the statistics of whole fields."""
    images, labels = fields(LEARNED)
    classifier = fresh(backbone, size=size).train()
    classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS, pct_start=0.2)
    mean, std = classifier.get_buffer("mean"), classifier.get_buffer("std")
    for step in range(STEPS):
        chosen = torch.randperm(len(images))[:BATCH]
        top, left = torch.randint(0, images.shape[1] - CROP + 1, (2,)).tolist()
        crops = torch.from_numpy(images)[chosen, top : top + CROP, left : left + CROP]
        crops = torch.rot90(crops, int(torch.randint(0, 4, ())), (1, 2)).permute(0, 3, 1, 2)
        inputs = ((crops.float() - mean) / std).contiguous(memory_format=torch.channels_last)
        logits = classifier.head(classifier.network.embed(classifier.network.features(inputs)))
        loss = F.cross_entropy(logits, torch.from_numpy(labels)[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        print(f"\rtraining {step + 1}/{STEPS}, loss {loss.item():.2f}", end="", file=sys.stderr)
    calibrate(classifier, images)
    classifier.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return classifier.eval()


def calibrate(classifier: Classifier, images: Image) -> None:
    """Give the normalisations the mean statistics of some whole images."""
    for norm in classifier.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = None  # the plain mean over batches
            norm.reset_running_stats()
    classifier.train()
    order = np.random.default_rng(0).permutation(len(images))[:CALIBRATION]
    with torch.no_grad():
        for first in range(0, len(order), AT_ONCE):
            classifier(torch.from_numpy(images[order[first : first + AT_ONCE]]))


def model_of(options: argparse.Namespace) -> tuple[Classifier, str]:
    """The model, and what it is."""
    if options.bundle:
        return PyTorch.open(options.bundle).classifier, f"the bundle {options.bundle.name}"
    from safetensors.torch import load_file, save_file

    said = (
        f"{options.backbone}, no ImageNet weights: {STEPS} steps of {BATCH} crops of {CROP} px from {LEARNED}"
    )
    if options.weights and options.weights.is_file():
        classifier = fresh(options.backbone, size=options.size)
        classifier.load_state_dict(load_file(options.weights))
        return classifier.eval(), said
    classifier = trained(options.backbone, size=options.size)
    if options.weights:
        save_file({k: v.contiguous() for k, v in classifier.state_dict().items()}, options.weights)
    return classifier, said


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    result = run()
    return result, time.process_time() - started


def loaded(*packages: str) -> None:
    """Import them before anything is timed: what that takes is nobody's explanation."""
    ensure()
    for package in packages:
        importlib.import_module(package)


def captum_error(classifier: Classifier, image: Image, *, target: int, steps: int) -> float:
    """Captum's completeness error at a number of steps, by its default rule."""
    from captum.attr import IntegratedGradients as Captum

    pixels = torch.from_numpy(image)[None].float()
    start = torch.from_numpy(baseline_of(image, "white_field"))[None]
    method = Captum(lambda x: classifier(x).logits)
    found = method.attribute(
        pixels, baselines=start, target=target, n_steps=steps, internal_batch_size=8
    )  # gausslegendre
    with torch.no_grad():
        before, after = (float(classifier(x).logits[0, target]) for x in (start, pixels))
    return abs(float(found.double().sum()) - (after - before)) / abs(after - before)


def integrated_gradients(
    classifier: Classifier, images: Image, targets: NDArray[np.int64], *, repeats: int
) -> list[dict[str, Any]]:
    """Ours with its default tolerance against Captum at 50 steps, on each image.

    Errors count as equal where ours is no larger than Captum's, and where both are below 1 %. The second is the
    weaker reading, so it is also told how soon Captum itself is below 1 %.
    """
    classifier.requires_grad_(False)
    return [
        on_one_image(classifier, image, target=target, repeats=repeats)
        for image, target in zip(images, targets.tolist(), strict=True)
    ]


def on_one_image(classifier: Classifier, image: Image, *, target: int, repeats: int) -> dict[str, Any]:
    """Errors, steps and times of both, and the fewest steps that bring Captum below 1 %."""
    runtime, method = PyTorch(classifier), IntegratedGradients(tolerance=ENOUGH)
    ours, theirs = [], []
    for _ in range(repeats):
        found, seconds = timed(lambda: method.explain(runtime, image[None], targets=np.array([target])))
        ours.append(seconds)
        error, seconds = timed(lambda: captum_error(classifier, image, target=target, steps=50))
        theirs.append(seconds)
    errors: dict[int, float] = {}
    for steps in CAPTUM_STEPS:  # once each: the fewest that are enough, and what they take
        errors[steps], fewest = timed(
            lambda steps=steps: captum_error(classifier, image, target=target, steps=steps)  # type: ignore[misc]
        )
        if errors[steps] <= ENOUGH:
            break
    facts, times = found.used[0], Times(ours, theirs)
    others = ", ".join(f"{e:.3%} at {n}" for n, e in errors.items())
    return {
        "steps": facts["steps"],
        "error": facts["completeness_error"],
        "captum_error_at_50": error,
        "captum_errors": errors,
        "captum_seconds_at_fewest": fewest,
        "times": asdict(times),
        "told": f"{facts['steps']} steps, error {facts['completeness_error']:.3%}; Captum {error:.3%} at 50: "
        f"{times.told()}; Captum's fewest: {others}, {fewest:.1f} s",
    }


def lime_package(
    runtime: Runtime, image: Image, target: int, *, regions: NDArray[np.int32], samples: int
) -> Surrogate:
    """The package's model of a runtime's logit, with its own batch of ten; errors as ours are estimated."""
    from lime.lime_image import LimeImageExplainer

    class Kept(LimeImageExplainer):  # type: ignore[misc]
        def data_labels(self, *given: Any, **named: Any) -> Any:
            self.rows, self.logits = super().data_labels(*given, **named)
            return self.rows, self.logits

    explainer = Kept(random_state=0)
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
        found = explainer.explain_instance(
            image,
            lambda x: runtime.run(x).logits,
            labels=(target,),
            top_labels=None,
            num_samples=samples,
            batch_size=10,
            segmentation_fn=lambda _: regions,
        )
    coefficients = np.array([weight for _, weight in sorted(found.local_exp[target])])
    ours = fit_surrogate(explainer.rows.astype(np.bool_), explainer.logits[:, target])
    return replace(ours, coefficients=coefficients)


def lime(
    classifier: Classifier, image: Image, target: int, *, repeats: int, samples: int
) -> list[dict[str, Any]]:
    """Ours against the package: same superpixels, filling and number of samples."""
    runtime, regions = PyTorch(classifier), superpixels(image, count=64)
    ours, theirs = [], []
    for _ in range(repeats):
        mine, seconds = timed(
            lambda: Lime(samples=samples).explain(runtime, image[None], targets=np.array([target]))
        )
        ours.append(seconds)
        package, seconds = timed(
            lambda: lime_package(runtime, image, target, regions=regions, samples=samples)
        )
        theirs.append(seconds)
    expected = package.coefficients
    alike = float(np.corrcoef(np.asarray(mine.arrays[0]["coefficients"], dtype=float), expected)[0, 1])
    used = mine.used[0]["samples"]
    told = f"{used} samples against {samples}, correlation {alike:.3f}; {Times(ours, theirs).told()}"
    return [{"samples": used, "correlation": alike, "times": asdict(Times(ours, theirs)), "told": told}]


def _growth(backbone: str) -> tuple[float, float, Any, float]:
    torch.set_num_threads(1)
    classifier = fresh(backbone, size=MEMORY_SIZE).eval().requires_grad_(False)
    images, _ = fields(f"synthetic:2?images=4&patients=4&size={MEMORY_SIZE}")
    method = IntegratedGradients(tolerance=1e9, most_steps=FEWEST_STEPS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found, seconds = timed(lambda: method.explain(PyTorch(classifier), images[:1], targets=np.array([0])))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20, after / 2**20, found.used[0]["steps"], seconds


def memory(backbone: str) -> list[dict[str, Any]]:
    """Peak resident memory of Integrated Gradients at 600 px in a process of its own, GiB. Weights do not matter."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        before, after, steps, seconds = pool.submit(_growth, backbone).result()
    told = f"{MEMORY_SIZE} px, {steps} steps: {before:.2f} GiB before, peak {after:.2f} GiB; {seconds:.0f} s"
    return [{"before_gib": before, "peak_gib": after, "steps": steps, "seconds": seconds, "told": told}]


def stability(
    classifier: Classifier, images: Image, targets: NDArray[np.int64], *, seeds: int
) -> list[dict[str, Any]]:
    """Mean Jaccard index of the leading superpixels over all pairs of seeds, and whether one seed gives one answer."""
    runtime, rows = PyTorch(classifier), []
    for image, target in zip(images, targets.tolist(), strict=True):

        def explained(seed: int, image: Image = image, target: int = target) -> Any:
            return Lime(seed=seed).explain(runtime, image[None], targets=np.array([target]))

        found = [explained(seed) for seed in range(seeds)]
        same = explained(0).heatmaps.tobytes() == found[0].heatmaps.tobytes()
        jaccard = mean_jaccard([f.arrays[0]["coefficients"] for f in found])
        samples, n = [f.used[0]["samples"] for f in found], found[0].used[0]["superpixels"]
        told = f"Jaccard {jaccard:.3f} of {seeds} seeds, {n} superpixels, {min(samples)} to {max(samples)} samples, "
        told += "one seed twice: " + ("same bytes" if same else "OTHER BYTES")
        rows.append(
            {"jaccard": jaccard, "samples": samples, "superpixels": n, "same_bytes": same, "told": told}
        )
        print(told, file=sys.stderr, flush=True)
    return rows


def mean_jaccard(coefficients: Sequence[NDArray[Any]]) -> float:
    """Of the leading superpixels, over all pairs."""
    sets = [set(leading(np.asarray(c, dtype=float), count=LEADERS).tolist()) for c in coefficients]
    return statistics.mean(len(a & b) / len(a | b) for a, b in itertools.combinations(sets, 2))


def measured(part: str, options: argparse.Namespace, classifier: Classifier) -> list[dict[str, Any]]:
    """Ours on held-out generated fields of the size asked for, each for the class that the model names."""
    size = (options.stability_size if part == "stability" else None) or classifier.preprocessing.size
    classifier.preprocessing = classifier.preprocessing.model_copy(update={"size": size})
    images = chosen(
        options.data or f"synthetic:2?images=12&patients=12&size={size}",
        first=options.first,
        count=options.images,
    )
    targets = np.array([PyTorch(classifier).run(i[None]).logits[0].argmax() for i in images])
    if part == "ig":
        return integrated_gradients(classifier, images, targets, repeats=options.repeats)
    if part == "lime":
        return lime(classifier, images[0], int(targets[0]), repeats=options.repeats, samples=options.samples)
    return stability(classifier, images, targets, seeds=options.seeds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--backbone", default="efficientnet_b7")
    parser.add_argument("--size", type=int, default=224, help="pixels a side of images and network")
    parser.add_argument("--only", default=",".join(PARTS), help="of " + ",".join(PARTS))
    parser.add_argument("--repeats", type=int, default=3, help="of each time")
    parser.add_argument("--images", type=int, default=3, help="for ig and stability")
    parser.add_argument("--first", type=int, default=0, help="the first of them, of twelve")
    parser.add_argument("--samples", type=int, default=1000, help="for lime")
    parser.add_argument("--seeds", type=int, default=10, help="for stability")
    parser.add_argument("--stability-size", type=int, help="pixels a side of the network for stability")
    parser.add_argument("--weights", type=Path, help="trained here if absent, read if present")
    parser.add_argument("--bundle", type=Path, help="a trained model to take instead")
    parser.add_argument("--data", help="images to explain; generated ones if not given")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    options = parser.parse_args()
    options.backbone = options.backbone.replace("-", "_")
    parts = options.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    torch.set_num_threads(1)
    results: dict[str, list[dict[str, Any]]] = {}
    said = f"{options.backbone} with random weights"
    if "memory" in parts:
        results["memory"] = memory(options.backbone)
    if others := [part for part in parts if part != "memory"]:
        loaded("captum.attr", "lime.lime_image")
        classifier, said = model_of(options)
        results |= {part: measured(part, options, classifier) for part in others}
    if options.json:
        print(json.dumps({"model": said, **results}))
    else:
        print(f"model: {said}")
        for part, rows in results.items():
            print(part, *(f"  {row['told']}" for row in rows), sep="\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AllsightError as error:
        sys.exit(f"{type(error).__name__}: {error}")
