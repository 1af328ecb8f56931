"""Task selection against scikit-learn's LinearRegression in plain loops, and against tables worked out by hand."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error
from sklearn.preprocessing import StandardScaler

from workbench.evaluation.task_selection import order_kept, predictability, select_tasks, selection_trial


def table(models, tasks, *, seed=0):
    """Scores in [0, 1]: two abilities of each model, weights of each task, noise."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(models, 2)) @ rng.normal(size=(2, tasks)) + 0.3 * rng.normal(size=(models, tasks))
    return (scores - scores.min()) / np.ptp(scores)


def slow(scores):
    """rho and mse_z of every task, one regression at a time."""
    found = []
    for task in range(scores.shape[1]):
        x, y = np.delete(scores, task, axis=1), scores[:, task]
        predicted = [
            LinearRegression().fit(np.delete(x, i, axis=0), np.delete(y, i)).predict(x[i : i + 1])[0]
            for i in range(len(y))
        ]
        scaler = StandardScaler().fit(y[:, None])
        error = mean_squared_error(scaler.transform(y[:, None]), scaler.transform(np.array(predicted)[:, None]))
        found.append((spearmanr(y, predicted).statistic, error))
    return np.array(found).T


@pytest.mark.parametrize(("models", "tasks"), [(20, 6), (8, 7), (7, 7), (12, 30), (3, 2)])
def test_predictions_are_those_of_linear_regression_of_minimum_norm(models, tasks):
    scores = table(models, tasks)
    rho, mse_z = predictability(scores)
    expected = slow(scores)
    np.testing.assert_allclose(rho, expected[0], atol=1e-12)
    np.testing.assert_allclose(mse_z, expected[1], rtol=1e-6)


def test_ridge_like_shortcuts_would_be_seen():
    # the training rows are interpolated: leaving one model out is what keeps the error above 0
    assert predictability(table(12, 30))[1].min() > 1e-3


def slow_selection(scores, rho_min, mse_max, kinds, keep):
    left, removed = list(range(scores.shape[1])), []
    while len(left) > 1:
        rho, mse_z = slow(scores[:, left])
        for place in np.argsort(-rho, kind="stable"):
            task = left[place]
            partner = any(kinds[other] == kinds[task] for other in left if other != task)
            if rho[place] >= rho_min and mse_z[place] <= mse_max and partner and task not in keep:
                removed.append(task)
                left.remove(task)
                break
        else:
            break
    return removed, left


@pytest.mark.parametrize("seed", range(2))
def test_selection_goes_step_by_step_as_in_a_plain_loop(seed):
    scores, kinds = table(24, 9, seed=seed), list("aaabbbccc")
    chosen = select_tasks(scores, rho_min=0.7, mse_max=0.6, kinds=kinds, keep=(0,))
    removed, left = slow_selection(scores, 0.7, 0.6, kinds, {0})
    assert (list(chosen.removed), list(chosen.kept)) == (removed, left)
    assert len(removed) >= 2, "a table of which nothing goes shows nothing"
    assert chosen.share == len(removed) / 9


def test_of_a_task_and_its_copy_one_goes_and_the_odd_task_stays():
    rng = np.random.default_rng(1)
    one, odd = rng.random(30), rng.random(30)
    chosen = select_tasks(np.stack([one, odd, one], axis=1), rho_min=0.8, mse_max=0.5)
    assert (chosen.removed, chosen.kept) == ((0,), (1, 2))
    np.testing.assert_allclose([chosen.rho[0], chosen.mse_z[0]], [1, 0], atol=1e-12)


def test_the_last_task_of_a_kind_and_kept_tasks_never_go():
    one = np.random.default_rng(2).random(9)
    scores = np.stack([one, one, one, one], axis=1)
    assert select_tasks(scores, rho_min=0.8, mse_max=0.5).removed == (0, 1, 2)
    assert select_tasks(scores, rho_min=0.8, mse_max=0.5, kinds=list("abab")).removed == (0, 1)
    assert select_tasks(scores, rho_min=0.8, mse_max=0.5, kinds=list("abcd")).removed == ()
    assert select_tasks(scores, rho_min=0.8, mse_max=0.5, keep=(0, 2)).removed == (1, 3)


