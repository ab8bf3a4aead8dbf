"""Checkpoints that a killed training comes back from. One file, written whole or not at all, tensors and JSON only.

The weights of the best epoch lie in a file of their own that never changes once written; a checkpoint names it, and
older ones are removed only after the checkpoint that no longer names them is on disk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allsight.core.errors import BundleError
from allsight.core.files import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn

LAST = "last.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A moment of a training.

    Attributes:
        state: numbers and lists that JSON can hold.
        tensors: weights as "model.*", optimizer moments as "optimizer.*", a mean of weights as "average.*".
    """

    state: dict[str, Any]
    tensors: dict[str, Tensor]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the last checkpoint; best weights it does not name are removed afterwards."""
    from safetensors.torch import save_file

    with whole_file(folder / LAST) as part:
        save_file(checkpoint.tensors, part, metadata={"state": json.dumps(checkpoint.state)})
    for old in folder.glob("best-*.safetensors"):
        if old.name != checkpoint.state.get("best_file"):
            old.unlink()


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The last checkpoint, or None where there is none.

    Raises:
        BundleError: a file that is no checkpoint lies in its place.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / LAST
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            return Checkpoint(state, {k: file.get_tensor(k) for k in file.keys()})  # noqa: SIM118 - no mapping
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{path} is not a checkpoint.", hint="Remove its folder to train from the start."
        ) from error


def save_best(folder: Path, model: nn.Module, *, epoch: int) -> str:
    """Keep the weights of an epoch; gives the file's name for the checkpoint."""
    from safetensors.torch import save_file

    name = f"best-{epoch:04d}.safetensors"
    with whole_file(folder / name) as part:
        save_file({k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}, part)
    return name


def tensors_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything a training holds in tensors, by name."""
    found = {f"model.{k}": v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    for index, entry in optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{index}.{k}": v.detach().cpu().contiguous() for k, v in entry.items()}
    return found


def tensors_under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those whose names begin so, by the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def restore(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `tensors_of`."""
    import torch

    model.load_state_dict(tensors_under("model.", tensors))
    entries: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            entries.setdefault(int(index), {})[name] = tensor
    # Moments in the memory layout of their weights: in another one the sums may round otherwise.
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    for place, entry in entries.items():
        for name, tensor in entry.items():
            if tensor.ndim:
                entry[name] = torch.empty_like(weights[place]).copy_(tensor)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})
