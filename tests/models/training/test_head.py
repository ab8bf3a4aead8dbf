"""The head on frozen features, against scikit-learn's own predictions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from allsight.models.training.head import fit_head


@pytest.mark.parametrize("classes", [2, 4])
def test_folding_in_the_standardisation_changes_nothing(classes: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), 40)
    embeddings = (rng.normal(size=(len(labels), 12)) * rng.uniform(0.1, 30, 12) + labels[:, None] * 4).astype(
        np.float32
    )
    groups = np.array([f"g{i // 4}" for i in range(len(labels))])
    head = fit_head(embeddings, labels, groups=groups, seed=0)
    scaler = StandardScaler().fit(embeddings)
    reference = LogisticRegression(class_weight="balanced", max_iter=2000, C=head.inverse_regularisation)
    reference.fit(scaler.transform(embeddings), labels)
    logits = embeddings @ head.weight.T + head.bias
    ours = np.exp(logits - logits.max(axis=1, keepdims=True))
    ours /= ours.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ours, reference.predict_proba(scaler.transform(embeddings)), atol=1e-3)


def test_the_strength_is_chosen_by_groups() -> None:
    """Every group has its own offset: folds that divide groups would call weak regularisation best."""
    rng = np.random.default_rng(1)
    n_groups, size, width = 24, 10, 60
    offsets = rng.normal(size=(n_groups, width)) * 3
    labels = np.repeat(np.arange(n_groups) % 2, size)
    embeddings = np.repeat(offsets, size, axis=0) + rng.normal(size=(n_groups * size, width)) * 0.1
    embeddings[:, 0] += labels * 2
    grouped = fit_head(
        embeddings.astype(np.float32), labels, groups=np.repeat(np.arange(n_groups).astype(str), size), seed=0
    )
    alone = fit_head(
        embeddings.astype(np.float32), labels, groups=np.arange(n_groups * size).astype(str), seed=0
    )
    assert grouped.inverse_regularisation < alone.inverse_regularisation


def test_a_constant_feature_is_harmless() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], 30)
    embeddings = np.column_stack([np.ones(60), rng.normal(size=60) + labels * 3]).astype(np.float32)
    head = fit_head(embeddings, labels, groups=np.arange(60).astype(str), seed=0)
    assert np.isfinite(head.weight).all()
    assert np.isfinite(head.bias).all()
