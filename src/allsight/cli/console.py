"""What a terminal or a program sees: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    """A progress bar a task on a terminal; elsewhere, such as in a log file, a line a minute on standard error."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # What is printed meanwhile goes above the bar, but into a pipe where standard output is one.
    onto_bar = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=onto_bar) as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total or None)

        yield report


class Lines:
    """Progress as lines of text, at most one in so many seconds, the first after as many.

    Args:
        every: seconds.
        now: the time in seconds.
    """

    def __init__(self, *, every: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        self._every, self._now = every, now
        self._told = now()
        self._steps: dict[str, tuple[float, int, int]] = {}  # when a task began, at which step, and its last

    def __call__(self, what: str, done: int, total: int) -> None:
        """Say it, where it is time."""
        now = self._now()
        began, first, last = self._steps.get(what, (now, done, done))
        if done < last:  # the same task anew, for another model
            began, first = now, done
        self._steps[what] = began, first, done
        if now - self._told < self._every:
            return
        self._told = now
        line = f"{what} {done}" + (f" of {total}" if total else "")
        if total > done > first:
            line += f", {_duration((now - began) / (done - first) * (total - done))} left"
        say(line)


def _duration(seconds: float) -> str:
    """In the unit that a person would use.

    >>> [_duration(s) for s in (40, 170, 8000)]
    ['40 s', '3 min', '2.2 h']
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
