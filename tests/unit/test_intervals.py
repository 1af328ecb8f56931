import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from workbench.intervals import (
    Estimate,
    blocks_of,
    jackknife,
    jackknife_replicates,
    mean_interval,
    seed_block_interval,
    seed_item_interval,
)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def estimate(value=0.2, low=0.1, high=0.3, **given):
    return Estimate(value, low, high, **{"n": 10, "unit": "item", "method": "m", "definition": "d", **given})


def test_an_estimate_reads_as_a_number_and_as_a_text():
    e = estimate(0.12345, 0.1, 0.1461)
    assert float(e) == 0.12345
    assert str(e) == "0.123 [0.100, 0.146]"


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"value": math.nan}, "value must be finite, got nan"),
        ({"value": math.inf}, "value must be finite, got inf"),
        ({"low": 0.4}, r"low must not be above high, got \[0.4, 0.3\]"),
        ({"low": math.nan}, "low must not be above high"),
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"unit": "row"}, "unit must be one of .* got 'row'"),
    ],
)
def test_an_estimate_refuses(given, rule):
    with pytest.raises(ValueError, match=rule):
        estimate(**given)


def test_an_estimate_holds_plain_floats():
    e = estimate(np.float64(0.5), 0, 1)
    assert [type(v) for v in (e.value, e.low, e.high)] == [float, float, float]


def test_the_interval_of_a_mean_is_the_one_of_scipy(rng):
    items = rng.normal(0.3, 1, 17)
    e = mean_interval(items, definition="mean")
    expected = stats.ttest_1samp(items, 0).confidence_interval(0.95)
    assert (e.value, e.low, e.high) == pytest.approx((items.mean(), expected.low, expected.high), rel=1e-12)
    assert (e.n, e.unit, e.degrees_of_freedom) == (17, "item", 16)
    assert e.standard_error == pytest.approx(stats.sem(items), rel=1e-12)


def test_equal_items_leave_no_width():
    e = mean_interval([0.1] * 7, definition="mean")
    assert (e.value, e.low, e.high, e.standard_error) == (0.1, 0.1, 0.1, 0.0)


@pytest.mark.parametrize(
    ("items", "rule"),
    [
        ([1.0], "at least 2 long"),
        ([[1.0, 2.0]], "1 axes, at least 2 long"),
        ([1.0, math.nan], r"items must be finite, got nan at \[1\]"),
        (["a", "b"], "real numbers"),
        ([1j, 2j], "real numbers"),
    ],
)
def test_mean_interval_refuses(items, rule):
    with pytest.raises(ValueError, match=rule):
        mean_interval(items, definition="mean")


def test_seeds_and_items_make_welch_of_the_two_kinds_of_means(rng):
    d = rng.normal(size=(4, 30)) + rng.normal(size=(4, 1)) * 0.3 + 0.5
    e = seed_item_interval(d, definition="difference")
    # Welch's test of the seed means against minus the item means has the same error and degrees of freedom
    welch = stats.ttest_ind(d.mean(axis=1), -d.mean(axis=0), equal_var=False)
    half = stats.t.ppf(0.975, welch.df) * welch._standard_error
    assert (e.low, e.high) == pytest.approx((d.mean() - half, d.mean() + half), rel=1e-10)
    assert e.degrees_of_freedom == pytest.approx(welch.df, rel=1e-10)
    assert (e.n, e.n_seeds, e.unit) == (30, 4, "seed x item")
    assert e.seed_variance == pytest.approx(np.var([row.mean() for row in d], ddof=1), rel=1e-12)


def test_seeds_that_agree_leave_the_interval_of_the_items(rng):
    items = rng.normal(size=25)
    got, alone = seed_item_interval(np.tile(items, (3, 1)), definition="d"), mean_interval(items, definition="d")
    assert (got.low, got.high) == pytest.approx((alone.low, alone.high), rel=1e-9)
    assert got.seed_variance == 0


@pytest.mark.parametrize("shape", [(2, 10), (3, 1), (12,), (3, 2, 2)])
def test_seed_item_interval_refuses(shape):
    with pytest.raises(ValueError, match="differences must have 2 axes, at least"):
        seed_item_interval(np.ones(shape), definition="d")


def test_seed_item_interval_names_the_cell_that_is_not_finite():
    with pytest.raises(ValueError, match=r"got inf at \[1, 2\]"):
        seed_item_interval([[1.0, 2, 3], [1, 2, math.inf], [1, 2, 3]], definition="d")


