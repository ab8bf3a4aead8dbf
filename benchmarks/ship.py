"""Make the model that ships out of a bundle trained on all of the data: int8 graph, no path of this machine, in place.

    python benchmarks/ship.py STUDY/bundles/efficientnet_lite0-tuned-field-s0-whole

Run it where the bundle was trained: the int8 graph is calibrated on its training images and refused where it does not
answer as PyTorch does on its validation images.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from allsight.api import export
from allsight.core import catalog
from allsight.core.contracts import Dataset
from allsight.core.files import write_text
from allsight.inference.precision import INT8
from allsight.inference.runtimes.openvino import FILES
from allsight.models.bundle import (
    BUILTIN,
    CARD_FILE,
    MODEL_FILE,
    SPLIT_FILE,
    bundle_folder,
    read_config,
    write_config,
)
from allsight.models.card import model_card


def ship(bundle: Path) -> Path:
    """Put the bundle where `builtin` is looked for and give that folder."""
    target = bundle_folder(BUILTIN)
    with TemporaryDirectory() as scratch:
        copy = Path(scratch) / BUILTIN
        shutil.copytree(bundle, copy)
        config = read_config(copy)
        source = config.data.source
        kind = source.partition(":")[0]
        facts = config.data.model_copy(
            update={"source": kind, "licence": catalog.load(Dataset, kind).licence}
        )
        write_config(copy, config.model_copy(update={"name": BUILTIN, "data": facts}))  # graphs carry it too
        export(copy, to=["openvino"], int8=True, data=source)
        config = read_config(copy)
        exports = {name: found for name, found in config.exports.items() if INT8 in name}
        config = config.model_copy(update={"exports": exports})
        graph = Path(FILES[INT8])
        shutil.rmtree(target, ignore_errors=True)
        for file in (MODEL_FILE, SPLIT_FILE, "training.csv", graph, graph.with_suffix(".bin")):
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(copy / file, target / file)
        write_config(target, config)
        write_text(target / CARD_FILE, model_card(config))
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    place = ship(parser.parse_args().bundle)
    for file in sorted(p for p in place.rglob("*") if p.is_file()):
        print(f"{file.relative_to(place)}  {file.stat().st_size / 1e6:.2f} MB")
