"""Ctrl-C and a polite kill, deferred to a moment at which the state is whole."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@dataclass(slots=True)
class Interruption:
    """Whether somebody asked to stop."""

    asked: bool = False


@contextmanager
def deferred_interruption() -> Iterator[Interruption]:
    """Within the block SIGINT and SIGTERM set a flag instead of raising; a second one raises as usual.

    Signals reach only the main thread; on another thread nothing is changed.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        if interruption.asked:
            raise KeyboardInterrupt
        interruption.asked = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
