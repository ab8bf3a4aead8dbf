"""One style for every plot: matplotlib to SVG that a page can hold inline, with its text kept as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

INK, MUTED, LINE, FAINT = "#241b33", "#655d74", "#d9d3e2", "#ece8f1"
MODEL, OTHER = "#5b2a86", "#8a8198"
# Okabe & Ito's palette, told apart in all common kinds of colour blindness; each also has its own dash.
CLASS_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
CLASS_DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
WIDTH = 296.0  # points: a page on a telephone shows a plot near this width, so its text stays readable
_POINTS_PER_INCH = 72
_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": _POINTS_PER_INCH,
    "font.size": 9.5,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a class name is a dollar sign
    "xtick.color": MUTED,
    "xtick.labelsize": 9,
    "xtick.major.size": 0,
    "ytick.color": MUTED,
    "ytick.labelsize": 9,
    "ytick.major.size": 0,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing ready for a page.

    Attributes:
        name: its id on the page.
        svg: an <svg> element, ids prefixed with the name.
        alt: what it shows, for who cannot see it.
        caption: how to read it, and the images and groups it stands on.
    """

    name: str
    svg: str
    alt: str
    caption: str


def draw(
    name: str, paint: Callable[[Canvas], None], *, size: tuple[float, float], alt: str, caption: str
) -> Plot:
    """A plot of `size` (width, height) in points, the same bytes for the same input."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {**_STYLE, "svg.hashsalt": name}
    with mpl.rc_context(style):
        canvas = Figure(figsize=(size[0] / _POINTS_PER_INCH, size[1] / _POINTS_PER_INCH))
        FigureCanvasSVG(canvas)
        paint(canvas)
        text = StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        canvas.savefig(text, format="svg", metadata=nothing)
    return Plot(name, _inline(text.getvalue(), name=name, alt=alt), alt, caption)


def _inline(document: str, *, name: str, alt: str) -> str:
    """matplotlib's SVG file as an element of a page: no namespaces, no style sheet, ids of its own."""
    root = ElementTree.fromstring(document)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}style", "}metadata")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.partition("}")[2]
        element.attrib = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        for key, value in element.attrib.items():
            if key == "id":
                element.set(key, f"{name}-{value}")
            elif key == "href":
                element.set(key, value.replace("#", f"#{name}-", 1))
            else:
                element.set(key, re.sub(r"url\(#", f"url(#{name}-", value))
    root.attrib = {"viewBox": root.attrib["viewBox"], "class": "plot", "role": "img", "aria-label": alt}
    return ElementTree.tostring(root, encoding="unicode")
