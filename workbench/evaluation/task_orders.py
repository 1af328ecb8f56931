"""Whether two tasks put systems in one order, beside what the items of one task can settle."""

import numpy as np

from workbench.intervals import Estimate, jackknife

__all__ = ["task_orders"]


def task_orders(first: np.ndarray, second: np.ndarray, *, n_blocks: int = 20) -> tuple[Estimate, Estimate]:
    """Kendall's tau-b of systems between two tasks, and how much more the halves of one task agree.

    `first` (systems, items) and `second` (systems, other items) hold scores; a system's score is its mean. The tau lies
    in [-1, 1]. The second number is the mean tau of the two halves of a task (items at even and at odd places), mean of
    both tasks, minus the mean tau of a half of either task with a half of the other: above 0 where the tasks differ by
    more than few items do, about 0 where both say the same. Intervals by jackknife over `n_blocks` blocks of items of
    both tasks at a time.

    Raises:
        ValueError: scores that are not finite, not (systems, items) with equally many systems, fewer than 3 of them,
            fewer items than 2 `n_blocks` in a task, or systems that all score the same.
    """
    tables = [np.asarray(table, dtype=np.float64) for table in (first, second)]
    if any(t.ndim != 2 for t in tables) or len(tables[0]) != len(tables[1]) or len(tables[0]) < 3:
        shapes = [t.shape for t in tables]
        raise ValueError(f"scores must be (systems, items) of 3 systems or more, the same in both, got {shapes}")
    if not all(np.isfinite(t).all() for t in tables):
        raise ValueError("every score must be finite")
    if (fewest := min(t.shape[1] for t in tables)) < 2 * n_blocks:
        raise ValueError(f"{n_blocks} blocks need {2 * n_blocks} items of a task, got {fewest}")
    table, n = np.hstack(tables), tables[0].shape[1]
    half = np.concatenate([np.arange(t.shape[1]) % 2 for t in tables])
    # a block holds items of both halves of both tasks
    blocks = np.concatenate([np.arange(t.shape[1]) // 2 % n_blocks for t in tables])

    def means(kept: np.ndarray) -> list[list[np.ndarray]]:
        sides = (kept[kept < n], kept[kept >= n])
        return [[table[:, rows[half[rows] == part]].mean(axis=1) for part in (0, 1)] for rows in sides]

    def between(kept: np.ndarray) -> float:
        return _tau(*(table[:, rows].mean(axis=1) for rows in (kept[kept < n], kept[kept >= n])))

    def lead(kept: np.ndarray) -> float:
        one, other = means(kept)
        across = [_tau(a, b) for a in one for b in other]
        return float(np.mean([_tau(*one), _tau(*other)]) - np.mean(across))

    return (
        jackknife(between, blocks, definition="Kendall's tau of the systems between the tasks"),
        jackknife(lead, blocks, definition="tau within halves of a task, minus tau between halves of the tasks"),
    )


def _tau(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import kendalltau

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise ValueError("all systems score the same, which is no order")
    return float(kendalltau(a, b).statistic)  # pyright: ignore[reportAttributeAccessIssue]
