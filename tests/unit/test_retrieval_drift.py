"""Drift and its compensation against sums worked out row by row, and against rankings that a shift cannot change."""

import numpy as np
import pytest
import torch

from workbench.retrieval import common_drift, compensated, mean_drift, search


def rows(n=7, d=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_the_mean_drift_is_that_of_a_loop():
    before, after = rows(), rows(seed=1)
    wanted = [sum(after[i, j] - before[i, j] for i in range(7)) / 7 for j in range(3)]
    found = mean_drift(before, after)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    np.testing.assert_allclose(mean_drift(torch.tensor(before), after), found)


def test_small_drifts_of_long_rows_keep_their_digits():
    before = np.full((4, 2), 1e4, dtype=np.float64)
    np.testing.assert_allclose(mean_drift(before, before + 1e-6), [1e-6, 1e-6], rtol=1e-4)


def test_the_shares_average_to_energy_of_the_mean_over_mean_energy():
    before, after = rows(), rows(seed=1)
    drift = [after[i] - before[i] for i in range(7)]
    mean = sum(drift) / 7
    wanted = float(mean @ mean) / (sum(float(one @ one) for one in drift) / 7)
    found = common_drift(before, after)
    assert found.shape == (7,)
    assert found.mean() == pytest.approx(wanted)
    assert found[2] == pytest.approx(7 * float(drift[2] @ mean) / sum(float(one @ one) for one in drift))


def test_one_shift_of_all_rows_is_all_common_and_opposite_ones_are_not():
    before = rows()
    np.testing.assert_allclose(common_drift(before, before + np.array([1, -2, 3])), 1)
    np.testing.assert_allclose(common_drift(np.zeros((2, 3)), np.array([[1.0, 0, 0], [-1, 0, 0]])), 0, atol=1e-12)


def test_of_independent_drifts_one_in_n_is_common():
    before = np.zeros((2000, 50))
    assert common_drift(before, rows(2000, 50)).mean() == pytest.approx(1 / 2000, rel=0.5)


def test_a_shift_is_undone_to_the_old_ranking():
    documents, asked, shifts = rows(20, seed=2), rows(5, seed=3), [np.array([1.0, 0, -1]), np.array([0.0, 4, 0])]
    moved = asked + shifts[0] + shifts[1]
    wanted = search(asked, documents, 20, metric="dot")[0]
    assert (search(moved, documents, 20, metric="dot")[0] != wanted).any()
    back = compensated(moved, [mean_drift(asked, asked + shift) for shift in shifts])
    assert (search(back, documents, 20, metric="dot")[0] == wanted).all()
    np.testing.assert_allclose(back, asked, atol=1e-6)


def test_without_drifts_the_queries_stay_and_what_is_given_is_not_changed():
    asked = rows(4).astype(np.float32)
    kept = asked.copy()
    np.testing.assert_array_equal(compensated(asked, []), kept)
    compensated(asked, [np.ones(3)])
    np.testing.assert_array_equal(asked, kept)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (rows(), rows(6), "one shape"),
        (rows(), rows(7, 2), "one shape"),
        (rows() * np.nan, rows(), "before: row 0 is not finite"),
        (rows(), np.ones(3), "after must be 2-D"),
        (rows(), rows(0), "at least 1"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(before, after, words):
    for function in (mean_drift, common_drift):
        with pytest.raises(ValueError, match=words):
            function(before, after)


def test_a_share_of_nothing_is_refused():
    with pytest.raises(ValueError, match="all 7 are where they were"):
        common_drift(rows(), rows())


@pytest.mark.parametrize("drift", [np.ones(2), np.ones((1, 3)), np.array([0, np.inf, 0])])
def test_a_drift_that_is_no_vector_of_the_space_is_refused(drift):
    with pytest.raises(ValueError, match="drift 1 must be 3 finite numbers"):
        compensated(rows(), [np.zeros(3), drift])
