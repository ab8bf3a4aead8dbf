"""allsight reads blood smears: train, evaluate, explain and serve classifiers for acute lymphoblastic leukemia.

Each verb of the command line is a function here, with the same arguments:

>>> import allsight
>>> allsight.doctor().healthy
True

Research use only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allsight.verbs.audit import audit
    from allsight.verbs.demo import demo
    from allsight.verbs.doctor import doctor
    from allsight.verbs.evaluate import evaluate
    from allsight.verbs.predict import predict
    from allsight.verbs.prepare import prepare
    from allsight.verbs.report import report
    from allsight.verbs.synthesize import synthesize
    from allsight.verbs.train import train

__all__ = ["audit", "demo", "doctor", "evaluate", "predict", "prepare", "report", "synthesize", "train"]


def __getattr__(name: str) -> Any:
    """A verb is imported when it is first used, so that `import allsight` costs nothing."""
    if name not in __all__:
        raise AttributeError(f"allsight has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"allsight.verbs.{name}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
