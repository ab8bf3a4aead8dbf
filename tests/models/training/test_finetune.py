"""Fine-tuning learns, stops, resumes to the byte, and never leaves an unreadable checkpoint."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from allsight.core import catalog
from allsight.core.contracts import Backbone
from allsight.core.errors import BundleError, UsageError
from allsight.core.records import Sample
from allsight.data.transforms import Augmentation
from allsight.models.classifier import Classifier
from allsight.models.preprocessing import Preprocessing
from allsight.models.training.checkpoint import LAST, read_checkpoint
from allsight.models.training.features import embeddings_of
from allsight.models.training.settings import FineTuning
from tests.models.training.conftest import SETTINGS, SIDE, Noise, portion, tune

AVERAGED = SETTINGS.model_copy(update={"averaged": 0.5, "least_rate": 0.2})
MIXED = AVERAGED.model_copy(update={"of_start": 0.25})


def fresh(backbone: str = "tiny") -> Classifier:
    torch.manual_seed(1)
    network = catalog.load(Backbone, backbone).build()
    return Classifier(network, n_classes=2, preprocessing=Preprocessing(size=SIDE), pooled=True, dropout=0.3)


def digest(classifier: Classifier) -> str:
    everything = hashlib.sha256()
    for tensor in classifier.state_dict().values():
        everything.update(tensor.numpy().tobytes())
    return everything.hexdigest()


def run(
    noise: Noise, folder: Path, *, stop_at: int = 0, resume: bool = False, settings: FineTuning = SETTINGS
) -> str:
    """Train; raise SIGINT after step `stop_at`; give the hash of the weights."""
    classifier = fresh()

    def progress(_: str, done: int, __: int) -> None:
        if done == stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    tune(noise, classifier, folder, settings=settings, resume=resume, progress=progress)
    return digest(classifier)


def test_it_learns(noise: Noise, tmp_path: Path) -> None:
    history = tune(noise, fresh(), tmp_path)
    assert len(history) == 6
    assert history[-1]["validation_accuracy"] == 1.0
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]


@pytest.mark.parametrize("settings", [SETTINGS, AVERAGED, MIXED], ids=["last", "averaged", "mixed"])
@pytest.mark.parametrize("stop_at", [1, 4, 7, 23])
def test_interrupted_and_resumed_is_the_same_to_the_byte(
    noise: Noise, tmp_path: Path, stop_at: int, settings: FineTuning
) -> None:
    whole = run(noise, tmp_path / "whole", settings=settings)
    with pytest.raises(KeyboardInterrupt):
        run(noise, tmp_path / "parts", stop_at=stop_at, settings=settings)
    assert run(noise, tmp_path / "parts", resume=True, settings=settings) == whole


def test_the_mean_of_the_last_weights_is_kept(noise: Noise, tmp_path: Path) -> None:
    classifier, seen = fresh(), []

    def progress(_: str, done: int, total: int) -> None:
        if done > total / 2:
            seen.append({k: v.detach().clone() for k, v in classifier.named_parameters()})

    tune(noise, classifier, tmp_path, settings=AVERAGED, progress=progress)
    for name, found in classifier.named_parameters():
        expected = torch.stack([weights[name] for weights in seen]).mean(dim=0)
        torch.testing.assert_close(found.detach(), expected, rtol=1e-5, atol=1e-6)
        assert not torch.equal(found, seen[-1][name])


def test_a_share_of_the_starting_weights_is_kept(noise: Noise, tmp_path: Path) -> None:
    first, averaged, mixed = fresh(), fresh(), fresh()
    tune(noise, averaged, tmp_path / "averaged", settings=AVERAGED)
    tune(noise, mixed, tmp_path / "mixed", settings=MIXED)
    weights = (dict(classifier.named_parameters()) for classifier in (first, averaged, mixed))
    for start, mean, found in zip(*(w.values() for w in weights), strict=True):
        torch.testing.assert_close(found, 0.25 * start + 0.75 * mean, rtol=1e-5, atol=1e-6)
        assert not torch.equal(start, mean)


def test_a_share_of_the_start_needs_a_mean_to_share_with() -> None:
    with pytest.raises(ValueError, match="averaged above 0"):
        FineTuning(of_start=0.25)


def test_batch_normalisations_belong_to_the_mean(noise: Noise, tmp_path: Path) -> None:
    """With every image the same in each epoch, their statistics are those of the training images."""
    plain = Augmentation(untouched=1, flip=0, turn=False)
    classifier, train = fresh("efficientnet-lite0"), portion(noise, 0, 34)
    settings = AVERAGED.model_copy(update={"epochs": 4, "batch_size": 34, "augmentation": plain})
    tune(noise, classifier, tmp_path, settings=settings, train=train)
    first = next(m for m in classifier.modules() if isinstance(m, torch.nn.BatchNorm2d))
    came: list[torch.Tensor] = []
    first.register_forward_pre_hook(lambda _, inputs: came.append(inputs[0]))
    with torch.no_grad():
        classifier(torch.stack([torch.from_numpy(noise.read(s)) for s in train.samples]))
    assert first.running_mean is not None
    torch.testing.assert_close(first.running_mean, came[0].mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)


def test_what_may_stop_early_has_no_last_steps_to_average() -> None:
    with pytest.raises(ValueError, match="cannot average"):
        FineTuning(patience=2, averaged=0.5)


def test_the_learning_rate_ends_where_it_is_told() -> None:
    settings = FineTuning(learning_rate=1.0, least_rate=0.2, warm_up=0.1)
    rates = [settings.rate(step, 1000) for step in range(1000)]
    assert max(rates) == rates[100] == 1.0
    assert rates[-1] == pytest.approx(0.2, abs=1e-4)
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_a_resumed_finished_training_is_not_trained_again(noise: Noise, tmp_path: Path) -> None:
    whole = run(noise, tmp_path)
    assert run(noise, tmp_path, resume=True, stop_at=1) == whole  # a step would have raised


def test_another_seed_gives_other_weights(noise: Noise, tmp_path: Path) -> None:
    classifier = fresh()
    tune(noise, classifier, tmp_path / "a", seed=6)
    assert digest(classifier) != run(noise, tmp_path / "b")


def test_early_stopping_keeps_the_best_epoch(noise: Noise, tmp_path: Path) -> None:
    hopeless = FineTuning(epochs=9, batch_size=8, learning_rate=1e-12, patience=2, warm_up=0.0)
    classifier = fresh()
    history = tune(noise, classifier, tmp_path, settings=hopeless)
    best = min(range(len(history)), key=lambda i: history[i]["validation_loss"])
    assert len(history) == best + 3 < 9


def test_without_patience_the_last_epoch_is_kept(noise: Noise, tmp_path: Path) -> None:
    run(noise, tmp_path, settings=SETTINGS)
    checkpoint = read_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.state["best_epoch"] == SETTINGS.epochs - 1
    assert [p.name for p in tmp_path.glob("best-*")] == [f"best-{SETTINGS.epochs - 1:04d}.safetensors"]


def test_a_checkpoint_of_another_training_is_not_resumed(noise: Noise, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(noise, tmp_path, stop_at=3)
    with pytest.raises(UsageError, match="other settings"):
        tune(noise, fresh(), tmp_path, identity="another one", resume=True)


def test_rubbish_in_place_of_a_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / LAST).write_bytes(b"not a checkpoint")
    with pytest.raises(BundleError, match="is not a checkpoint"):
        read_checkpoint(tmp_path)


def test_the_callers_random_numbers_are_left_alone(noise: Noise, tmp_path: Path) -> None:
    classifier = fresh()
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    tune(noise, classifier, tmp_path, settings=FineTuning(epochs=1, batch_size=8))
    assert torch.equal(torch.rand(1), expected)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]


def test_fields_of_transplants_are_those_of_images_that_are_learned_from(
    noise: Noise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: set[bytes] = set()

    def watched(image: NDArray[np.uint8], _: Augmentation, **options: Any) -> NDArray[np.uint8]:
        given.update(options["another"](share).tobytes() for share in np.linspace(0, 1, 200, endpoint=False))
        return image

    monkeypatch.setattr("allsight.models.training.finetune.augment", watched)
    tune(noise, fresh(), tmp_path, settings=FineTuning(epochs=1, batch_size=8))
    assert given == {noise.read(sample).tobytes() for sample in noise.samples[:34]}


class Enlarged(Noise):
    """The same noise in coarser pixels, as many as are shown to a network at most."""

    times = 32

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        return super().read(sample).repeat(self.times, axis=0).repeat(self.times, axis=1)


class Photographs(Enlarged):
    """Four times as many pixels."""

    times = 64


def test_what_is_learned_of_photographs_is_learned_of_reduced_ones(tmp_path: Path) -> None:
    settings = FineTuning(epochs=1, batch_size=8, augmentation=Augmentation(untouched=1))
    found = []
    for kind in (Enlarged, Photographs):
        dataset, classifier = kind(48), fresh()
        embeddings = embeddings_of(classifier, dataset, samples=dataset.samples[:4])
        history = tune(dataset, classifier, tmp_path / kind.__name__, settings=settings)
        found.append((digest(classifier), history[0]["validation_loss"], embeddings.tobytes()))
    assert found[0] == found[1]
