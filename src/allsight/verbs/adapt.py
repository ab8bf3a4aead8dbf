"""`adapt`: a bundle is fitted to another laboratory with a few dozen of its images, and told whether that helped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import DataError, UsageError
from allsight.core.files import check_writable, write_text
from allsight.core.progress import Progress, silent
from allsight.core.provenance import commit, machine, versions
from allsight.core.records import TEST, TRAIN
from allsight.data.appearance import looks_of
from allsight.data.effects import TURNS
from allsight.data.groups import groups_of
from allsight.data.hashing import content_hashes, data_fingerprint
from allsight.data.loading import unreadable
from allsight.data.source import open_dataset
from allsight.evaluate.bootstrap import RESAMPLES, Estimate, draw
from allsight.evaluate.metrics.families import measure_of
from allsight.inference.checks import fit_limits
from allsight.inference.predictor import load_space
from allsight.inference.trust import (
    FEWEST_FOR_SETS,
    Space,
    Trust,
    conformal_thresholds,
    distance_limit,
    fit_temperature,
    least_certainty,
    softmax,
)
from allsight.models.bundle import (
    CARD_FILE,
    CONFIG_FILE,
    BundleConfig,
    SplitRow,
    bundle_folder,
    load_classifier,
    read_split,
    save_bundle,
)
from allsight.models.card import model_card

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from numpy.typing import NDArray

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample
    from allsight.models.classifier import Classifier
    from allsight.models.training.moved_means import MovedHead

FEWEST = 8  # labelled images, of at least two groups and two classes
_COMPARED = ("f1_macro", "accuracy")


@dataclass(frozen=True, slots=True)
class Brought:
    """What adapting was found to bring on labelled images; empty without any.

    Attributes:
        before: by metric, of the old model.
        after: the same of models fitted without the fold they were tried on.
        gain: after less before, paired.
    """

    before: dict[str, Estimate]
    after: dict[str, Estimate]
    gain: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Adapted:
    """What adapting left.

    Attributes:
        bundle: the new folder.
        n_images: images of the new place.
        n_groups: patients, fields or runs of them.
        labelled: whether the head was fitted too; without labels only limits were.
        brought: whether that helped.
        notes: what a user must know.
    """

    bundle: Path
    n_images: int
    n_groups: int
    labelled: bool
    brought: Brought
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of `adapt --json`."""
        return {
            "bundle": str(self.bundle),
            "n_images": self.n_images,
            "n_groups": self.n_groups,
            "labelled": self.labelled,
            **asdict(self.brought),
            "notes": list(self.notes),
        }


