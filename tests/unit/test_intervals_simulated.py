"""Coverage of the 95 % intervals, and how often the rule says yes where nothing is there, over simulated studies.

Each case draws 1,000 studies from a model whose truth is known. A case is in the band when its coverage is 93 to 98 %:
a true 95 % falls out once in 500. Seeds were set once. Where a rule cannot reach the band, the docstring says so.
"""

import numpy as np
import pytest
from scipy import stats

from workbench.intervals import (
    bootstrap,
    jackknife,
    judge_effect,
    mean_interval,
    seed_block_interval,
    seed_item_interval,
)

STUDIES = 1000
EQUAL = np.repeat(np.arange(20), 15)
UNEQUAL = np.repeat(np.arange(20), np.round(np.geomspace(10, 20, 20)).astype(int))
VERY_UNEQUAL = np.repeat(np.arange(20), np.round(np.geomspace(4, 40, 20)).astype(int))


def coverage(estimates, truth):
    return np.mean([e.low <= truth <= e.high for e in estimates])


def in_band(share):
    return 0.93 <= share <= 0.98


def studies(one, seed=2026):
    rng = np.random.default_rng(seed)
    return [one(rng) for _ in range(STUDIES)]


@pytest.mark.parametrize(
    ("draw", "n", "truth"),
    [
        (lambda rng, n: rng.normal(0.3, 2.0, n), 3, 0.3),
        (lambda rng, n: rng.normal(0.3, 2.0, n), 20, 0.3),
        (lambda rng, n: rng.uniform(0, 1, n), 10, 0.5),
        (lambda rng, n: rng.gamma(4.0, 1.0, n), 40, 4.0),
    ],
    ids=["normal 3", "normal 20", "uniform 10", "gamma 40"],
)
def test_the_t_interval_of_a_mean_covers(draw, n, truth):
    assert in_band(coverage(studies(lambda rng: mean_interval(draw(rng, n), definition="mean")), truth))


def seed_item_study(rng, seeds, items, of_seed, of_item, noise, effect=0.0):
    table = effect + rng.normal(0, of_seed, (seeds, 1)) + rng.normal(0, of_item, (1, items))
    return seed_item_interval(table + rng.normal(0, noise, (seeds, items)), definition="difference")


MIXED = {  # standard deviations of seed, item and noise; the noise stays small beside the others once averaged
    "seeds rule": (5, 200, 0.5, 1.0, 1.0),
    "items rule": (5, 50, 0.02, 1.0, 0.3),
    "even, 3 seeds": (3, 100, 0.12, 1.0, 0.5),
    "even, 5 seeds": (5, 100, 0.2, 1.0, 0.5),
}


@pytest.mark.parametrize("case", MIXED)
def test_the_interval_over_seeds_and_items_covers(case):
    assert in_band(coverage(studies(lambda rng: seed_item_study(rng, *MIXED[case], effect=0.4)), 0.4))


def test_noise_of_seed_and_item_alone_is_counted_twice_which_is_safe():
    """The variance of either kind of mean holds the noise: the interval is about 1.4 times too wide, by design."""
    assert coverage(studies(lambda rng: seed_item_study(rng, 5, 100, 0.0, 0.0, 1.0)), 0.0) >= 0.98


