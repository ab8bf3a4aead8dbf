"""What a terminal or a program sees: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allsight.core.progress import Progress

SOME_FAILED = 3

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def show(document: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print the result once: as a document for a program, as text for a person."""
    print(json.dumps(document, ensure_ascii=False, allow_nan=False) if as_json else text)


def say(text: str) -> None:
    """A line for the person at the terminal, on standard error."""
    print(text, file=sys.stderr)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar a task on a terminal; silence everywhere else."""
    if not sys.stderr.isatty():
        from allsight.core.progress import silent

        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total or None)

        yield report
