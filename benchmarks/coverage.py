"""How often prediction sets hold the true class, and how true probabilities are, over many divisions of unseen images.

    python benchmarks/coverage.py RUN [RUN ...] [--resplits 200] [--json]

RUN is a folder that `allsight evaluate` or `study` filled with predictions on images held back. Their groups (patients
or fields) are divided in halves at random: temperature and sets are fitted on one half as `train` fits them, and tried
on the other.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.evaluate.bootstrap import draw
from allsight.evaluate.metrics.families import measure_of
from allsight.inference.trust import Trust, fit_trust, judge, softmax
from allsight.verbs.run_files import EVALUATION_FILE, read_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from allsight.evaluate.predictions import Predictions

SMALLEST = 1e-6  # a run's table has six digits


def main() -> None:
    """Divide, fit, try; again and again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--resplits", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    written = json.loads((given.runs[0] / EVALUATION_FILE).read_text())
    said, _ = read_predictions(given.runs, classes=written["classes"], suspicious=written["suspicious"])
    found = _tried(said, resplits=given.resplits)
    if given.json:
        print(json.dumps(found, indent=1))
        return
    as_it_is = found["calibration error as it is"]
    print(f"{found['n_images']} images in {found['n_groups']} groups, {found['resplits']} divisions")
    print(f"calibration error as it is   {as_it_is[0]:.4f} ({as_it_is[1]:.4f} to {as_it_is[2]:.4f})")
    for name, values in found["figures"].items():
        print(
            f"{name:28} mean {values['mean']:.4f}, 5th to 95th percentile {values['low']:.4f} to {values['high']:.4f}"
        )


def _tried(said: Predictions, *, resplits: int) -> dict[str, Any]:
    logits = np.log(np.maximum(said.probabilities, SMALLEST)).astype(np.float32)
    groups, rng = np.asarray(said.groups), np.random.default_rng(0)
    names = np.unique(groups)
    figures: dict[str, list[float]] = {}
    for _ in range(resplits):
        chosen = rng.permutation(names)[: len(names) // 2]
        known = np.isin(groups, chosen)
        trust = fit_trust(
            logits[known],
            said.labels[known],
            distances=np.ones(int(known.sum()), dtype=np.float32),
            groups=groups[known],
        )
        for name, value in _held(
            logits[~known], said.labels[~known], trust=trust, classes=said.classes
        ).items():
            figures.setdefault(name, []).append(value)
    as_it_is = draw(measure_of(said.probabilities, said.labels), said.groups)["ece"].estimate()
    return {
        "n_images": len(said.labels),
        "n_groups": len(names),
        "resplits": resplits,
        "calibration error as it is": (as_it_is.value, as_it_is.low, as_it_is.high),
        "figures": {
            name: {
                "mean": float(np.mean(values)),
                "low": float(np.quantile(values, 0.05)),
                "high": float(np.quantile(values, 0.95)),
            }
            for name, values in figures.items()
        },
    }


def _held(
    logits: NDArray[np.float32], labels: NDArray[np.int64], *, trust: Trust, classes: Sequence[str]
) -> dict[str, float]:
    probabilities = softmax(logits, trust.temperature)
    answers = judge(
        logits, np.zeros(len(labels), dtype=np.float32), trust=trust, classes=classes, suspicious=()
    )
    sets = np.array([[c in answer.set for c in classes] for answer in answers])
    held = sets[np.arange(len(labels)), labels]
    of_class = {
        f"coverage of {c}": float(held[labels == i].mean())
        for i, c in enumerate(classes)
        if (labels == i).any()
    }
    named = probabilities.argmax(axis=1)
    answered = np.array([answer.verdict == "answer" for answer in answers])
    right = named == labels
    return {
        "coverage": float(held.mean()),
        **of_class,
        "classes in a set": float(sets.sum(axis=1).mean()),
        "answered": float(answered.mean()),
        "accuracy of the answered": float(right[answered].mean()),
        "calibration error": float(measure_of(probabilities, labels)(np.ones((1, len(labels))))["ece"][0]),
    }


if __name__ == "__main__":
    main()
