"""Orders of systems against scipy's tau on means taken by hand, and planted cases."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from workbench.evaluation.task_orders import task_orders


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def noisy(rng, skill, items, noise=1.0):
    return np.asarray(skill)[:, None] + noise * rng.normal(size=(len(skill), items))


def by_hand(first, second):
    """Tau of the means, and the lead of the halves, in loops."""
    halves = [[[np.mean(row[start::2]) for row in t] for start in (0, 1)] for t in (first, second)]
    within = [kendalltau(*pair).statistic for pair in halves]
    across = [kendalltau(a, b).statistic for a in halves[0] for b in halves[1]]
    whole = kendalltau(first.mean(axis=1), second.mean(axis=1)).statistic
    return whole, np.mean(within) - np.mean(across)


def test_both_numbers_are_those_of_loops(rng):
    first, second = noisy(rng, range(6), 31), noisy(rng, rng.permutation(6), 44)
    found = task_orders(first, second, n_blocks=7)
    assert [e.value for e in found] == pytest.approx(by_hand(first, second), abs=1e-12)


def test_the_interval_leaves_out_the_same_block_of_both_tasks(rng):
    first, second = noisy(rng, range(5), 20, noise=4), noisy(rng, range(5), 24, noise=4)
    found, parts = task_orders(first, second, n_blocks=5), []
    for block in range(5):
        kept = [t[:, [i for i in range(t.shape[1]) if (i // 2) % 5 != block]] for t in (first, second)]
        parts.append(by_hand(*kept))
    for e, value, left_out in zip(found, by_hand(first, second), np.transpose(parts), strict=True):
        assert e.standard_error**2 == pytest.approx(4 * np.mean((left_out - value) ** 2), abs=1e-12)
        assert e.n == 5


def test_planted_orders():
    skill = np.arange(6.0)
    same, turned = np.tile(skill[:, None], (1, 40)), np.tile(-skill[:, None], (1, 50))
    tau, lead = task_orders(same, same)
    assert (tau.value, lead.value) == pytest.approx((1, 0), abs=1e-12)
    tau, lead = task_orders(same, turned)
    assert (tau.value, lead.value) == pytest.approx((-1, 2), abs=1e-12)


def test_noise_alone_lowers_tau_and_not_the_lead(rng):
    draws = [task_orders(*(noisy(rng, np.arange(8) / 2, 40, noise=6) for _ in (0, 1)), n_blocks=5) for _ in range(60)]
    taus, leads = np.array([[e.value for e in pair] for pair in draws]).T
    assert taus.mean() < 0.9
    assert abs(leads.mean()) < 4 * leads.std() / np.sqrt(60)


FINE = np.arange(120.0).reshape(3, 40)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (FINE[:2], FINE[:2], r"3 systems or more.*\(2, 40\)"),
        (FINE, FINE[:2], r"\[\(3, 40\), \(2, 40\)\]"),
        (FINE, FINE[0], r"\(40,\)"),
        (FINE, np.full((3, 40), np.nan), "finite"),
        (FINE, FINE[:, :39], "20 blocks need 40 items of a task, got 39"),
        (FINE, np.ones((3, 40)), "all systems score the same"),
    ],
)
def test_what_is_refused(first, second, words):
    with pytest.raises(ValueError, match=words):
        task_orders(first, second)
