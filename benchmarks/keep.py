"""Keep what a study found, every answer to every image, without its images, weights, graphs and paths of this machine.

    python benchmarks/keep.py STUDY --out docs/records

Studies kept in one folder must differ in network, recipe name, split, seed or fold. What is kept is a study again:

    cp -r docs/records again; allsight study taleqani:PATH --out again

makes its tables anew in seconds, trains nothing that is there, and goes on with what else is asked for.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from allsight.core.files import write_text
from allsight.models.bundle import CONFIG_FILE
from allsight.verbs.run_files import CONTROLS_FILE, EVALUATION_FILE, PREDICTIONS_FILE
from allsight.verbs.study_files import BUNDLES, ELSEWHERE, RUNS


def keep(study: Path, out: Path) -> list[Path]:
    """Copy the records of every model that the study has tested; give the files.

    Args:
        study: folder of a study.
        out: where they go, under the same names.
    """
    kept = []
    for run in sorted(file.parent for file in (study / RUNS).glob(f"*/{EVALUATION_FILE}")):
        bundle = study / BUNDLES / run.name
        evaluations = [run / EVALUATION_FILE, *(study / ELSEWHERE / run.name).glob(f"*/{EVALUATION_FILE}")]
        places = {}
        for file in evaluations:
            places |= _path_of(json.loads(file.read_text(encoding="utf-8"))["data"]["source"])
        others = [run / PREDICTIONS_FILE, run / CONTROLS_FILE, bundle / CONFIG_FILE, bundle / "training.csv"]
        for file in (*evaluations, *others):
            told = file.read_text(encoding="utf-8")
            told = re.sub(rf'[^"\s]*{BUNDLES}/{run.name}', f"STUDY/{BUNDLES}/{run.name}", told)
            for path in sorted(places, key=len, reverse=True):
                told = told.replace(path, places[path])
            kept.append(out / file.relative_to(study))
            write_text(kept[-1], told)
    return kept


def _path_of(source: str) -> dict[str, str]:
    """What a DATA says of this machine, and what is said instead."""
    kind, _, path = source.partition(":")
    return {source: f"{kind}:PATH"} if path else {}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    files = keep(given.study, given.out)
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.2f} MB, in {given.out}")
