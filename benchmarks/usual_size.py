"""What a graph compiled for images of the usual size saves, beside the one that takes any.

    python benchmarks/usual_size.py BUNDLE [BUNDLE ...] [--rounds 30] [--precision int8]

Both from the same file, one thread, one image at a time, in turns; processor time, median over the rounds, and the
median of the ratios within a round. Then the largest difference of their logits, as a share of the logits' spread.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import numpy as np

from allsight.core.errors import AllsightError, BundleError
from allsight.inference.requests import Requests
from allsight.inference.runtimes.openvino import FILES
from allsight.models.bundle import bundle_folder
from allsight.verbs.timed_graphs import generated

AT_ONCE = 5  # images a round


def main() -> None:
    """Time both graphs of each bundle."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundles", nargs="+")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--precision", default="int8", choices=sorted(FILES))
    given = parser.parse_args()
    for bundle in given.bundles:
        file = bundle_folder(bundle) / FILES[given.precision]
        fixed = Requests.open(file, threads=1, again="allsight export")
        free = fixed.of_any_size()
        if fixed.usual is None:
            raise BundleError(f"{file} names no usual size.", hint="Export it again from images of one size.")
        side = fixed.usual[1]
        images = [{0: image[None]} for image in generated(side)]
        spent: list[list[float]] = []
        for turn in range(given.rounds + 1):
            spent.append([])
            some = [images[(turn + i) % len(images)] for i in range(AT_ONCE)]
            for requests in (fixed, free):
                started = time.process_time()
                for image in some:
                    requests.run([image])
                spent[-1].append(1000 * (time.process_time() - started) / AT_ONCE)
        usual, any_size = (statistics.median(row[i] for row in spent[1:]) for i in (0, 1))
        ratio = statistics.median(a / b for a, b in spent[1:])
        logits = [np.concatenate([found["logits"] for found in r.run(images)]) for r in (fixed, free)]
        apart = np.abs(logits[0] - logits[1]).max() / logits[1].std()
        print(
            f"{bundle}: {usual:.2f} ms for {side} px, {any_size:.2f} ms for any; {ratio:.2f} of its time; logits "
            f"{apart:.1e} of their spread apart"
        )


if __name__ == "__main__":
    try:
        main()
    except AllsightError as error:
        sys.exit(f"{type(error).__name__}: {error}")
