"""What is to be explained: files, the unseen part of a data set, or the hardest images of an evaluation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import DataError
from allsight.data.cells import cell_mask
from allsight.data.images import image_paths, read_image
from allsight.data.source import open_dataset
from allsight.evaluate.document import Evaluation
from allsight.models.bundle import read_config, read_split
from allsight.verbs.run_files import EVALUATION_FILE
from allsight.verbs.unseen import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.progress import Progress
    from allsight.core.records import Box, Sample


@dataclass(frozen=True, slots=True)
class Subject:
    """One image to explain.

    Attributes:
        name: in every output.
        group: what is resampled together.
        read: gives its pixels, uint8 RGB (H, W, 3), or raises `ImageError`.
        cells: gives the mask of its cells, bool (H, W), from its pixels: the exact one where there is one.
        overlay: where its source burnt in a scale bar, or None where that is not known.
    """

    name: str
    group: str
    read: Callable[[], NDArray[np.uint8]]
    cells: Callable[[NDArray[np.uint8]], NDArray[np.bool_]]
    overlay: Box | None = None


def of_files(paths: Iterable[Path]) -> list[Subject]:
    """Image files, or the image files below folders, each a group of its own."""
    return [_of_file(path, str(path)) for path in image_paths(paths)]


def of_run(run: Path) -> list[Subject]:
    """The hardest images of an evaluation, hardest first, named as the evaluation names their pictures.

    Raises:
        DataError: the folder holds no evaluation.
    """
    try:
        document = json.loads((run / EVALUATION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"There is no readable {EVALUATION_FILE} in {str(run)!r}.",
            hint="Give the folder that `allsight evaluate` wrote.",
        ) from error
    return [_of_file(run / hard.image, hard.image) for hard in Evaluation.from_json(document).hardest]


def of_data(
    bundle: Path, data: str, *, part: str, limit: int | None, seed: int, progress: Progress
) -> tuple[list[Subject], dict[str, Any]]:
    """Images that the bundle was not trained on, and the protocol of the choice.

    Args:
        bundle: folder of the bundle.
        data: a DATA.
        part: as in `allsight.verbs.unseen.choose`.
        limit: at most so many, spread evenly over the classes.
        seed: of the draw.
        progress: told how far it is.
    """
    dataset = open_dataset(data)
    chosen = choose(read_config(bundle), read_split(bundle), dataset, part=part, progress=progress)
    samples = evenly(chosen.samples, limit=limit, seed=seed)
    return [_of_sample(dataset, s, chosen.groups[s.name]) for s in samples], {"data": data, **chosen.protocol}


def evenly(samples: Sequence[Sample], *, limit: int | None, seed: int) -> list[Sample]:
    """At most `limit` samples, as many of each label as of any other where there are enough; drawn, order kept."""
    if limit is None or limit >= len(samples):
        return list(samples)
    rng = np.random.default_rng(seed)
    lots = dict(zip([s.name for s in samples], rng.permutation(len(samples)).tolist(), strict=True))
    turns: list[tuple[int, int, str]] = []
    for label in {s.label for s in samples}:
        drawn = sorted((lots[s.name], s.name) for s in samples if s.label == label)
        turns += [(turn, lot, name) for turn, (lot, name) in enumerate(drawn)]
    taken = {name for _, _, name in sorted(turns)[:limit]}
    return [s for s in samples if s.name in taken]


def _of_file(path: Path, name: str) -> Subject:
    return Subject(name, name, lambda: read_image(path), cell_mask)


def _of_sample(dataset: Dataset, sample: Sample, group: str) -> Subject:
    def cells(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        exact = dataset.masks(sample).get("cell")
        if exact is None:
            return cell_mask(image)
        height, width = image.shape[:2]  # of a large image that is explained smaller, too
        return exact[np.ix_(_places(height, exact.shape[0]), _places(width, exact.shape[1]))]

    return Subject(sample.name, group, lambda: dataset.read(sample), cells, dataset.overlay)


def _places(n: int, of: int) -> NDArray[np.int64]:
    """`n` places spread evenly over `of`; all of them where there are as many.

    >>> _places(2, 4).tolist(), _places(3, 3).tolist()
    ([1, 3], [0, 1, 2])
    """
    return ((np.arange(n) + 0.5) * of / n).astype(np.int64)
