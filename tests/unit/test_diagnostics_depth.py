"""Depths against loops over pairs, the published package's arithmetic, scikit-learn and scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr
from sklearn.covariance import ledoit_wolf, ledoit_wolf_shrinkage

from workbench.diagnostics.depth import chord_error, mahalanobis_depth, tte_depth

LARGEST = {"cosine": 2, "chord": 2, "angular": math.pi}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def units(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def distances(x, y, distance):
    """All pairs, without a product: cdist subtracts rows, and the half-angle keeps its digits near 0 and pi."""
    chord = cdist(units(x), units(y))
    if distance == "angular":
        return 2 * np.arctan2(chord, cdist(units(x), -units(y)))
    return chord if distance == "chord" else chord**2 / 2


def by_definition(x, reference=None, *, distance="cosine"):
    apart = distances(x, x if reference is None else reference, distance)
    if reference is None:
        np.fill_diagonal(apart, 0)
        return LARGEST[distance] - apart.sum(axis=1) / (len(x) - 1)
    return LARGEST[distance] - apart.mean(axis=1)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(2, 40),
    m=st.integers(1, 40),
    d=st.integers(1, 9),
    distance=st.sampled_from(list(LARGEST)),
    seed=st.integers(0, 999),
)
def test_depth_is_the_pairwise_definition(n, m, d, distance, seed):
    x, y = np.split(np.random.default_rng(seed).normal(size=(n + m, d)) + 0.3, [n])
    assert tte_depth(x, distance=distance) == pytest.approx(by_definition(x, distance=distance), abs=1e-9)
    assert tte_depth(x, y, distance=distance) == pytest.approx(by_definition(x, y, distance=distance), abs=1e-9)


@pytest.mark.parametrize("distance", LARGEST)
def test_more_rows_than_one_tile(rng, distance):
    x, y = rng.normal(size=(2500, 3)) + 0.3, rng.normal(size=(2100, 3))
    assert tte_depth(x, distance=distance) == pytest.approx(by_definition(x, distance=distance), abs=1e-9)
    assert tte_depth(x, y, distance=distance) == pytest.approx(by_definition(x, y, distance=distance), abs=1e-9)


def published(f, g, distance):
    """Arithmetic of the tte_depth package, 1.0.0, for corpora of unequal sizes (with equal ones it averages rows)."""
    assert len(f) != len(g)
    apart = np.array([[distance(a, b) for b in g] for a in f])
    return 2 - apart.mean(axis=0)


def test_depths_of_a_second_corpus_are_those_of_the_published_package(rng):
    f, g = units(rng.normal(size=(30, 8)) + 0.3), units(rng.normal(size=(20, 8)))
    from scipy.spatial.distance import cosine

    assert tte_depth(g, f) == pytest.approx(published(f, g, cosine), abs=1e-12)
    chords = published(f, g, lambda a, b: math.sqrt(2 * (1 - a @ b)))
    assert tte_depth(g, f, distance="chord") == pytest.approx(chords, abs=1e-12)


@pytest.mark.parametrize("distance", LARGEST)
def test_duplicates_and_opposite_rows_keep_their_digits(rng, distance):
    row = rng.normal(size=(1, 50))
    same = np.repeat(row, 30, axis=0) * np.linspace(0.1, 7, 30)[:, None]
    assert tte_depth(same, distance=distance) == pytest.approx(np.full(30, LARGEST[distance]), abs=1e-12)
    assert tte_depth(-row, same, distance=distance) == pytest.approx([0], abs=1e-9)
    near = row + 1e-7 * rng.normal(size=(30, 50))
    assert tte_depth(near, distance=distance) == pytest.approx(by_definition(near, distance=distance), abs=1e-12)


def test_depths_of_an_isotropic_cloud(rng):
    x = rng.normal(size=(3000, 100))
    assert tte_depth(x).mean() == pytest.approx(1, abs=0.01)
    assert tte_depth(x, distance="chord").mean() == pytest.approx(2 - math.sqrt(2), abs=0.01)
    assert tte_depth(x, distance="angular").mean() == pytest.approx(math.pi / 2, abs=0.01)


def test_cosine_depth_ranks_as_the_projection_on_the_mean_and_chord_nearly_so(rng):
    x = rng.normal(size=(300, 30)) + 0.5
    along = units(x) @ units(x).mean(axis=0)
    assert spearmanr(tte_depth(x), along)[0] == pytest.approx(1, abs=1e-12)
    assert 0.95 < spearmanr(tte_depth(x, distance="chord"), along)[0] < 1


@pytest.mark.parametrize("distance", LARGEST)
@pytest.mark.parametrize("move", ["rotate", "scale rows", "duplicate reference", "shift", "duplicate corpus"])
def test_what_leaves_depth_unmoved(rng, distance, move):
    x, y = rng.normal(size=(30, 6)), rng.normal(size=(25, 6))
    q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    lengths = np.linspace(0.5, 4, 30)[:, None]
    before, after = {
        "rotate": (tte_depth(x, y, distance=distance), tte_depth(x @ q, y @ q, distance=distance)),
        "scale rows": (tte_depth(x, distance=distance), tte_depth(x * lengths, distance=distance)),
        "duplicate reference": (
            tte_depth(x, y, distance=distance),
            tte_depth(x, np.repeat(y, 3, axis=0), distance=distance),
        ),
        "shift": (tte_depth(x, distance=distance), tte_depth(x + 1, distance=distance)),
        "duplicate corpus": (tte_depth(x, distance=distance), tte_depth(np.tile(x, (2, 1)), distance=distance)[:30]),
    }[move]
    assert np.allclose(before, after, atol=1e-9) is (move not in {"shift", "duplicate corpus"})


def test_depth_follows_the_order_of_the_rows(rng):
    x, order = rng.normal(size=(30, 4)), rng.permutation(30)
    assert tte_depth(x[order], distance="chord") == pytest.approx(tte_depth(x, distance="chord")[order], abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("distance", LARGEST)
def test_every_precision(rng, dtype, distance):
    x = torch.tensor(rng.normal(size=(40, 6)) + 0.5).to(dtype)
    found = tte_depth(x, distance=distance)
    assert found.dtype == np.float64
    assert found == pytest.approx(by_definition(x.double().numpy(), distance=distance), abs=1e-9)


def test_a_common_mean_of_a_million(rng):
    x = rng.normal(size=(50, 4)) + 1e6
    for distance in LARGEST:
        assert tte_depth(x, distance=distance) == pytest.approx(by_definition(x, distance=distance), abs=1e-9)
    centred = x - x.mean(axis=0)
    assert mahalanobis_depth(x) == pytest.approx(mahalanobis_depth(centred), abs=1e-9)


@pytest.mark.parametrize("inside", [True, False])
def test_the_quadratic_chord_depth_is_close_and_its_error_is_what_it_says(rng, inside):
    x = rng.normal(size=(600, 64)) / np.sqrt(np.arange(1, 65)) + 0.15
    y = None if inside else rng.normal(size=(500, 64)) / np.sqrt(np.arange(1, 65)) + 0.15
    quick = tte_depth(x, y, distance="chord", approximate=True)
    exact = by_definition(x, y, distance="chord")
    error = np.abs(quick - exact).max()
    assert chord_error(x, y, sample=None) == pytest.approx(error, abs=1e-9)
    assert 0 < chord_error(x, y, sample=100) <= error + 1e-12
    assert error < 0.01
    assert spearmanr(quick, exact)[0] > 0.999


def test_the_quadratic_is_exact_where_cosines_take_three_values():
    cross = np.concatenate([np.eye(4), -np.eye(4)])  # cosines 1, 0 and -1: a parabola passes through three points
    assert chord_error(cross, cross) == pytest.approx(0, abs=1e-9)
    assert chord_error(cross) == pytest.approx(0, abs=1e-9)


def mahalanobis_by_hand(x, base, s):
    c = np.cov(base.T, bias=True).reshape(x.shape[1], -1)
    c = (1 - s) * c + s * np.trace(c) / len(c) * np.eye(len(c))
    apart = x - base.mean(axis=0)
    return 1 / (1 + np.einsum("ij,jk,ik->i", apart, np.linalg.inv(c), apart))


@settings(max_examples=30, deadline=None)
@given(n=st.integers(3, 60), m=st.integers(1, 20), d=st.integers(1, 12), seed=st.integers(0, 999))
def test_mahalanobis_depth_is_that_of_scikit_learns_shrunk_covariance(n, m, d, seed):
    rng = np.random.default_rng(seed)
    base, x = rng.normal(size=(n, d)) * np.arange(1, d + 1) + 2, rng.normal(size=(m, d))
    s = ledoit_wolf_shrinkage(base)
    if d > 1:
        assert ledoit_wolf(base)[1] == pytest.approx(s)
    assert mahalanobis_depth(base) == pytest.approx(mahalanobis_by_hand(base, base, s), abs=1e-9)
    assert mahalanobis_depth(x, base) == pytest.approx(mahalanobis_by_hand(x, base, s), abs=1e-9)
    assert mahalanobis_depth(x, base, shrinkage=0.4) == pytest.approx(mahalanobis_by_hand(x, base, 0.4), abs=1e-9)


def test_mahalanobis_depth_of_a_gaussian(rng):
    x = rng.normal(size=(20_000, 5)) @ rng.normal(size=(5, 5)) + 3
    inverse = 1 / mahalanobis_depth(x, shrinkage=0) - 1
    assert inverse.mean() == pytest.approx(5, abs=1e-9)  # the mean squared distance inside a corpus is d exactly
    assert mahalanobis_depth(x.mean(axis=0)[None], x) == pytest.approx([1], abs=1e-12)


@pytest.mark.parametrize("move", ["rotate", "shift", "scale all", "tiny", "scale rows", "stretch"])
def test_what_leaves_mahalanobis_depth_unmoved(rng, move):
    x = rng.normal(size=(40, 5)) * np.arange(1, 6)
    q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    moves = {
        "rotate": x @ q,
        "shift": x + 7,
        "scale all": 1e90 * x,  # fourth powers would overflow
        "tiny": 1e-90 * x,
        "scale rows": x * np.linspace(0.5, 4, 40)[:, None],
        "stretch": x * np.arange(1, 6),
    }
    same = np.allclose(mahalanobis_depth(moves[move]), mahalanobis_depth(x), atol=1e-9)
    assert same is (move not in {"scale rows", "stretch"})
    if move == "stretch":  # unshrunk it is affine invariant
        stretched = mahalanobis_depth(moves[move], shrinkage=0)
        assert stretched == pytest.approx(mahalanobis_depth(x, shrinkage=0), abs=1e-9)


@pytest.mark.parametrize(
    ("x", "reference", "options", "words"),
    [
        (np.ones((1, 3)), None, {}, "2 rows"),
        (np.array([[1.0, 1], [0, 0]]), None, {}, "x: row 1 is zero"),
        (np.array([[1.0, 1], [0, 0]]), None, {"distance": "chord"}, "x: row 1 is zero"),
        (np.ones((2, 2)), np.array([[1.0, 1], [0, 0]]), {}, "reference: row 1 is zero"),
        (np.ones((2, 2)), np.array([[1.0, 1], [np.nan, 0]]), {}, "reference: row 1"),
        (np.ones((2, 2)), np.ones((2, 3)), {}, "as many columns, got 2 and 3"),
        (np.ones((2, 2)), None, {"distance": "euclid"}, "euclid"),
        (np.ones((2, 2)), None, {"distance": "angular", "approximate": True}, "angular"),
    ],
)
def test_tte_depth_refuses(x, reference, options, words):
    with pytest.raises(ValueError, match=words):
        tte_depth(x, reference, **options)


@pytest.mark.parametrize(
    ("x", "reference", "options", "words"),
    [
        (np.ones((1, 3)), None, {}, "2 rows"),
        (np.ones((3, 3)), np.ones((1, 3)), {}, "reference needs at least 2"),
        (np.array([[1.0, 1], [np.inf, 0]]), None, {}, "row 1"),
        (np.ones((4, 2)), None, {}, "singular"),
        (np.eye(4), None, {"shrinkage": 0}, "4 rows in 4 columns is singular"),
        (np.eye(4), None, {"shrinkage": 1.5}, "shrinkage"),
        (np.eye(4), None, {"shrinkage": math.nan}, "shrinkage"),
        (np.ones((2, 2)), np.ones((2, 3)), {}, "as many columns"),
    ],
)
def test_mahalanobis_depth_refuses(x, reference, options, words):
    with pytest.raises(ValueError, match=words):
        mahalanobis_depth(x, reference, **options)


def test_chord_error_refuses():
    with pytest.raises(ValueError, match="at least 2"):
        chord_error(np.eye(3), sample=1)
    with pytest.raises(ValueError, match="as many columns"):
        chord_error(np.eye(3), np.eye(4))


@pytest.mark.parametrize("measure", [tte_depth, mahalanobis_depth, chord_error])
def test_they_refuse_what_is_no_array(measure):
    with pytest.raises(TypeError, match="masked"):
        measure(np.ma.masked_array(np.ones((3, 2))))
