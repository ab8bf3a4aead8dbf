"""The page about speed: a table of all graphs, the "40 % faster" of the paper tried on each network, and a plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allsight.evaluate.speed import FASTER, Comparison, Row, compared
from allsight.report.drawing import CLASS_COLOURS, WIDTH, draw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure as Canvas

    from allsight.evaluate.speed import Spread

_CLAIMANT = "efficientnet_b7"


def speed_page(
    rows: Sequence[Row], *, machine: str, threads: int, rounds: int, command: str
) -> tuple[str, str]:
    """Markdown, and the plot beside it as SVG.

    Args:
        rows: what was measured.
        machine: on what.
        threads: how many a graph could use.
        rounds: how often each was timed.
        command: that made it.
    """
    parts = [
        "# Speed",
        f"Made by\n\n```\n{command}\n```\n\non {machine}; {threads} thread{'s' * (threads != 1)} a graph, {rounds} "
        "rounds in turns in one process, after one to warm up. Processor time of all threads, an image; median and, in "
        "brackets, tenth to ninetieth percentile. Networks have random weights, which are as fast as any; so agreement "
        "in int8 says little here; `allsight export` measures it for a trained model. Memory: largest resident size of "
        "a process that opens and runs this graph only, interpreter and libraries included.",
        _table(rows),
        "![Processor time an image](speed.svg)",
    ]
    if comparisons := compared(rows, ours=_CLAIMANT):
        parts.append(_claims(comparisons))
    if costs := _costs(rows):
        parts.append(costs)
    return "\n\n".join(parts) + "\n", _plot(rows)


def _table(rows: Sequence[Row]) -> str:
    lines = [
        "| network | pixels | runtime | precision | outputs | batch | CPU ms an image | wall ms | peak MB | same class "
        "as PyTorch |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        peak = "" if r.peak_mb is None else f"{r.peak_mb:.0f}"
        lines.append(
            f"| {r.backbone} | {r.size} | {r.runtime} | {r.precision} | {r.outputs} | {r.batch} | {_ms(r.cpu_ms)} | "
            f"{r.wall_ms.median:.1f} | {peak} | {r.top1_agreement:.0%} |"
        )
    return "\n".join(lines)


def _ms(spread: Spread) -> str:
    return f"{spread.median:.1f} [{spread.low:.1f}, {spread.high:.1f}]"


def _claims(comparisons: Sequence[Comparison]) -> str:
    lines = [
        "## Is EfficientNet-B7 40 % faster?",
        f"The paper claims up to 40 % faster inference. Here: B7's time ÷ the other's; the claim holds where that is "
        f"at most {FASTER}. Batch of one.",
        "| beside | runtime | B7 ms | other ms | ratio | holds |\n|---|---|---|---|---|---|\n"
        + "\n".join(
            f"| {c.other} | {c.where} | {c.ours_ms:.1f} | {c.theirs_ms:.1f} | {c.ratio:.2f} | "
            f"{'yes' if c.holds else 'no'} |"
            for c in comparisons
        ),
    ]
    return "\n\n".join(lines)


def _costs(rows: Sequence[Row]) -> str:
    """What class activation maps cost, where a graph was measured with and without them."""
    lines = []
    for r in rows:
        for other in rows:
            same = all(
                getattr(r, key) == getattr(other, key)
                for key in ("backbone", "runtime", "precision", "batch", "size")
            )
            if same and "maps" in r.outputs and "maps" not in other.outputs:
                more = r.cpu_ms.median / other.cpu_ms.median - 1
                least = r.cpu_ms.low / other.cpu_ms.low - 1
                lines.append(
                    f"| {r.backbone} | {r.runtime} | {r.precision} | {r.batch} | {more:+.1%} | {least:+.1%} |"
                )
    if not lines:
        return ""
    head = (
        "| network | runtime | precision | batch | medians | tenth percentiles |\n|---|---|---|---|---|---|"
    )
    return "\n\n".join(["## What class activation maps cost", "\n".join([head, *lines])])


def _plot(rows: Sequence[Row]) -> str:
    """Bars of processor time, a group for each network, as an SVG file."""
    shown = [r for r in rows if r.batch == min(r.batch for r in rows)]
    names = list(dict.fromkeys(r.backbone for r in shown))
    kinds = list(dict.fromkeys(f"{r.runtime} {r.precision}" for r in shown))
    height = 0.8 / len(kinds)

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for k, kind in enumerate(kinds):
            times = {r.backbone: r.cpu_ms.median for r in shown if f"{r.runtime} {r.precision}" == kind}
            places = [names.index(name) + height * k for name in times]
            axes.barh(places, list(times.values()), height * 0.9, label=kind, color=CLASS_COLOURS[k % 7])
        axes.set_yticks([i + height * (len(kinds) - 1) / 2 for i in range(len(names))], names)
        axes.invert_yaxis()
        axes.set_xlabel("processor time an image, ms")
        canvas.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)

    size = (2 * WIDTH, 80 + 14 * len(shown))
    drawn = draw("speed", paint, size=size, alt="Processor time an image, by network and runtime", caption="")
    return drawn.svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"
