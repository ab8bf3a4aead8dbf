"""The closed form against scikit-learn; the standard errors against what other seeds really give."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise_distances

from allsight.explain.perturbation import complementary_rows, draws_of
from allsight.explain.surrogate import Surrogate, expected_agreement, fit_surrogate, leading, proximity

N = 20


def rows_for(seed: int, n: int = 400) -> NDArray[np.bool_]:
    return complementary_rows(N, rows=n, rng=np.random.default_rng(seed), intact=True)


def response(shown: NDArray[np.bool_], *, odd: bool = True) -> NDArray[np.float64]:
    """Main effects and pairs, and triples where `odd`, as a network has them."""
    rng = np.random.default_rng(7)
    s = 2.0 * shown - 1
    pairs, triples = rng.normal(0, 0.1, (N, N)), rng.integers(0, N, (30, 3))
    together = s[:, triples].prod(axis=2) @ rng.normal(0, 0.3 * odd, 30)
    made: NDArray[np.float64] = s @ rng.normal(0, 1, N) + ((s @ pairs) * s).sum(axis=1) + together
    return made


def test_weights_are_those_of_the_lime_package() -> None:
    shown = np.concatenate([rows_for(0), np.zeros((1, N), dtype=bool)])
    distance = pairwise_distances(shown.astype(float), np.ones((1, N)), metric="cosine").ravel()
    np.testing.assert_allclose(proximity(shown), np.sqrt(np.exp(-(distance**2) / 0.25**2)), rtol=1e-6)


def test_coefficients_are_scikit_learns() -> None:
    shown = rows_for(1)
    outputs, weights = response(shown), proximity(shown)
    ridge = Ridge(alpha=1).fit(shown.astype(float), outputs, sample_weight=weights)
    ours = fit_surrogate(shown, outputs)
    np.testing.assert_allclose(ours.coefficients, ridge.coef_, rtol=1e-9)
    assert ours.intercept == pytest.approx(ridge.intercept_)
    assert ours.r_squared == pytest.approx(ridge.score(shown.astype(float), outputs, sample_weight=weights))


def test_standard_errors_are_the_spread_over_seeds() -> None:
    fits = []
    for seed in range(120):
        shown = rows_for(seed)
        fits.append(fit_surrogate(shown, response(shown), draws=draws_of(len(shown))))
    spread = np.std([f.coefficients for f in fits], axis=0, ddof=1)
    claimed = np.mean([f.standard_errors for f in fits], axis=0)
    assert claimed.mean() == pytest.approx(spread.mean(), rel=0.15)
    np.testing.assert_allclose(claimed, spread, rtol=0.35)


def test_pairs_cancel_effects_of_even_order() -> None:
    """A draw and its complement agree in every product of two; what is left is the odd part, half as often."""
    paired, single = rows_for(0, 800), np.random.default_rng(0).random((800, N)) < 0.5
    for odd, most in ((False, 0.6), (True, 1.0)):
        answers = response(paired, odd=odd), response(single, odd=odd)
        with_pairs = fit_surrogate(paired, answers[0], draws=draws_of(800)).standard_errors.mean()
        assert with_pairs < most * fit_surrogate(single, answers[1]).standard_errors.mean()


def test_expected_agreement_is_what_seeds_show() -> None:
    fits = []
    for seed in range(40):
        shown = rows_for(seed, 120)
        fits.append(fit_surrogate(shown, response(shown), draws=draws_of(120)))
    chosen = [set(leading(f.coefficients, count=5).tolist()) for f in fits]
    seen = np.mean([len(a & b) / len(a | b) for i, a in enumerate(chosen) for b in chosen[:i]])
    foretold = np.mean([expected_agreement(f, count=5, rng=np.random.default_rng(0)) for f in fits])
    assert 0.3 < seen < 0.98
    assert foretold == pytest.approx(seen, abs=0.1)


def test_certain_coefficients_agree_and_equal_ones_do_not() -> None:
    certain = Surrogate(np.arange(10.0), np.eye(10) * 1e-6, 0.0, 1.0)
    assert expected_agreement(certain, count=5, rng=np.random.default_rng(0)) == 1
    equal = Surrogate(np.ones(10), np.eye(10), 0.0, 1.0)
    assert expected_agreement(equal, count=5, rng=np.random.default_rng(0)) < 0.6


def test_an_output_that_never_changes() -> None:
    shown = rows_for(0, 60)
    flat = fit_surrogate(shown, np.full(60, 3.0))
    np.testing.assert_allclose(flat.coefficients, 0, atol=1e-12)
    assert flat.intercept == pytest.approx(3)
    assert np.isfinite(flat.r_squared)
