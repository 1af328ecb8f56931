"""Mean cosine, length profile and sigma_a against loops, closed forms and invariances."""

import math

import numpy as np
import pytest
import torch

from workbench.diagnostics import length_profile, mean_cosine, sigma_a, sigma_a_gaussian


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def pairwise_cosine(x):
    """By the definition: a loop over all pairs of distinct rows."""
    total, n = 0.0, len(x)
    for i in range(n):
        for j in range(n):
            if i != j:
                total += x[i] @ x[j] / math.sqrt((x[i] @ x[i]) * (x[j] @ x[j]))
    return total / (n * (n - 1))


@pytest.mark.parametrize(("n", "d"), [(2, 3), (7, 1), (30, 5), (50, 80)])
def test_mean_cosine_is_the_mean_over_all_pairs(rng, n, d):
    x = rng.normal(size=(n, d)) + 0.3
    assert mean_cosine(x).value == pytest.approx(pairwise_cosine(x), abs=1e-12)


def test_mean_cosine_of_rows_in_one_direction_is_one_and_of_two_opposite_rows_minus_one():
    assert mean_cosine(np.outer([1.0, 2.0, 5.0], [1.0, 1.0])).value == pytest.approx(1)
    assert mean_cosine(np.array([[1.0, 0.0], [-2.0, 0.0]])).value == pytest.approx(-1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_mean_cosine_takes_tensors_of_every_precision(rng, dtype):
    x = torch.tensor(rng.normal(size=(40, 8)) + 0.5).to(dtype)
    assert mean_cosine(x).value == pytest.approx(pairwise_cosine(x.double().numpy()), abs=1e-9)


MOVES = {
    "rotate": lambda x, q: x @ q,
    "scale rows": lambda x, _q: x * np.linspace(0.5, 4, len(x))[:, None],
    "shift": lambda x, _q: x + 3,
}


@pytest.mark.parametrize(("move", "moved"), [("rotate", False), ("scale rows", False), ("shift", True)])
def test_what_leaves_mean_cosine_unmoved(rng, move, moved):
    x = rng.normal(size=(40, 6))
    q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    same = mean_cosine(MOVES[move](x, q)).value == pytest.approx(mean_cosine(x).value, abs=1e-9)
    assert same is not moved


def test_the_jackknife_of_mean_cosine_is_that_of_the_pairwise_definition(rng):
    x = rng.normal(size=(24, 4)) + 0.4
    blocks = np.repeat(np.arange(6), 4)
    left_out = np.array([pairwise_cosine(x[blocks != b]) for b in range(6)])
    error = math.sqrt(5 / 6 * ((left_out - pairwise_cosine(x)) ** 2).sum())
    assert mean_cosine(x, blocks=blocks).standard_error == pytest.approx(error, rel=1e-9)


def test_too_few_blocks_leave_the_interval_open(rng):
    found = mean_cosine(rng.normal(size=(8, 3)), blocks=np.array([0, 0, 1, 1, 2, 2, 3, 3]))
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_the_blocks_of_a_row_do_not_depend_on_the_other_rows(rng):
    from workbench.diagnostics.cosine import index_hash

    assert (index_hash(np.arange(50)) == index_hash(np.arange(500))[:50]).all()
    counts = np.bincount((index_hash(np.arange(20_000)) % np.uint64(20)).astype(int))
    assert counts.min() > 850  # binomial: 1000 +- 31, five standard deviations
    assert counts.max() < 1150


@pytest.mark.parametrize(
    ("x", "blocks", "words"),
    [
        (np.ones((1, 3)), None, "2"),
        (np.array([[1.0, 1], [0, 0]]), None, "row 1"),
        (np.array([[1.0, 1], [np.nan, 0]]), None, "row 1"),
        (np.ones((4, 2)), np.zeros(3, dtype=int), "4 rows"),
        (np.ones((4, 2)), np.zeros(4), "float64"),
    ],
)
def test_mean_cosine_refuses(x, blocks, words):
    with pytest.raises(ValueError, match=words):
        mean_cosine(x, blocks=blocks)


def nested(rng, n=40, d=16, lengths=(4, 16, 64)):
    """Averages of n random tokens around one mean: their mean cosine rises with length."""
    tokens = rng.normal(size=(n, max(lengths), d)) + 0.3
    return np.stack([tokens[:, :k].mean(axis=1) for k in lengths])


def test_a_profile_holds_the_mean_cosine_of_each_length(rng):
    x = nested(rng)
    profile = length_profile(x, [4, 16, 64])
    assert profile.values == pytest.approx([pairwise_cosine(cut) for cut in x], abs=1e-12)
    assert (np.diff(profile.values) > 0).all()
    flat = length_profile(x.reshape(-1, 16), np.repeat([4, 16, 64], 40), blocks=np.tile(np.arange(40) % 10, 3))
    again = length_profile(x, [4, 16, 64], blocks=np.arange(40) % 10)
    assert flat.replicates == pytest.approx(again.replicates)
    for b in (0, 7):
        kept = np.arange(40) % 10 != b
        assert again.replicates[b] == pytest.approx([pairwise_cosine(cut[kept]) for cut in x])


def test_the_slope_is_numpys_least_squares_slope_on_log_length(rng):
    profile = length_profile(nested(rng), [4, 16, 64])
    assert profile.slope.value == pytest.approx(np.polyfit(np.log([4, 16, 64]), profile.values, 1)[0])
    assert profile.rank_correlation.value == pytest.approx(1)
    assert profile.rise(4, 64).value == pytest.approx(profile.values[2] - profile.values[0])


def test_differences_of_profiles_are_paired(rng):
    x = nested(rng)
    a, b = length_profile(x, [4, 16, 64]), length_profile(x + 0.05, [4, 16, 64])
    assert (a - b).slope.value == pytest.approx(a.slope.value - b.slope.value)
    assert (a - a).slope.standard_error == pytest.approx(0, abs=1e-12)
    assert a.slope_fall(b).value == pytest.approx(1 - b.slope.value / a.slope.value)
    assert a.slope_fall(a).value == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="share"):
        a - length_profile(x[:2], [4, 16])


