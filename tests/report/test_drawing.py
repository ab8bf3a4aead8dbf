"""Drawings: SVG that a page can hold, the same each time, with its text kept as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

from allsight.report.drawing import draw

from .html import Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from allsight.report.drawing import Plot


def drawn(name: str = "plot-a", label: str = "a line") -> Plot:
    def paint(canvas: Canvas) -> None:
        ax = canvas.subplots()
        ax.plot([0, 1], [0, 1], "o-", label=label)
        ax.legend()

    return draw(name, paint, size=(200, 100), alt='a "line"', caption="a caption")


def test_text_stays_text_and_is_taken_literally() -> None:
    label = 'id="x" url(#y) $\\alpha$ <b>'
    page = Page(drawn(label=label).svg)
    assert label in [e.text for e in page.all("text")]
    assert page.all("svg")[0].attributes["aria-label"] == 'a "line"'


def test_two_drawings_share_no_id_and_every_reference_finds_its_own() -> None:
    page = Page(drawn("plot-a").svg + drawn("plot-b").svg)
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert ids
    assert len(ids) == len(set(ids))
    for element in page.elements:
        for name, value in element.attributes.items():
            if name == "href":
                assert value[1:] in ids
            if "url(#" in value:
                assert value.partition("url(#")[2].partition(")")[0] in ids


def test_a_drawing_is_the_same_each_time_and_leaves_the_settings_alone() -> None:
    before = dict(mpl.rcParams)
    assert drawn() == drawn()
    assert dict(mpl.rcParams) == before


def test_nothing_in_it_names_another_place() -> None:
    svg = drawn().svg
    assert svg.startswith("<svg ")
    assert "http" not in svg
    assert "<style" not in svg
