"""How much of the bare graph's throughput is left when files are read, judged and put in order.

    python benchmarks/throughput.py BUNDLE FOLDER [--images 2000] [--rounds 3] [--runtime openvino] [--precision int8]

The graph alone runs over images that were read before; `predict` reads the same files. Both in one process, in turns,
with as many threads as there are cores. Images of the folder are taken again until there are enough.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from allsight.core.errors import AllsightError
from allsight.data.images import image_paths, read_image
from allsight.inference.predictor import Predictor
from allsight.models.bundle import bundle_folder

BATCH = 16


def peak_mb() -> float:
    """Largest resident size of this process so far."""
    return float(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("folder", type=Path, help="image files of one size")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runtime")
    parser.add_argument("--precision")
    options = parser.parse_args()
    predictor = Predictor.open(
        bundle_folder(options.bundle), runtime=options.runtime, precision=options.precision
    )
    files = list(itertools.islice(itertools.cycle(image_paths([options.folder])), options.images))
    before = peak_mb()
    for _ in predictor.answers(files[:200], read=read_image):
        pass
    after_few = peak_mb()
    for _ in predictor.answers(files, read=read_image):
        pass
    after_all = peak_mb()
    pixels = [np.stack([read_image(f) for f in files[i : i + BATCH]]) for i in range(0, len(files), BATCH)]
    ratios, cpu_ratios = [], []
    for turn in range(options.rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        for images in pixels:
            predictor.runtime.run(images)
        bare, bare_cpu = time.perf_counter() - wall, time.process_time() - cpu
        wall, cpu = time.perf_counter(), time.process_time()
        answered = sum(1 for _ in predictor.answers(files, read=read_image))
        whole, whole_cpu = time.perf_counter() - wall, time.process_time() - cpu
        ratios.append(bare / whole)
        cpu_ratios.append(bare_cpu / whole_cpu)
        print(f"round {turn + 1}: graph {bare:.2f} s, predict {whole:.2f} s for {answered} images")
    graph = f"{predictor.served.name} {predictor.served.precision}"
    print(
        f"{graph}: {statistics.median(ratios):.1%} of the graph's throughput by wall time, "
        f"{statistics.median(cpu_ratios):.1%} by processor time; peak memory {before:.0f} MB opened, "
        f"{after_few:.0f} MB after 200 images, {after_all:.0f} MB after {len(files)}"
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AllsightError as error:
        sys.exit(f"{type(error).__name__}: {error}")
