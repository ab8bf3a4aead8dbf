"""Large networks that begin as small ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.errors import UsageError, WeightsError
from allsight.core.network import Network
from allsight.data.source import open_dataset
from allsight.data.transforms import Augmentation
from allsight.models.bundle import bundle_folder, load_classifier
from allsight.models.classifier import Classifier
from allsight.models.growth import can_grow, grow, grown_head, steepness
from allsight.models.networks import begun_as_identity, without_weights
from allsight.models.training.settings import FineTuning
from allsight.models.weights import start, starting_head
from allsight.verbs.train import train
from tests.bundles import DATA, trained


def built(name: str) -> Network:
    return catalog.load(Backbone, name).build()


def lived_in(name: str) -> Network:
    """A network whose normalisations have seen something."""
    network = built(name)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()


def embedded(network: Network, images: Tensor) -> Tensor:
    with torch.no_grad():
        return network.eval().embed(network.features(images))


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ("efficientnet_lite0", "efficientnet_lite1"),  # deeper
        ("efficientnet_lite0", "efficientnet_lite3"),  # and wider, by no whole number
        ("efficientnet_b0", "efficientnet_b2"),  # with squeeze-and-excitation
        ("efficientnet_b0", "efficientnet_b7"),
    ],
)
def test_it_begins_as_the_same_function(small: str, large: str) -> None:
    torch.manual_seed(0)
    first, second = lived_in(small), begun_as_identity(built(large))
    grow(first, second)
    images = torch.randn(2, 3, 64, 64)
    expected, found = embedded(first, images), embedded(second, images)
    copies = expected[:, torch.arange(second.width) % first.width]
    torch.testing.assert_close(found, copies, rtol=0, atol=1e-4 * float(copies.std()))
    head = torch.randn(4, first.width)
    logits = found @ grown_head(head, width=second.width).T
    torch.testing.assert_close(logits, expected @ head.T, rtol=0, atol=1e-3)


def test_copies_of_a_channel_are_not_read_alike() -> None:
    """Or they would learn the same for ever."""
    torch.manual_seed(0)
    first, second = lived_in("efficientnet_b0"), begun_as_identity(built("efficientnet_b7"))
    grow(first, second)
    weight = second.get_parameter("body.blocks.2.0.conv_pw.weight").detach()
    half = weight.shape[1] // 2
    assert float((weight[:, :half] - weight[:, half:]).std()) > 0.3 * float(weight.std())


def test_other_activations_and_gates_are_near_once_normalisations_have_seen_images(real_data: Path) -> None:
    """What ReLU6 cuts off SiLU lets pass, so their statistics move."""
    torch.manual_seed(0)
    dataset = open_dataset(f"taleqani:{real_data / 'taleqani'}")
    images = torch.from_numpy(
        np.stack([dataset.read(s) for s in dataset.samples[:: len(dataset.samples) // 32]])
    )
    small, _ = load_classifier(bundle_folder("builtin"))
    large = begun_as_identity(built("efficientnet_b0"))
    steep = steepness(small.network, large)
    assert steep == 4.0
    assert steepness(large, small.network) == steepness(large, large) == 1.0
    grow(small.network, large)
    for module in large.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        pixels = small.prepare(images)
        large.train().features(pixels)
        weight = small.head.weight
        expected, found = (
            embedded(small.network, pixels) @ weight.T,
            embedded(large, pixels) @ weight.T / steep,
        )
    assert float(torch.corrcoef(torch.stack([expected.ravel(), found.ravel()]))[0, 1]) > 0.9
    assert float((expected.argmax(dim=1) == found.argmax(dim=1)).float().mean()) > 0.9


def test_only_larger_forms_are_grown() -> None:
    b0, b1, tiny = (
        without_weights(catalog.load(Backbone, n)) for n in ("efficientnet_b0", "efficientnet_b1", "tiny")
    )
    assert can_grow(b0, b1)
    assert can_grow(b0, b0)
    assert not can_grow(b1, b0)
    assert not can_grow(tiny, b0)
    assert not can_grow(b0, tiny)
    assert not can_grow(b0, without_weights(catalog.load(Backbone, "efficientnet_lite0")))  # it has no gates
    with pytest.raises(WeightsError, match="not a larger form"):
        grow(b1, b0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("growth") / "lite0")


def test_a_bundle_gives_its_head_too(bundle: Path) -> None:
    dataset = open_dataset(DATA)
    images = torch.from_numpy(np.stack([dataset.read(s) for s in dataset.samples[:4]]))
    small, config = load_classifier(bundle)
    for name in ("efficientnet_lite0", "efficientnet_lite1"):
        network, preprocessing = start(catalog.load(Backbone, name), str(bundle), size=128)
        head = starting_head(str(bundle), network, classes=config.classes)
        assert head is not None
        grown = Classifier(network, n_classes=len(config.classes), preprocessing=preprocessing, pooled=True)
        grown.put_head(*(tensor.numpy() for tensor in head))
        with torch.no_grad():
            torch.testing.assert_close(grown.eval()(images).logits, small(images).logits, rtol=0, atol=1e-3)
    assert starting_head(str(bundle), network, classes=("ALL", "HEM")) is None
    assert starting_head("packaged", network, classes=config.classes) is None


def test_a_bundle_of_a_network_that_is_no_smaller_form_is_named(bundle: Path) -> None:
    with pytest.raises(WeightsError, match="efficientnet_lite0, of which this network is no larger form"):
        start(catalog.load(Backbone, "resnet50"), str(bundle), size=128)


def test_a_grown_network_must_be_trained(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must be trained"):
        train(DATA, out=tmp_path / "b", backbone="efficientnet-lite1", weights=str(bundle), freeze=True)


def test_training_goes_on_where_the_small_one_was(bundle: Path, tmp_path: Path) -> None:
    """With its head and at its size; with hardly any learning only the normalisations' statistics move.

    A network with a head that was drawn has nothing in common with it: 0.07.
    """
    settings = FineTuning(epochs=1, learning_rate=1e-9, augmentation=Augmentation(untouched=1.0))
    out = tmp_path / "larger"
    made = train(DATA, out=out, backbone="efficientnet-lite1", weights=str(bundle), settings=settings)
    assert made.config.preprocessing.size == 128
    dataset = open_dataset(DATA)
    images = torch.from_numpy(np.stack([dataset.read(s) for s in dataset.samples[:32]]))
    with torch.no_grad():
        small, large = (load_classifier(folder)[0](images).logits for folder in (bundle, out))
    assert float(torch.corrcoef(torch.stack([small.ravel(), large.ravel()]))[0, 1]) > 0.5
