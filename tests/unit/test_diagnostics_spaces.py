"""Two spaces against scipy's Procrustes and loops over neighbour sets."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes as published

from workbench.diagnostics.spaces import drift, mutual_knn, procrustes
from workbench.neighbours import knn_graph


@pytest.fixture
def rng():
    return np.random.default_rng(13)


def padded(x, width):
    return np.pad(x, ((0, 0), (0, width - x.shape[1])))


@settings(max_examples=30, deadline=None)
@given(n=st.integers(3, 60), d=st.integers(1, 70), e=st.integers(1, 20), seed=st.integers(0, 2**32))
def test_procrustes_is_scipys(n, d, e, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)) + 2, 3 * rng.normal(size=(n, e))
    a, b = padded(x, max(d, e)), padded(y, max(d, e))
    assert procrustes(x, y).value == pytest.approx(published(a, b)[2], abs=1e-9)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    left = np.linalg.norm(a - b @ orthogonal_procrustes(b, a)[0]) ** 2 / n
    assert procrustes(x, y, scale=False).value == pytest.approx(left, abs=1e-9)


def test_the_jackknife_of_procrustes_leaves_each_block_out(rng):
    x, blocks = rng.normal(size=(60, 4)), rng.permutation(np.arange(60) % 6)
    y = x + rng.normal(size=(60, 4))
    left_out = np.array([published(x[blocks != b], y[blocks != b])[2] for b in range(6)])
    error = math.sqrt(5 * np.mean((left_out - published(x, y)[2]) ** 2))
    assert procrustes(x, y, blocks=blocks).standard_error == pytest.approx(error, rel=1e-8)


@pytest.mark.parametrize(
    ("change", "scale", "zero"),
    [
        (lambda x: x @ np.linalg.qr(np.arange(25.0).reshape(5, 5) % 7 + np.eye(5))[0] + 1e3, False, True),
        (lambda x: 3 * x, True, True),
        (lambda x: 3 * x, False, False),
        (lambda x: x * np.arange(1, 6), True, False),
        (lambda x: x[::-1].copy(), True, False),
    ],
)
def test_what_leaves_the_shape_unmoved(rng, change, scale, zero):
    x = rng.normal(size=(50, 5))
    assert (procrustes(x, change(x), scale=scale).value < 1e-9) is zero


def near(x, k, metric):
    if metric == "cosine":
        x = x / np.linalg.norm(x, axis=1)[:, None]
    far = ((x[:, None] - x[None]) ** 2).sum(axis=2) + np.diag(np.full(len(x), np.inf))
    return [set(row[:k]) for row in np.argsort(far, axis=1)]


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(8, 60),
    d=st.integers(2, 70),
    k=st.integers(1, 6),
    metric=st.sampled_from(["cosine", "euclidean"]),
    seed=st.integers(0, 2**32),
)
def test_mutual_neighbours_are_common_sets(n, d, k, metric, seed):
    x, y = np.random.default_rng(seed).normal(size=(2, n, d))
    y = y + x
    expected = np.mean([len(a & b) / k for a, b in zip(near(x, k, metric), near(y, k, metric), strict=True)])
    assert mutual_knn(x, y, k=k, metric=metric).value == pytest.approx(expected, abs=1e-9)
    found = drift(x, y, k=k, metric=metric)
    assert found.mean_neighbour_change.value == pytest.approx(1 - expected, abs=1e-9)


def test_the_interval_of_mutual_neighbours_compares_halves(rng):
    x, blocks = rng.normal(size=(120, 5)), np.arange(120) % 20
    y = x + 0.3 * rng.normal(size=(120, 5))
    squares, apart = {i * i % 19 for i in range(1, 19)}, []
    for split in range(19):
        half = np.array([g == 0 or (split - g + 1) % 19 in squares for g in range(20)])[blocks]
        shares = [
            np.mean([len(a & b) / 4 for a, b in zip(near(x[r], 4, "cosine"), near(y[r], 4, "cosine"), strict=True)])
            for r in (half, ~half)
        ]
        apart.append((shares[0] - shares[1]) ** 2 / 4)
    found = mutual_knn(x, y, k=4, blocks=blocks)
    assert found.standard_error == pytest.approx(math.sqrt(np.mean(apart)), rel=1e-9)


def test_mutual_neighbours_of_one_space_of_unrelated_ones_and_of_graphs(rng):
    x, y = rng.normal(size=(2, 400, 6))
    assert mutual_knn(x, 2 * x, sample=100).value == 1
    assert mutual_knn(x, y).value == pytest.approx(10 / 399, abs=0.01)
    graphs = [knn_graph(z, k=60, metric="euclidean") for z in (x, y)]
    assert mutual_knn(*graphs).value == mutual_knn(x, y, metric="euclidean").value
    assert mutual_knn(graphs[0], knn_graph(y, k=10)).low == -math.inf
    assert "euclidean and cosine" in mutual_knn(graphs[0], knn_graph(y, k=10)).definition


def test_the_rows_that_moved_are_found_behind_a_rotation(rng):
    x = rng.normal(size=(200, 5))
    y = x @ np.linalg.qr(rng.normal(size=(5, 5)))[0] + 7
    y[[3, 50]] += [[9.0], [5.0]]
    found = drift(x, y, metric="euclidean")
    assert found.order[:2].tolist() == [3, 50]
    assert found.neighbour_change[3] == 1
    assert found.mean_neighbour_change.value == pytest.approx(found.neighbour_change.mean())
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    apart = np.linalg.norm(b @ orthogonal_procrustes(b, a)[0] - a, axis=1) / math.sqrt((a**2).sum() / 200)
    assert found.movement == pytest.approx(apart, abs=1e-9)
    plain = drift(x, y, aligned=False)
    assert plain.movement == pytest.approx(np.linalg.norm(y - x, axis=1) / math.sqrt((a**2).sum() / 200), abs=1e-9)
    wider = drift(x, np.hstack([x, np.zeros((200, 3))]), metric="euclidean")
    assert wider.movement.max() < 1e-9
    assert wider.order.dtype == np.int64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_a_mean_of_a_million(rng, dtype):
    x = torch.tensor(rng.normal(size=(60, 5))).to(dtype)
    y = rng.normal(size=(60, 5))
    assert procrustes(x, y).value == pytest.approx(published(x.double().numpy(), y)[2], abs=1e-9)
    assert procrustes(y + 1e6, y).value == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("measure", "x", "y", "options", "words"),
    [
        (procrustes, np.eye(5), np.eye(6), {}, "as many rows"),
        (procrustes, np.ones((5, 2)), np.eye(5), {}, "rows of x are equal"),
        (procrustes, np.ones((1, 2)), np.eye(1), {}, "2 rows"),
        (procrustes, np.eye(5), np.eye(5), {"blocks": np.arange(4)}, "5 rows"),
        (mutual_knn, np.eye(5), np.eye(6), {"k": 2}, "as many rows"),
        (mutual_knn, np.eye(5), np.eye(5), {"k": 5}, "below n=5"),
        (mutual_knn, np.zeros((5, 2)), np.eye(5), {"k": 2}, "row 0 is zero"),
        (drift, np.eye(5), np.eye(5)[:, :3] + 1, {"k": 2, "aligned": False}, "as many columns"),
        (drift, np.ones((5, 2)), np.eye(5), {"k": 2}, "no spread"),
        (drift, np.eye(5), np.full((5, 5), np.nan), {"k": 2}, "row 0 is not finite"),
        (drift, np.eye(5), np.eye(5) + 1, {"k": 5}, "below n=5"),
    ],
)
def test_spaces_refuse(measure, x, y, options, words):
    with pytest.raises(ValueError, match=words):
        measure(x, y, **options)
