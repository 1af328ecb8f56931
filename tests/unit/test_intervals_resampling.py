import math

import numpy as np
import pytest
from scipy import stats

from workbench.intervals import bootstrap, holm, permutation_test, permutation_tests


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_the_bootstrap_is_the_bca_of_scipy_at_the_expanded_level(rng):
    n = 40
    x = rng.gamma(2.0, size=n)
    got = bootstrap(x, lambda v: v.mean(), rng=rng, resamples=20_000, definition="mean")
    level = 2 * stats.norm.cdf(stats.t.ppf(0.975, n - 1) * math.sqrt(n / (n - 1))) - 1
    peer = stats.bootstrap((x,), np.mean, n_resamples=20_000, confidence_level=level, method="BCa", rng=rng)
    width = peer.confidence_interval.high - peer.confidence_interval.low
    # quantiles of 20,000 draws: a standard error of about 1 % of the width in each
    assert got.low == pytest.approx(peer.confidence_interval.low, abs=0.04 * width)
    assert got.high == pytest.approx(peer.confidence_interval.high, abs=0.04 * width)
    assert got.standard_error == pytest.approx(peer.standard_error, rel=0.03)
    assert (got.n, got.unit) == (40, "item")


def test_the_bootstrap_is_the_formula_of_the_paper(rng):
    n, x = 31, rng.gamma(1.0, size=31)
    e = bootstrap(x, lambda v: v.mean(), rng=np.random.default_rng(9), resamples=500, definition="mean")
    again = np.random.default_rng(9)
    draws = np.array([x[again.integers(0, n, n)].mean() for _ in range(500)])
    bias = stats.norm.ppf(np.mean(draws < x.mean()))
    # for a mean the acceleration is a sixth of the skewness of the sample over the root of n
    acceleration = stats.skew(x) / (6 * math.sqrt(n))
    ends = bias + np.array([-1, 1]) * stats.t.ppf(0.975, n - 1) * math.sqrt(n / (n - 1))
    expected = np.quantile(draws, stats.norm.cdf(bias + ends / (1 - acceleration * ends)))
    assert (e.low, e.high) == pytest.approx(tuple(expected), rel=1e-9)


def test_the_bootstrap_draws_rows_of_pairs_together(rng):
    pairs = np.repeat(rng.normal(size=(50, 1)), 2, axis=1)
    e = bootstrap(pairs, lambda v: np.corrcoef(v.T)[0, 1].round(12), rng=rng, resamples=100, definition="r")
    assert (e.low, e.high) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("items", "resamples", "rule"),
    [
        (np.arange(29.0), 2000, r"at least 30 long, got shape \(29,\)"),
        (np.arange(30.0), 99, "at least 100 resamples, got 99"),
        (np.r_[np.arange(30.0), math.nan], 2000, r"finite, got nan at \[30\]"),
    ],
)
def test_bootstrap_refuses(items, resamples, rule, rng):
    with pytest.raises(ValueError, match=rule):
        bootstrap(items, lambda v: v.mean(), rng=rng, resamples=resamples, definition="d")


def test_bootstrap_refuses_a_statistic_without_a_value(rng):
    with pytest.raises(ValueError, match="finite on every resample"):
        bootstrap(np.arange(30.0), lambda _: math.nan, rng=rng, definition="d")


def test_bootstrap_refuses_a_statistic_outside_its_resamples(rng):
    x = np.arange(40.0)
    with pytest.raises(ValueError, match="lies outside its resamples"):
        bootstrap(x, lambda v: float(len(set(v.tolist()))), rng=rng, resamples=100, definition="distinct")


@pytest.mark.parametrize("n", [2, 5, 12])
def test_all_flips_give_the_p_of_scipy(n, rng):
    d = rng.normal(0.4, 1, n)
    # all 2^n flips: n_resamples above that count makes scipy enumerate them
    peer = stats.permutation_test((d, np.zeros(n)), lambda a, b: np.mean(a - b), permutation_type="samples",
                                  n_resamples=10_000, vectorized=False)  # fmt: skip
    assert permutation_test(d, rng=rng) == pytest.approx(peer.pvalue, rel=1e-12)


def test_many_differences_give_nearly_the_p_of_t(rng):
    d = rng.normal(0.25, 1, 60)
    assert permutation_test(d, rng=rng, resamples=20_000) == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.01)


def test_equal_differences_have_the_smallest_p():
    rng = np.random.default_rng(0)
    assert permutation_test([0.1] * 4, rng=rng) == 2 / 16  # all plus and all minus
    assert permutation_test([0.0] * 30, rng=rng) == 1.0
    assert permutation_test([0.1] * 60, rng=rng, resamples=999) == 1 / 1000


def test_equal_sums_count_as_equal_though_they_round_apart(rng):
    # 0.1 + 0.2 - 0.3 + 0.4 and -0.1 - 0.2 + 0.3 + 0.4 are both 0.4, in whole tenths
    assert permutation_test([0.1, 0.2, -0.3, 0.4], rng=rng) == permutation_test([1, 2, -3, 4], rng=rng) == 10 / 16


