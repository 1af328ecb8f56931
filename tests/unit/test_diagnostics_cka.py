"""CKA against its published formulas on dense kernels."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.diagnostics import cka
from workbench.diagnostics.cka import linear_cka


@pytest.fixture
def rng():
    return np.random.default_rng(9)


def song(k, m):
    """Eq. 5 of Song et al. 2012, on kernels without their diagonals."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    one = np.ones(n)
    total = (
        np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ m @ one)
    )
    return total / (n * (n - 3))


def by_definition(x, y, unbiased=True):
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    if not unbiased:
        return np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    k, m = x @ x.T, y @ y.T
    return song(k, m) / math.sqrt(song(k, k) * song(m, m))


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(4, 60), d=st.integers(1, 80), e=st.integers(1, 20), unbiased=st.booleans(), seed=st.integers(0, 2**32)
)
def test_cka_is_that_of_dense_kernels(n, d, e, unbiased, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 3
    y = rng.normal(size=(n, e)) + x[:, :1]
    assert linear_cka(x, y, unbiased=unbiased).value == pytest.approx(by_definition(x, y, unbiased), abs=1e-9)


@pytest.mark.parametrize("at_once", [2**26, 60])
@pytest.mark.parametrize("unbiased", [True, False])
def test_the_jackknife_leaves_each_block_out(rng, unbiased, at_once, monkeypatch):
    monkeypatch.setattr(cka, "MOST_NUMBERS", at_once)  # few numbers: two blocks at a time
    x, blocks = rng.normal(size=(70, 6)), rng.permutation(np.arange(70) % 7)
    y = x[:, :5] + rng.normal(size=(70, 5))
    left_out = np.array([by_definition(x[blocks != b], y[blocks != b], unbiased) for b in range(7)])
    error = math.sqrt(6 * np.mean((left_out - by_definition(x, y, unbiased)) ** 2))
    assert linear_cka(x, y, unbiased=unbiased, blocks=blocks).standard_error == pytest.approx(error, rel=1e-8)


@pytest.mark.parametrize("unbiased", [True, False])
def test_minibatches_are_averaged(rng, unbiased):
    x = rng.normal(size=(103, 6))
    y = x + rng.normal(size=(103, 6))
    order = np.random.default_rng(4).permutation(103)[:100].reshape(5, 20)

    def hsic(a, b):
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        return song(a @ a.T, b @ b.T) if unbiased else np.linalg.norm(a.T @ b) ** 2

    xy, xx, yy = (np.mean([hsic(a[rows], b[rows]) for rows in order]) for a, b in ((x, y), (x, x), (y, y)))
    found = linear_cka(x, y, unbiased=unbiased, minibatch=20, seed=4)
    assert found.value == pytest.approx(xy / math.sqrt(xx * yy), abs=1e-9)
    assert "5 batches of 20" in found.definition
    assert math.isfinite(found.low)
    assert linear_cka(x, y, minibatch=30).high == math.inf


def test_independent_spaces_are_unlike_on_average_in_the_unbiased_form_only():
    rng = np.random.default_rng(0)
    pairs = [rng.normal(size=(2, 100, 64)) for _ in range(40)]
    assert abs(np.mean([linear_cka(*pair).value for pair in pairs])) < 0.02
    assert np.mean([linear_cka(*pair, unbiased=False).value for pair in pairs]) == pytest.approx(64 / 164, abs=0.02)


MOVES = {
    "rotate": lambda x, r: x @ np.linalg.qr(r.normal(size=(6, 6)))[0],
    "scale": lambda x, _r: 3 * x,
    "shift": lambda x, _r: x + 1e6,
    "stretch": lambda x, _r: x * np.arange(1, 7),
    "permute": lambda x, r: r.permutation(x),
}


@pytest.mark.parametrize("move", MOVES)
def test_what_leaves_cka_unmoved(rng, move):
    x = rng.normal(size=(60, 6))
    y = x + rng.normal(size=(60, 6))
    after = linear_cka(MOVES[move](x, rng), y).value
    assert (after == pytest.approx(linear_cka(x, y).value, abs=1e-8)) is (move in {"rotate", "scale", "shift"})
    assert linear_cka(x, MOVES["rotate"](x, rng)).value == pytest.approx(1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision(rng, dtype):
    x = torch.tensor(rng.normal(size=(50, 8))).to(dtype)
    y = (x.float() + torch.tensor(rng.normal(size=(50, 8)))).to(dtype)
    assert linear_cka(x, y).value == pytest.approx(by_definition(x.double().numpy(), y.double().numpy()), abs=1e-9)


@pytest.mark.parametrize(
    ("x", "y", "options", "words"),
    [
        (np.eye(3), np.eye(3), {}, "at least 4 rows"),
        (np.eye(5), np.eye(6), {}, "as many rows"),
        (np.ones((5, 2)), np.eye(5), {}, "rows of x are equal"),
        (np.eye(5), np.ones((5, 2)), {"unbiased": False}, "rows of y are equal"),
        (np.eye(5), np.eye(5), {"minibatch": 3}, "minibatch"),
        (np.eye(5), np.eye(5), {"minibatch": 6}, "minibatch"),
        (np.eye(5), np.eye(5), {"minibatch": 5, "blocks": np.arange(5)}, "without blocks"),
        (np.eye(5), np.eye(5), {"blocks": np.arange(4)}, "5 rows"),
        (np.eye(5), np.full((5, 1), np.inf), {}, "y: row 0"),
    ],
)
def test_cka_refuses(x, y, options, words):
    with pytest.raises(ValueError, match=words):
        linear_cka(x, y, **options)


def test_intervals_cover_the_mean_over_samples():
    """300 samples of a decaying spectrum with a common mean: 93 % or more, less the binomial margin of 3 points."""
    rng, scales, found = np.random.default_rng(11), np.arange(1, 7) ** -0.5, []
    for _ in range(300):
        x = 1 + rng.normal(size=(200, 6)) * scales
        found.append(linear_cka(x, x + 0.7 * rng.normal(size=(200, 6))))
    truth = np.mean([e.value for e in found])
    assert np.mean([e.low <= truth <= e.high for e in found]) > 0.9
