"""Make the model that ships out of a bundle trained on all of the data: its graphs, no path of this machine, in place.

    python benchmarks/ship.py STUDY/bundles/efficientnet_lite0-tuned-field-s0-whole
    python benchmarks/ship.py builtin --data taleqani:PATH --figures docs/records

The second is the one that ships, its graphs made anew and the figures of its card taken from a study with more folds.

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
from allsight.data.source import open_dataset
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
from allsight.verbs.study_files import gathered, tell


def ship(bundle: Path, *, data: str | None, figures: Path | None = None) -> Path:
    """Put the bundle where `builtin` is looked for and give that folder.

    Args:
        bundle: its folder; it may be that of `builtin` itself.
        data: where the images lie that it was trained on; None: where it says.
        figures: folder of a study whose figures belong into its card; None: those that are there.
    """
    target = bundle_folder(BUILTIN)
    with TemporaryDirectory() as scratch:
        copy = Path(scratch) / BUILTIN
        shutil.copytree(bundle, copy)
        config = read_config(copy)
        source = data or config.data.source
        kind = source.partition(":")[0]
        if figures is not None:
            dataset = open_dataset(source)
            tell(copy, gathered(figures, source, dataset, bundles=(), times={}, missing=(), resamples=2000))
            config = read_config(copy)
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
    parser.add_argument("--figures", type=Path)
    given = parser.parse_args()
    place = ship(bundle_folder(given.bundle), data=given.data, figures=given.figures)
    for file in sorted(p for p in place.rglob("*") if p.is_file()):
        print(f"{file.relative_to(place)}  {file.stat().st_size / 1e6:.2f} MB")