def unit_rows(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def mean_cosine_of(u):
    def statistic(kept):
        total, n = u[kept].sum(axis=0), len(kept)
        return (total @ total - n) / (n * (n - 1))

    return statistic


def slope_of(x, y):
    def statistic(kept):
        a, b = x[kept], y[kept]
        a = a - a.mean()
        return (a @ b) / (a @ a)

    return statistic


def ratio_of(x, y):
    return lambda kept: y[kept].sum() / x[kept].sum()


def mean_cosine_study(rng, blocks, centre=1.0):
    u = unit_rows(rng.normal(size=(len(blocks), 8)) + centre * np.eye(8)[0])
    return jackknife(mean_cosine_of(u), blocks, definition="mean cosine")


def slope_study(rng, blocks):
    """Slope 0.5; the texts of a source share a random slope and a random level."""
    x, sources = rng.normal(size=len(blocks)), blocks.max() + 1
    own_slope, level = rng.normal(0.5, 0.2, sources)[blocks], rng.normal(0, 0.5, sources)[blocks]
    y = own_slope * x + level + rng.normal(size=len(blocks))
    return jackknife(slope_of(x, y), blocks, definition="slope")


def ratio_study(rng, blocks):
    """Ratio 2; the texts of a source share a random rate."""
    x = rng.gamma(4.0, 1.0, len(blocks))
    y = x * rng.normal(2.0, 0.3, blocks.max() + 1)[blocks] + rng.normal(size=len(blocks))
    return jackknife(ratio_of(x, y), blocks, definition="ratio")


def first_moment(centre):
    """Mean first coordinate of a unit row of normal noise about `centre` in 8 dimensions, by quadrature."""
    # first coordinate a ~ N(centre, 1), rest of the squared length q ~ chi2(7): E a / sqrt(a^2 + q)
    a, step = np.linspace(centre - 9, centre + 9, 1501, retstep=True)
    q, width = np.linspace(0, 60, 6001, retstep=True)
    inner = (a[:, None] / np.sqrt(a[:, None] ** 2 + q[None, 1:])) @ stats.chi2.pdf(q[1:], 7) * width
    return inner @ stats.norm.pdf(a, centre) * step


@pytest.mark.parametrize("blocks", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize(
    ("study", "truth"),
    [(mean_cosine_study, first_moment(1.0) ** 2), (slope_study, 0.5), (ratio_study, 2.0)],
    ids=["mean cosine", "slope", "ratio"],
)
def test_the_block_jackknife_covers(study, truth, blocks):
    assert in_band(coverage(studies(lambda rng: study(rng, blocks)), truth))


@pytest.mark.parametrize("blocks", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
def test_the_jackknife_of_an_isotropic_cloud_covers_zero(blocks):
    """A degenerate null: the first-order term of the mean cosine vanishes, and the interval is on the wide side."""
    assert coverage(studies(lambda rng: mean_cosine_study(rng, blocks, centre=0.0)), 0.0) >= 0.93


def test_the_block_jackknife_covers_when_sources_differ_tenfold_in_size():
    """A rate shared by a source: weights by block size (delete-m_j) would cover 90 % here."""
    assert coverage(studies(lambda rng: ratio_study(rng, VERY_UNEQUAL)), 2.0) >= 0.92


def seed_block_study(rng, blocks, of_seed, seeds, effect=0.5):
    """A slope, in seeds that differ in their slope and see the same texts."""
    x, sources = rng.normal(size=len(blocks)), blocks.max() + 1
    shared = rng.normal(0, 0.2, sources)[blocks] * x + rng.normal(size=len(blocks))
    kept = [np.flatnonzero(blocks != b) for b in range(sources)]
    statistics = [slope_of(x, own * x + shared) for own in rng.normal(effect, of_seed, seeds)]
    values = [s(np.arange(len(x))) for s in statistics]
    return seed_block_interval(values, [[s(k) for k in kept] for s in statistics], definition="s")


@pytest.mark.parametrize(
    ("of_seed", "seeds", "blocks"),
    [(0.02, 3, EQUAL), (0.1, 3, UNEQUAL), (0.1, 5, EQUAL), (0.4, 5, UNEQUAL)],
    ids=["blocks rule", "even, 3 seeds", "even, 5 seeds", "seeds rule"],
)
def test_the_interval_over_seeds_and_blocks_covers(of_seed, seeds, blocks):
    assert in_band(coverage(studies(lambda rng: seed_block_study(rng, blocks, of_seed, seeds)), 0.5))


def test_three_seeds_that_rule_cover_a_little_less():
    """Satterthwaite's degrees rest on the seed variance itself, which 3 seeds hardly know.

    Over 400,000 draws of the two variances: 92.5 % at the worst ratio (10 to 1), 94.4 % with 5 seeds.
    """
    assert 0.90 <= coverage(studies(lambda rng: seed_block_study(rng, EQUAL, 0.4, 3)), 0.5) <= 0.95


def test_the_bootstrap_covers_at_its_least_sample():
    def study(rng):
        return bootstrap(rng.gamma(4.0, 1.0, 30), lambda v: v.sum() / len(v), rng=rng, resamples=300, definition="mean")

    assert in_band(coverage(studies(study), 4.0))


FALSE_SUCCESSES = {
    "mean of 20": lambda rng: mean_interval(rng.normal(size=20), definition="d"),
    "seeds rule, 5": lambda rng: seed_item_study(rng, *MIXED["seeds rule"]),
    "even, 3 seeds": lambda rng: seed_item_study(rng, *MIXED["even, 3 seeds"]),
    "noise alone": lambda rng: seed_item_study(rng, 3, 100, 0.0, 0.0, 1.0),
    "slope, blocks": lambda rng: jackknife(no_slope(rng), UNEQUAL, definition="d"),
    "slope, seeds and blocks": lambda rng: seed_block_study(rng, EQUAL, 0.1, 5, effect=0.0),
}


def no_slope(rng):
    return slope_of(rng.normal(size=len(UNEQUAL)), rng.normal(0, 0.5, 20)[UNEQUAL] + rng.normal(size=len(UNEQUAL)))


@pytest.mark.parametrize("case", FALSE_SUCCESSES)
def test_where_nothing_is_there_success_is_rare(case):
    """At most 2.5 % reproduced or weaker: a rate of 2.5 % passes this limit 999 times in 1,000."""
    verdicts = [judge_effect(e, at_least=0.05) for e in studies(FALSE_SUCCESSES[case], seed=11)]
    successes = sum(v in ("reproduced", "weaker") for v in verdicts)
    assert successes <= stats.binom.ppf(0.999, STUDIES, 0.025)