def test_leaving_out_single_rows_gives_the_error_of_the_mean(rng):
    x = rng.normal(size=12)
    e = jackknife(lambda kept: x[kept].mean(), np.arange(12), definition="mean")
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    assert (e.low, e.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert (e.n, e.unit, e.degrees_of_freedom) == (12, "block", 11)


def test_the_jackknife_of_unequal_blocks_is_the_sum_by_hand(rng):
    x, blocks = rng.gamma(2.0, size=40), rng.permutation(np.repeat([3, 7, 8, 11, 20, 21], [2, 4, 5, 8, 10, 11]))

    def ratio(kept):
        return x[kept].std() / x[kept].mean()

    value = x.std() / x.mean()
    total = 0.0
    for name in (3, 7, 8, 11, 20, 21):
        part = np.array([x[i] for i in range(40) if blocks[i] != name])
        total += (part.std() / part.mean() - value) ** 2
    error = math.sqrt(5 / 6 * total)
    e = jackknife(ratio, blocks, definition="ratio")
    assert e.value == pytest.approx(value, rel=1e-12)
    assert e.standard_error == pytest.approx(error, rel=1e-9)
    assert e.high - e.value == pytest.approx(stats.t.ppf(0.975, 5) * error, rel=1e-9)


def test_a_statistic_that_no_block_moves_has_no_width():
    e = jackknife(lambda _: 0.1, np.repeat(np.arange(5), [1, 2, 3, 4, 5]), definition="constant")
    assert (e.low, e.high) == (0.1, 0.1)


@pytest.mark.parametrize(
    ("blocks", "rule"),
    [
        (np.arange(4), "at least 5 blocks that hold rows, got 4"),
        (np.arange(6.0), "1-D array of integers, got 1-D float64"),
        (np.zeros((5, 2), int), "1-D array of integers, got 2-D"),
    ],
)
def test_jackknife_refuses_blocks(blocks, rule):
    with pytest.raises(ValueError, match=rule):
        jackknife(lambda kept: float(len(kept)), blocks, definition="d")


def test_jackknife_refuses_a_part_without_a_value():
    with pytest.raises(ValueError, match=r"replicates must be finite, got nan at \[2\]"):
        jackknife(lambda kept: math.nan if 2 not in kept else 1.0, np.arange(6), definition="d")


@pytest.mark.parametrize(
    ("replicates", "rule"), [([1.0] * 4, "at least 5"), ([[1.0] * 5], "1 axes"), ([1.0] * 4 + [math.inf], "finite")]
)
def test_jackknife_replicates_refuses(replicates, rule):
    with pytest.raises(ValueError, match=rule):
        jackknife_replicates(1.0, replicates, definition="d")


def test_jackknife_replicates_refuses_a_value_that_is_not_finite():
    with pytest.raises(ValueError, match="value must be finite"):
        jackknife_replicates(math.nan, [1.0] * 5, definition="d")


def test_seeds_and_blocks_add_their_variances(rng):
    x = rng.normal(size=(3, 24)) + rng.normal(size=24) + rng.normal(size=(3, 1))
    blocks = np.repeat(np.arange(6), [2, 3, 3, 4, 5, 7])
    values = x.mean(axis=1)
    replicates = [[row[blocks != b].mean() for b in range(6)] for row in x]
    e = seed_block_interval(values, replicates, definition="mean")
    items = 5 / 6 * sum((x[:, blocks != b].mean() - x.mean()) ** 2 for b in range(6))
    of_seeds = np.var(values, ddof=1) / 3
    freedom = (of_seeds + items) ** 2 / (of_seeds**2 / 2 + items**2 / 5)
    assert e.standard_error == pytest.approx(math.sqrt(of_seeds + items), rel=1e-9)
    assert e.degrees_of_freedom == pytest.approx(freedom, rel=1e-9)
    assert (e.unit, e.n, e.n_seeds) == ("seed x block", 6, 3)
    assert e.high == pytest.approx(values.mean() + stats.t.ppf(0.975, freedom) * e.standard_error, rel=1e-9)


@pytest.mark.parametrize(
    ("values", "replicates", "rule"),
    [
        ([1.0, 2.0], np.ones((3, 5)), "values must have 1 axes, at least"),
        ([1.0, 2.0, 3.0], np.ones((3, 4)), "replicates must have 2 axes"),
        ([1.0, 2.0, 3.0], np.ones((4, 5)), "4 rows for 3 values"),
        ([1.0, 2.0, math.inf], np.ones((3, 5)), "values must be finite"),
    ],
)
def test_seed_block_interval_refuses(values, replicates, rule):
    with pytest.raises(ValueError, match=rule):
        seed_block_interval(values, replicates, definition="d")


def test_blocks_keep_sources_whole_and_even():
    sources = ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d"] * 2 + ["e"] * 2
    blocks = blocks_of(sources, n_blocks=3)
    by_source = {name: {int(b) for s, b in zip(sources, blocks, strict=True) if s == name} for name in "abcde"}
    assert all(len(found) == 1 for found in by_source.values())
    # by hand: a=5 | b=4 | c=3, then the first of d, e joins c (5), the second joins b (6)
    assert sorted(np.bincount(blocks)) == [5, 5, 6]
    assert blocks.dtype == np.int64


def test_blocks_do_not_depend_on_the_order_of_rows(rng):
    sources = np.array([f"source {i % 37}" for i in range(300)])
    order = rng.permutation(300)
    assert (blocks_of(sources)[order] == blocks_of(sources[order])).all()


def test_fewer_sources_fill_fewer_blocks():
    assert set(blocks_of(["a", "b", "c"]).tolist()) == {0, 1, 2}


def test_equal_sources_go_by_the_hash_of_their_names():
    # SHA-256 begins 2e7d for "c", 3e23 for "b", ca97 for "a"
    assert blocks_of(["a", "b", "c"]).tolist() == [2, 1, 0]


@pytest.mark.parametrize(("sources", "n_blocks"), [([], 20), (["a"], 0)])
def test_blocks_of_refuses_nothing(sources, n_blocks):
    with pytest.raises(ValueError, match="at least 1 source and 1 block"):
        blocks_of(sources, n_blocks=n_blocks)


def test_blocks_of_refuses_what_is_no_name():
    with pytest.raises(TypeError, match="row 1: a source must be a string, got int"):
        blocks_of(np.array(["a", 3], dtype=object))


def test_importing_stays_light():
    code = "import sys, workbench.intervals; print({'torch', 'scipy.stats', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
