"""Finds plug-ins. The file name is the public name; there is no list to keep.

`names(Dataset)` lists a folder without importing anything; `load(Dataset, "c_nmc")` imports that one file and
gives the one class in it that fulfils the contract. Dashes and underscores are the same.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from typing import Protocol, TypeVar, cast

from allsight.core.errors import UnknownNameError


class _Kind(Protocol):
    folder: str


K = TypeVar("K")


def names(kind: type[K]) -> tuple[str, ...]:
    """Public names of every plug-in of a kind, sorted.

    >>> from allsight.core.contracts import Dataset
    >>> "taleqani" in names(Dataset)
    True
    """
    package = importlib.import_module(cast("_Kind", kind).folder)
    return tuple(sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")))


def load(kind: type[K], name: str) -> type[K]:
    """The plug-in class called `name`.

    Raises:
        UnknownNameError: there is none; the hint names the nearest and all that there are.
    """
    stem = name.replace("-", "_").lower()
    known = names(kind)
    if stem not in known:
        near = difflib.get_close_matches(stem, known, n=1, cutoff=0.5)
        guess = f"Did you mean {near[0]!r}? " if near else ""
        raise UnknownNameError(
            f"There is no {kind.__name__.lower()} called {name!r}.", hint=f"{guess}Known: {', '.join(known)}."
        )
    module = importlib.import_module(f"{cast('_Kind', kind).folder}.{stem}")
    found = [
        c
        for _, c in inspect.getmembers(module, inspect.isclass)
        if issubclass(c, kind) and c.__module__ == module.__name__ and not c.__name__.startswith("_")
    ]
    if len(found) != 1:
        raise TypeError(
            f"{module.__name__} must define exactly one public {kind.__name__}, it defines {len(found)}"
        )
    return found[0]
