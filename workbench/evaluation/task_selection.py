"""Which tasks of a benchmark say nothing new: those whose scores follow from the scores of the others."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["Selection", "Trial", "order_kept", "predictability", "select_tasks", "selection_trial"]


@dataclass(frozen=True)
class Selection:
    """The tasks that `select_tasks` took out, in order, and those that stayed; numbers are columns of the scores.

    Attributes:
        removed: tasks taken out, the most predictable first.
        kept: tasks that stayed, ascending.
        rho: Spearman correlation of observed and predicted scores of each removed task when it went, (removed,).
        mse_z: its mean squared error in squared standard deviations of the observed scores, (removed,).
    """

    removed: tuple[int, ...]
    kept: tuple[int, ...]
    rho: np.ndarray
    mse_z: np.ndarray

    @property
    def share(self) -> float:
        """Share of the tasks that went, in [0, 1)."""
        return len(self.removed) / (len(self.removed) + len(self.kept))


class Trial(NamedTuple):
    """How well a selection serves; see `selection_trial`."""

    rho: float
    lead: float
    share: float
    lead_on_others: float


def select_tasks(
    scores: np.ndarray,
    *,
    rho_min: float,
    mse_max: float,
    kinds: Sequence[Hashable] | None = None,
    keep: Sequence[int] = (),
) -> Selection:
    """Takes out, one at a time, the task of `scores` (models, tasks) that the other tasks predict best.

    A task may go if its rho reaches `rho_min`, its mse_z does not exceed `mse_max` (see `predictability`), it is not in
    `keep`, and another task of its kind stays; of those the one of the highest rho goes, the first of equal ones.
    Predictions are made anew after each. `kinds` gives one kind for each task, such as its type or (type, language);
    None: they are all of one kind.

    Raises:
        ValueError: scores as refused by `predictability`, not one kind for each task, a number in `keep` that is no
            task, `rho_min` outside -1..1, or `mse_max` negative.

    Reference: Enevoldsen et al. 2025, MMTEB, on task selection.
    """
    table = _checked(scores)
    tasks = table.shape[1]
    kind = [None] * tasks if kinds is None else list(kinds)
    if len(kind) != tasks:
        raise ValueError(f"kinds must be one for each of the {tasks} tasks, got {len(kind)}")
    if wrong := [task for task in keep if not 0 <= task < tasks]:
        raise ValueError(f"keep names task {wrong[0]}, there are 0 to {tasks - 1}")
    if not (-1 <= rho_min <= 1 and mse_max >= 0):
        raise ValueError(f"rho_min must be in -1..1 and mse_max not negative, got {rho_min} and {mse_max}")
    left, removed, found = list(range(tasks)), [], []
    while len(left) > 1:
        rho, mse_z = predictability(table[:, left])
        count = Counter(kind[task] for task in left)
        valid = np.array([count[kind[task]] > 1 and task not in keep for task in left])
        may_go = valid & (rho >= rho_min) & (mse_z <= mse_max)  # NaN may not
        if not may_go.any():
            break
        best = int(np.argmax(np.where(may_go, rho, -np.inf)))
        found.append((rho[best], mse_z[best]))
        removed.append(left.pop(best))
    rows = np.array(found).reshape(-1, 2)
    return Selection(tuple(removed), tuple(left), rows[:, 0], rows[:, 1])


def predictability(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How well each task of `scores` (models, tasks) follows from the others: rho and mse_z, float64 (tasks,).

    The score of each model on the task is predicted from its scores on the other tasks by least squares with an
    intercept, fitted on the other models. rho, in [-1, 1], is the Spearman correlation of predicted and observed
    scores; mse_z, 0 or more, the mean squared error over the variance of the observed ones (1: no better than their
    mean). Both are NaN where the observed scores are equal, rho also where the predictions are. With as many tasks
    as models or more the least squares have many solutions, and the one of minimum norm is taken, as scikit-learn's
    LinearRegression does: without it this is another procedure.

    Raises:
        ValueError: not 2-D, fewer than 3 models or 2 tasks, or a score that is not finite.
    """
    table = _checked(scores)
    predicted = np.stack([_left_out(table, model) for model in range(len(table))])
    centred = table - table.mean(axis=0)
    scale = np.where(np.ptp(table, axis=0) > 0, centred.std(axis=0), np.nan)
    return _spearman(table, predicted), np.mean(((table - predicted) / scale) ** 2, axis=0)


