"""`cascade`: a small bundle is given a large one to ask where it is not sure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import DataError, ImageError, UsageError
from allsight.core.files import write_text
from allsight.core.progress import Progress, silent
from allsight.core.records import TRAIN, VALIDATION
from allsight.data.source import open_dataset
from allsight.inference.cascade import fit_threshold
from allsight.inference.predictor import Predictor
from allsight.models.bundle import (
    CARD_FILE,
    CascadeFacts,
    bundle_folder,
    own_folder,
    read_split,
    write_config,
)
from allsight.models.card import model_card
from allsight.verbs.unseen import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample
    from allsight.inference.trust import Judgement


@dataclass(frozen=True, slots=True)
class Joined:
    """A small bundle that now asks a large one.

    Attributes:
        bundle: the small one.
        facts: what was written into it.
    """

    bundle: Path
    facts: CascadeFacts

    def to_json(self) -> dict[str, Any]:
        """The document of `cascade --json`."""
        return {"bundle": str(self.bundle), **self.facts.model_dump(mode="json")}


def cascade(
    small: str | Path,
    large: str | Path,
    *,
    data: str | None = None,
    runtime: str | None = None,
    precision: str | None = None,
    progress: Progress = silent,
) -> Joined:
    """Let a small network answer what it is sure of and a large one the rest, and write that into the small bundle.

    The threshold is chosen on the small bundle's validation images that the large one was not trained on.

    Args:
        small: folder of the bundle that is asked first; afterwards it stands for both.
        large: folder of the bundle that is asked where the small one is not sure. It must stay where it is.
        data: the DATA they were trained on; by default where it lay then.
        runtime: "pytorch", "onnx" or "openvino"; None takes the fastest that each was exported for.
        precision: "fp32" or "int8"; None takes the fastest there is.
        progress: told how far it is.

    Raises:
        BundleError: no bundle, or a damaged one.
        UsageError: one and the same bundle, or different classes.
        DataError: no validation image is left that neither has learned from.
    """
    folder, place = own_folder(small), bundle_folder(large)
    if folder.resolve() == place.resolve():
        raise UsageError("A cascade needs two different bundles.")
    first, second = (Predictor.open(f, runtime=runtime, precision=precision) for f in (folder, place))
    config = first.config
    if second.config.classes != config.classes:
        raise UsageError(
            f"The bundles know different classes: {', '.join(config.classes)} and "
            f"{', '.join(second.config.classes)}.",
            hint="Train both on one data set.",
        )
    dataset = open_dataset(data or config.data.source)
    samples = _unseen(folder, place, first, dataset, progress=progress)
    labels = np.array([config.classes.index(str(sample.label)) for sample in samples])
    mine, theirs = (_judged(p, dataset, samples, progress=progress) for p in (first, second))
    small_named, large_named = (
        np.array([config.classes.index(found.label) for found in side]) for side in (mine, theirs)
    )
    sure = np.array([found.probabilities[found.label] for found in mine])
    found = fit_threshold(sure, small_named, large_named, labels)
    facts = CascadeFacts(
        large=os.path.relpath(place.resolve(), folder.resolve()),
        threshold=found.value,
        answered=found.answered,
        f1_macro=found.f1_macro,
        f1_macro_large=found.f1_macro_large,
        n_images=found.n_images,
    )
    config = config.model_copy(update={"cascade": facts})
    write_config(folder, config)
    write_text(folder / CARD_FILE, model_card(config))
    return Joined(folder, facts)


def _judged(
    predictor: Predictor, dataset: Dataset, samples: Sequence[Sample], *, progress: Progress
) -> list[Judgement]:
    """Answers as they are served.

    Raises:
        ImageError: an image cannot be read.
    """
    found = []
    for done, (_, answer) in enumerate(predictor.answers(samples, read=dataset.read), start=1):
        if isinstance(answer, ImageError):
            raise answer
        found.append(answer.judgement)
        progress(predictor.config.name, done, len(samples))
    return found


def _unseen(
    small: Path, large: Path, first: Predictor, dataset: Dataset, *, progress: Progress
) -> Sequence[Sample]:
    """The small bundle's validation images that the large one was not trained on."""
    chosen = choose(first.config, read_split(small), dataset, part=VALIDATION, progress=progress)
    learned = {row.sha256 for row in read_split(large) if row.part == TRAIN}
    samples = [s for s in chosen.samples if chosen.hashes[s.name] not in learned]
    if not samples:
        raise DataError(
            "The large network was trained on every validation image of the small one.",
            hint="Train both with the same --split, --seed and --fold.",
        )
    return samples
