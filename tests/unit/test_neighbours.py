import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from workbench.neighbours import knn_graph


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def similarity_by_hand(asking, x, metric):
    if metric == "dot":
        return asking @ x.T
    if metric == "euclidean":
        return -np.sqrt(((asking[:, None] - x[None]) ** 2).sum(axis=2))
    return (asking / np.linalg.norm(asking, axis=1)[:, None]) @ (x / np.linalg.norm(x, axis=1)[:, None]).T


@pytest.mark.parametrize("block", [None, 1, 7, 1000])
@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
def test_the_graph_is_the_full_sort(metric, block, rng):
    x = rng.normal(size=(60, 5))
    near = similarity_by_hand(x, x, metric)
    np.fill_diagonal(near, -np.inf)
    expected = np.argsort(-near, axis=1, kind="stable")[:, :4]
    graph = knn_graph(x, k=4, metric=metric, block=block)
    assert (graph.indices == expected).all()
    np.testing.assert_allclose(graph.similarities, np.take_along_axis(near, expected, axis=1), atol=3e-6)
    assert (graph.indices.dtype, graph.metric, graph.k, graph.n) == (np.int64, metric, 4, 60)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_queries_agree_with_scikit_learn(metric, rng):
    x, queries = rng.normal(size=(80, 6)), rng.normal(size=(9, 6))
    distances, indices = NearestNeighbors(n_neighbors=5, metric=metric).fit(x).kneighbors(queries)
    graph = knn_graph(x, k=5, queries=queries, metric=metric)
    assert (graph.indices == indices).all()
    similarities = 1 - distances if metric == "cosine" else -distances
    np.testing.assert_allclose(graph.similarities, similarities, atol=3e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "dot"])
@pytest.mark.parametrize("k", [1, 3, 10, 23])
def test_ties_go_to_the_lower_index(metric, k, rng):
    # small whole numbers of equal length: every similarity is exact, and most are tied
    x = rng.permutation(np.repeat(np.vstack([np.eye(4), -np.eye(4)]), 3, axis=0))
    near = similarity_by_hand(x, x, metric)
    np.fill_diagonal(near, -np.inf)
    expected = np.argsort(-near, axis=1, kind="stable")[:, :k]
    assert (knn_graph(x, k=k, metric=metric).indices == expected).all()


@pytest.mark.parametrize("kind", ["spread", "tied", "sorted", "copies"])
@pytest.mark.parametrize("k", [1, 5, 20])
def test_long_rows_give_the_full_sort(k, kind, rng):
    # long enough for the selection by groups, and no multiple of a group; dot products of whole numbers are exact
    x = rng.integers(-2, 3, size=(997, 3)) if kind == "tied" else rng.integers(-900, 900, size=(997, 3))
    if kind == "sorted":
        x = x[np.argsort(-x @ x[0])]  # the nearest of one row lie side by side
    if kind == "copies":
        x = np.tile(x[:100], (10, 1))[:997]
    near = x @ x.T
    own = near.astype(float)
    np.fill_diagonal(own, -np.inf)
    for queries, expected in ((None, own), (x[:50].astype(float), near[:50])):
        graph = knn_graph(x.astype(float), k=k, queries=queries, metric="dot")
        assert (graph.indices == np.argsort(-expected, axis=1, kind="stable")[:, :k]).all()
        assert (graph.similarities == np.take_along_axis(expected, graph.indices, axis=1)).all()


def test_a_row_is_not_its_own_neighbour_but_its_copy_is():
    x = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert knn_graph(x, k=1).indices[:, 0].tolist() == [1, 0, 0]
    assert knn_graph(x, k=3, queries=x).indices[0].tolist() == [0, 1, 2]


def test_copies_far_from_the_origin_are_at_distance_zero(rng):
    x = np.repeat(rng.normal(size=(10, 16)) + 1000, 2, axis=0).astype(np.float32)
    graph = knn_graph(x, k=2, metric="euclidean")
    assert (graph.indices[:, 0] == np.arange(20) + np.tile([1, -1], 10)).all()
    assert (graph.similarities[:, 0] == 0).all()
    second = -np.sort(-similarity_by_hand(x.astype(np.float64), x.astype(np.float64), "euclidean"), axis=1)[:, 2]
    np.testing.assert_allclose(graph.similarities[:, 1], second, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_precision_is_scored_in_single(dtype, rng):
    x = torch.tensor(rng.normal(size=(200, 8))).to(dtype)
    exact = similarity_by_hand(x.double().numpy(), x.double().numpy(), "cosine")
    np.fill_diagonal(exact, -np.inf)
    assert (knn_graph(x.requires_grad_(), k=3).indices == np.argsort(-exact, axis=1)[:, :3]).all()


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"k": 5}, "k must be at least 1 and below n=5, got 5"),
        ({"k": 0}, "got 0"),
        ({"k": 6, "queries": np.ones((2, 3))}, "at most n=5, got 6"),
        ({"k": 1, "queries": np.ones((2, 4))}, "queries must have 3 columns as x has, got 4"),
        ({"k": 1, "queries": np.full((2, 3), np.nan)}, "queries: row 0 is not finite"),
        ({"k": 1, "queries": np.zeros((2, 3))}, "row 0 is zero"),
        ({"k": 1, "block": 0}, "size must be at least 1"),
    ],
)
def test_knn_graph_refuses(given, rule):
    with pytest.raises(ValueError, match=rule):
        knn_graph(np.eye(5)[:, :3] + 1, **given)


def test_knn_graph_refuses_a_metric_it_has_not():
    with pytest.raises(ValueError, match=r"metric must be one of .* got 'manhattan'"):
        knn_graph(np.eye(3), k=1, metric="manhattan")


def test_inner_products_that_overflow_are_refused():
    with pytest.raises(ValueError, match="overflow float32"):
        knn_graph(np.eye(3) * 1e20, k=1, metric="dot")
