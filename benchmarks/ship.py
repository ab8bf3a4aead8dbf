"""Make the model that ships out of a bundle trained on all of the data: its graphs, no path of this machine, in place.

    python benchmarks/ship.py STUDY/bundles/efficientnet_lite0-tuned-field-s0-whole
    python benchmarks/ship.py builtin --data taleqani:PATH      (the one that ships, its graphs made anew)

The images it was trained on are needed: the int8 graph is calibrated on them, and graphs are refused where they do not
answer as PyTorch does on its validation images. The fp32 graph goes along for the few images whose verdict rounding
could turn.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from allsight.api import export
from allsight.core import catalog
from allsight.core.contracts import Dataset
from allsight.inference.runtimes.openvino import FILES
from allsight.models.bundle import (
    BUILTIN,
    CARD_FILE,
    CONFIG_FILE,
    MODEL_FILE,
    SPLIT_FILE,
    bundle_folder,
    read_config,
    write_config,
)


def ship(bundle: Path, *, data: str | None) -> Path:
    """Put the bundle where `builtin` is looked for and give that folder.

    Args:
        bundle: its folder; it may be that of `builtin` itself.
        data: where the images lie that it was trained on; None: where it says.
    """
    target = bundle_folder(BUILTIN)
    with TemporaryDirectory() as scratch:
        copy = Path(scratch) / BUILTIN
        shutil.copytree(bundle, copy)
        config = read_config(copy)
        source = data or config.data.source
        kind = source.partition(":")[0]
        facts = config.data.model_copy(
            update={"source": kind, "licence": catalog.load(Dataset, kind).licence}
        )
        write_config(copy, config.model_copy(update={"name": BUILTIN, "data": facts}))  # graphs carry it too
        export(copy, to=["openvino"], int8=True, data=source)
        graphs = [Path(file).with_suffix(kind) for file in FILES.values() for kind in (".xml", ".bin")]
        shutil.rmtree(target, ignore_errors=True)
        for file in (MODEL_FILE, SPLIT_FILE, "training.csv", CONFIG_FILE, CARD_FILE, *graphs):
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(copy / file, target / file)
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle")
    parser.add_argument("--data")
    given = parser.parse_args()
    place = ship(bundle_folder(given.bundle), data=given.data)
    for file in sorted(p for p in place.rglob("*") if p.is_file()):
        print(f"{file.relative_to(place)}  {file.stat().st_size / 1e6:.2f} MB")
