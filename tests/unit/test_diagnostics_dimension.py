"""Intrinsic dimension against closed forms, known manifolds and scikit-dimension's published numbers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.diagnostics.dimension import mle_dimension, two_nn
from workbench.neighbours import knn_graph


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def distances(x):
    """All distances of each row to the others, rising, by the definition."""
    far = np.sqrt(((x[:, None] - x[None]) ** 2).sum(axis=2))
    return np.sort(far + np.diag(np.full(len(x), np.inf)), axis=1)[:, :-1]


def two_by_hand(x, discard):
    far = distances(x)
    logs = sorted(math.log(row[1] / row[0]) for row in far)
    m = max(2, math.ceil((1 - discard) * len(logs)))
    return (m - 1) / (math.fsum(logs[:m]) + (len(logs) - m) * logs[m - 1])


def mle_by_hand(x, k):
    inverses = [np.mean([math.log(row[k - 1] / row[j]) for j in range(k - 1)]) for row in distances(x)]
    return 1 / np.mean(inverses), np.mean([1 / i for i in inverses])


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(12, 60),
    d=st.integers(1, 80),
    k=st.integers(2, 10),
    discard=st.floats(0, 0.8),
    seed=st.integers(0, 2**32),
)
def test_both_are_their_closed_forms(n, d, k, discard, seed):
    x = np.random.default_rng(seed).normal(size=(n, d))
    assert two_nn(x, discard=discard).value.value == pytest.approx(two_by_hand(x, discard), rel=1e-9)
    found = mle_dimension(x, k=k)
    assert (found.value.value, found.published) == pytest.approx(mle_by_hand(x, k), rel=1e-9)


def test_the_numbers_of_scikit_dimension():
    """scikit-dimension 0.5.0: TwoNN(), TwoNN(method="mle"), MLE(K=20) of these 1,000 rows."""
    x = np.random.default_rng(0).normal(size=(1000, 12))
    found = two_nn(x)
    assert (found.published, found.value.value) == pytest.approx((11.511153816251545, 11.401574633771434), rel=1e-9)
    assert mle_dimension(x).value.value == pytest.approx(10.2011095094666, rel=1e-9)


def cube(rng, d, n=2000):
    return rng.uniform(size=(n, d))


def sphere(rng, d, n=2000):
    x = rng.normal(size=(n, d + 1))
    return x / np.linalg.norm(x, axis=1)[:, None]


@pytest.mark.parametrize(("shape", "d", "within"), [(cube, 2, 0.2), (cube, 4, 0.4), (sphere, 2, 0.2), (sphere, 5, 0.5)])
def test_known_dimensions_turned_into_fifty(rng, shape, d, within):
    flat = shape(rng, d)
    turned = flat @ np.linalg.qr(rng.normal(size=(50, 50)))[0][: flat.shape[1]]
    found, wide = two_nn(turned), mle_dimension(turned)
    assert found.value.value == pytest.approx(d, abs=within)
    assert wide.value.value == pytest.approx(d, abs=within)
    assert found.value.value == pytest.approx(two_nn(flat).value.value, rel=1e-9)
    assert found.sizes.tolist() == [2000, 1000, 500, 250, 125]
    assert found.values == pytest.approx(np.full(5, d), abs=3 * within)
    assert found.values[0] == found.value.value


def test_the_decimation_curve_is_the_mean_over_disjoint_parts(rng):
    x = rng.normal(size=(101, 4))
    found = two_nn(x, seed=3)
    order = np.random.default_rng(3).permutation(101)
    assert found.sizes.tolist() == [101, 50, 25]
    assert found.values[1] == pytest.approx(
        np.mean([two_by_hand(x[order[i : i + 50]], 0.1) for i in (0, 50)]), rel=1e-9
    )


@pytest.mark.parametrize("measure", [two_nn, mle_dimension])
def test_twenty_copies_change_nothing(rng, measure):
    x = sphere(rng, 9)
    y = np.vstack([x, x[:20]])
    before, after = measure(x), measure(y)
    assert (after.n, after.n_duplicates, before.n_duplicates) == (2000, 20, 0)
    assert after.value == before.value
    graph = measure(knn_graph(y, k=110, metric="euclidean"), blocks=np.arange(2020) % 20)
    assert graph.value.value == pytest.approx(before.value.value, rel=1e-5)  # a graph's distances are float32
    assert (graph.n_duplicates, graph.sizes.tolist()) == (20, [2000])
    assert graph.value.standard_error > 0
    zeros = np.vstack([np.zeros((1, 10)), -np.zeros((1, 10)), x])
    assert measure(zeros).n_duplicates == 1


MOVES = {
    "rotate": lambda x, r: x @ np.linalg.qr(r.normal(size=(6, 6)))[0],
    "scale": lambda x, _r: 1e-3 * x,
    "shift": lambda x, _r: x + 1e3,
    "permute": lambda x, r: r.permutation(x),
    "duplicate": lambda x, _r: np.vstack([x, x]),
    "scale rows": lambda x, r: x * r.uniform(0.2, 5, size=(len(x), 1)),
    "noise": lambda x, r: x + r.normal(size=x.shape),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("measure", [two_nn, mle_dimension])
def test_what_leaves_a_dimension_unmoved(rng, measure, move):
    x = rng.normal(size=(100, 6))
    same = measure(MOVES[move](x, rng)).value.value == pytest.approx(measure(x).value.value, rel=1e-8)
    assert same is (move in {"rotate", "scale", "shift", "permute", "duplicate"})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_and_a_mean_of_a_million(rng, dtype):
    x = torch.tensor(rng.normal(size=(90, 12))).to(dtype)
    assert two_nn(x).value.value == pytest.approx(two_by_hand(x.double().numpy(), 0.1), rel=1e-9)
    far = rng.normal(size=(90, 6)) + 1e6
    assert mle_dimension(far, k=5).value.value == pytest.approx(mle_by_hand(far - far.mean(axis=0), 5)[0], rel=1e-8)


def test_equal_distances_within_a_row_leave_the_mean_of_dimensions_infinite(rng):
    x = np.vstack([np.zeros(6), np.eye(6), 30 + rng.normal(size=(40, 6))])
    assert mle_dimension(x, k=3).published == math.inf


@pytest.mark.parametrize(
    ("measure", "x", "options", "words"),
    [
        (two_nn, np.ones((1, 3)), {}, "2 rows"),
        (two_nn, np.ones((9, 3)), {}, "different rows than k=2, got 1"),
        (two_nn, np.array([[1.0, np.nan], [1, 2]]), {}, "row 0"),
        (two_nn, np.eye(9), {}, "as far"),
        (two_nn, np.eye(9), {"discard": 1}, "discard"),
        (two_nn, np.eye(9), {"discard": -0.1}, "discard"),
        (two_nn, np.eye(9), {"sample": 1}, "sample"),
        (two_nn, np.eye(9), {"blocks": np.zeros(3, int)}, "9 rows"),
        (two_nn, np.array([[0.0], [1e-200], [1], [3]]), {}, "too near"),
        (mle_dimension, np.eye(9), {"k": 1}, "at least 2"),
        (mle_dimension, np.eye(9), {"k": 9}, "different rows than k=9, got 9"),
    ],
)
def test_dimensions_refuse(measure, x, options, words):
    with pytest.raises(ValueError, match=words):
        measure(x, **options)


def test_graphs_that_cannot_tell_are_refused(rng):
    x = rng.normal(size=(50, 3))
    with pytest.raises(ValueError, match="cosine"):
        two_nn(knn_graph(x, k=9))
    with pytest.raises(ValueError, match="no copies"):
        two_nn(knn_graph(np.vstack([x, x[:1], x[:1]]), k=3, metric="euclidean"))
    assert two_nn(knn_graph(x, k=2, metric="euclidean")).value.high == math.inf


@pytest.mark.parametrize("measure", [two_nn, lambda x: mle_dimension(x, k=8)])
def test_intervals_cover_the_mean_over_samples(measure, monkeypatch):
    """300 samples of 6 clusters with a decaying spectrum: 93 % or more, less the binomial margin of 3 points."""
    monkeypatch.setattr("workbench.diagnostics.dimension.HALVINGS", 0)  # curves are not looked at here
    rng = np.random.default_rng(11)
    centres, scales = 4 * rng.normal(size=(6, 6)), np.arange(1, 7) ** -0.5
    found = [measure(centres[rng.integers(0, 6, 120)] + rng.normal(size=(120, 6)) * scales).value for _ in range(300)]
    truth = np.mean([e.value for e in found])
    assert np.mean([e.low <= truth <= e.high for e in found]) > 0.9