def adapt(
    bundle: str | Path,
    data: str,
    *,
    out: str | Path,
    seed: int = 0,
    resamples: int = RESAMPLES,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Adapted:
    """Fit a bundle's head, calibration and limits to images of another laboratory; the network itself stays.

    What it brings is measured on images that each fitted head had not seen, in folds that keep patients and fields
    together. Images without labels change the limits only.

    Args:
        bundle: folder of the bundle, or "builtin".
        data: the DATA of the new place; its classes must be among the bundle's.
        out: folder of the new bundle.
        seed: of the folds and the bootstrap.
        resamples: of the bootstrap over groups.
        overwrite: replace a finished bundle.
        progress: told how far it is.

    Raises:
        BundleError: no bundle, or a damaged one.
        UsageError: classes that the bundle does not know, or a bundle that is already there.
        DataError: too few images to adapt to.
    """
    folder, place = bundle_folder(bundle), Path(out)
    if (place / CONFIG_FILE).is_file() and not overwrite:
        raise UsageError(
            f"{str(place)!r} already holds a bundle.", hint="Choose another --out, or --overwrite."
        )
    if place.resolve() == folder.resolve():
        raise UsageError("A bundle is not adapted in its own place.", hint="Choose another --out.")
    check_writable(place)
    classifier, config = load_classifier(folder)
    seen = {row.sha256 for row in read_split(folder) if row.part != TEST}
    new = _Place.look(open_dataset(data), config, classifier, seen=seen, progress=progress)
    old = Trust.model_validate(config.trust)
    fitted = _fit(new, classifier, old=old, space=load_space(folder), seed=seed, resamples=resamples)
    if fitted.head is not None:
        classifier.put_head(fitted.head.weight, fitted.head.bias)
    made = _describe(config, new, fitted, data=data, name=place.resolve().name, start=folder.name)
    save_bundle(
        place,
        classifier,
        config=made,
        split=[*read_split(folder), *new.rows()],
        tensors=fitted.space.tensors(),
    )
    write_text(place / CARD_FILE, model_card(made))
    return Adapted(
        place,
        len(new.samples),
        len(set(new.groups.tolist())),
        new.labels is not None,
        fitted.brought,
        (*new.notes, *fitted.notes),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """The images of the new laboratory, and what the network makes of them."""

    dataset: Dataset
    samples: tuple[Sample, ...]
    hashes: Mapping[str, str]
    groups: NDArray[np.str_]
    labels: NDArray[np.int64] | None
    embeddings: NDArray[np.float32]
    turned: NDArray[np.float32]  # the mean over each image's turned and mirrored copies
    limits: dict[str, tuple[float, float]]
    notes: tuple[str, ...]

    @classmethod
    def look(
        cls,
        dataset: Dataset,
        config: BundleConfig,
        classifier: Classifier,
        *,
        seen: Set[str],
        progress: Progress,
    ) -> _Place:
        from allsight.models.training.features import embeddings_of

        if unknown := sorted(set(dataset.classes) - set(config.classes)):
            raise UsageError(
                f"The model has no class called {unknown[0]!r}; it knows {', '.join(config.classes)}.",
                hint="Name the classes of the new images as the model names them.",
            )
        hashes = content_hashes(dataset, progress=progress)
        bad = unreadable(dataset, dataset.samples, hashes=hashes, progress=progress)
        samples = tuple(s for s in dataset.samples if s.name not in bad)
        labelled = tuple(s for s in samples if s.label is not None)
        known = sum(hashes[s.name] in seen for s in samples)
        samples = tuple(s for s in labelled or samples if hashes[s.name] not in seen)
        if len(samples) < FEWEST:
            first = next((f" The first that cannot be read: {why}" for why in bad.values()), "")
            learned = f" The model knows {known} of them from its own training." if known else ""
            raise DataError(
                f"{len(samples)} of {len(dataset.samples)} images can be read and used, "
                f"at least {FEWEST} are needed.{learned}{first}",
                hint="Add images of the new place.",
            )
        grouped = groups_of(dataset, samples, dataset.units[0], hashes=hashes, progress=progress)
        groups = np.array([grouped.block[s.name] for s in samples], dtype=np.str_)
        labels = None
        if labelled:
            labels = np.array([config.classes.index(str(s.label)) for s in samples], dtype=np.int64)
        if len(set(groups.tolist())) < 2 or (labels is not None and len(set(labels.tolist())) < 2):
            raise DataError(
                "The images are of one patient or one class only; nothing can be compared.",
                hint="Add images of other patients and classes.",
            )
        left_out = {
            "cannot be read": len(bad),
            "are known from the model's own training": known,
            "have no label": len(dataset.samples) - len(bad) - known - len(samples),
        }
        notes = tuple(f"Images left out because they {why}: {n}." for why, n in left_out.items() if n)
        looks = looks_of(dataset, samples, progress=progress)
        limits = fit_limits([*looks.values()], [grouped.block[name] for name in looks])
        embeddings = embeddings_of(classifier, dataset, samples=samples, progress=progress)
        turned = embeddings
        if labels is not None:
            copies = [
                embeddings_of(classifier, dataset, samples=samples, view=view, progress=progress)
                for view in TURNS[1:]
            ]
            turned = np.mean([embeddings, *copies], axis=0, dtype=np.float32)
        return cls(dataset, samples, hashes, groups, labels, embeddings, turned, limits, notes)

    def rows(self) -> list[SplitRow]:
        """The new images as the bundle remembers them: it has learned from them."""
        return [
            SplitRow(s.name, self.hashes[s.name], s.label or "", TRAIN, group)
            for s, group in zip(self.samples, self.groups.tolist(), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What was fitted, and what it was found to bring."""

    head: MovedHead | None
    space: Space
    trust: Trust
    brought: Brought
    notes: tuple[str, ...]


def _fit(
    new: _Place, classifier: Classifier, *, old: Trust, space: Space, seed: int, resamples: int
) -> _Fitted:
    from allsight.models.training.moved_means import fit_moved_head, grouped_folds

    weight, bias = (tensor.detach().numpy() for tensor in (classifier.head.weight, classifier.head.bias))

    def head_of(rows: NDArray[np.int64], labels: NDArray[np.int64]) -> MovedHead:
        return fit_moved_head(
            new.embeddings[rows],
            labels[rows],
            turned=new.turned[rows],
            groups=new.groups[rows],
            projection=space.projection,
            centres=space.centres[: len(weight)],
            old=(weight, bias),
            temperature=fit_temperature,
            seed=seed,
        )

    limits = {
        name: (min(low, old.limits[name][0]), max(high, old.limits[name][1]))
        for name, (low, high) in new.limits.items()
        if name in old.limits
    }
    logits = new.embeddings @ weight.T + bias
    named = logits.argmax(axis=1) if new.labels is None else new.labels
    distances = np.empty(len(named), dtype=np.float32)
    tried = np.empty_like(logits)
    for known, held_back in grouped_folds(named, new.groups, folds=5, seed=seed):
        distances[held_back] = _wider(space, new.embeddings[known], named[known]).distances(
            new.embeddings[held_back]
        )
        if new.labels is not None:
            head = head_of(known, new.labels)
            tried[held_back] = new.embeddings[held_back] @ head.weight.T + head.bias
    around = _wider(space, new.embeddings, named)
    limit = max(old.distance_limit, distance_limit(distances, new.groups))
    wider = old.model_copy(
        update={"limits": limits, "distance_limit": limit, "distance_limit_int8": None, "rounding": None}
    )
    if new.labels is None:
        note = "No image has a label: limits were fitted, head and calibration were not, and nothing could be measured."
        return _Fitted(None, around, wider, Brought({}, {}, {}), (note,))
    temperature = fit_temperature(tried, new.labels)
    probabilities = softmax(tried, temperature)
    thresholds, notes = _sets(probabilities, new.labels, new.groups)
    trust = wider.model_copy(
        update={
            "doubt": 0.0,  # all of these were fitted on first looks
            "stain": None,
            "temperature": temperature,
            "thresholds": thresholds,
            "certainty": least_certainty(probabilities),
            "n_images": len(named),
        }
    )
    head = head_of(np.arange(len(named)), new.labels)
    groups = new.groups.tolist()
    drawn = [
        draw(measure_of(softmax(side, t), new.labels), groups, resamples=resamples, seed=seed)
        for side, t in ((logits, old.temperature), (tried, temperature))
    ]
    before, after = ({name: side[name].estimate() for name in _COMPARED} for side in drawn)
    gain = {name: (drawn[1][name] - drawn[0][name]).estimate() for name in _COMPARED}
    brought = Brought(before, after, gain)
    return _Fitted(head, around, trust, brought, (*notes, _verdict(gain["f1_macro"])))


def _wider(space: Space, embeddings: NDArray[np.float32], named: NDArray[np.int64]) -> Space:
    """The space with the new place's class means beside the old ones; the spread within classes stays as it was."""
    means = np.stack([embeddings[named == c].mean(axis=0) for c in np.unique(named)])
    centres = (means @ space.projection).astype(np.float32)
    return Space(space.projection, np.concatenate([space.centres, centres]))


def _sets(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], groups: NDArray[np.str_]
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Thresholds of prediction sets from images that the heads had not seen, and what is to be said of them.

    Where a class has too few images for sets of its own, the sets cover 95 % of all images instead; where even all
    together are too few, no class is excluded.
    """
    n_classes = probabilities.shape[1]
    misses = 1 - probabilities[np.arange(len(labels)), labels]
    own = conformal_thresholds(misses, labels, n_classes=n_classes, groups=groups)
    few = np.bincount(labels, minlength=n_classes) < FEWEST_FOR_SETS
    if not few.any():
        return own, ()
    (together,) = conformal_thresholds(misses, np.zeros_like(labels), n_classes=1, groups=groups)
    note = (
        f"{few.sum()} of {n_classes} classes have fewer than {FEWEST_FOR_SETS} images: their prediction sets hold the "
        "true class for 95 % of all images here, not for 95 % of each class."
        if len(labels) >= FEWEST_FOR_SETS
        else f"Fewer than {FEWEST_FOR_SETS} images: prediction sets exclude no class."
    )
    return tuple(np.where(few, together, own).tolist()), (note,)


def _verdict(gain: Estimate) -> str:
    if gain.low is not None and gain.low > 0:
        return "It helped: the gain in macro-F1 is clearly above nought."
    if gain.high is not None and gain.high < 0:
        return "It did harm: macro-F1 is clearly lower. Keep the old bundle."
    return (
        "It is not shown to help: the interval of the gain in macro-F1 includes nought. More images may tell."
    )


def _describe(
    config: BundleConfig, new: _Place, fitted: _Fitted, *, data: str, name: str, start: str
) -> BundleConfig:
    found: dict[str, Any] = {
        "from": start,
        "data": data,
        "fingerprint": data_fingerprint(new.dataset, new.hashes),
        "n_images": len(new.samples),
        "n_groups": len(set(new.groups.tolist())),
        "labelled": new.labels is not None,
        "old_images": None if fitted.head is None else fitted.head.old_images,
        **asdict(fitted.brought),
    }
    return config.model_copy(
        update={
            "name": name,
            "trust": fitted.trust.model_dump(mode="json"),
            "adapted": found,
            "figures": {},
            "exports": {},  # with the head they change, and with them what int8 adds to distances
            "cascade": None,
            "provenance": {"versions": dict(versions()), "commit": commit(), "machine": machine()},
        }
    )
