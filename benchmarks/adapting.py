"""What `adapt` brings in a laboratory that a model has never seen: generated smears of another stain and microscope.

    python benchmarks/adapting.py [--out FOLDER] [--seeds 11,12] [--json]

A model learns from smears of one generated laboratory. Others stain, light and magnify differently: 40 labelled images
of 20 patients adapt the model, 160 images of 40 more patients say what that brought.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from allsight.data.effects import gain, jitter_stain
from allsight.data.smears import CLASSES, SUSPICIOUS
from allsight.evaluate.bootstrap import draw
from allsight.evaluate.metrics.families import measure_of
from allsight.verbs.adapt import adapt
from allsight.verbs.evaluate import evaluate
from allsight.verbs.run_files import read_predictions
from allsight.verbs.synthesize import synthesize
from allsight.verbs.train import train

if TYPE_CHECKING:
    from allsight.evaluate.bootstrap import Estimate

SIDE = 160
HOME = f"synthetic:1?images=240&patients=48&size={SIDE}"
MAGNIFICATIONS = (3.2, 4.5)  # pixels per micrometre; the model learned at 3.2
FIGURES = ("f1_macro", "accuracy")


def main() -> None:
    """Adapt and measure, for each magnification and seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", default="11,12")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = given.out or Path(tempfile.mkdtemp())
    home = folder / "home"
    if not home.exists():
        train(HOME, out=home, backbone="efficientnet_lite0", freeze=True, size=SIDE)
    found = [
        _one(folder, home, scale=scale, seed=int(seed))
        for scale in MAGNIFICATIONS
        for seed in given.seeds.split(",")
    ]
    if given.json:
        print(json.dumps(found, indent=1))
        return
    for row in found:
        print(f"{row['pixels_per_micron']} px/µm, seed {row['seed']}: {row['cpu_s']:.1f} CPU s")
        for name in ("before", "after", "gain", "gain_as_told"):
            figures = ", ".join(f"{figure} {_interval(row[name][figure])}" for figure in FIGURES)
            print(f"  {name:12} {figures}")
        for name in ("before", "after"):
            print(f"  {name:12} answered {row['answered'][name]}")


def laboratory(folder: Path, *, seed: int, images: int, patients: int, scale: float, size: int = SIDE) -> str:
    """Generated smears of another stain, lamp and magnification, as DATA."""
    shutil.rmtree(folder, ignore_errors=True)
    recipe = f"{seed}?images={images}&patients={patients}&size={size}&pixels_per_micron={scale}"
    synthesize(recipe, out=folder, masks=False)
    for path in folder.rglob("*.png"):
        stained = jitter_stain(
            np.asarray(Image.open(path).convert("RGB")),
            factors=np.array([1.5, 0.6, 1.0]),
            shifts=np.array([0.0, 0.05, 0.0]),
        )
        Image.fromarray(gain(stained, np.array([0.85, 1.0, 1.1]))).save(path)
    table = folder / "manifest.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(
            file, ("path", "label", "patient"), extrasaction="ignore"
        )  # the hashes have changed
        writer.writeheader()
        writer.writerows(rows)
    return f"manifest:{table}"


def _one(folder: Path, home: Path, *, scale: float, seed: int) -> dict[str, Any]:
    known = laboratory(folder / "known", seed=seed, images=40, patients=20, scale=scale)
    unseen = laboratory(folder / "unseen", seed=100 + seed, images=160, patients=40, scale=scale)
    started = time.process_time()
    adapted = adapt(home, known, out=folder / "adapted", overwrite=True)
    took = time.process_time() - started
    sides = {"before": home, "after": adapted.bundle}
    runs = {
        name: evaluate(bundle, unseen, out=folder / name, controls=False) for name, bundle in sides.items()
    }
    drawn = {}
    for name, run in runs.items():
        said, _ = read_predictions([run.run], classes=CLASSES, suspicious=SUSPICIOUS)
        drawn[name] = draw(measure_of(said.probabilities, said.labels), said.groups)
    return {
        "pixels_per_micron": scale,
        "seed": seed,
        "cpu_s": took,
        **{side: {k: _three(drawn[side][k].estimate()) for k in FIGURES} for side in sides},
        "gain": {k: _three((drawn["after"][k] - drawn["before"][k]).estimate()) for k in FIGURES},
        "gain_as_told": {k: _three(adapted.brought.gain[k]) for k in FIGURES},
        "answered": {side: run.evaluation.to_json()["coverage"] for side, run in runs.items()},
    }


def _three(found: Estimate) -> tuple[float | None, float | None, float | None]:
    return found.value, found.low, found.high


def _interval(three: tuple[float, float, float]) -> str:
    return f"{three[0]:.3f} ({three[1]:.3f} to {three[2]:.3f})"


if __name__ == "__main__":
    main()
