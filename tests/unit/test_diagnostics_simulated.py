"""How often the intervals of the diagnostics hold the truth, and how far debiased numbers are off: simulations.

The truth is a closed form, or that of 300,000 rows in plain numpy; where a number means something at one n only (ranks,
decay, neighbours, Procrustes, partition function), it is the mean over the samples. The slow tests take 1,000 samples
of each case, 250 where one takes 40 ms or more; the short ones 40.
"""

import functools
import math

import numpy as np
import pytest

from tests.unit.test_diagnostics_depth import units
from workbench.diagnostics import (
    alignment,
    depth_rank_sum,
    effective_rank,
    hubness,
    isoscore,
    isoscore_star,
    length_profile,
    linear_cka,
    mean_cosine,
    mle_dimension,
    moments,
    mutual_knn,
    outlier_dimensions,
    participation_ratio,
    partition_isotropy,
    procrustes,
    spectrum,
    two_nn,
    uniformity,
)

N, D, MANY = 200, 16, 300_000
DECAY = np.arange(1, D + 1) ** -0.5
CENTRES = np.random.default_rng(9).normal(size=(6, D)) * 1.2
MIX = np.random.default_rng(5).normal(size=(D, 12)) / 4
NOISE = 0.7
LENGTHS = np.array([4, 16, 64])
CLOUDS = ("decaying spectrum", "common mean", "clusters", "isotropic")


def draw(cloud, rng, n=N):
    z = rng.normal(size=(n, D))
    return {
        "decaying spectrum": lambda: z * DECAY,
        "common mean": lambda: z * DECAY + 0.5,
        "clusters": lambda: z * DECAY + CENTRES[rng.integers(0, 6, n)],
        "isotropic": lambda: z,
    }[cloud]()


def covariance(cloud):
    within = np.eye(D) if cloud == "isotropic" else np.diag(DECAY**2)
    return within + np.cov(CENTRES.T, bias=True) if cloud == "clusters" else within


def partner(x, rng):
    return x @ MIX + NOISE * rng.normal(size=(len(x), MIX.shape[1]))


def evenness(c):
    return np.trace(c) ** 2 / (c**2).sum()


def of_moments(x, rng):
    m = moments(x)
    return {
        "mean_cosine": mean_cosine(m),
        "isoscore": isoscore(m),
        "isoscore_star": isoscore_star(m, zeta=0.3, shrink_to=np.eye(D)),
        "participation_ratio": participation_ratio(m),
        "effective_rank": effective_rank(m),
        "decay": spectrum(m).decay,
        "outlier_dimensions": outlier_dimensions(m).largest,
    }


def of_space(x, rng):
    return {"partition_isotropy": partition_isotropy(x), "uniformity": uniformity(x)}


def of_neighbours(x, rng):
    hubs = hubness(x, k=5)
    return {
        "skewness": hubs.skewness,
        "robin_hood": hubs.robin_hood,
        "anti_hubs": hubs.anti_hubs,
        "two_nn": two_nn(x).value,
        "mle_dimension": mle_dimension(x, k=10).value,
    }


def of_pairs(x, rng):
    y = partner(x, rng)
    return {
        "linear_cka": linear_cka(x, y),
        "procrustes": procrustes(x, y),
        "mutual_knn": mutual_knn(x, y, k=5),
        "alignment": alignment(x, x + 0.5 * rng.normal(size=x.shape)),
    }


def of_unrelated(x, rng):
    y = rng.normal(size=(len(x), 12))
    return {"linear_cka": linear_cka(x, y), "procrustes": procrustes(x, y), "mutual_knn": mutual_knn(x, y, k=5)}


def cuts(x, rng):
    """Each row as the mean of 4, 16 and 64 tokens would be: nearer to a common mean the longer it is."""
    return np.stack([3 * x / math.sqrt(length) + 0.4 for length in LENGTHS])


def of_lengths(x, rng):
    profile = length_profile(cuts(x, rng), LENGTHS)
    return {"slope": profile.slope, "bin of 4": profile.cosines[0], "bin of 64": profile.cosines[2]}


def of_depths(x, rng):
    return {
        "Q": depth_rank_sum(x[:120] + 0.2, x[120:] + 0.35).q_fg,
        "Q of one cloud": depth_rank_sum(x[:90], x[90:]).q_fg,
    }


FAMILIES = {
    "moments": of_moments,
    "space": of_space,
    "neighbours": of_neighbours,
    "pairs": of_pairs,
    "unrelated": of_unrelated,
    "lengths": of_lengths,
    "depths": of_depths,
}


def mean_of_pairs(x):
    mean = units(x).mean(axis=0)
    return mean @ mean


