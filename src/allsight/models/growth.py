"""A large EfficientNet that begins as a trained small one: wider and deeper, and all but the same function.

Chen, Goodfellow & Shlens, "Net2Net: accelerating learning via knowledge transfer", ICLR 2016. A channel of the large
network repeats one of the small one, and what reads repeated channels shares its weight among them, unevenly, so that
the copies learn different things. Blocks that the small one lacks add nothing at first (Goyal et al. 2017). Two things
of the large network have no counterpart: squeeze-and-excitation begins with the same gate for every image and channel,
which the normalisation after it takes out again; and SiLU stands for ReLU6, from which it differs less the steeper its
input is, so normalisations before it begin steeper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from allsight.core.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allsight.core.network import Network

STEEPER = 4.0  # how much, so that SiLU(4 x) / 4 is within 0.07 of max(0, x)
UNEVEN = 0.5  # standard deviation of what one copy reads more and another less, in units of their even share
_OPEN = (
    2.0  # bias of the gates of squeeze-and-excitation: open to 0.88, and not so far that they cannot learn
)


def can_grow(small: Network, large: Network) -> bool:
    """Whether both are EfficientNets and the second is nowhere narrower, shallower or of other kernels."""
    bodies = [getattr(n, "body", None) for n in (small, large)]
    if not all(hasattr(body, "conv_stem") and hasattr(body, "blocks") for body in bodies):
        return False
    first, second = (
        {name: layer.weight.shape for name, layer in _layers(body) if isinstance(layer, nn.Conv2d)}
        for body in bodies
    )
    return first.keys() <= second.keys() and all(
        shape[0] <= second[name][0] and shape[1] <= second[name][1] and shape[2:] == second[name][2:]
        for name, shape in first.items()
    )


def grow(small: Network, large: Network) -> None:
    """Give the large network weights with which it does what the small one does.

    Exactly, but for a sum's last digits, where activations are of one kind; from ReLU6 to SiLU near it, once the
    normalisations have seen images. Copies are made uneven by torch's global generator.

    Args:
        small: a trained EfficientNet, with or without squeeze-and-excitation.
        large: one as `begun_as_identity` leaves it, at least as wide and deep; changed in place.

    Raises:
        WeightsError: the second is not a larger form of the first.
    """
    if not can_grow(small, large):
        raise WeightsError("This network is not a larger form of the one that the weights are of.")
    given = dict(_layers(small.body))
    steep = steepness(small, large)
    scale = 1.0  # of what a layer reads, beside what it read in the small network
    with torch.no_grad():
        for name, layer in _layers(large.body):
            source = given.get(name)
            if isinstance(layer, nn.Conv2d):
                if source is not None:
                    layer.weight.copy_(_widened(source.weight, layer))
                    if layer.bias is not None and source.bias is not None:
                        layer.bias.copy_(_repeated(source.bias, len(layer.bias)))
                elif layer.bias is not None and _opens(name, given):
                    nn.init.zeros_(layer.weight)
                    nn.init.constant_(layer.bias, _OPEN)
                    scale *= torch.sigmoid(torch.tensor(_OPEN)).item()
            elif source is not None:
                by = 1.0 if isinstance(layer.act, nn.Identity) else steep
                for own, theirs, factor in (
                    (layer.weight, source.weight, by),
                    (layer.bias, source.bias, by),
                    (layer.running_mean, source.running_mean, scale),
                    (layer.running_var, source.running_var, scale**2),
                ):
                    own.copy_(_repeated(theirs, len(own)) * factor)
                scale = by


def steepness(small: Network, large: Network) -> float:
    """How much steeper the second's activations begin, and so how much larger its embedding is."""
    smooth = [any(isinstance(m, nn.SiLU) for m in n.modules()) for n in (small, large)]
    return STEEPER if smooth == [False, True] else 1.0


def grown_head(weight: Tensor, *, width: int) -> Tensor:
    """A head (C, width) for an embedding whose entries repeat those that a head (C, D) reads."""
    n = weight.shape[1]
    return weight[:, torch.arange(width) % n] / _copies(n, width)


def _layers(body: Any) -> Iterator[tuple[str, Any]]:
    """Convolutions and normalisations by their place, in the order of the data.

    A stage's blocks are numbered, so a deep network's first blocks answer to a shallow one's.
    """
    for name, module in body.named_modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
            yield name, module


def _opens(name: str, given: dict[str, Any]) -> bool:
    """Whether this is the gate of a squeeze-and-excitation in a block that the small network has without one."""
    block, found, _ = name.partition(".se.conv_expand")
    return bool(found) and f"{block}.bn2" in given


def _widened(weight: Tensor, layer: nn.Conv2d) -> Tensor:
    """A convolution's weight for repeated channels in and out."""
    n_out, n_in = layer.weight.shape[:2]
    wide = _repeated(weight, n_out)
    if layer.groups > 1 or weight.shape[1] == n_in:
        return wide
    old = weight.shape[1]
    copies = _copies(old, n_in).view(1, -1, 1, 1)
    place = torch.arange(n_in) % old
    share = wide[:, place] / copies
    more = torch.randn_like(share) * UNEVEN * share
    total = torch.zeros_like(wide).index_add_(1, place, more)
    return share + more - total[:, place] / copies


def _repeated(values: Tensor, n: int) -> Tensor:
    """The first dimension, from the start again until there are n."""
    return values[torch.arange(n) % len(values)]


def _copies(old: int, new: int) -> Tensor:
    """(new,): how many of `new` channels repeat the same one of `old`."""
    place = torch.arange(new) % old
    return torch.bincount(place, minlength=old)[place].float()
