"""What is left of a model when the picture is damaged on its way to it (after Hendrycks & Dietterich, "Benchmarking
neural network robustness to common corruptions and perturbations", ICLR 2019: each damage in five severities).
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Literal

import numpy as np

from allsight.core import catalog
from allsight.core.contracts import Damage
from allsight.core.errors import UsageError
from allsight.core.records import Scene
from allsight.evaluate.bootstrap import RESAMPLES, Draws, draw
from allsight.evaluate.document import Stressed
from allsight.evaluate.evaluation import coverage_of
from allsight.evaluate.metrics import families

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from allsight.core.records import Box
    from allsight.evaluate.metrics.metric import Floats, Measure
    from allsight.evaluate.predictions import Predictions

Extent = Literal["none", "usual", "all"]
EXTENTS: tuple[Extent, ...] = ("none", "usual", "all")
METRICS = ("accuracy", "f1_macro", "ece")
SEVERITIES = 5


def damages_of(extent: str) -> tuple[tuple[str, int], ...]:
    """(damage, severity): none; each damage once; or each in every severity.

    Raises:
        UsageError: no such extent.

    >>> damages_of("usual")[0], len(damages_of("all")) == 5 * len(damages_of("usual"))
    (('blur', 3), True)
    """
    if extent not in EXTENTS:
        raise UsageError(
            f"There is no extent called {extent!r}.", hint=f"Choose one of {', '.join(EXTENTS)}."
        )
    if extent == "none":
        return ()
    names = catalog.names(Damage)
    if extent == "usual":
        return tuple((name, catalog.load(Damage, name).usual) for name in names)
    return tuple((name, severity) for name in names for severity in range(1, SEVERITIES + 1))


def damaged(
    image: NDArray[np.uint8],
    damage: str,
    severity: int,
    *,
    key: str,
    seed: int = 0,
    overlay: Box | None = None,
    another: Callable[[], NDArray[np.uint8]] | None = None,
) -> NDArray[np.uint8]:
    """The picture after a damage. The same key and seed give the same bytes, whatever model is asked.

    Args:
        image: uint8 RGB (H, W, 3).
        damage: a name of the catalog.
        severity: 1 to 5.
        key: what identifies the image, such as its hash.
        seed: of all randomness.
        overlay: where the source burnt in a scale bar.
        another: gives a picture of another class.
    """
    kind = catalog.load(Damage, damage)
    rng = np.random.default_rng([seed, severity, *(zlib.crc32(text.encode()) for text in (damage, key))])
    return kind.apply(image, kind.levels[severity - 1], scene=Scene(rng, overlay, another))


def of_another_class(labels: NDArray[np.int64], *, seed: int = 0) -> list[int]:
    """For each image the index of one of another class, drawn evenly; its own where there is only one class.

    Args:
        labels: (n,).
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    others = {c: np.flatnonzero(labels != c) for c in set(labels.tolist())}
    return [int(rng.choice(others[c])) if len(others[c]) else i for i, c in enumerate(labels.tolist())]


def stressed(
    predictions: Predictions,
    damage: str,
    severity: int,
    *,
    answered: NDArray[np.bool_],
    controls: Mapping[str, Floats],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Stressed:
    """The row of the table for one damage.

    Args:
        predictions: of the damaged images.
        damage: a name of the catalog.
        severity: 1 to 5.
        answered: (n,) False where the model refers the image to a person.
        controls: probabilities (n, C) of models that see no cells, by name, for the same damaged images.
        seed: of the bootstrap.
        resamples: of the bootstrap.
    """

    def drawn(measure: Measure) -> dict[str, Draws]:
        return draw(measure, predictions.groups, seed=seed, resamples=resamples)

    p, y = predictions.probabilities, predictions.labels
    found = drawn(families.measure_of(p, y, only=METRICS))
    kind = catalog.load(Damage, damage)
    return Stressed(
        damage=damage,
        severity=severity,
        meaning=kind.meaning.format(level=kind.levels[severity - 1]),
        metrics={name: found[name].estimate() for name in METRICS},
        coverage=coverage_of(predictions, answered, drawn),
        controls={name: float((c.argmax(axis=1) == y).mean()) for name, c in controls.items()},
    )
