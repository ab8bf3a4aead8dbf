"""One graph from raw pixels to logits, maps and embedding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.models.classifier import Classifier
from allsight.models.preprocessing import Preprocessing


def classifier_of(backbone: str, *, size: int, n_classes: int = 3) -> Classifier:
    torch.manual_seed(0)
    kind = catalog.load(Backbone, backbone)
    preprocessing = Preprocessing(size=size)
    return Classifier(
        kind.build(), n_classes=n_classes, preprocessing=preprocessing, pooled=kind.pooled
    ).eval()


def test_maps_average_to_logits() -> None:
    classifier = classifier_of("tiny", size=64)
    images = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8)
    logits, maps, _ = classifier(images)
    assert maps is not None
    torch.testing.assert_close(maps.mean(dim=(2, 3)), logits, rtol=1e-5, atol=1e-6)


def test_normalisation_is_the_written_formula() -> None:
    classifier = classifier_of("tiny", size=8)
    image = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    expected = (image / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(
        classifier.prepare(torch.from_numpy(image)).permute(0, 2, 3, 1), expected, atol=1e-5
    )


@pytest.mark.parametrize("shape", [(50, 80), (160, 120)])
def test_resizing_agrees_with_pillow(shape: tuple[int, int]) -> None:
    """Pillow's antialiased bicubic is the reference that published weights were trained with."""
    classifier = classifier_of("tiny", size=64)
    smooth = Image.fromarray(np.random.default_rng(1).integers(0, 256, (6, 6, 3), dtype=np.uint8))
    image = smooth.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    ours = classifier.prepare(torch.from_numpy(np.array(image))[None])[0].permute(1, 2, 0).numpy()
    theirs = np.asarray(image.resize((64, 64), Image.Resampling.BICUBIC))
    pixels = ours * np.array([0.229, 0.224, 0.225]) * 255 + np.array([0.485, 0.456, 0.406]) * 255
    assert np.abs(pixels - theirs).max() <= 1.5  # Pillow rounds to whole values after each of its two passes


def test_a_network_without_pooling_has_no_maps() -> None:
    classifier = classifier_of("alexnet", size=64)
    assert classifier(torch.zeros(1, 64, 64, 3, dtype=torch.uint8)).maps is None
