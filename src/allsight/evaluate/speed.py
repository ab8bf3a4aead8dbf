"""How long graphs take and how much memory, measured in turns so that a busy machine is busy for all of them alike."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROUNDS = 9
FASTER = 0.6  # of the other's time: the paper's "40 % faster"


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds an image over the rounds.

    Attributes:
        median: of the rounds.
        low: the tenth percentile.
        high: the ninetieth.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some values."""
        low, median, high = (float(v) for v in np.percentile(values, [10, 50, 90]))
        return cls(median, low, high)


@dataclass(frozen=True, slots=True)
class Row:
    """One graph at one batch size.

    Attributes:
        backbone: the network, or the bundle's name.
        runtime: its name.
        precision: "fp32" or "int8".
        batch: images a call.
        size: side of the network's input, pixels.
        outputs: "logits, embedding" with or without "maps".
        wall_ms: an image.
        cpu_ms: an image, all threads together.
        peak_mb: largest resident memory of a process that only opens and runs it; None where it was not measured.
        top1_agreement: share of images for which it names the class that PyTorch names.
    """

    backbone: str
    runtime: str
    precision: str
    batch: int
    size: int
    outputs: str
    wall_ms: Spread
    cpu_ms: Spread
    peak_mb: float | None
    top1_agreement: float

    def to_json(self) -> dict[str, Any]:
        """A row of `benchmark --json`."""
        return asdict(self)


def in_turns(
    calls: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS, progress: Progress = silent
) -> dict[str, tuple[list[float], list[float]]]:
    """Wall and processor milliseconds of every call, one after the other, in several rounds after a first to warm up.

    Args:
        calls: by name.
        rounds: how often each is timed.
        progress: told after each call.
    """
    wall: dict[str, list[float]] = {name: [] for name in calls}
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    done = 0
    for turn in range(rounds + 1):
        for name, call in calls.items():
            wall_start, cpu_start = time.perf_counter(), time.process_time()
            call()
            cpu_end, wall_end = time.process_time(), time.perf_counter()
            if turn:
                wall[name].append(1e3 * (wall_end - wall_start))
                cpu[name].append(1e3 * (cpu_end - cpu_start))
            done += 1
            progress("timing", done, (rounds + 1) * len(calls))
    return {name: (wall[name], cpu[name]) for name in calls}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One network's processor time beside another's, each in the same or in its best runtime.

    Attributes:
        other: the network it is compared with.
        where: the runtime and precision, or "best of each".
        ours_ms: of the first network.
        theirs_ms: of the other.
    """

    other: str
    where: str
    ours_ms: float
    theirs_ms: float

    @property
    def ratio(self) -> float:
        """Ours ÷ theirs."""
        return self.ours_ms / self.theirs_ms

    @property
    def holds(self) -> bool:
        """Whether ours takes at most 60 % of theirs."""
        return self.ratio <= FASTER


def compared(rows: Sequence[Row], *, ours: str) -> list[Comparison]:
    """`ours` beside every other network: in each runtime and precision that both have, and best against best.

    Batch size 1, all outputs.
    """
    alone = [r for r in rows if r.batch == 1 and r.outputs == _most(rows, r)]
    of: dict[str, dict[str, float]] = {}
    for r in alone:
        of.setdefault(r.backbone, {})[f"{r.runtime} {r.precision}"] = r.cpu_ms.median
    found = []
    mine = of.get(ours, {})
    for other, times in of.items():
        if other == ours or not mine:
            continue
        found += [Comparison(other, where, mine[where], times[where]) for where in mine if where in times]
        found.append(Comparison(other, "best of each", min(mine.values()), min(times.values())))
    return found


def _most(rows: Sequence[Row], row: Row) -> str:
    """The most that was measured of a network's outputs: not every network has maps."""
    return max((r.outputs for r in rows if r.backbone == row.backbone), key=len)
