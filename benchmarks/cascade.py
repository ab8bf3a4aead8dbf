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
from allsight.inference.cascade import Cascade, believed_share
from allsight.inference.choice import open_runtime
from allsight.inference.precision import FP32, INT8
from allsight.inference.rounding import clearance, unsettled
from allsight.models.bundle import bundle_folder, read_config
from allsight.verbs.benchmark import PAPER
from allsight.verbs.timed_graphs import PLAIN, Graph, subjects_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

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
    cascade = OneThread(folder)
    asked: dict[str, Callable[[Image], Any]] = {"cascade": cascade.run}
    for subject in subjects_of(given.backbones.split(","), (), size=224, outputs=(PLAIN,)):
        for runtime, precision in GRAPHS:
            Graph(subject, runtime, precision).make()
            opened = open_runtime(subject.folder, runtime=runtime, precision=precision, threads=1)
            asked[f"{subject.name} {runtime} {precision}"] = opened.runtime.run
    for run in asked.values():
        run(images[0][None])
    cascade.n_large = 0
    rounds: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(given.rounds):
        for name, run in asked.items():
            started = time.process_time()
            for image in images:
                run(image[None])
            rounds[name].append(1000 * (time.process_time() - started) / len(images))
    found: dict[str, Any] = {
        "images": len(images),
        "sizes": sorted({image.shape[:2] for image in images}),
        "again_share": cascade.n_again / len(images) / given.rounds,
        "large_share": cascade.n_large / len(images) / given.rounds,
        "milliseconds": {name: float(np.median(taken)) for name, taken in rounds.items()},
        "rounds": rounds,
    }
    found["ratios"] = ratios(rounds)
    print(json.dumps(found, indent=1) if given.json else told(found))


class OneThread:
    """A cascade's graphs with a thread each, asked as the cascade asks them."""

    def __init__(self, folder: Path) -> None:
        whole = Cascade.open(folder)
        recorded = read_config(folder).cascade
        assert recorded is not None  # or the cascade would not have opened
        self.threshold, self.small = whole.threshold, whole.small
        place = (folder / recorded.large).resolve()
        self.graph, self.large = (open_runtime(where, threads=1).runtime for where in (folder, place))
        self.exact = open_runtime(folder, precision=FP32, threads=1).runtime
        self.n_again, self.n_large = 0, 0

    def run(self, image: Image) -> None:
        """One image through the small network and, where they are needed, the others."""
        outputs, trust = self.graph.run(image), self.small.trust
        if self.small.served.precision == INT8 and trust.rounding is not None:
            clearances = clearance(outputs.logits, self.small.space.distances(outputs.embedding), trust=trust)
            if unsettled(clearances, trust.rounding)[0]:
                outputs = self.exact.run(image)
                self.n_again += 1
        if believed_share(outputs.logits, temperature=trust.temperature)[0] < self.threshold:
            self.large.run(image)
            self.n_large += 1


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
        f"{found['large_share']:.1%} of {found['images']} images, the small one in fp32 {found['again_share']:.1%}"
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
