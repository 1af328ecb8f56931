"""Reliability of maps against scikit-learn's trustworthiness and loops over ranks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.manifold import trustworthiness as published

from workbench.diagnostics.reliability import continuity, map_reliability, trustworthiness


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(13, 60),
    d=st.integers(2, 70),
    k=st.integers(1, 6),
    metric=st.sampled_from(["cosine", "euclidean"]),
    seed=st.integers(0, 2**32),
)
def test_both_are_scikit_learns(n, d, k, metric, seed):
    rng = np.random.default_rng(seed)
    x, drawn = rng.normal(size=(n, d)), rng.normal(size=(n, 2))
    drawn[:, 0] += x[:, 0]
    angles = x / np.linalg.norm(x, axis=1)[:, None] if metric == "cosine" else x
    expected = published(x, drawn, n_neighbors=k, metric=metric)
    assert trustworthiness(x, drawn, k=k, metric=metric).value == pytest.approx(expected, abs=1e-9)
    assert continuity(x, drawn, k=k, metric=metric).value == pytest.approx(
        published(drawn, angles, n_neighbors=k), abs=1e-9
    )


def test_the_interval_compares_scikit_learns_numbers_of_the_halves(rng):
    x, blocks = rng.normal(size=(120, 5)), np.arange(120) % 20
    drawn = x[:, :2] + 0.5 * rng.normal(size=(120, 2))
    squares = {i * i % 19 for i in range(1, 19)}
    apart = []
    for split in range(19):
        half = np.array([g == 0 or (split - g + 1) % 19 in squares for g in range(20)])[blocks]
        a, b = (published(x[rows], drawn[rows], n_neighbors=4) for rows in (half, ~half))
        apart.append((a - b) ** 2 / 4)
    found = trustworthiness(x, drawn, k=4, metric="euclidean", blocks=blocks)
    assert found.standard_error == pytest.approx(math.sqrt(np.mean(apart)), rel=1e-9)


def test_each_row_has_its_own_numbers(rng):
    x = rng.normal(size=(90, 6))
    drawn = x[:, :2] + 0.2 * rng.normal(size=(90, 2))
    found = map_reliability(x, drawn, k=5, metric="euclidean")
    orders = [np.argsort(np.linalg.norm(z[:, None] - z[None], axis=2), axis=1)[:, 1:] for z in (x, drawn)]
    shared = [len(set(a[:5]) & set(b[:5])) / 5 for a, b in zip(*orders, strict=True)]
    assert found.shared == pytest.approx(np.array(shared))
    worst = 5 * (2 * 90 - 15 - 1) / 2
    far = [sum(max(0, list(a).index(j) + 1 - 5) for j in b[:5]) / worst for a, b in zip(*orders, strict=True)]
    assert found.false == pytest.approx(np.array(far))
    assert 1 - found.missing.mean() == pytest.approx(continuity(x, drawn, k=5, metric="euclidean").value)
    assert 1 - found.false.mean() == pytest.approx(trustworthiness(x, drawn, k=5, metric="euclidean").value)


MOVES = {
    "rotate": lambda x, r: x @ np.linalg.qr(r.normal(size=(4, 4)))[0],
    "scale": lambda x, _r: 3 * x,
    "shift": lambda x, _r: x + 2,
    "stretch": lambda x, _r: x * np.array([1, 1, 9, 9]),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_what_leaves_reliability_unmoved(rng, move, metric):
    x = rng.normal(size=(80, 4))
    before, after = (trustworthiness(z, x[:, :2], k=4, metric=metric).value for z in (x, MOVES[move](x, rng)))
    unmoved = {"rotate", "scale"} | ({"shift"} if metric == "euclidean" else set())
    assert (after == pytest.approx(before, abs=1e-9)) is (move in unmoved)


def test_a_true_map_is_reliable_and_a_shuffled_one_is_not(rng):
    x = rng.normal(size=(300, 2)) + 1e6
    assert trustworthiness(x, 2 * x, metric="euclidean").value == 1
    true = map_reliability(x, x @ np.array([[0.0, 1], [1, 0]]), metric="euclidean")
    assert (true.shared.min(), true.false.max(), true.missing.max()) == (1, 0, 0)
    assert continuity(x, rng.permutation(x), metric="euclidean").value == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_samples(rng, dtype):
    x = torch.tensor(rng.normal(size=(120, 8))).to(dtype)
    drawn = x[:, :2].double().numpy() + 0.1 * rng.normal(size=(120, 2))
    expected = published(x.double().numpy(), drawn, n_neighbors=3, metric="cosine")
    assert trustworthiness(x, drawn, k=3).value == pytest.approx(expected, abs=1e-9)
    rows = np.sort(np.random.default_rng(2).choice(120, 60, replace=False))
    sampled = trustworthiness(x, drawn, k=3, sample=60, seed=2)
    expected = published(x.double().numpy()[rows], drawn[rows], n_neighbors=3, metric="cosine")
    assert sampled.value == pytest.approx(expected, abs=1e-9)
    assert "n=60" in sampled.definition


@pytest.mark.parametrize("measure", [trustworthiness, continuity, map_reliability])
@pytest.mark.parametrize(
    ("x", "drawn", "options", "words"),
    [
        (np.eye(9), np.eye(8), {}, "as many rows"),
        (np.eye(9), np.eye(9), {"k": 5}, "below n / 2 = 4.5"),
        (np.eye(9), np.eye(9), {"k": 0}, "at least 1"),
        (np.eye(9), np.eye(9), {"k": 2, "metric": "dot"}, "distance"),
        (np.eye(9), np.eye(9), {"k": 2, "metric": "angle"}, "metric"),
        (np.zeros((9, 2)), np.eye(9), {"k": 2}, "row 0 is zero"),
        (np.eye(9), np.full((9, 2), np.nan), {"k": 2}, "row 0 is not finite"),
    ],
)
def test_reliability_refuses(measure, x, drawn, options, words):
    with pytest.raises(ValueError, match=words):
        measure(x, drawn, **options)


def test_few_rows_leave_the_interval_open(rng):
    x = rng.normal(size=(30, 4))
    assert trustworthiness(x, x, k=10).low == -math.inf
