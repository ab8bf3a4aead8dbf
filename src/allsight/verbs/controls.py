"""What can be had without looking at cells, on the very images that a model was asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.evaluate.shortcuts import cross_validated, shortcut_features, shortcut_probabilities

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.progress import Progress
    from allsight.core.records import Sample
    from allsight.verbs.reading import Reading
    from allsight.verbs.unseen import Chosen


def controls_of(
    reading: Reading,
    dataset: Dataset,
    chosen: Chosen,
    kept: Sequence[Sample],
    *,
    seed: int,
    progress: Progress,
) -> dict[str, NDArray[np.float64]]:
    """What forests that see no cells say of the same images, probabilities (n, C) by control.

    They learn from the images the model learned from; on data that the model was not trained on, from the other
    folds of that data, which is more than the model had.

    Args:
        reading: what counts as right.
        dataset: reads the images.
        chosen: what the model may be judged on, and what it learned from.
        kept: the images it was asked about.
        seed: of the forests.
        progress: told after each image.
    """
    known = {s.name for s in kept}
    training = tuple(s for s in chosen.training if s.name not in known)
    samples = [*training, *kept]
    found = shortcut_features(dataset, samples, hashes=chosen.hashes, progress=progress)
    labels = reading.labels(samples)
    n, n_classes = len(training), len(reading.classes)
    if not training:
        units = np.array([chosen.groups[s.name] for s in kept])
        return {
            name: cross_validated(rows, labels, units, n_classes=n_classes, seed=seed)
            for name, rows in found.features.items()
        }
    train, test = np.arange(n), np.arange(n, len(samples))
    return {
        name: shortcut_probabilities(rows, labels, train=train, test=test, n_classes=n_classes, seed=seed)
        for name, rows in found.features.items()
    }


def controls_when_damaged(
    reading: Reading,
    dataset: Dataset,
    chosen: Chosen,
    kept: Sequence[Sample],
    damaged: Sequence[Mapping[str, Mapping[str, NDArray[np.float32]]]],
    *,
    seed: int,
) -> dict[str, NDArray[np.float64]]:
    """What forests that learned from undamaged images say of damaged ones, probabilities (damages · n, C) by control.

    Args:
        reading: what counts as right.
        dataset: reads the images.
        chosen: what the model learned from.
        kept: the n images it was asked about.
        damaged: for each damage the features of every image, by sample name and control.
        seed: of the forests.
    """
    training = shortcut_features(dataset, chosen.training, hashes=chosen.hashes)
    labels = reading.labels(chosen.training)
    n = len(labels)
    asked = {}
    for name, rows in training.features.items():
        others = np.array([features[s.name][name] for features in damaged for s in kept], dtype=np.float32)
        everything = np.concatenate([rows, others])
        asked[name] = shortcut_probabilities(
            everything,
            np.concatenate([labels, np.zeros(len(others), dtype=labels.dtype)]),
            train=np.arange(n),
            test=np.arange(n, len(everything)),
            n_classes=len(reading.classes),
            seed=seed,
        )
    return asked