def test_both_thresholds_hold_a_task_back():
    scores = table(10, 9)
    rho, mse_z = predictability(scores)
    assert select_tasks(scores, rho_min=float(rho.max()) + 1e-9, mse_max=9.0).removed == ()
    assert select_tasks(scores, rho_min=-1, mse_max=float(mse_z.min()) - 1e-9).removed == ()
    assert select_tasks(scores, rho_min=float(rho.max()), mse_max=9.0).removed[0] == int(np.argmax(rho))


def test_a_task_on_which_all_models_are_equal_has_no_number_and_stays():
    scores = np.column_stack([table(10, 4), np.full(10, 0.5)])
    rho, mse_z = predictability(scores)
    assert np.isnan([rho[4], mse_z[4]]).all()
    assert np.isfinite(rho[:4]).all()
    assert 4 in select_tasks(scores, rho_min=0.1, mse_max=5).kept


@pytest.mark.parametrize(
    ("scores", "options", "words"),
    [
        (np.zeros(4), {}, "at least 3 x 2"),
        (np.zeros((2, 4)), {}, "at least 3 x 2"),
        (np.zeros((4, 1)), {}, "at least 3 x 2"),
        (np.where(np.eye(4) == 1, np.nan, 0.5), {}, "model 0 has nan on task 0"),
        (np.eye(4), {"kinds": ["a"]}, "kinds must be one for each of the 4"),
        (np.eye(4), {"keep": (4,)}, "keep names task 4"),
        (np.eye(4), {"rho_min": 1.5}, "rho_min"),
        (np.eye(4), {"mse_max": -1.0}, "mse_max"),
    ],
)
def test_bad_input_is_refused_by_name(scores, options, words):
    with pytest.raises(ValueError, match=words):
        select_tasks(scores, **({"rho_min": 0.8, "mse_max": 0.5} | options))


def test_order_kept_is_scipys_correlation_of_means():
    scores = table(12, 8)
    rho, random = order_kept(scores, (1, 4, 6), n_random=50, seed=3)
    assert rho == pytest.approx(spearmanr(scores.mean(axis=1), scores[:, [1, 4, 6]].mean(axis=1)).statistic, abs=1e-12)
    draws = np.random.default_rng(3)
    subsets = [draws.permutation(8)[:3] for _ in range(50)]
    expected = [spearmanr(scores.mean(axis=1), scores[:, s].mean(axis=1)).statistic for s in subsets]
    np.testing.assert_allclose(random, expected, atol=1e-12)
    assert order_kept(scores, range(8), n_random=2, seed=0)[1].tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("tasks", [(), (1, 1), (8,), (-1,)])
def test_tasks_that_are_not_there_have_no_order(tasks):
    with pytest.raises(ValueError, match="different ones of 0 to 7"):
        order_kept(table(12, 8), tasks, n_random=5, seed=0)


def test_equal_models_have_no_order():
    with pytest.raises(ValueError, match="no order"):
        order_kept(np.full((4, 3), 0.5), (0, 1), n_random=5, seed=0)


def test_a_trial_is_selection_and_order_on_all_models_and_on_halves():
    scores, kinds, limits = table(24, 9), list("aaabbbccc"), {"rho_min": 0.5, "mse_max": 0.9}
    trial = selection_trial(scores, kinds=kinds, **limits, n_random=20, n_halves=2, seed=4)

    def lead(choosing, ordered):
        kept = select_tasks(choosing, kinds=kinds, **limits).kept
        rho, random = order_kept(ordered, kept, n_random=20, seed=4)
        return rho - np.median(random)

    chosen = select_tasks(scores, kinds=kinds, **limits)
    draws = np.random.default_rng(4)
    halves = []
    for order in (draws.permutation(24), draws.permutation(24)):
        one, other = scores[order[::2]], scores[order[1::2]]
        halves += [lead(one, other), lead(other, one)]
    assert trial.share == len(chosen.removed) / 9 > 0
    assert trial.rho == order_kept(scores, chosen.kept, n_random=1, seed=0)[0]
    assert trial.lead == pytest.approx(lead(scores, scores))
    assert trial.lead_on_others == pytest.approx(np.mean(halves))
    with pytest.raises(ValueError, match="6 models"):
        selection_trial(scores[:5], **limits)
    with pytest.raises(ValueError, match="1 halving"):
        selection_trial(scores, **limits, n_halves=0)
