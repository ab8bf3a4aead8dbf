"""What a training inherits from other bundles: their weights or their answers, and with them what they have seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allsight.core.errors import LeakError
from allsight.core.records import TEST, TRAIN, VALIDATION
from allsight.models.bundle import begun_from, read_config, read_split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def training_before(weights: str) -> dict[str, Any] | None:
    """Of the bundle that a training starts from: its network, input size, what it started from, and how it was trained.

    None where `weights` names none.
    """
    folder = begun_from(weights)
    if folder is None:
        return None
    begun = read_config(folder)
    return {
        "backbone": begun.backbone,
        "weights": begun.weights,
        "size": begun.preprocessing.size,
        **begun.training,
    }


def assert_has_not_seen(
    folder: Path,
    *,
    role: str,
    hashes: Mapping[str, str],
    parts: Mapping[str, Sequence[str]],
    groups: Mapping[str, str],
) -> None:
    """Refuse a bundle that learned from images, or from groups of images, that are held back from a training.

    What the training's own part holds it may have learned from: a random split has copies of an image on both sides.

    Args:
        folder: the bundle.
        role: what it is to the training, for the message.
        hashes: content hash by sample name.
        parts: the training's split, names by part.
        groups: what is kept together, by sample name.

    Raises:
        BundleError: it does not say what it learned from.
        LeakError: it learned from some of them.
    """
    own = {hashes[name] for name in parts[TRAIN]}
    learned = {row.sha256 for row in read_split(folder) if row.part == TRAIN} - own
    touched = {group for name, group in groups.items() if hashes[name] in learned}
    held = [name for part in (VALIDATION, TEST) for name in parts[part]]
    leaked = [name for name in held if groups[name] in touched]
    if leaked:
        raise LeakError(
            f"{role} {str(folder)!r} learned from groups of {len(leaked)} of the {len(held)} images held back now, "
            f"such as {leaked[0]!r}; what it knows of them would pass on.",
            hint="Train both with the same --split, --seed, --folds and --fold.",
        )
