"""What do second looks change: once, in the picture's own stain, with half of the sides in the usual stain?

    python benchmarks/second_looks.py BUNDLE --data DATA [--damages none,grey,blur] [--split validation] [--json]

The class that is named for every held-out picture, as it is and under damages of their usual severity. Pictures that
the first look is sure of are counted in all three columns.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import TYPE_CHECKING

from allsight.data.loading import in_order
from allsight.data.source import open_dataset
from allsight.evaluate.stress import damages_of
from allsight.inference.predictor import Predictor
from allsight.inference.second_look import in_doubt, looked_again
from allsight.models.bundle import bundle_folder, read_split
from allsight.verbs.damaged import Damaged
from allsight.verbs.reading import reading_of
from allsight.verbs.unseen import choose

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Outputs, Sample

NONE = "none"
USUAL = dict(damages_of("usual"))


def main() -> None:
    """Look at every picture in three ways and print how many are named wrongly."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle")
    parser.add_argument("--data", required=True)
    parser.add_argument("--damages", default="none,corner_hidden,colour_swap,channel_gain,grey,blur")
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = bundle_folder(given.bundle)
    predictor = Predictor.open(folder, precision="fp32")
    trust = predictor.trust
    if not trust.doubt or trust.stain is None:
        parser.error(f"{given.bundle} has no doubt or no usual stain; train it with `look_again`")
    damages = given.damages.split(",")
    if unknown := {*damages} - {NONE, *USUAL}:
        parser.error(
            f"no damage is called {', '.join(sorted(unknown))}; there are {', '.join((NONE, *USUAL))}"
        )
    dataset, rows = open_dataset(given.data), read_split(folder)
    chosen = choose(predictor.config, rows, dataset, part=given.split)
    labels = reading_of(predictor.config, dataset).labels(chosen.samples)
    harm = Damaged(
        dataset,
        chosen.samples,
        labels=labels,
        hashes={row.name: row.sha256 for row in rows},
        seed=given.seed,
    )

    def wrong(damage: str) -> dict[str, int]:
        def read(sample: Sample) -> NDArray[np.uint8]:
            return dataset.read(sample) if damage == NONE else harm.read(sample, damage, USUAL[damage])

        count: Counter[str] = Counter()
        for image, label in zip(in_order(read, chosen.samples), labels.tolist(), strict=True):
            first = predictor.runtime.run(image[None])
            looks: dict[str, Outputs] = {"once": first}
            for name, stain in (("own stain", None), ("usual stain", trust.stain)):
                looks[name] = looked_again(predictor.runtime, image, first, doubt=trust.doubt, stain=stain)
            count["pictures"] += 1
            count["looked at again"] += int(in_doubt(first.logits, trust.doubt)[0])
            for name, outputs in looks.items():
                count[f"wrong, {name}"] += int(outputs.logits[0].argmax() != label)
        return dict(count)

    table = {damage: wrong(damage) for damage in damages}
    if given.json:
        print(json.dumps(table, indent=2))
        return
    for damage, row in table.items():
        print(f"{damage:16}" + "".join(f"  {name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