@functools.cache
def truths(cloud, family):
    """What many rows or a closed form say; a name that is missing is judged by the mean over the samples."""
    rng, c = np.random.default_rng(99), covariance(cloud)
    x = draw(cloud, rng, MANY)
    if family == "moments":
        mixed = 0.7 * c + 0.3 * np.eye(D)
        scores = {"isoscore": (evenness(c) - 1) / (D - 1), "isoscore_star": (evenness(mixed) - 1) / (D - 1)}
        return {"mean_cosine": mean_of_pairs(x), "participation_ratio": evenness(c), **scores}
    if family == "pairs":
        cross, own = c @ MIX, MIX.T @ c @ MIX + NOISE**2 * np.eye(12)
        cka = (cross**2).sum() / math.sqrt((c**2).sum() * (own**2).sum())
        apart = units(x) - units(x + 0.5 * rng.normal(size=x.shape))
        return {"linear_cka": cka, "alignment": (apart**2).sum(axis=1).mean()}
    if family == "lengths":
        curve = [mean_of_pairs(cut) for cut in cuts(x, rng)]
        return {"slope": np.polyfit(np.log(LENGTHS), curve, 1)[0], "bin of 4": curve[0], "bin of 64": curve[2]}
    if family == "depths":
        f, g = x[: MANY // 2] + 0.2, x[MANY // 2 :] + 0.35
        mean = units(f).mean(axis=0)
        q = 1 - np.searchsorted(np.sort(units(g) @ mean), units(f) @ mean).mean() / len(g)
        return {"Q": q, "Q of one cloud": 0.5}
    return {"linear_cka": 0.0} if family == "unrelated" else {}


def coverage(cloud, family, times):
    """Share of the samples whose interval holds the truth, by name."""
    rng, found = np.random.default_rng(17), {}
    for _ in range(times):
        for name, e in FAMILIES[family](draw(cloud, rng), rng).items():
            found.setdefault(name, []).append((e.value, e.low, e.high))
    shares = {}
    for name, rows in found.items():
        values, low, high = np.array(rows).T
        truth = truths(cloud, family).get(name, values.mean())
        if name == "uniformity":  # the exponential is a mean over pairs
            truth = math.log(np.exp(values).mean())
        shares[name] = float(np.mean((low <= truth) & (truth <= high)))
    return shares


# too wide, as their docstrings say: what half of the rows or a rotation fitted to noise does varies more
WIDE = {"mutual_knn", "procrustes", "partition_isotropy"}
NARROW = {("clusters", "skewness"): 0.87, ("clusters", "anti_hubs"): 0.90}
TIMES = {"moments": 250, "neighbours": 250, "pairs": 250, "unrelated": 250}


def band(cloud, family, name, margin):
    null = cloud == "isotropic" or family == "unrelated" or name == "Q of one cloud"
    most = 1.0 if null or name in WIDE or (cloud, name) in WIDEST else 0.98 + margin
    return NARROW.get((cloud, name), 0.93) - margin, most


# where half of the rows leaves a cluster few neighbours; where no direction is the largest; a mean cosine of 0
WIDEST = {("clusters", "mle_dimension"), ("decaying spectrum", "outlier_dimensions")}


@pytest.mark.slow
@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_intervals_hold_the_truth_as_often_as_they_say(family, cloud):
    times = TIMES.get(family, 1000)
    margin = 2 * math.sqrt(0.05 * 0.95 / times)  # two binomial errors
    for name, share in coverage(cloud, family, times).items():
        least, most = band(cloud, family, name, margin)
        assert least <= share <= most, (family, cloud, name, share)


SHORT = [("moments", "clusters"), ("space", "clusters"), ("neighbours", "decaying spectrum"), ("pairs", "clusters")]
SHORT += [("unrelated", "isotropic"), ("lengths", "clusters"), ("depths", "common mean")]


@pytest.mark.parametrize(("family", "cloud"), SHORT)
def test_intervals_hold_the_truth_in_few_samples(family, cloud):
    for name, share in coverage(cloud, family, 40).items():
        assert share >= 0.84, (name, share)  # 95 % less three binomial errors of 40


CELLS = [(n, d) for n in (100, 300, 1000, 5000) for d in (64, 384, 1024)]


def isotropic_errors(n, d, draws):
    """Mean error of the debiased numbers over draws of an isotropic Gaussian, the ratio's as a share of d."""
    rng, block = np.random.default_rng(n + d), np.zeros(n, dtype=int)
    records = (
        moments(rng.standard_normal((n, d), dtype=np.float32), unit_rows=False, blocks=block) for _ in range(draws)
    )
    found = np.array([(isoscore(m).value - 1, participation_ratio(m).value / d - 1) for m in records])
    return found.mean(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d"), CELLS)
def test_debiased_isotropy_of_an_isotropic_gaussian_has_no_bias(n, d):
    """One draw strays by 0.02 at 100 rows, whatever d, the mean of 100 by 0.002; the ratio's bias is under 0.001."""
    assert np.abs(isotropic_errors(n, d, 100)).max() < 0.01


@pytest.mark.parametrize(("n", "d", "draws"), [(100, 64, 100), (100, 384, 50), (300, 64, 50), (1000, 384, 4)])
def test_debiased_isotropy_has_no_bias_in_few_draws(n, d, draws):
    assert np.abs(isotropic_errors(n, d, draws)).max() < 0.01


@pytest.mark.slow
def test_unbiased_cka_of_independent_spaces_is_zero_on_average():
    rng = np.random.default_rng(3)
    for n, d, e in ((50, 384, 64), (100, 64, 64), (500, 128, 128)):
        found = [linear_cka(rng.normal(size=(n, d)), rng.normal(size=(n, e)) ** 3).value for _ in range(100)]
        assert abs(np.mean(found)) < 0.02
