"""Fits the linear head on frozen features: multinomial logistic regression, its strength chosen by grouped folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRENGTHS = tuple(float(c) for c in np.logspace(-4, 1, 6))


@dataclass(frozen=True, slots=True)
class LinearHead:
    """logits = embedding · weightᵀ + bias.

    Attributes:
        weight: float32 (C, D).
        bias: float32 (C,).
        inverse_regularisation: the chosen C of scikit-learn's LogisticRegression.
        log_loss: mean over the folds of the choice, by candidate.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    inverse_regularisation: float
    log_loss: dict[float, float]


def fit_head(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    groups: NDArray[np.str_],
    seed: int,
    folds: int = 5,
) -> LinearHead:
    """Fit on standardised features, then fold the standardisation into weight and bias.

    Args:
        embeddings: (n, D).
        labels: (n,) in [0, C), every class present.
        groups: (n,), never divided between folds.
        seed: of the folds.
        folds: at most; fewer where a class has fewer groups.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

    mean = embeddings.mean(axis=0)
    spread = embeddings.std(axis=0)
    spread[spread < 1e-6] = 1.0
    inputs = (embeddings - mean) / spread
    per_class = [len(np.unique(groups[labels == c])) for c in np.unique(labels)]
    splits = StratifiedGroupKFold(max(2, min(folds, *per_class)), shuffle=True, random_state=seed)
    search = GridSearchCV(
        LogisticRegression(class_weight="balanced", max_iter=2000),
        {"C": STRENGTHS},
        scoring="neg_log_loss",
        cv=list(splits.split(inputs, labels, groups)),
        n_jobs=-1,
    )
    search.fit(inputs, labels)
    best = search.best_estimator_
    weight, bias = best.coef_, best.intercept_
    if len(per_class) == 2:  # scikit-learn keeps one row for two classes
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / spread
    return LinearHead(
        weight=weight.astype(np.float32),
        bias=(bias - weight @ mean).astype(np.float32),
        inverse_regularisation=float(search.best_params_["C"]),
        log_loss={
            c: -float(s) for c, s in zip(STRENGTHS, search.cv_results_["mean_test_score"], strict=True)
        },
    )
