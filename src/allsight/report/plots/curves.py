"""ROC and precision-recall curves, each class against the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allsight.evaluate.document import Curve, Curves, Evaluation
from allsight.report.drawing import CLASS_COLOURS, CLASS_DASHES, LINE, MODEL, WIDTH, Plot, draw
from allsight.report.wording import figure, sample, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_CROWDED = 0.9  # areas above this put all curves into one corner
_ENLARGED = 0.2  # the part of each axis that the inset shows


@dataclass(frozen=True, slots=True)
class _Line:
    """One curve: whose it is, the area under it, how it is drawn."""

    of: str
    area: float | None
    curve: Curve
    look: dict[str, Any]

    def add_to(self, ax: Axes) -> None:
        ax.plot(
            self.curve.x,
            self.curve.y,
            label=shortened(f"{figure(self.area, 'auc')}  {self.of}", 26),
            **self.look,
        )


@dataclass(frozen=True, slots=True)
class _Square:
    """What a square of curves is made of.

    Attributes:
        labels: of the two axes.
        corner: where on the x axis the part begins that the inset enlarges.
        inset: its place in the square: left, bottom, width, height.
        chance: whether the diagonal is drawn.
    """

    labels: tuple[str, str]
    corner: float
    inset: tuple[float, float, float, float]
    chance: bool


def roc(evaluation: Evaluation) -> Plot:
    """One ROC curve per class, and one for suspicion."""
    square = _Square(
        ("1 − specificity", "sensitivity"), corner=0.0, inset=(0.40, 0.12, 0.54, 0.54), chance=True
    )
    return _plot(
        "plot-roc",
        _lines(evaluation, evaluation.roc, area="auc", drawstyle="default"),
        square,
        alt="ROC curves. Area under the curve",
        caption="ROC: each class against the rest. The number is the area; the grey line is chance. "
        f"{sample(evaluation)}.",
    )


def precision_recall(evaluation: Evaluation) -> Plot:
    """One precision-recall curve per class, and one for suspicion, in the steps that average precision adds up."""
    square = _Square(
        ("recall (sensitivity)", "precision"), corner=0.8, inset=(0.14, 0.12, 0.54, 0.54), chance=False
    )
    return _plot(
        "plot-pr",
        _lines(evaluation, evaluation.pr, area="ap", drawstyle="steps-pre"),
        square,
        alt="Precision-recall curves. Average precision",
        caption="Precision and recall: each class against the rest. The number is average precision. "
        f"{sample(evaluation)}.",
    )


def _lines(evaluation: Evaluation, curves: Curves, *, area: str, drawstyle: str) -> list[_Line]:
    lines = []
    for place, c in enumerate(evaluation.classes):
        if c in curves.classes:
            look = {
                "color": CLASS_COLOURS[place % len(CLASS_COLOURS)],
                "linestyle": CLASS_DASHES[place % len(CLASS_DASHES)],
                "linewidth": 1.6,
                "drawstyle": drawstyle,
            }
            lines.append(_Line(c, evaluation.per_class[c][area], curves.classes[c], look))
    if curves.suspicion is not None and evaluation.suspicion is not None:
        look = {"color": MODEL, "linewidth": 3.5, "alpha": 0.4, "zorder": 1.5, "drawstyle": drawstyle}
        found = evaluation.suspicion.metrics.get(area)
        lines.append(_Line("suspicious", found.value if found else None, curves.suspicion, look))
    return lines


def _plot(name: str, lines: list[_Line], square: _Square, *, alt: str, caption: str) -> Plot:
    """All curves in one square; where they crowd a corner, that corner is drawn again inside, enlarged."""
    crowded = bool(lines) and all((line.area or 0.0) > _CROWDED for line in lines)

    def paint(canvas: Canvas) -> None:
        whole = canvas.subplots()
        _frame(whole, x=(0.0, 1.0), y=(0.0, 1.0), step=0.25)
        whole.set(xlabel=square.labels[0], ylabel=square.labels[1])
        places = [whole]
        if crowded:
            inset = whole.inset_axes(square.inset, facecolor="white")
            _frame(
                inset,
                x=(square.corner, square.corner + _ENLARGED),
                y=(1.0 - _ENLARGED, 1.0),
                step=_ENLARGED / 2,
            )
            places.append(inset)
        for ax in places:
            if square.chance:
                ax.plot([0, 1], [0, 1], color=LINE, linewidth=1)
            for line in lines:
                line.add_to(ax)
        if lines:
            known = whole.get_legend_handles_labels()
            canvas.legend(*known, loc="outside lower center", ncols=2, handlelength=2.6)

    said = ", ".join(f"{line.of} {figure(line.area, 'auc')}" for line in lines) or "none"
    caption += " The inset enlarges the crowded corner." if crowded else ""
    size = (WIDTH, WIDTH - 16 + 15.5 * ((len(lines) + 1) // 2))
    return draw(name, paint, size=size, alt=f"{alt}: {said}.", caption=caption)


def _frame(ax: Axes, *, x: tuple[float, float], y: tuple[float, float], step: float) -> None:
    for axis, (low, high), limit in ((ax.xaxis, x, ax.set_xlim), (ax.yaxis, y, ax.set_ylim)):
        ticks = [low + i * step for i in range(round((high - low) / step) + 1)]
        axis.set_ticks(ticks, [f"{tick:.2g}" for tick in ticks])
        margin = 0.02 * (high - low)
        limit(low - margin, high + margin)
    ax.set_aspect("equal")
