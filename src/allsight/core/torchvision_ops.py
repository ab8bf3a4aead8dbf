"""Makes `import torchvision` work beside a CPU-only PyTorch.

The torchvision wheel on PyPI is compiled against the CUDA build of PyTorch. Beside a CPU build its library of
compiled operators does not load, and `import torchvision` then dies with "operator torchvision::nms does not exist",
taking timm, torchmetrics and grad-cam with it. None of them needs those operators here: models, transforms and
metrics are plain PyTorch. So the operators are loaded where they can be; where they cannot, their names are
declared, without an implementation, before torchvision looks for them. `torchvision.ops.nms` then still fails when
called, and nothing else does. With a matching pair nothing is changed.

Call `ensure()` before importing torchvision or anything that imports it.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []  # torch forgets a declaration when its Library object is collected


@functools.cache
def ensure() -> bool:
    """Make torchvision importable; True where its compiled operators work, False where only their names exist."""
    from torch import library, ops

    load: Callable[[Path], None] = ops.load_library
    namespace: Callable[[str, str], Any] = library.Library

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    compiled = [p for p in Path(spec.origin).parent.glob("_C*") if p.suffix in {".so", ".pyd", ".dylib"}]
    try:
        for file in compiled:
            load(file)
    except OSError:
        compiled = []
    if compiled:
        return True
    declared = namespace("torchvision", "DEF")
    for schema in _SCHEMAS:
        declared.define(schema)
    _declared.append(declared)
    return False
