"""Scores of explanations over many images: means with intervals, and whether a method beats the controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import DataError
from allsight.evaluate.bootstrap import RESAMPLES, Draws, Estimate, draw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Measure
    from allsight.evaluate.metrics.metric import Floats


@dataclass(frozen=True, slots=True)
class Figure:
    """A method's score over many images.

    Attributes:
        mean: with its 95 % interval over groups.
        n_images: on how many images it is defined.
        over: by control, how much better the method is on the same images, in the measure's direction (positive is
            better), with its interval; empty for controls and for scores without a direction.
        beats_controls: the intervals of all those differences lie above 0; None where there are none.
    """

    mean: Estimate
    n_images: int
    over: dict[str, Estimate]
    beats_controls: bool | None


@dataclass(frozen=True, slots=True)
class Scorecard:
    """What every method's heatmaps scored.

    Attributes:
        n_images: how many images were explained.
        n_groups: how many groups were resampled.
        controls: names of the controls among the methods.
        methods: by method, then by score.
        measures: by score: direction, meaning and source.
    """

    n_images: int
    n_groups: int
    controls: tuple[str, ...]
    methods: dict[str, dict[str, Figure]]
    measures: dict[str, dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Strict JSON, null for what is undefined."""
        from pydantic import TypeAdapter

        document: dict[str, Any] = TypeAdapter(Scorecard).dump_python(self, mode="json")
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Scorecard:
        """The inverse of `to_json`.

        Raises:
            DataError: a key is missing or holds something else.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            read: Scorecard = TypeAdapter(cls).validate_python(document)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise DataError(
                f"This is no scorecard: {where or 'the document'}: {first['msg']}.",
                hint="Give what `allsight explain --score` wrote.",
            ) from error
        return read


def scorecard(
    rows: Sequence[Mapping[str, Mapping[str, float | None]]],
    groups: Sequence[str],
    *,
    measures: Mapping[str, Measure],
    controls: Sequence[str],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Scorecard:
    """Scores of images put together.

    Args:
        rows: per image, by method, by score; a method or score that is absent or None is undefined there.
        groups: per image, what is resampled together.
        measures: by name; other scores have no direction.
        controls: which methods are controls.
        seed: of the bootstrap.
        resamples: of the bootstrap.
    """
    methods = list(dict.fromkeys(method for row in rows for method in row))
    names = list(dict.fromkeys(score for row in rows for scores in row.values() for score in scores))
    values = {
        (m, s): np.array([_number(row.get(m, {}).get(s)) for row in rows]) for m in methods for s in names
    }
    drawn = draw(_means(values), groups, resamples=resamples, seed=seed)
    found: dict[str, dict[str, Figure]] = {}
    for m in methods:
        found[m] = {}
        for s in names:
            rivals = [c for c in controls if c in methods and s in measures and m not in controls]
            over = {
                c: _gain(
                    values[m, s], values[c, s], groups, measure=measures[s], seed=seed, resamples=resamples
                )
                for c in rivals
            }
            defined = {c: e for c, e in over.items() if e.value is not None}
            found[m][s] = Figure(
                mean=drawn[_key(m, s)].estimate(),
                n_images=int(np.isfinite(values[m, s]).sum()),
                over=defined,
                beats_controls=all(e.low is not None and e.low > 0 for e in defined.values())
                if defined
                else None,
            )
    return Scorecard(
        n_images=len(rows),
        n_groups=len(set(groups)),
        controls=tuple(c for c in controls if c in methods),
        methods=found,
        measures={
            name: {"higher_is_better": m.higher_is_better, "meaning": m.meaning, "source": m.source}
            for name, m in measures.items()
        },
    )


def _key(method: str, score: str) -> str:
    return f"{method} {score}"


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _means(values: Mapping[tuple[str, str], NDArray[np.float64]]) -> Any:
    """A measure for `draw`: weighted means over the images where a score is defined."""

    def measure(weights: Floats) -> dict[str, Floats]:
        return {_key(m, s): _mean(column, weights) for (m, s), column in values.items()}

    return measure


def _mean(column: NDArray[np.float64], weights: Floats) -> Floats:
    defined = np.isfinite(column)
    total = weights[:, defined].sum(axis=1)
    sums = weights[:, defined] @ column[defined]
    means: Floats = np.divide(sums, total, out=np.full(len(weights), np.nan), where=total > 0)
    return means


def _gain(
    own: NDArray[np.float64],
    control: NDArray[np.float64],
    groups: Sequence[str],
    *,
    measure: Measure,
    seed: int,
    resamples: int,
) -> Estimate:
    """Mean paired difference in the measure's direction."""
    difference = (own - control) * (1.0 if measure.higher_is_better else -1.0)
    if not np.isfinite(difference).any():
        return Estimate(None, None, None)
    drawn: dict[str, Draws] = draw(
        lambda weights: {"gain": _mean(difference, weights)}, groups, resamples=resamples, seed=seed
    )
    return drawn["gain"].estimate()
