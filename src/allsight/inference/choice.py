"""Which runtime answers: the one asked for, or the fastest that the bundle was exported for and that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from allsight.core import catalog
from allsight.core.contracts import Runtime
from allsight.inference.precision import INT8, check_precision

if TYPE_CHECKING:
    from pathlib import Path

_FASTEST_FIRST = ("openvino", "onnx", "pytorch")


class Served(NamedTuple):
    """What answers.

    Attributes:
        runtime: opened.
        name: its public name.
        precision: "fp32" or "int8".
    """

    runtime: Runtime
    name: str
    precision: str


def open_runtime(
    folder: Path, *, runtime: str | None = None, precision: str | None = None, threads: int | None = None
) -> Served:
    """A bundle's runtime.

    Args:
        folder: of the bundle.
        runtime: "pytorch", "onnx" or "openvino"; None takes the fastest that is there.
        precision: "fp32" or "int8"; None takes the fastest that is there.
        threads: at most so many.

    Raises:
        UnknownNameError: no such runtime.
        UsageError: no such precision.
        MissingDependencyError: its library is not installed.
        BundleError: the bundle was not exported for it.
    """
    name = runtime or _fastest(folder, precision)
    kind = catalog.load(Runtime, name)
    opened = kind.open(folder, precision=precision, threads=threads)
    return Served(opened, name, precision or kind.precisions(folder)[0])


def _fastest(folder: Path, precision: str | None) -> str:
    for name in _FASTEST_FIRST:
        there = catalog.load(Runtime, name).precisions(folder)
        if there and (precision is None or precision in there):
            return name
    wanted = "openvino" if precision == INT8 else "pytorch"
    check_precision((), precision, runtime=wanted, folder=folder)  # raises
    return wanted
