"""The model beside what can be had without looking at cells: the honest comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from allsight.evaluate.bootstrap import Estimate
from allsight.evaluate.document import Evaluation
from allsight.report.drawing import INK, MODEL, MUTED, OTHER, WIDTH, Plot, draw
from allsight.report.wording import figure, sample, shortened, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_TITLES = {"accuracy": "Accuracy", "f1_macro": "F1, macro", "auc_macro": "AUC, macro"}


def plot(evaluation: Evaluation) -> Plot:
    """The model and what can be had without cells, three metrics, dots with intervals."""
    rows = {
        metric: [("this model", evaluation.metrics[metric])]
        + [
            (words(name), Estimate(getattr(c, metric), c.intervals[metric].low, c.intervals[metric].high))
            for name, c in evaluation.controls.items()
        ]
        for metric in _TITLES
    }
    n = len(evaluation.controls) + 1

    def paint(canvas: Canvas) -> None:
        for ax, (metric, estimates) in zip(
            canvas.subplots(len(rows), 1, sharex=True), rows.items(), strict=True
        ):
            _dots(ax, metric, estimates)
        lowest = min((e.low if e.low is not None else e.value or 1.0) for r in rows.values() for _, e in r)
        ax.set_xlim(max(0.0, int(lowest * 10) / 10 - 0.02), 1.02)

    said = "; ".join(
        f"{title}: " + ", ".join(f"{name} {figure(e.value, metric)}" for name, e in rows[metric])
        for metric, title in _TITLES.items()
    )
    return draw(
        "plot-controls",
        paint,
        size=(WIDTH + 14, 3 * (36 + 17 * n) + 18),
        alt=f"The model beside controls that see no cells. {said}.",
        caption=f"Dots are values, lines 95 % intervals over groups. {sample(evaluation)}.",
    )


def _dots(ax: Axes, metric: str, estimates: Sequence[tuple[str, Estimate]]) -> None:
    for row, (_, estimate) in enumerate(estimates):
        colour = MODEL if row == 0 else OTHER
        if estimate.low is not None and estimate.high is not None:
            ax.plot(
                [estimate.low, estimate.high], [row, row], color=colour, linewidth=2.4, solid_capstyle="round"
            )
        if estimate.value is not None:
            ax.plot([estimate.value], [row], "o", color=colour, markersize=7 if row == 0 else 5.5)
        ax.text(
            1.03,
            row,
            figure(estimate.value, metric),
            transform=ax.get_yaxis_transform(),
            va="center",
            color=INK if row == 0 else MUTED,
            fontweight="bold" if row == 0 else "normal",
        )
    ax.set_yticks(range(len(estimates)), [shortened(name, 22) for name, _ in estimates])
    ax.get_yticklabels()[0].set(color=INK, fontweight="bold")
    ax.set_ylim(len(estimates) - 0.5, -0.5)
    ax.set_title(_TITLES[metric])
    ax.grid(visible=False, axis="y")
    ax.spines[["left", "bottom"]].set_visible(False)