@pytest.mark.parametrize(("d", "resamples"), [([], 1000), ([[1.0]], 1000), ([math.nan], 1000), ([1.0], 99)])
def test_permutation_test_refuses(d, resamples, rng):
    with pytest.raises(ValueError, match=r"at least|finite"):
        permutation_test(d, rng=rng, resamples=resamples)


def test_holm_steps_down():
    # by hand: 4 x .005 = .02, 3 x .01 = .03, 2 x .03 = .06, 1 x .04 raised to .06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("p", [[], [[0.1]], [1.1], [-0.1], [math.nan]])
def test_holm_refuses(p):
    with pytest.raises(ValueError, match=r"p_values|p-values"):
        holm(p)


@pytest.mark.parametrize(("n", "resamples"), [(5, 100), (12, 100), (13, 300), (900, 2500)])
def test_many_columns_at_once_have_the_p_of_a_loop(n, resamples, rng):
    """Flip by flip, with the signs of the same generator, above 12 differences; all flips up to there."""
    d = rng.normal(0.1, 1, (n, 4))
    d[:, 1] = np.round(d[:, 1])  # ties
    if n <= 12:
        signs = np.array([[1 - 2 * (flip >> i & 1) for i in range(n)] for flip in range(2**n)])
    else:
        again = np.random.default_rng(3)
        step = 2_000_000 // n
        parts = [
            again.integers(0, 2, (min(step, resamples - at), n), dtype=np.int8) for at in range(0, resamples, step)
        ]
        signs = 1.0 - 2 * np.concatenate(parts)
    expected, halved = [], []
    for column in d.T:
        observed = abs(math.fsum(column))
        sums = [abs(math.fsum(row * column)) for row in signs]
        above = sum(s > observed + 1e-9 for s in sums)
        tied = sum(abs(s - observed) <= 1e-9 for s in sums)
        one = n > 12  # the data themselves
        expected.append((above + tied + one) / (len(sums) + one))
        half = 0.5 if observed > 1e-9 else 1
        halved.append((above + half * (tied + one)) / (len(sums) + one))
    got = permutation_tests(d, rng=np.random.default_rng(3), resamples=resamples)
    assert got == pytest.approx(expected, rel=1e-12)
    mid = permutation_tests(d, rng=np.random.default_rng(3), resamples=resamples, mid=True)
    assert mid == pytest.approx(halved, rel=1e-12)


def test_mid_p_of_right_and_wrong_is_that_of_the_binomial():
    # 9 of 10 discordant items favour one side: the sign test's tail, its last step counted half
    d = np.array([1.0] * 9 + [-1.0] + [0.0] * 2)[:, None]
    rng = np.random.default_rng(0)
    above, at = stats.binom.sf(9, 10, 0.5), stats.binom.pmf(9, 10, 0.5)
    assert permutation_tests(d, rng=rng, mid=True)[0] == pytest.approx(2 * (above + at / 2), rel=1e-12)
    assert permutation_tests(d, rng=rng)[0] == pytest.approx(stats.binomtest(9, 10).pvalue, rel=1e-12)


@pytest.mark.parametrize("mid", [False, True])
def test_columns_without_a_difference_have_p_1(mid, rng):
    d = np.zeros((40, 2))
    d[:2, 1] = [0.5, -0.5]
    assert permutation_tests(d, rng=rng, resamples=200, mid=mid).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("tied", [False, True])
def test_five_thousand_null_pairs_are_told_apart_in_one_case_of_twenty(tied):
    """200 items, two systems of equal quality: both tests reject at 0.05 in 4.2 to 5.8 % of cases.

    5,000 cases have a standard error of 0.31 points; the band is 2.6 of them on either side.
    """
    rng = np.random.default_rng(17)
    easy = rng.normal(size=(200, 5000))
    a, b = (easy + rng.gamma(1.0, size=easy.shape) for _ in range(2))
    if tied:
        a, b = (a > 0.7).astype(float), (b > 0.7).astype(float)
    p = permutation_tests(a - b, rng=rng, resamples=2000, mid=True)
    assert 0.042 <= np.mean(p < 0.05) <= 0.058
    assert 0.042 <= np.mean(stats.ttest_rel(a, b).pvalue < 0.05) <= 0.058


@pytest.mark.parametrize(
    ("d", "resamples", "rule"),
    [
        (np.zeros(3), 1000, "2 axes"),
        (np.zeros((0, 2)), 1000, "at least 1 x 1"),
        (np.zeros((3, 0)), 1000, "at least 1 x 1"),
        (np.array([[math.nan]]), 1000, "finite, got nan"),
        (np.zeros((3, 2)), 99, "at least 100 resamples, got 99"),
    ],
)
def test_permutation_tests_refuses(d, resamples, rule, rng):
    with pytest.raises(ValueError, match=rule):
        permutation_tests(d, rng=rng, resamples=resamples)
