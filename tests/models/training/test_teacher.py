"""A student learns from a teacher's soft answers, and the loss is Hinton's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from allsight.core.errors import UsageError
from allsight.models.classifier import Classifier
from allsight.models.training.settings import FineTuning
from allsight.models.training.teacher import Teacher
from tests.models.training.conftest import Noise, portion, tune
from tests.models.training.test_finetune import digest, fresh


def teacher_of(noise: Noise, folder: Path, *, weight: float = 1.0) -> Teacher:
    classifier = fresh()
    tune(noise, classifier, folder)
    return Teacher(classifier, weight=weight, temperature=2.0)


def taught(noise: Noise, folder: Path, teacher: Teacher, *, labels: np.ndarray | None = None) -> Classifier:
    classifier, train = fresh(), portion(noise, 0, 34)
    if labels is not None:
        train.labels[:] = labels
    tune(noise, classifier, folder, train=train, seed=6, teacher=teacher)
    return classifier


def named(classifier: Classifier, noise: Noise) -> list[int]:
    images = np.stack([noise.read(s) for s in noise.samples[34:]])
    with torch.inference_mode():
        return [int(i) for i in classifier(torch.from_numpy(images)).logits.argmax(dim=1)]


def test_a_student_learns_from_the_teacher_though_its_labels_are_wrong(noise: Noise, tmp_path: Path) -> None:
    teacher = teacher_of(noise, tmp_path / "teacher")
    wrong = 1 - portion(noise, 0, 34).labels
    student = taught(noise, tmp_path / "student", teacher, labels=wrong)
    truth = [int(i) for i in portion(noise, 34, 48).labels]
    assert named(student, noise) == truth


def test_the_same_run_gives_the_same_bytes(noise: Noise, tmp_path: Path) -> None:
    teacher = teacher_of(noise, tmp_path / "teacher", weight=0.5)
    first, second = (taught(noise, tmp_path / name, teacher) for name in "ab")
    assert digest(first) == digest(second)


def test_the_loss_is_the_published_one() -> None:
    torch.manual_seed(0)
    student, other = torch.randn(5, 4), torch.randn(5, 4)
    of_labels = torch.tensor(0.9)
    teacher = Teacher(fresh(), weight=0.25, temperature=3.0)

    def soft(logits: Tensor) -> Tensor:
        return torch.exp(logits / 3) / torch.exp(logits / 3).sum(dim=1, keepdim=True)

    p, q = soft(other), soft(student)
    expected = 0.75 * 0.9 + 0.25 * 9 * float((p * (p / q).log()).sum(dim=1).mean())
    found = float(teacher.loss(student, of_labels=of_labels, softened=soft(other).log()))
    assert found == pytest.approx(expected, rel=1e-5)
    exactly = teacher.loss(student, of_labels=of_labels, softened=soft(student).log())
    assert float(exactly) == pytest.approx(0.75 * 0.9, rel=1e-5)


def test_a_teacher_of_other_classes_is_refused(tmp_path: Path) -> None:
    from allsight.verbs.train import train

    data = "synthetic:1?images=72&patients=24&size=64"
    train(data, out=tmp_path, backbone="tiny", weights="none", freeze=True)
    with pytest.raises(UsageError, match="The teacher knows"):
        Teacher.open(tmp_path, classes=("dark", "bright"), weight=0.5, temperature=2.0)


def test_settings_outside_their_range_are_refused() -> None:
    with pytest.raises(ValueError, match="teacher_weight"):
        FineTuning(teacher_weight=1.2)
