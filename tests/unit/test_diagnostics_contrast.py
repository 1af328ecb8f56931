"""Alignment and uniformity against loops over pairs, closed forms and invariances."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.special import logsumexp

from workbench.diagnostics.contrast import alignment, uniformity


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def units(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def uniformity_by_pdist(x, t=2.0):
    squares = pdist(units(x), "sqeuclidean")
    return logsumexp(-t * squares) - math.log(len(squares))


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(2, 50), d=st.integers(1, 9), t=st.floats(0.1, 8), n_blocks=st.integers(1, 9), seed=st.integers(0, 999)
)
def test_uniformity_is_scipys_pairwise_mean(n, d, t, n_blocks, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 0.3
    blocks = rng.integers(0, n_blocks, size=n)
    assert uniformity(x, t=t, blocks=blocks).value == pytest.approx(uniformity_by_pdist(x, t), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 50), d=st.integers(1, 9), power=st.floats(0.5, 4), seed=st.integers(0, 999))
def test_alignment_is_the_mean_over_pairs(n, d, power, seed):
    x, y = np.random.default_rng(seed).normal(size=(2, n, d))
    expected = np.mean([math.dist(a, b) ** power for a, b in zip(units(x), units(y), strict=True)])
    assert alignment(x, y, power=power).value == pytest.approx(expected, abs=1e-9)


def test_closed_forms(rng):
    x = rng.normal(size=(30, 6))
    assert uniformity(np.outer([1.0, 2, 3], [1.0, 1])).value == pytest.approx(0, abs=1e-12)
    assert uniformity(np.eye(7)).value == pytest.approx(-4)  # every pair at squared distance 2
    assert alignment(x, 3 * x).value == pytest.approx(0, abs=1e-12)
    assert alignment(x, -x, power=3).value == pytest.approx(8)
    wide, other = rng.normal(size=(2, 1500, 200))
    assert uniformity(wide).value == pytest.approx(-4 + 8 / 200, abs=0.005)
    assert alignment(wide, other).value == pytest.approx(2, abs=0.02)


def test_a_large_t_does_not_underflow(rng):
    x = rng.normal(size=(40, 8))
    assert uniformity(x, t=2000).value == pytest.approx(uniformity_by_pdist(x, 2000), rel=1e-9)
    assert uniformity(x, t=4000).value < -800  # exp of it is 0 in float64


MOVES = ("rotate", "scale rows", "permute", "shift", "duplicate")


@pytest.mark.parametrize("move", MOVES)
def test_what_leaves_them_unmoved(rng, move):
    x, y = rng.normal(size=(2, 40, 6))
    q, order = np.linalg.qr(rng.normal(size=(6, 6)))[0], rng.permutation(40)
    lengths = np.linspace(0.5, 4, 40)[:, None]
    moves = {
        "rotate": lambda z: z @ q,
        "scale rows": lambda z: z * lengths,
        "permute": lambda z: z[order],
        "shift": lambda z: z + 1,
        "duplicate": lambda z: np.repeat(z, 2, axis=0),
    }
    same = uniformity(moves[move](x)).value == pytest.approx(uniformity(x).value, abs=1e-9)
    assert same is (move in {"rotate", "scale rows", "permute"})
    same = alignment(moves[move](x), moves[move](y)).value == pytest.approx(alignment(x, y).value, abs=1e-9)
    assert same is (move != "shift")


def test_the_jackknife_of_uniformity_is_that_of_the_definition(rng):
    x, blocks = rng.normal(size=(42, 4)) + 0.4, rng.integers(0, 7, size=42)
    left_out = np.array([uniformity_by_pdist(x[blocks != b]) for b in range(7)])
    error = math.sqrt(6 / 7 * ((left_out - uniformity_by_pdist(x)) ** 2).sum())
    assert uniformity(x, blocks=blocks).standard_error == pytest.approx(error, rel=1e-9)


def test_the_interval_of_alignment_is_over_items_or_over_blocks(rng):
    x, y = rng.normal(size=(2, 42, 4))
    items = ((units(x) - units(y)) ** 2).sum(axis=1)
    found = alignment(x, y)
    assert (found.n, found.unit) == (42, "item")
    assert found.standard_error == pytest.approx(items.std(ddof=1) / math.sqrt(42), rel=1e-9)
    blocks = rng.integers(0, 7, size=42)
    left_out = np.array([items[blocks != b].mean() for b in range(7)])
    error = math.sqrt(6 / 7 * ((left_out - items.mean()) ** 2).sum())
    found = alignment(x, y, blocks=blocks)
    assert (found.n, found.unit) == (7, "block")
    assert found.standard_error == pytest.approx(error, rel=1e-9)


def test_too_few_blocks_leave_the_intervals_open(rng):
    x, one = rng.normal(size=(8, 3)), np.zeros(8, dtype=int)
    for found in (uniformity(x, blocks=one), alignment(x, -x, blocks=one), uniformity(x[:2])):
        assert (found.low, found.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_precision(rng, dtype):
    x, y = torch.tensor(rng.normal(size=(2, 40, 6)) + 0.5).to(dtype)
    a, b = x.double().numpy(), y.double().numpy()
    assert uniformity(x).value == pytest.approx(uniformity_by_pdist(a), abs=1e-9)
    assert alignment(x, y).value == pytest.approx(((units(a) - units(b)) ** 2).sum(axis=1).mean(), abs=1e-9)


def test_a_sample_is_drawn_by_its_seed_and_said(rng):
    x = rng.normal(size=(300, 4)) + 0.3
    found = uniformity(x, sample=100, seed=3)
    chosen = np.random.default_rng(3).choice(300, 100, replace=False)
    assert found.value == pytest.approx(uniformity_by_pdist(x[chosen]), abs=1e-9)
    assert "100 rows drawn from 300" in found.definition
    assert uniformity(x, sample=None).value == pytest.approx(uniformity_by_pdist(x), abs=1e-9)


def test_blocks_larger_than_one_tile(rng):
    x = rng.normal(size=(4500, 3)) + 0.5
    found = uniformity(x, blocks=(np.arange(4500) > 4400).astype(int))
    assert found.value == pytest.approx(uniformity_by_pdist(x), abs=1e-9)


def population(kind, rng):
    centres = np.random.default_rng(9).normal(size=(4, 16)) * 2
    clouds = {
        "decaying spectrum": lambda: rng.normal(size=(100, 16)) / np.sqrt(np.arange(1, 17)),
        "common mean": lambda: rng.normal(size=(100, 16)) + 0.5,
        "clusters": lambda: rng.normal(size=(100, 16)) + centres[rng.integers(0, 4, 100)],
        "isotropic": lambda: rng.normal(size=(100, 16)),
    }
    return clouds[kind]


@pytest.mark.parametrize("kind", ["decaying spectrum", "common mean", "clusters", "isotropic"])
def test_the_interval_of_uniformity_covers(rng, kind):
    draw = population(kind, rng)
    # a U-statistic: the mean over pairs has the expectation of one pair, taken from 3000 other rows
    truth = uniformity_by_pdist(np.concatenate([draw() for _ in range(30)]))
    found = [uniformity(draw()) for _ in range(300)]
    covered = np.mean([e.low <= truth <= e.high for e in found])
    assert covered >= 0.91  # 95 %, less three binomial errors
    assert covered <= 0.99 or kind == "isotropic"  # conservative there: the leading term of the variance vanishes


@pytest.mark.parametrize(
    ("x", "options", "words"),
    [
        (np.ones((1, 3)), {}, "2 rows"),
        (np.array([[1.0, 1], [0, 0]]), {}, "row 1 is zero"),
        (np.array([[1.0, 1], [np.nan, 0]]), {}, "row 1"),
        (np.ones((4, 2)), {"blocks": np.zeros(3, dtype=int)}, "4 rows"),
        (np.ones((4, 2)), {"t": 0}, "t must be above 0"),
        (np.ones((4, 2)), {"t": math.inf}, "t must be above 0"),
        (np.ones((4, 2)), {"sample": 1}, "at least 2"),
    ],
)
def test_uniformity_refuses(x, options, words):
    with pytest.raises(ValueError, match=words):
        uniformity(x, **options)


@pytest.mark.parametrize(
    ("y", "options", "words"),
    [
        (np.ones((4, 3)), {}, "row by row"),
        (np.ones((5, 2)), {}, "row by row"),
        (np.array([[1.0, 1], [1, 1], [0, 0], [1, 1]]), {}, "y: row 2 is zero"),
        (np.full((4, 2), np.nan), {}, "y: row 0"),
        (np.ones((4, 2)), {"power": 0}, "power"),
        (np.ones((4, 2)), {"power": math.nan}, "power"),
        (np.ones((4, 2)), {"blocks": np.zeros(3, dtype=int)}, "4 rows"),
    ],
)
def test_alignment_refuses(y, options, words):
    with pytest.raises(ValueError, match=words):
        alignment(np.ones((4, 2)), y, **options)


def test_a_zero_row_that_is_not_drawn_is_refused_too():
    x = np.ones((50, 2))
    x[17] = 0
    with pytest.raises(ValueError, match="row 17 is zero"):
        uniformity(x, sample=2, seed=0)


def test_they_refuse_what_is_no_array():
    with pytest.raises(TypeError, match="masked"):
        uniformity(np.ma.masked_array(np.ones((3, 2))))
    with pytest.raises(TypeError, match="masked"):
        alignment(np.ones((3, 2)), np.ma.masked_array(np.ones((3, 2))))
