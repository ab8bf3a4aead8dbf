"""Does a bundle read leukocytes, or what lies around them?

    python benchmarks/other_fields.py BUNDLE --data DATA [--split validation] [--json]

Every held-out picture as it is; then its leukocytes, all of them and where they lay, among the red cells and on the
slide of another picture: first one of the same class and another run of fields, then one of another class. What cutting
and pasting costs shows in the first; what the model reads around the cells, in the difference between the two.
"""

from __future__ import annotations

import argparse
import json
import zlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import ImageError
from allsight.data.effects import transplant
from allsight.data.source import open_dataset
from allsight.evaluate.bootstrap import RESAMPLES
from allsight.evaluate.stress import of_another_class, stressed
from allsight.inference.predictor import Predictor
from allsight.models.bundle import bundle_folder, read_split
from allsight.verbs.reading import reading_of
from allsight.verbs.unseen import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from allsight.core.records import Sample


def main() -> None:
    """Ask the bundle three times and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle")
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = bundle_folder(given.bundle)
    predictor = Predictor.open(folder, runtime=None)
    dataset = open_dataset(given.data)
    reading = reading_of(predictor.config, dataset)
    chosen = choose(predictor.config, read_split(folder), dataset, part=given.split)
    samples, labels = chosen.samples, reading.labels(chosen.samples)
    groups = np.array([chosen.groups[s.name] for s in samples])

    def found(partners: Sequence[int] | None) -> dict[str, Any]:
        partner = {s.name: samples[i] for s, i in zip(samples, partners or [], strict=False)}

        def read(sample: Sample) -> NDArray[np.uint8]:
            image = dataset.read(sample)
            if not partner:
                return image
            rng = np.random.default_rng([given.seed, zlib.crc32(sample.name.encode())])
            return transplant(image, dataset.read(partner[sample.name]), share=1.0, rng=rng)

        answers = {}
        for sample, answer in predictor.answers(samples, read=read):
            if isinstance(answer, ImageError):
                raise answer
            answers[sample.name] = answer.judgement
        row = stressed(
            reading.predictions(samples, answers, chosen.groups),
            "other_field",
            1,
            answered=np.array([answers[s.name].verdict == "answer" for s in samples]),
            controls={},
            seed=given.seed,
            resamples=RESAMPLES,
        )
        return {"accuracy": asdict(row.metrics["accuracy"]), **asdict(row.coverage)}

    table = {
        "as it is": found(None),
        "field of the same class": found(of_the_same_class(labels, groups, seed=given.seed)),
        "field of another class": found(of_another_class(labels, seed=given.seed)),
    }
    if given.json:
        print(json.dumps(table, indent=2))
        return
    for name, row in table.items():
        accuracy, right = row["accuracy"], row["accuracy_answered"]
        print(
            f"{name:24}  accuracy {accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})"
            f"  answered {row['answered']:.1%}"
            + (f", of those right {right:.3f}" if right is not None else "")
        )


def of_the_same_class(labels: NDArray[np.int64], groups: NDArray[np.str_], *, seed: int) -> list[int]:
    """For each image the index of another of its class, of another group where there is one."""
    rng = np.random.default_rng(seed)
    chosen = []
    for label, group in zip(labels.tolist(), groups.tolist(), strict=True):
        same = labels == label
        elsewhere = np.flatnonzero(same & (groups != group))
        chosen.append(int(rng.choice(elsewhere if len(elsewhere) else np.flatnonzero(same))))
    return chosen


if __name__ == "__main__":
    main()
