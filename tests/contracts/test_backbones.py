"""What every network in the catalog must do: train some steps, be saved, loaded and asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.inference.runtimes.pytorch import PyTorch
from allsight.models.bundle import BundleConfig, DataFacts, Protocol, load_classifier, save_bundle
from allsight.models.classifier import Classifier
from allsight.models.training.finetune import finetune
from allsight.models.training.settings import FineTuning
from allsight.models.weights import start
from tests.models.training.conftest import Noise, portion

NAMES = catalog.names(Backbone)


def described(name: str, classifier: Classifier) -> BundleConfig:
    counts = {"train": 4, "validation": 4, "test": 0}
    return BundleConfig(
        name=name,
        backbone=name,
        id2label={0: "dark", 1: "bright"},
        suspicious=("bright",),
        pooled=classifier.pooled,
        preprocessing=classifier.preprocessing,
        weights="none",
        training={},
        data=DataFacts(source="noise", fingerprint="", n_images=8),
        protocol=Protocol(split="random", seed=0, folds=2, fold=0, n_images=counts, n_groups=counts),
        provenance={},
    )


@pytest.mark.parametrize("name", NAMES)
def test_trains_saves_loads_and_answers(name: str, tmp_path: Path) -> None:
    kind = catalog.load(Backbone, name)
    torch.manual_seed(0)
    network, preprocessing = start(kind, "none", size=kind.smallest_size)
    classifier = Classifier(network, n_classes=2, preprocessing=preprocessing, pooled=kind.pooled)
    before = classifier.head.weight.detach().clone()
    noise = Noise(8)
    history = finetune(
        classifier,
        portion(noise, 0, 4),
        validation=portion(noise, 4, 8),
        settings=FineTuning(epochs=1, batch_size=4, learning_rate=1e-3),
        seed=0,
        folder=tmp_path / "checkpoint",
        identity=name,
    )
    assert len(history) == 1
    assert not torch.equal(before, classifier.head.weight)
    save_bundle(tmp_path / "bundle", classifier, config=described(name, classifier), split=[])

    images = np.stack([noise.read(s) for s in noise.samples[:3]])
    loaded, config = load_classifier(tmp_path / "bundle")
    assert config.classes == ("dark", "bright")
    kept = loaded.state_dict()
    assert all(torch.equal(value, kept[key]) for key, value in classifier.state_dict().items())
    logits, maps, embedding = PyTorch(loaded).run(images)
    with torch.inference_mode():
        expected = classifier(torch.from_numpy(images))
    # How equal weights lie in memory orders the sums.
    np.testing.assert_allclose(logits, expected.logits.numpy(), rtol=1e-4, atol=1e-6)
    assert logits.shape == (3, 2)
    assert embedding.shape == (3, loaded.network.width)
    assert (maps is None) == (not kind.pooled)
    if maps is not None:
        np.testing.assert_allclose(maps.mean(axis=(2, 3)), logits, rtol=1e-4, atol=1e-4)
        assert np.isfinite(maps).all()


@pytest.mark.parametrize("name", NAMES)
def test_declares_where_weights_come_from(name: str) -> None:
    kind = catalog.load(Backbone, name)
    library, _, weights = kind.imagenet.partition(":")
    assert (library, bool(weights)) in {("timm", True), ("torchvision", True), ("", False)}
    assert kind.smallest_size <= kind.published_size
    assert kind.__doc__
