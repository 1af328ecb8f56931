"""The depth rank-sum test against loops over pairs, scipy, and its calibration under the null."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, norm

from tests.unit.test_diagnostics_depth import LARGEST, by_definition, units
from workbench.diagnostics.depth_tests import depth_rank_sum


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def q_by_hand(f, g, distance="cosine"):
    """Pr[D(X, F) <= D(Y, F)] by its definition, a loop over all pairs."""
    inside, outside = by_definition(f, distance=distance), by_definition(g, f, distance=distance)
    return np.mean([[a <= b for b in outside] for a in inside])


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(2, 25),
    m=st.integers(2, 25),
    d=st.integers(2, 6),
    distance=st.sampled_from(list(LARGEST)),
    seed=st.integers(0, 999),
)
def test_q_is_the_share_of_pairs_both_ways(n, m, d, distance, seed):
    f, g = np.split(np.random.default_rng(seed).normal(size=(n + m, d)) + 0.3, [n])
    found = depth_rank_sum(f, g, distance=distance)
    assert found.q_fg.value == pytest.approx(q_by_hand(f, g, distance), abs=1e-9)
    assert found.q_gf.value == pytest.approx(q_by_hand(g, f, distance), abs=1e-9)
    assert (found.n, found.m) == (n, m)


def test_depths_and_p_values_are_those_of_the_definition(rng):
    f, g, r = rng.normal(size=(40, 5)) + 0.5, rng.normal(size=(30, 5)), rng.normal(size=(50, 5)) + 0.5
    found = depth_rank_sum(f, g, reference=r, distance="chord")
    expected = {
        "f_in_f": by_definition(f, distance="chord"),
        "g_in_f": by_definition(g, f, distance="chord"),
        "g_in_g": by_definition(g, distance="chord"),
        "f_in_g": by_definition(f, g, distance="chord"),
        "f_in_reference": by_definition(f, r, distance="chord"),
        "g_in_reference": by_definition(g, r, distance="chord"),
    }
    assert found.depths.keys() == expected.keys()
    for name, depths in expected.items():
        assert found.depths[name] == pytest.approx(depths, abs=1e-9)
    pairs = {"p_fg": ("f_in_f", "g_in_f"), "p_gf": ("g_in_g", "f_in_g"), "p_control": ("f_in_reference",) * 2}
    pairs["p_control"] = ("f_in_reference", "g_in_reference")
    for name, (a, b) in pairs.items():
        p = mannwhitneyu(expected[a], expected[b], alternative="greater", method="asymptotic").pvalue
        assert getattr(found, name) == pytest.approx(p, rel=1e-9)
    shares = [[a <= b for b in expected["g_in_reference"]] for a in expected["f_in_reference"]]
    assert found.q_control.value == pytest.approx(np.mean(shares))
    assert depth_rank_sum(f, g).p_control is None
    assert depth_rank_sum(f, g).q_control is None


def test_a_corpus_that_lies_further_out_and_one_that_lies_tighter(rng):
    f = rng.normal(size=(200, 8)) + 0.6
    out = depth_rank_sum(f, rng.normal(size=(200, 8)) * 2 + 0.6)
    assert out.q_fg.high < 0.5
    assert out.p_fg < 1e-3
    tight = depth_rank_sum(f, rng.normal(size=(200, 8)) * 0.3 + 0.6)
    assert tight.q_fg.low > 0.5
    assert tight.p_fg > 0.99  # one-sided: only the other direction shows it
    assert tight.p_gf < 1e-3


def test_corpora_of_one_size_far_apart_have_q_zero():
    f = np.array([[1, 0.1 * k] for k in range(5)])
    found = depth_rank_sum(f, -f)  # the package that swaps rows and columns gives 0.25 here
    assert found.q_fg.value == found.q_gf.value == 0


def test_ties_count_and_equal_depths_are_no_evidence():
    found = depth_rank_sum(np.ones((6, 2)), np.ones((7, 2)), distance="chord")
    assert found.q_fg.value == 1
    assert found.p_fg == found.p_gf == 1


@pytest.mark.parametrize("distance", LARGEST)
def test_the_jackknife_recomputes_depths_without_the_block(rng, distance):
    f, g = rng.normal(size=(30, 4)) + 0.5, rng.normal(size=(24, 4)) + 0.3
    blocks = rng.integers(0, 6, size=54)
    found = depth_rank_sum(f, g, distance=distance, blocks=blocks)
    for one, (a, b), (la, lb) in (
        (found.q_fg, (f, g), (blocks[:30], blocks[30:])),
        (found.q_gf, (g, f), (blocks[30:], blocks[:30])),
    ):
        left_out = np.array([q_by_hand(a[la != k], b[lb != k], distance) for k in range(6)])
        error = math.sqrt(5 / 6 * ((left_out - q_by_hand(a, b, distance)) ** 2).sum())
        assert one.standard_error == pytest.approx(error, rel=1e-9)


def test_the_jackknife_of_the_control_keeps_the_reference_whole(rng):
    f, g, r = rng.normal(size=(30, 4)) + 0.5, rng.normal(size=(24, 4)) + 0.3, rng.normal(size=(20, 4)) + 0.5
    blocks = rng.integers(0, 6, size=54)
    a, b = by_definition(f, r), by_definition(g, r)

    def share(x, y):
        return np.mean(x[:, None] <= y)

    left_out = np.array([share(a[blocks[:30] != k], b[blocks[30:] != k]) for k in range(6)])
    error = math.sqrt(5 / 6 * ((left_out - share(a, b)) ** 2).sum())
    found = depth_rank_sum(f, g, reference=r, blocks=blocks)
    assert found.q_control.standard_error == pytest.approx(error, rel=1e-9)


def test_what_leaves_it_unmoved(rng):
    f, g = rng.normal(size=(40, 5)) + 0.3, rng.normal(size=(30, 5)) + 0.2
    q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    blocks = rng.integers(0, 8, size=70)
    base = depth_rank_sum(f, g, blocks=blocks)
    order = np.concatenate([rng.permutation(40), 40 + rng.permutation(30)])
    moved = np.concatenate([f, g])[order]
    turned, mixed = (
        depth_rank_sum(f @ q, 3 * g @ q, blocks=blocks),
        depth_rank_sum(moved[:40], moved[40:], blocks=blocks[order]),
    )
    for same in (turned, mixed):
        assert same.p_fg == pytest.approx(base.p_fg, rel=1e-9)
        assert same.q_fg.low == pytest.approx(base.q_fg.low, abs=1e-9)
    assert depth_rank_sum(f + 1, g + 1).p_fg != pytest.approx(base.p_fg, rel=1e-3)


def test_too_few_blocks_or_rows_leave_the_interval_open(rng):
    f, g = rng.normal(size=(2, 10, 3))
    for found in (depth_rank_sum(f, g, blocks=np.arange(20) % 4), depth_rank_sum(f[:2], g[:2])):
        assert (found.q_fg.low, found.q_fg.high) == (-math.inf, math.inf)


def rejected(n, d, mean, times):
    """Shares of the p-values below 0.05 where nothing is there: as they are, of the control, and texts kept in."""
    rng, one_block = np.random.default_rng(0), np.zeros(2 * n, dtype=int)
    correct, keeping, control = [], [], []
    for _ in range(times):
        f, g, r = units(rng.normal(size=(3 * n, d)) + mean).reshape(3, n, d)
        found = depth_rank_sum(f, g, reference=r, blocks=one_block)
        correct += [found.p_fg, found.p_gf]
        control.append(found.p_control)
        inside = f @ f.mean(axis=0)  # the text itself kept in its own mean
        keeping.append(mannwhitneyu(inside, g @ f.mean(axis=0), alternative="greater", method="asymptotic").pvalue)
    return [np.mean(np.array(p) < 0.05) for p in (correct, control, keeping)]


def nominal(mean):
    return 0.05 if mean else norm.sf(norm.isf(0.05) / math.sqrt(1.5))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d", "mean"), [(50, 384, 0.3), (100, 64, 0.3), (100, 64, 0.0)])
def test_two_halves_of_one_cloud_are_rejected_at_the_nominal_rate(n, d, mean):
    rate, control, keeping = rejected(n, d, mean, 400)
    assert abs(rate - nominal(mean)) < 0.03  # 800 p-values, two by two dependent: three binomial errors or so
    assert 0.02 <= control <= 0.09
    assert mean or keeping > 0.4


@pytest.mark.parametrize("mean", [0.3, 0.0])
def test_few_halves_of_one_cloud_are_rejected_at_about_the_nominal_rate(mean):
    rate, control, keeping = rejected(50, 32, mean, 60)
    assert abs(rate - nominal(mean)) < 0.075  # 120 p-values, two by two dependent: three binomial errors or so
    assert control <= 0.14
    assert mean or keeping > 0.3


@pytest.mark.parametrize(
    ("f", "g", "options", "words"),
    [
        (np.ones((1, 3)), np.ones((3, 3)), {}, "f needs at least 2"),
        (np.ones((3, 3)), np.ones((1, 3)), {}, "g needs at least 2"),
        (np.array([[1.0, 1], [0, 0]]), np.ones((3, 2)), {}, "f: row 1 is zero"),
        (np.ones((3, 2)), np.array([[1.0, 1], [0, 0]]), {}, "g: row 1 is zero"),
        (np.ones((3, 2)), np.ones((3, 2)), {"reference": np.zeros((1, 2))}, "reference: row 0 is zero"),
        (np.ones((3, 2)), np.array([[1.0, 1], [np.nan, 0]]), {}, "g: row 1"),
        (np.ones((3, 2)), np.ones((3, 3)), {}, "as many columns"),
        (np.ones((3, 2)), np.ones((3, 2)), {"reference": np.ones((2, 5))}, "as many columns"),
        (np.ones((3, 2)), np.ones((3, 2)), {"distance": "euclid"}, "euclid"),
        (np.ones((3, 2)), np.ones((3, 2)), {"blocks": np.zeros(3, dtype=int)}, "6 rows"),
    ],
)
def test_it_refuses(f, g, options, words):
    with pytest.raises(ValueError, match=words):
        depth_rank_sum(f, g, **options)


def test_it_refuses_what_is_no_array():
    with pytest.raises(TypeError, match="masked"):
        depth_rank_sum(np.ones((3, 2)), np.ma.masked_array(np.ones((3, 2))))
