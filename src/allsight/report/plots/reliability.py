"""Whether probabilities mean what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allsight.evaluate.document import Evaluation
from allsight.report.drawing import LINE, MODEL, OTHER, WIDTH, Plot, draw
from allsight.report.wording import figure, sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def plot(evaluation: Evaluation) -> Plot:
    """Confidence against the share named right, and how many images have that confidence."""
    filled = [b for b in evaluation.reliability if b.confidence is not None and b.accuracy.value is not None]
    biggest = max((b.n_images for b in filled), default=1)

    def paint(canvas: Canvas) -> None:
        ax, below = canvas.subplots(2, 1, sharex=True, height_ratios=(5, 1))
        ax.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        for b in filled:
            if b.accuracy.low is not None:
                ax.plot(
                    [b.confidence] * 2,
                    [b.accuracy.low, b.accuracy.high],
                    color=MODEL,
                    alpha=0.45,
                    linewidth=2.4,
                )
            size = 4 + 6 * (b.n_images / biggest) ** 0.5
            ax.plot([b.confidence], [b.accuracy.value], "o", color=MODEL, markersize=size)
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.04, 1.04), ylabel="share named right")
        width = 1 / max(len(evaluation.reliability), 1)
        below.bar(
            [b.low + width / 2 for b in filled], [b.n_images for b in filled], 0.86 * width, color=OTHER
        )
        below.set(xlabel="confidence in the named class", ylabel="images")
        below.set_yticks([0, biggest], ["0", f"{biggest:,}"])

    ece = figure(evaluation.metrics["ece"].value, "ece")
    return draw(
        "plot-reliability",
        paint,
        size=(WIDTH, WIDTH + 36),
        alt=f"Reliability plot: share named right against confidence. Expected calibration error {ece}.",
        caption="Reliability: on the grey line, confidence is what it says; below it the model is too sure. "
        f"Vertical lines are 95 % intervals. {sample(evaluation)}.",
    )
