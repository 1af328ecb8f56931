import math

import numpy as np
import pytest
from scipy import stats

from workbench.intervals import (
    Estimate,
    detectable_effect,
    judge_bound,
    judge_effect,
    mean_interval,
    seed_item_interval,
    seeds_needed,
)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def estimate(value=0.2, low=0.1, high=0.3, **given):
    return Estimate(value, low, high, **{"n": 10, "unit": "item", "method": "m", "definition": "d", **given})


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (-0.2, -0.3, -0.1, "contradicted"),
        (-0.2, -0.4, 0.0, "absent"),  # touching 0 is not below it
        (0.2, 0.1, 0.3, "reproduced"),
        (0.1, 0.05, 0.3, "reproduced"),  # the limit itself is enough
        (0.09, 0.05, 0.3, "weaker"),
        (0.02, 0.0, 0.04, "absent"),  # 0 is inside
        (0.02, -0.04, 0.1, "inconclusive"),  # the limit is not excluded
        (0.3, -0.1, 0.7, "inconclusive"),
        (0.0, 0.0, 0.0, "absent"),
    ],
)
def test_the_verdict_on_an_effect(value, low, high, verdict):
    assert judge_effect(estimate(value, low, high), at_least=0.1) == verdict


@pytest.mark.parametrize("at_least", [0, -1.0, math.nan, math.inf])
def test_judge_effect_refuses(at_least):
    with pytest.raises(ValueError, match="at_least must be above 0 and finite"):
        judge_effect(estimate(), at_least=at_least)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.1, 0.3, "reproduced"),  # limits included
        (0.0, None, "reproduced"),
        (None, 0.3, "reproduced"),
        (0.11, None, "inconclusive"),
        (None, 0.1, "inconclusive"),  # they share a point
        (None, 0.09, "contradicted"),
        (0.3, 0.5, "inconclusive"),
        (0.31, 0.5, "contradicted"),
        (0.15, 0.25, "inconclusive"),
    ],
)
def test_the_verdict_on_a_bound(low, high, verdict):
    assert judge_bound(estimate(0.2, 0.1, 0.3), low=low, high=high) == verdict


@pytest.mark.parametrize(("low", "high"), [(None, None), (0.3, 0.1), (math.nan, 1.0), (0.0, math.nan)])
def test_judge_bound_refuses(low, high):
    with pytest.raises(ValueError, match="low"):
        judge_bound(estimate(), low=low, high=high)


@pytest.mark.parametrize("n", [4, 20, 200])
def test_the_detectable_effect_is_found_in_four_of_five(n, rng):
    e = mean_interval(rng.normal(size=n), definition="d")
    shift = detectable_effect(e) / e.standard_error
    assert shift == pytest.approx(stats.t.ppf(0.975, n - 1) + stats.t.ppf(0.8, n - 1), rel=1e-9)
    found = stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, shift)
    assert found == pytest.approx(0.8, abs=0.03)  # the sum of quantiles is the usual approximation


@pytest.mark.parametrize("power", [0.5, 1.0, math.nan])
def test_power_is_checked(power):
    e = mean_interval([1.0, 2.0], definition="d")
    for call in (lambda: detectable_effect(e, power=power), lambda: seeds_needed(e, at_least=1.0, power=power)):
        with pytest.raises(ValueError, match="power must lie between"):
            call()


def test_an_estimate_without_an_error_detects_nothing():
    for call in (lambda: detectable_effect(estimate()), lambda: seeds_needed(estimate(), at_least=0.1)):
        with pytest.raises(ValueError, match="no standard error"):
            call()


def seeds_by_hand(of_seeds, of_items, items, at_least):
    for seeds in range(3, 2000):
        a, b = of_seeds / seeds, of_items / items
        freedom = (a + b) ** 2 / (a**2 / (seeds - 1) + b**2 / (items - 1))
        if (stats.t.ppf(0.975, freedom) + stats.t.ppf(0.8, freedom)) * math.sqrt(a + b) <= at_least:
            return seeds
    return None


@pytest.mark.parametrize("at_least", [0.15, 0.2, 0.3, 0.6, 3.0])
def test_the_seeds_needed_are_counted_up_by_hand(at_least, rng):
    d = rng.normal(0, 0.3, (5, 1)) + rng.normal(0, 0.2, (1, 80)) + rng.normal(0, 0.2, (5, 80))
    got = seeds_needed(seed_item_interval(d, definition="d"), at_least=at_least)
    expected = seeds_by_hand(d.mean(axis=1).var(ddof=1), d.mean(axis=0).var(ddof=1), 80, at_least)
    assert expected is not None
    assert got == expected


def test_no_number_of_seeds_helps_where_the_texts_forbid_it(rng):
    items = rng.normal(size=(1, 20))
    e = seed_item_interval(items + rng.normal(0, 0.1, (3, 1)), definition="d")
    floor = stats.sem(items[0]) * (stats.t.ppf(0.975, 19) + stats.t.ppf(0.8, 19))
    assert seeds_needed(e, at_least=0.99 * floor) is None
    assert seeds_needed(e, at_least=1.05 * floor) is not None


def test_no_seeds_are_needed_where_nothing_was_trained(rng):
    assert seeds_needed(mean_interval(rng.normal(size=20), definition="d"), at_least=0.1) is None


def test_seeds_needed_without_error_is_the_least_number():
    assert seeds_needed(seed_item_interval(np.ones((3, 4)), definition="d"), at_least=0.1) == 3


def test_seeds_needed_refuses_an_effect_of_nothing():
    with pytest.raises(ValueError, match="at_least must be above 0"):
        seeds_needed(mean_interval([1.0, 2.0], definition="d"), at_least=0.0)
