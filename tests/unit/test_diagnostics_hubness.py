"""Hubness against full sorts of float64 distances, scipy's skewness and graphs made anew without a block."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import skew

from workbench.diagnostics.hubness import hubness
from workbench.neighbours import knn_graph


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def by_definition(x, k, metric="euclidean"):
    """Counts, skewness, Robin Hood index and share of anti-hubs from all distances."""
    x = np.asarray(x, np.float64)
    if metric == "cosine":
        x = x / np.linalg.norm(x, axis=1)[:, None]
    far = -(x @ x.T) if metric == "dot" else ((x[:, None] - x[None]) ** 2).sum(axis=2)
    np.fill_diagonal(far, np.inf)
    counts = np.zeros(len(x), int)
    for row in far:
        counts[np.argsort(row, kind="stable")[:k]] += 1
    return counts, skew(counts), np.abs(counts - k).sum() / (2 * k * len(x)), np.mean(counts == 0)


def numbers(found):
    return [found.skewness.value, found.robin_hood.value, found.anti_hubs.value]


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(8, 60),
    d=st.integers(2, 90),
    k=st.integers(1, 6),
    metric=st.sampled_from(["cosine", "euclidean", "dot"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_hubness_is_that_of_the_full_sort(n, d, k, metric, seed):
    x = np.random.default_rng(seed).normal(size=(n, d))
    counts, *expected = by_definition(x, k, metric)
    found = hubness(x, k=k, metric=metric)
    assert found.counts.tolist() == counts.tolist()
    assert numbers(found) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("clusters", [False, True])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_interval_is_that_of_graphs_made_anew_without_each_block(rng, metric, clusters):
    # a block of near copies holds all the spare neighbours of its rows and of rows beside it
    x, blocks = rng.normal(size=(140, 5)), np.arange(140) // 35 if clusters else np.arange(140) % 7
    if clusters:
        blocks = np.repeat(np.arange(5), 28)
        x[blocks == 2] = x[0] + 1e-3 * rng.normal(size=(28, 5))
    found = hubness(x, k=4, metric=metric, blocks=blocks)
    whole = np.array(by_definition(x, 4, metric)[1:])
    left_out = np.array([by_definition(x[blocks != b], 4, metric)[1:] for b in np.unique(blocks)])
    errors = np.sqrt((len(left_out) - 1) * ((left_out - whole) ** 2).mean(axis=0))
    got = [e.standard_error for e in (found.skewness, found.robin_hood, found.anti_hubs)]
    assert got == pytest.approx(errors, rel=1e-9)


def test_a_wide_graph_gives_the_same_as_its_rows_and_a_narrow_one_is_refused(rng):
    x = rng.normal(size=(300, 6))
    rows, graph = hubness(x, k=5, metric="euclidean"), hubness(knn_graph(x, k=40, metric="euclidean"), k=5)
    assert numbers(graph) == pytest.approx(numbers(rows), abs=1e-12)
    assert graph.skewness.standard_error == pytest.approx(rows.skewness.standard_error, rel=1e-9)
    with pytest.raises(ValueError, match="more than 5"):
        hubness(knn_graph(x, k=5), k=5)
    with pytest.raises(ValueError, match="at most the graph's 5"):
        hubness(knn_graph(x, k=5), k=6)
    with pytest.raises(ValueError, match="not of queries"):
        hubness(knn_graph(x, k=5, queries=x[:9]), k=3)
    with pytest.raises(ValueError, match="not of queries"):
        hubness(knn_graph(x, k=5, queries=x), k=3)


UNMOVED = {
    "euclidean": {"rotate", "scale", "shift", "permute"},
    "cosine": {"rotate", "scale", "scale rows", "permute"},
}
MOVES = {
    "rotate": lambda x, r: x @ np.linalg.qr(r.normal(size=(6, 6)))[0],
    "scale": lambda x, r: 3 * x,
    "scale rows": lambda x, r: x * r.uniform(0.2, 5, size=(len(x), 1)),
    "shift": lambda x, r: x + 2,
    "permute": lambda x, r: r.permutation(x),
    "duplicate": lambda x, r: np.vstack([x, x[:30]]),
    "stretch": lambda x, r: x * np.array([1, 1, 1, 5, 5, 5]),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("metric", UNMOVED)
def test_what_leaves_hubness_unmoved(rng, metric, move):
    x = rng.normal(size=(80, 6))
    before, after = (numbers(hubness(z, k=4, metric=metric)) for z in (x, MOVES[move](x, rng)))
    assert (after == pytest.approx(before, abs=1e-9)) is (move in UNMOVED[metric])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_far_from_the_origin_and_one_dimension(rng, dtype):
    x = torch.tensor(rng.normal(size=(60, 9))).to(dtype)
    assert hubness(x, k=3).counts.tolist() == by_definition(x.double().numpy(), 3, "cosine")[0].tolist()
    line = rng.normal(size=(50, 1))
    assert hubness(line, k=3, metric="euclidean").counts.tolist() == by_definition(line, 3)[0].tolist()
    far = rng.normal(size=(60, 4)) + 1e6  # float32 would round every cosine to 1
    assert hubness(far, k=3, metric="euclidean").counts.tolist() == by_definition(far - far.mean(0), 3)[0].tolist()
    plane = far - far.mean(axis=1, keepdims=True) + 1e6  # cosines with a common mean order as distances across it
    across = hubness(plane, k=3, metric="cosine").counts
    assert np.mean(across == hubness(plane - 1e6, k=3, metric="euclidean").counts) > 0.9


def test_a_star_has_one_hub_and_equal_counts_have_no_skewness():
    star = np.vstack([np.zeros(8), np.eye(8), -np.eye(8)])
    found = hubness(star, k=1, metric="euclidean")
    assert (found.counts[0], found.counts.sum()) == (16, 17)
    assert found.anti_hubs.value == pytest.approx(15 / 17)
    ring = np.exp(2j * np.pi * np.arange(12) / 12)
    even = hubness(np.column_stack([ring.real, ring.imag]), k=2, metric="euclidean")
    assert numbers(even) == [0, 0, 0]
    assert (even.skewness.low, hubness(np.eye(3), k=2).skewness.high) == (-math.inf, math.inf)


def test_a_sample_is_drawn_by_seed_and_names_its_rows(rng):
    x = rng.normal(size=(200, 5))
    found = hubness(x, k=3, sample=50, seed=4)
    assert len(found.rows) == 50
    assert (np.diff(found.rows) > 0).all()
    assert found.counts.tolist() == by_definition(x[found.rows], 3, "cosine")[0].tolist()
    assert "n=50" in found.skewness.definition
    assert "k=3" in found.anti_hubs.definition
    assert (hubness(x, k=3, sample=50, seed=5).rows != found.rows).any()
    assert hubness(x, k=3, sample=None).rows.tolist() == hubness(x, k=3).rows.tolist() == list(range(200))


@pytest.mark.parametrize(
    ("x", "options", "words"),
    [
        (np.ones((1, 3)), {}, "2 rows"),
        (np.array([[1.0, 2], [np.inf, 1], [2, 3]]), {"k": 1}, "row 1 is not finite"),
        (np.array([[1.0, 2], [2, 3], [0, 0]]), {"k": 1}, "row 2 is zero"),
        (np.eye(5), {"k": 5}, "below n=5"),
        (np.eye(5), {"k": 0}, "at least 1"),
        (np.eye(5), {"k": 1, "metric": "angle"}, "metric"),
        (np.eye(5), {"k": 1, "sample": 1}, "sample"),
        (np.eye(5), {"k": 1, "blocks": np.zeros(4, int)}, "5 rows"),
    ],
)
def test_hubness_refuses(x, options, words):
    with pytest.raises(ValueError, match=words):
        hubness(x, **options)


def test_hubness_refuses_what_is_no_array():
    with pytest.raises((TypeError, Exception), match=r"list|\[\[1"):
        hubness([[1.0, 2.0]])


def test_intervals_cover_the_mean_over_samples():
    """300 samples of 6 clusters: the binomial margin around 95 % is 2.5 points."""
    rng = np.random.default_rng(11)
    centres = 2 * rng.normal(size=(6, 8))
    draws = [hubness(centres[rng.integers(0, 6, 150)] + rng.normal(size=(150, 8)), k=5) for _ in range(300)]
    for name in ("skewness", "robin_hood", "anti_hubs"):
        found = [getattr(draw, name) for draw in draws]
        truth = np.mean([e.value for e in found])
        assert np.mean([e.low <= truth <= e.high for e in found]) > 0.925
