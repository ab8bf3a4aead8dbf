"""The Python API: each verb of the command line is a function with the same arguments.

>>> from allsight import api
>>> api.doctor().healthy
True

It is a module of its own because the rooms `evaluate` and `report` have the names of verbs.

The command line also calls `allsight.core.allocator.keep_freed_memory()` as it starts. On Linux a program that trains
does well to do the same before it calls `train` or `study`: steps can then take half the time. It is a setting of the
whole process, so importing allsight does not make it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allsight.verbs.adapt import adapt
    from allsight.verbs.audit import audit
    from allsight.verbs.benchmark import benchmark
    from allsight.verbs.cascade import cascade
    from allsight.verbs.demo import demo
    from allsight.verbs.doctor import doctor
    from allsight.verbs.evaluate import evaluate
    from allsight.verbs.explain import explain
    from allsight.verbs.export import export
    from allsight.verbs.predict import predict
    from allsight.verbs.prepare import prepare
    from allsight.verbs.report import report
    from allsight.verbs.study import study
    from allsight.verbs.synthesize import synthesize
    from allsight.verbs.train import train

__all__ = [
    "adapt",
    "audit",
    "benchmark",
    "cascade",
    "demo",
    "doctor",
    "evaluate",
    "explain",
    "export",
    "predict",
    "prepare",
    "report",
    "study",
    "synthesize",
    "train",
]


def __getattr__(name: str) -> Any:
    """A verb is imported when it is first used, so that importing the API costs nothing."""
    if name not in __all__:
        raise AttributeError(f"allsight.api has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"allsight.verbs.{name}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
