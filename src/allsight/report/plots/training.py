"""How a training went, from its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from allsight.report.drawing import CLASS_COLOURS, CLASS_DASHES, OTHER, WIDTH, Plot, draw
from allsight.report.wording import words

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def plots(columns: Mapping[str, Sequence[float | None]], *, caption: str) -> tuple[Plot, ...]:
    """Loss and scores by epoch, as far as the log has them."""
    panels = {
        "loss": [name for name in columns if name.endswith("loss")],
        "scores": [name for name in columns if name.endswith(("accuracy", "f1_macro"))],
    }
    return tuple(_plot(title, names, columns, caption=caption) for title, names in panels.items() if names)


def _plot(
    title: str, names: Sequence[str], columns: Mapping[str, Sequence[float | None]], *, caption: str
) -> Plot:
    from matplotlib.ticker import MaxNLocator

    n = len(columns[names[0]])
    epochs = columns.get("epoch") or range(1, n + 1)

    def paint(canvas: Canvas) -> None:
        ax = canvas.subplots()
        for place, name in enumerate(names):
            y = [float("nan") if v is None else v for v in columns[name]]
            x = [float("nan") if v is None else v for v in epochs]
            seen = name.startswith("train")
            colour = OTHER if seen else CLASS_COLOURS[place % len(CLASS_COLOURS)]
            ax.plot(
                x, y, label=words(name), color=colour, linestyle=CLASS_DASHES[1 if seen else 0], marker="."
            )
        ax.set_title(title.capitalize())
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        canvas.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, handlelength=2.4)

    last = ", ".join(
        f"{words(name)} {value:.3f}" for name in names if (value := columns[name][-1]) is not None
    )
    return draw(
        f"plot-{title}",
        paint,
        size=(WIDTH, 250),
        alt=f"{title.capitalize()} over {n} rows of the training log. In the last: {last}.",
        caption=caption,
    )
