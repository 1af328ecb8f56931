"""A ratio of means against loops over seeds and blocks."""

import numpy as np
import pytest

from workbench.evaluation.ratios import mean_ratio
from workbench.intervals import jackknife, seed_block_interval


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    whole = rng.random((4, 30)) + 1
    return 0.8 * whole + 0.1 * rng.normal(size=whole.shape), whole


def test_it_is_the_mean_ratio_with_the_interval_of_seeds_and_blocks(scores):
    part, whole = scores
    values = [sum(a) / sum(b) for a, b in zip(part, whole, strict=True)]
    replicates = []
    for a, b in zip(part, whole, strict=True):
        rows = [[i for i in range(30) if i % 6 != left] for left in range(6)]
        replicates.append([sum(a[kept]) / sum(b[kept]) for kept in rows])
    expected = seed_block_interval(values, replicates, definition="d")
    got = mean_ratio(part, whole, definition="d", n_blocks=6)
    assert (got.value, got.low, got.high) == pytest.approx((expected.value, expected.low, expected.high), abs=1e-12)
    assert got.value == pytest.approx(np.mean(values), abs=1e-12)


def test_of_one_seed_the_items_alone_have_a_part(scores):
    part, whole = (x[:1] for x in scores)
    expected = jackknife(lambda kept: part[0, kept].sum() / whole[0, kept].sum(), np.arange(30) % 5, definition="d")
    got = mean_ratio(part, whole, definition="d", n_blocks=5)
    assert (got.value, got.low, got.high) == pytest.approx((expected.value, expected.low, expected.high), abs=1e-12)


X = np.ones((3, 40))


@pytest.mark.parametrize(
    ("part", "whole", "options", "words"),
    [
        (X, X[:2], {}, r"got \(3, 40\) and \(2, 40\)"),
        (X[0], X[0], {}, r"got \(40,\)"),
        (X * np.nan, X, {}, "finite"),
        (X[:, :39], X[:, :39], {}, "20 blocks of 39 items"),
        (X, X, {"n_blocks": 4}, "4 blocks of 40 items"),
        (X, X - np.array([[0], [1], [0]]), {}, "above 0 for every seed, got 0"),
    ],
)
def test_what_is_refused(part, whole, options, words):
    with pytest.raises(ValueError, match=words):
        mean_ratio(part, whole, definition="d", **options)
