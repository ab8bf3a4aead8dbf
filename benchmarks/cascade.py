"""What a cascade costs on fields it has not seen, beside the networks of the paper in their fastest runtimes.

    python benchmarks/cascade.py CASCADE --data DATA [--backbones alexnet,...] [--images 60] [--rounds 3] [--json]

The cascade's two networks as they are served: the small one a second time, in fp32, where rounding could have turned
its verdict, and the large one only where the small one is not sure. The others have random weights, which are as fast
as any, for 224 pixels, without maps, in every runtime and precision. One thread, processor time; each goes over all of
the images, as `predict` does, and then the next, round by round. The fastest graph of each network counts; the ratio to
it is the median over the rounds of the ratio within a round.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from transparency import chosen

from allsight.core.errors import AllsightError
from allsight.core.torchvision_ops import ensure
from allsight.data.appearance import appearance
from allsight.inference.cascade import Cascade
from allsight.inference.choice import open_runtime
from allsight.inference.precision import FP32, INT8
from allsight.inference.predictor import Predictor, Seen
from allsight.models.bundle import bundle_folder, read_config
from allsight.verbs.benchmark import PAPER
from allsight.verbs.timed_graphs import PLAIN, Graph, subjects_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from allsight.core.contracts import Runtime
    from allsight.inference.trust import Judgement


GRAPHS = (("pytorch", FP32), ("onnx", FP32), ("openvino", FP32), ("openvino", INT8))


def main() -> None:
    """Time all of them in turns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cascade")
    parser.add_argument("--data", required=True)
    parser.add_argument("--backbones", default=",".join(PAPER))
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    ensure()
    folder = bundle_folder(given.cascade)
    images = chosen(folder, given.data, first=0, count=given.images, of=given.images)
    seen = [Seen(image, appearance(image)) for image in images]  # `predict` looks on the threads that read
    cascade = OneThread(folder)
    asked: dict[str, Callable[[Seen], Any]] = {"cascade": cascade.run}
    for subject in subjects_of(given.backbones.split(","), (), size=224, outputs=(PLAIN,)):
        for runtime, precision in GRAPHS:
            Graph(subject, runtime, precision).make()
            opened = open_runtime(subject.folder, runtime=runtime, precision=precision, threads=1)
            asked[f"{subject.name} {runtime} {precision}"] = bare(opened.runtime)
    for run in asked.values():
        run(seen[0])
    for one in seen:  # the fp32 graphs are opened by the first images that need them
        cascade.run(one)
    cascade.n_large = 0
    rounds: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(given.rounds):
        for name, run in asked.items():
            started = time.process_time()
            for one in seen:
                run(one)
            rounds[name].append(1000 * (time.process_time() - started) / len(images))
    found: dict[str, Any] = {
        "images": len(images),
        "sizes": sorted({image.shape[:2] for image in images}),
        "large_share": cascade.n_large / len(images) / given.rounds,
        "milliseconds": {name: float(np.median(taken)) for name, taken in rounds.items()},
        "rounds": rounds,
    }
    found["ratios"] = ratios(rounds)
    print(json.dumps(found, indent=1) if given.json else told(found))


def bare(runtime: Runtime) -> Callable[[Seen], Any]:
    """A graph alone."""
    return lambda seen: runtime.run(seen.image[None])


class OneThread:
    """A cascade's two networks with a thread each, asked as the cascade asks them: second looks included."""

    def __init__(self, folder: Path) -> None:
        whole = Cascade.open(folder)
        recorded = read_config(folder).cascade
        assert recorded is not None  # or the cascade would not have opened
        self.threshold = whole.threshold
        self.small, self.large = (
            Predictor.open(place, runtime=None, threads=1)
            for place in (folder, (folder / recorded.large).resolve())
        )
        self.n_large = 0

    def run(self, seen: Seen) -> None:
        """One image through the small network and, where it is not sure, the large one."""
        if max(judged(self.small, seen).probabilities.values()) < self.threshold:
            judged(self.large, seen)
            self.n_large += 1


def judged(predictor: Predictor, seen: Seen) -> Judgement:
    """What a network says of an image whose looks are known."""
    (found,) = predictor.judge_seen([seen])
    return found


def ratios(rounds: dict[str, list[float]]) -> dict[str, tuple[float, str]]:
    """By network: the cascade's time ÷ that of its fastest graph, and which that is."""
    fastest: dict[str, str] = {}
    for name, taken in rounds.items():
        network, _, graph = name.partition(" ")
        if graph and (network not in fastest or np.median(taken) < np.median(rounds[fastest[network]])):
            fastest[network] = name
    return {
        network: (float(np.median(np.divide(rounds["cascade"], rounds[name]))), name.partition(" ")[2])
        for network, name in fastest.items()
    }


def told(found: dict[str, Any]) -> str:
    """Lines for a person."""
    lines = [
        f"cascade {found['milliseconds']['cascade']:.2f} ms an image; the large network answers "
        f"{found['large_share']:.1%} of {found['images']} images"
    ]
    for network, (ratio, graph) in found["ratios"].items():
        taken = found["milliseconds"][f"{network} {graph}"]
        lines.append(f"{network} in {graph}: {taken:.2f} ms; the cascade takes {ratio:.2f} of that")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        main()
    except AllsightError as error:
        sys.exit(f"{type(error).__name__}: {error}")