def order_kept(scores: np.ndarray, tasks: Sequence[int], *, n_random: int, seed: int) -> tuple[float, np.ndarray]:
    """How well the mean over some `tasks` of `scores` (models, tasks) orders the models as the mean over all does.

    Spearman correlation in [-1, 1], and that of each of `n_random` random subsets of as many tasks, float64
    (n_random,), drawn by `seed`. The smaller subset of one seed lies in the larger one.

    Raises:
        ValueError: scores as refused by `predictability`, no tasks, one given twice or that is not there, `n_random`
            below 1, or models that are all equal.
    """
    table = _checked(scores)
    chosen, known = list(tasks), range(table.shape[1])
    if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(known) or n_random < 1:
        raise ValueError(f"tasks must be different ones of 0 to {known[-1]} and n_random above 0: {chosen}, {n_random}")
    rng = np.random.default_rng(seed)
    subsets = [chosen, *(rng.permutation(len(known))[: len(chosen)] for _ in range(n_random))]
    means = np.stack([table[:, subset].mean(axis=1) for subset in subsets], axis=1)
    found = _spearman(np.repeat(table.mean(axis=1)[:, None], len(subsets), axis=1), means)
    if np.isnan(found).any():
        raise ValueError("the models must differ in their means: equal ones have no order")
    return float(found[0]), found[1:]


def selection_trial(
    scores: np.ndarray,
    *,
    rho_min: float,
    mse_max: float,
    kinds: Sequence[Hashable] | None = None,
    n_random: int = 200,
    n_halves: int = 5,
    seed: int = 0,
) -> Trial:
    """Selects tasks of `scores` (models, tasks), as `select_tasks` does, and compares them with random tasks.

    `rho`: Spearman correlation, over models, of the mean over the kept tasks with the mean over all. `lead`: the same
    minus the median of `n_random` random subsets of as many tasks. `share`: tasks that went. `lead_on_others`: the lead
    for models that had no part in the choice, the mean over `n_halves` random halvings, each half choosing for the
    other.

    Raises:
        ValueError: as `select_tasks` and `order_kept`, fewer than 6 models, or `n_halves` below 1.
    """
    table = _checked(scores)
    if len(table) < 6 or n_halves < 1:
        raise ValueError(f"halves need 6 models and 1 halving or more, got {len(table)} and {n_halves}")

    def lead(choosing: np.ndarray, ordered: np.ndarray) -> tuple[float, float, float]:
        chosen = select_tasks(choosing, rho_min=rho_min, mse_max=mse_max, kinds=kinds)
        rho, random = order_kept(ordered, chosen.kept, n_random=n_random, seed=seed)
        return rho, rho - float(np.median(random)), chosen.share

    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(table)) for _ in range(n_halves)]
    others = [lead(table[order[i::2]], table[order[1 - i :: 2]])[1] for order in orders for i in (0, 1)]
    return Trial(*lead(table, table), float(np.mean(others)))


def _left_out(table: np.ndarray, model: int) -> np.ndarray:
    """Prediction for one model on every task, (tasks,), from the other tasks and the other models."""
    others = np.delete(table, model, axis=0)
    mean = others.mean(axis=0)
    centred, asked = others - mean, table[model] - mean
    tasks = table.shape[1]
    predictors = np.array([np.delete(np.arange(tasks), task) for task in range(tasks)])
    x = centred.T[predictors].transpose(0, 2, 1)  # (tasks, models - 1, tasks - 1)
    # the centred rows have one rank less than rows: that singular value is rounding and must not be inverted
    weights = np.linalg.pinv(x, rcond=max(x.shape[1:]) * np.finfo(np.float64).eps) @ centred.T[:, :, None]
    return mean + np.einsum("tp,tp->t", asked[predictors], weights[:, :, 0])


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman correlation of the columns of a and b; NaN where one is constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(np.round(x, 12), axis=0) for x in (a, b)]  # predictions that are equal but for rounding tie
    x, y = (rank - rank.mean(axis=0) for rank in ranks)
    size = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return np.divide((x * y).sum(axis=0), size, out=np.full(len(size), np.nan), where=size > 0)


def _checked(scores: np.ndarray) -> np.ndarray:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 3 or table.shape[1] < 2:
        raise ValueError(f"scores must be (models, tasks), at least 3 x 2, got shape {table.shape}")
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(f"every score must be finite, model {row} has {table[row, column]} on task {column}")
    return table