def test_many_distinct_lengths_are_binned_and_edges_are_kept(rng):
    x, lengths = rng.normal(size=(400, 5)) + 0.5, rng.integers(10, 500, size=400)
    profile = length_profile(x, lengths)
    assert len(profile.values) == 8
    assert profile.counts.sum() == 400
    by_hand = length_profile(x, lengths, edges=np.array([10, 100, 500]))
    short = x[lengths < 100]
    assert by_hand.values[0] == pytest.approx(pairwise_cosine(short))
    assert by_hand.lengths[0] == pytest.approx(np.exp(np.log(lengths[lengths < 100]).mean()))


@pytest.mark.parametrize(
    ("lengths", "edges", "words"),
    [
        ([1, 2], None, "40 rows"),
        ([0] * 40, None, "above 0"),
        ([5] * 40, None, "2 lengths"),
        ([5] * 39 + [6], None, "fewer than 2 rows"),
        ([5] * 20 + [6] * 20, np.array([7.0, 6.0, 5.0]), "rising"),
    ],
)
def test_a_profile_refuses(rng, lengths, edges, words):
    with pytest.raises(ValueError, match=words):
        length_profile(rng.normal(size=(40, 3)), np.array(lengths), edges=edges)


def test_a_length_that_has_no_bin_is_refused(rng):
    with pytest.raises(ValueError, match="no bin of length 5"):
        length_profile(nested(rng), [4, 16, 64]).rise(5, 64)


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_sigma_a_is_numpys_largest_singular_value_without_the_mean_row(rng):
    a = softmax(rng.normal(size=(3, 2, 12, 12)))
    centre = np.eye(12) - 1 / 12
    expected = [[np.linalg.svd(centre @ a[i, j])[1][0] for j in range(2)] for i in range(3)]
    assert sigma_a(a) == pytest.approx(np.array(expected), rel=1e-9)


def test_sigma_a_is_zero_for_equal_rows_and_one_for_the_identity():
    assert sigma_a(np.full((5, 5), 0.2)) == pytest.approx(0, abs=1e-7)
    assert sigma_a(np.eye(7)) == pytest.approx(1)


@pytest.mark.parametrize(
    "a", [np.full((3, 4), 0.25), np.ones((4, 4)), np.full((4, 4), np.nan), np.ones(4), np.ones((1, 1))]
)
def test_sigma_a_refuses_what_is_no_attention_matrix(a):
    with pytest.raises(ValueError, match="attention"):
        sigma_a(a)


def test_the_closed_form_gives_the_values_computed_by_hand():
    # n = 256; worked out with a pocket calculator from sqrt(n / (2 sqrt(1 + exp(-2 s^2)) (n - 1)^1.5 + 1))
    assert sigma_a_gaussian(256, logit_deviation=0.5) == pytest.approx(0.157, abs=5e-4)
    assert sigma_a_gaussian(256, logit_deviation=1.0) == pytest.approx(0.172, abs=5e-4)
    assert sigma_a_gaussian(256, logit_deviation=2.0) == pytest.approx(0.177, abs=5e-4)
    assert sigma_a_gaussian(64, logit_deviation=1.0) > sigma_a_gaussian(256, logit_deviation=1.0)


@pytest.mark.parametrize(("n", "deviation"), [(1, 1.0), (8, 0.0), (8, math.nan), (8, -1.0)])
def test_the_closed_form_refuses(n, deviation):
    with pytest.raises(ValueError, match="got"):
        sigma_a_gaussian(n, logit_deviation=deviation)
