"""Which images of a data set a bundle may be judged on: those it was not trained on, known by their hashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allsight.core.errors import DataError, RefusedError, UsageError
from allsight.core.progress import Progress, silent
from allsight.core.records import PARTS, TEST, TRAIN, VALIDATION
from allsight.data.groups import groups_of
from allsight.data.hashing import content_hashes, data_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from allsight.core.contracts import Dataset
    from allsight.core.records import Sample
    from allsight.models.bundle import BundleConfig, SplitRow


ALL_UNSEEN = "all unseen"
"""What the part is called of data that the model was not trained on."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The images that a bundle may be judged on.

    Attributes:
        samples: labelled, in the order of the data set.
        groups: what is resampled together, by name.
        training: images of the same data that the model learned from; empty on other data.
        protocol: what the document says of the choice.
        hashes: content hash by name.
    """

    samples: tuple[Sample, ...]
    groups: Mapping[str, str]
    training: tuple[Sample, ...]
    protocol: dict[str, Any]
    hashes: Mapping[str, str]


def choose(
    config: BundleConfig,
    rows: Sequence[SplitRow],
    dataset: Dataset,
    *,
    part: str = TEST,
    progress: Progress = silent,
) -> Chosen:
    """A part of the bundle's own data as its split has it; of other data, everything that it has not seen.

    Args:
        config: what the bundle says of itself.
        rows: its split.
        dataset: the data.
        part: "test"; or "train" or "validation" to see the other side.
        progress: told how far it is.

    Raises:
        UsageError: no such part, or none on this data.
        DataError: nothing is left.
        RefusedError: the data is made of copies of another set and tells nothing new.
    """
    if part not in PARTS:
        raise UsageError(f"There is no part called {part!r}.", hint=f"Choose one of {', '.join(PARTS)}.")
    hashes = content_hashes(dataset, progress=progress)
    if data_fingerprint(dataset, hashes) == config.data.fingerprint:
        return _own(config, rows, dataset, part=part, hashes=hashes)
    if part != TEST:
        raise UsageError(
            f"The bundle was not trained on this data, so there is no {part!r} part of it.",
            hint=f"It was trained on {config.data.source}.",
        )
    if not dataset.independent:
        raise RefusedError(f"No independent test: {dataset.caution}", hint="Use data of another source.")
    return _new(rows, dataset, hashes=hashes, progress=progress)


def _own(
    config: BundleConfig, rows: Sequence[SplitRow], dataset: Dataset, *, part: str, hashes: Mapping[str, str]
) -> Chosen:
    """The part of the bundle's own data, as its split.csv has it."""
    by_name = {s.name: s for s in dataset.samples}
    protocol = config.protocol
    if not any(r.part == part for r in rows):
        raise DataError(
            f"The bundle's split has no {part} part.",
            hint="It was trained on the whole of this data; bundles of its folds can be judged on it.",
        )
    facts = {
        "split": protocol.split,
        "seed": protocol.seed,
        "part": part,
        "folds": protocol.folds,
        "fold": protocol.fold,
        "hold_out": list(protocol.hold_out),
        "straddling": protocol.straddling,
    }
    return Chosen(
        samples=tuple(by_name[r.name] for r in rows if r.part == part),
        groups={r.name: r.group for r in rows},
        training=tuple(by_name[r.name] for r in rows if r.part == TRAIN),
        protocol=facts,
        hashes=hashes,
    )


def _new(
    rows: Sequence[SplitRow], dataset: Dataset, *, hashes: Mapping[str, str], progress: Progress
) -> Chosen:
    """Everything in other data that shares no image, patient or field with what the model has seen."""
    labelled = tuple(s for s in dataset.samples if s.label is not None)
    unit = dataset.units[0]
    groups = groups_of(dataset, labelled, unit, hashes=hashes, progress=progress)
    seen = {r.sha256 for r in rows if r.part in (TRAIN, VALIDATION)}
    touched = {groups.indivisible[s.name] for s in labelled if hashes[s.name] in seen}
    unseen = tuple(s for s in labelled if groups.indivisible[s.name] not in touched)
    if not unseen:
        raise DataError(
            "The model has seen every labelled image of this data.", hint="Give data it was not trained on."
        )
    facts = {"split": unit, "seed": 0, "part": ALL_UNSEEN, "left_out_as_seen": len(labelled) - len(unseen)}
    return Chosen(samples=unseen, groups=groups.block, training=(), protocol=facts, hashes=hashes)
