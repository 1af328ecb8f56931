"""What share of a score another one keeps, with an interval."""

import numpy as np

from workbench.evaluation.exits import parts_interval
from workbench.intervals import Estimate

__all__ = ["mean_ratio"]


def mean_ratio(part: np.ndarray, whole: np.ndarray, *, definition: str, n_blocks: int = 20) -> Estimate:
    """Mean of `part` over mean of `whole`, (seeds, items) both, seed by seed and then averaged.

    1 where nothing is lost. The interval is that of `parts_interval`: seeds, and the jackknife over `n_blocks` blocks
    of items, item i in block i % n_blocks.

    Raises:
        ValueError: not two matrices of one shape, fewer than 2 `n_blocks` items, fewer than 5 blocks, a number that is
            not finite, or a whole whose mean is not above 0, for some seed.
    """
    a, b = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError(f"part and whole must be finite and of one shape (seeds, items), got {a.shape} and {b.shape}")
    if a.shape[1] < 2 * n_blocks or n_blocks < 5:
        raise ValueError(f"5 blocks or more need two items each, got {n_blocks} blocks of {a.shape[1]} items")
    if (b.mean(axis=1) <= 0).any():
        raise ValueError(f"the mean of whole must be above 0 for every seed, got {b.mean(axis=1).min()}")
    block = np.arange(a.shape[1]) % n_blocks
    kept = [np.flatnonzero(block != left) for left in range(-1, n_blocks)]  # -1 leaves nothing out
    return parts_interval(
        np.stack([a[:, rows].mean(axis=1) / b[:, rows].mean(axis=1) for rows in kept], axis=1), definition=definition
    )
