"""A bundle's fastest graph beside PyTorch: processor time in turns, and the answers to fields that neither has seen.

    python benchmarks/graphs.py BUNDLE [--data DATA] [--images N] [--rounds 15] [--json]

Time is of one image and one thread: PyTorch as its users have it and the graph that `predict` opens, one after the
other, with logits, maps and embedding; medians, and the median of the ratios within a round. Answers are compared on
the test part as `allsight export` compares them on the validation part.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict

from allsight.core.errors import AllsightError
from allsight.core.progress import silent
from allsight.core.torchvision_ops import ensure
from allsight.data.source import open_dataset
from allsight.inference.choice import open_runtime
from allsight.inference.parity import compare, outputs_of
from allsight.models.bundle import bundle_folder, read_config, read_split
from allsight.verbs.subjects import evenly
from allsight.verbs.unseen import choose


def main() -> None:
    """Compare, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle")
    parser.add_argument("--data", help="by default where it lay when the bundle was trained")
    parser.add_argument("--images", type=int, help="at most so many; by default the whole test part")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    ensure()
    folder = bundle_folder(given.bundle)
    config = read_config(folder)
    dataset = open_dataset(given.data or config.data.source)
    samples = evenly(choose(config, read_split(folder), dataset).samples, limit=given.images, seed=0)
    images = [dataset.read(sample) for sample in samples]
    slow = open_runtime(folder, runtime="pytorch", threads=1)
    fast = open_runtime(folder, threads=1)

    rounds: list[tuple[float, float]] = []
    for turn in range(given.rounds + 1):  # the first warms up
        taken = []
        for served in (slow, fast):
            started = time.process_time()
            served.runtime.run(images[turn % len(images)][None])
            taken.append(1000 * (time.process_time() - started))
        rounds.append((taken[0], taken[1]))
    rounds = rounds[1:]
    reference, other = (outputs_of(s.runtime, images, progress=silent, told="") for s in (slow, fast))
    found = compare(reference, other, labels=[config.classes.index(str(s.label)) for s in samples])
    document = {
        "graph": f"{fast.name} {fast.precision}",
        "pytorch_cpu_ms": statistics.median(a for a, _ in rounds),
        "graph_cpu_ms": statistics.median(b for _, b in rounds),
        "times_as_fast": statistics.median(a / b for a, b in rounds),
        **{k: v for k, v in asdict(found).items() if v is not None},
    }
    print(json.dumps(document) if given.json else "\n".join(f"{k}: {v}" for k, v in document.items()))


if __name__ == "__main__":
    try:
        main()
    except AllsightError as error:
        sys.exit(f"{type(error).__name__}: {error}")
