"""How figures and facts are put into words: one place, so that a figure reads the same wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from allsight.evaluate.bootstrap import Estimate
from allsight.evaluate.document import Evaluation, Interval

UNDEFINED = "—"
PERCENT = "\N{NO-BREAK SPACE}%"
_MOST_DIGITS = 5
_SHARES = {
    "accuracy",
    "balanced_accuracy",
    "precision_macro",
    "recall_macro",
    "precision",
    "recall",
    "sensitivity",
    "specificity",
    "answered",
    "accuracy_answered",
}  # read as a percentage; the others are indices and read as decimals
_UNITS = {"patient": ("of", "patient", "patients"), "field": ("in", "run of fields", "runs of fields")}


def is_share(name: str) -> bool:
    """Whether a metric is a share of images, which people read as a percentage."""
    return name in _SHARES or name.startswith("sensitivity_at_specificity")


def figure(value: float | None, name: str) -> str:
    """A metric as it is printed. What is not quite 1 (or 0) is never rounded to it.

    >>> figure(0.9637, "auc_macro"), figure(0.99971, "auc_macro"), figure(None, "recall"), figure(12.0, "support")
    ('0.964', '0.9997', '—', '12')
    >>> figure(0.9637, "accuracy") == "96.4" + PERCENT
    True
    """
    if value is None:
        return UNDEFINED
    if name == "support":
        return f"{value:.0f}"
    return _number(100 * value, digits=1, full=100) + PERCENT if is_share(name) else _number(value)


def _number(value: float, *, digits: int = 3, full: float = 1.0) -> str:
    while digits < _MOST_DIGITS and round(value, digits) in (0, full) and value not in (0, full):
        digits += 1
    return f"{value:.{digits}f}".replace("-", "−")


def interval(bounds: Estimate | Interval, name: str) -> str:
    """An interval as it is printed, "" where there is none.

    >>> interval(Interval(0.95, 0.98), "recall") == "95.0 to 98.0" + PERCENT
    True
    >>> interval(Interval(-0.01, 0.2), "f1_macro")
    '−0.010 to 0.200'
    """
    if bounds.low is None or bounds.high is None:
        return ""
    low, high = (figure(bound, name).removesuffix(PERCENT) for bound in (bounds.low, bounds.high))
    return f"{low} to {high}{PERCENT if is_share(name) else ''}"


def difference(estimate: Estimate, name: str) -> str:
    """A difference as it is printed, with its sign; of shares in percentage points.

    >>> difference(Estimate(0.123, None, None), "accuracy"), difference(Estimate(-0.02, None, None), "f1_macro")
    ('+12.3 points', '−0.020')
    """
    if estimate.value is None:
        return UNDEFINED
    text = f"{100 * estimate.value:+.1f} points" if is_share(name) else f"{estimate.value:+.3f}"
    return text.replace("-", "−")


def words(name: str) -> str:
    """A key as words.

    >>> words("colour_statistics"), words("n_images")
    ('colour statistics', 'number of images')
    """
    plain = name.replace("_", " ").strip()
    return f"number of {plain[2:]}" if plain.startswith("n ") else plain


def shortened(text: str, most: int) -> str:
    """Text that fits a plot.

    >>> shortened("colour statistics", 10)
    'colour st…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def facts(record: Any, *, label: str = "") -> Iterator[tuple[str, str]]:
    """A nested record as rows of label and text; what is empty is left out.

    >>> list(facts({"split": "field", "trust": {"n_images": 3, "method": None}, "classes": ["a", "b"]}))
    [('split', 'field'), ('trust, number of images', '3'), ('classes', 'a, b')]
    """
    if isinstance(record, Mapping):
        for key, value in record.items():
            name = words(str(key))
            yield from facts(value, label=f"{label}, {name}" if label else name)
    elif (
        isinstance(record, list | tuple) and record and not any(isinstance(v, Mapping | list) for v in record)
    ):
        yield label, ", ".join(_fact(value) for value in record)
    elif isinstance(record, list | tuple):
        for place, value in enumerate(record, start=1):
            yield from facts(value, label=f"{label} {place}".strip())
    elif record is not None and record != "":
        yield label, _fact(record)


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)


def name_of(described: Any, *, keys: tuple[str, ...] = ("name", "source", "data")) -> str:
    """What a model or data set is called, from its name or its record."""
    if isinstance(described, Mapping):
        return next((str(described[key]) for key in keys if described.get(key)), "unnamed")
    return str(described) or "unnamed"


def counted(n: int, singular: str, plural: str) -> str:
    """A number with its noun.

    >>> counted(1, "group", "groups"), counted(2300, "image", "images")
    ('1 group', '2,300 images')
    """
    return f"{n:,} {singular if n == 1 else plural}"


def sample(evaluation: Evaluation) -> str:
    """The images and groups that every figure of an evaluation stands on."""
    protocol = evaluation.protocol
    n_images, n_groups = int(protocol["n_images"]), int(protocol["n_groups"])
    images = counted(n_images, "image", "images")
    if n_images == n_groups:
        return f"{images}, each a group of its own"
    joined, one, many = _UNITS.get(str(protocol.get("split")), ("in", "group", "groups"))
    return f"{images} {joined} {counted(n_groups, one, many)}"


def split_in_words(evaluation: Evaluation) -> str:
    """The protocol in one clause."""
    protocol = evaluation.protocol
    said = f"split by {protocol['split']}" if protocol["split"] != "random" else "split at random"
    parts = [said, f"seed {protocol['seed']}"]
    if (fold := protocol.get("fold")) is not None and protocol.get("folds"):
        parts.append(f"fold {fold} of 0 to {int(protocol['folds']) - 1}")
    if protocol.get("part"):
        parts.append(f"part “{protocol['part']}”")
    return ", ".join(parts)


def controls_in_words(evaluation: Evaluation) -> str:
    """What the controls make of the model, in one sentence; "" where none was measured."""
    controls = evaluation.controls
    if not controls:
        return ""
    unbeaten = [words(name) for name, c in controls.items() if not c.model_clearly_better]
    if unbeaten:
        return (
            f"It does not clearly beat what can be had without looking at cells ({', '.join(unbeaten)}), "
            "so its figures say little about cells."
        )
    best = max(controls, key=lambda name: controls[name].f1_macro or 0.0)
    every = "the one control that sees" if len(controls) == 1 else f"all {len(controls)} controls that see"
    return (
        f"It clearly beats {every} no cells; the best of them, {words(best)}, "
        f"reaches a macro F1 of {figure(controls[best].f1_macro, 'f1_macro')}."
    )
