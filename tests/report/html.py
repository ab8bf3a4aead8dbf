"""A page as its elements, read by the standard library's parser; a tag left open or closed twice fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br", "img", "link", "hr", "input", "col", "area", "base", "embed", "source", "track", "wbr"}


@dataclass
class Element:
    """A tag with its attributes, its text and the tags around it, outermost first."""

    tag: str
    attributes: dict[str, str]
    inside: tuple[str, ...]
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text in it, white space as one space."""
        return " ".join("".join(self.pieces).split())


class Page(HTMLParser):
    """Every element of a page, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {[e.tag for e in self._open]}"

    def all(self, *tags: str) -> list[Element]:
        """Elements of these tags."""
        return [e for e in self.elements if e.tag in tags]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>"
        inside = tuple(e.tag for e in self._open)
        element = Element(tag, {name: value or "" for name, value in attrs}, inside)
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.pieces.append(data)
