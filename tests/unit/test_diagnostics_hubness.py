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
    # equal counts have no spread: scipy says NaN, ours the 0 of symmetry
    return counts, np.nan_to_num(skew(counts)), np.abs(counts - k).sum() / (2 * k * len(x)), np.mean(counts == 0)


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


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_interval_compares_graphs_made_anew_of_each_half(rng, metric, copies):
    x, blocks = rng.normal(size=(240, 5)), np.arange(240) % 40
    if copies:  # a block of near copies fills the lists of rows beside it, which must be asked again
        blocks = np.repeat(np.arange(20), 12) // 5 * 5 + np.tile(np.arange(5), 48)
        x[blocks == 2] = x[0] + 1e-3 * rng.normal(size=((blocks == 2).sum(), 5))
    apart = []
    squares = {i * i % 19 for i in range(1, 19)}
    for split in range(19):
        half = np.array([g == 0 or (split - g + 1) % 19 in squares for g in range(20)])[blocks % 20]
        assert half.sum() == 120
        apart.append(np.subtract(*(by_definition(x[rows], 4, metric)[1:] for rows in (half, ~half))))
    found = hubness(x, k=4, metric=metric, blocks=blocks)
    got = [e.standard_error for e in (found.skewness, found.robin_hood, found.anti_hubs)]
    assert got == pytest.approx(np.sqrt(np.mean(np.square(apart) / 4, axis=0)), rel=1e-9)
    assert found.skewness.degrees_of_freedom == 19


def test_of_a_mean_over_rows_the_halves_give_the_jackknife(rng):
    from workbench.diagnostics.neighbour_lists import estimated, lists_around
    from workbench.intervals import jackknife

    x, blocks, y = torch.tensor(rng.normal(size=(200, 3))), np.arange(200) % 20, rng.normal(size=200)
    lists = lists_around(x, k=2, metric="euclidean", block_of=blocks, index=np.arange(200))
    found = estimated(lists, lambda half: [y[lists.inside(half)].mean()], ["mean"])[0]
    known = jackknife(lambda rows: float(y[rows].mean()), blocks, definition="mean")
    assert (found.standard_error, found.low) == pytest.approx((known.standard_error, known.low), rel=1e-9)


@pytest.mark.parametrize("groups", [5, 7, 13, 19])
def test_fewer_blocks_are_halved_too(rng, groups):
    """The variance of a mean of equal blocks, on average over many draws, is that of the mean."""
    from workbench.diagnostics.neighbour_lists import estimated, lists_around

    x, blocks = torch.tensor(rng.normal(size=(10 * groups, 3))), np.arange(10 * groups) % groups
    lists = lists_around(x, k=2, metric="euclidean", block_of=blocks, index=np.arange(len(x)))
    variances = []
    for _ in range(400):
        y = rng.normal(size=len(x))
        found = estimated(lists, lambda half, y=y: [y[lists.inside(half)].mean()], ["mean"])[0]
        variances.append(found.standard_error**2)
    assert found.degrees_of_freedom == groups - 1
    assert np.mean(variances) == pytest.approx(1 / len(x), rel=0.15)  # 4 standard errors at 4 degrees of freedom


def test_a_wide_graph_gives_the_same_as_its_rows_and_a_narrow_one_is_refused(rng):
    x = rng.normal(size=(300, 6))
    rows, graph = hubness(x, k=5, metric="euclidean"), hubness(knn_graph(x, k=40, metric="euclidean"), k=5)
    assert numbers(graph) == pytest.approx(numbers(rows), abs=1e-12)
    assert graph.skewness.standard_error == pytest.approx(rows.skewness.standard_error, rel=1e-9)
    narrow = hubness(knn_graph(x, k=5, metric="euclidean"), k=5)
    assert (narrow.skewness.low, numbers(narrow)) == (-math.inf, pytest.approx(numbers(rows), abs=1e-12))
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
    "scale": lambda x, _r: 3 * x,
    "scale rows": lambda x, r: x * r.uniform(0.2, 5, size=(len(x), 1)),
    "shift": lambda x, _r: x + 2,
    "permute": lambda x, r: r.permutation(x),
    "duplicate": lambda x, _r: np.vstack([x, x[:30]]),
    "stretch": lambda x, _r: x * np.array([1, 1, 1, 5, 5, 5]),
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
    assert hubness(np.eye(3), k=2).skewness.low == -math.inf
    assert hubness(np.eye(40), k=2, blocks=np.arange(40) % 4).skewness.high == math.inf


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
    with pytest.raises(Exception, match=r"list|Type-check"):  # beartype's, under test, comes before TypeError
        hubness([[1.0, 2.0]])


def test_intervals_cover_the_mean_over_samples():
    """300 samples of 6 clusters: 93 % or more, less the binomial margin of 3 points."""
    rng = np.random.default_rng(11)
    centres = 2 * rng.normal(size=(6, 8))
    draws = [hubness(centres[rng.integers(0, 6, 160)] + rng.normal(size=(160, 8)), k=5) for _ in range(300)]
    for name in ("skewness", "robin_hood", "anti_hubs"):
        found = [getattr(draw, name) for draw in draws]
        truth = np.mean([e.value for e in found])
        assert np.mean([e.low <= truth <= e.high for e in found]) > 0.9
