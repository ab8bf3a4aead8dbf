"""The few things of an audit that a reader of figures must know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allsight.report.wording import UNDEFINED, counted, facts, figure, words

_GROUP_TITLES = {
    "n_groups": "groups",
    "n_repeats": "groups of two or more",
    "largest": "images in the largest group",
    "crossing_classes": "groups across classes",
}


@dataclass(frozen=True, slots=True)
class Shortcut:
    """What is reached without looking at cells, as it is printed."""

    name: str
    accuracy: str
    f1_macro: str


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """An audit in short.

    Attributes:
        data: what was audited.
        repeats: images by class, byte-identical files and overlapping fields, label and text.
        leaks: each in words.
        shortcuts: what is reached without looking at cells.
    """

    data: str
    repeats: tuple[tuple[str, str], ...]
    leaks: tuple[str, ...]
    shortcuts: tuple[Shortcut, ...]


def summary_of(document: Mapping[str, Any]) -> AuditSummary:
    """Read the `data audit` document; keys that are missing or unknown are passed over."""
    classes = {f"of class {name}": n for name, n in _mapping(document.get("classes")).items()}
    repeats = list(facts({"images": document.get("n_images"), **classes}))
    if "exact_duplicates" in document:
        sets = [s for s in _list(document["exact_duplicates"]) if isinstance(s, list | tuple)]
        identical = (
            f"{sum(len(s) for s in sets):,} in {counted(len(sets), 'set', 'sets')}" if sets else "none"
        )
        repeats.append(("byte-identical files", identical))
    groups = _mapping(document.get("groups"))
    repeats += facts({_GROUP_TITLES.get(key, key): value for key, value in groups.items()})
    return AuditSummary(
        data=str(document.get("data", "")),
        repeats=tuple(repeats),
        leaks=tuple(_in_words(leak) for leak in _list(document.get("leaks"))),
        shortcuts=tuple(_shortcuts(_mapping(document.get("shortcuts")))),
    )


def _in_words(leak: Any) -> str:
    return "; ".join(f"{label}: {text}" if label else text for label, text in facts(leak))


def _shortcuts(found: Mapping[str, Any], *, name: str = "") -> Iterator[Shortcut]:
    """Rows of scores, at whatever depth they lie: some audits measure each shortcut under several splits."""
    for key, value in found.items():
        label = f"{name}, {words(str(key))}" if name else words(str(key))
        if isinstance(value, Mapping) and "accuracy" in value:
            yield Shortcut(label, _score(value, "accuracy"), _score(value, "f1_macro"))
        elif isinstance(value, Mapping):
            yield from _shortcuts(value, name=label)


def _score(scores: Mapping[str, Any], name: str) -> str:
    value = scores.get(name)
    if isinstance(value, Mapping):
        value = value.get("value")
    return figure(float(value), name) if isinstance(value, int | float) else UNDEFINED


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
