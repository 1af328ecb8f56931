"""What fine-tuning does to the vectors of queries, and how to search an index of the model before it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.tensors import as_rows

__all__ = ["common_drift", "compensated", "mean_drift"]


def mean_drift(before: np.ndarray | Tensor, after: np.ndarray | Tensor) -> np.ndarray:
    """Mean over rows of after - before, float32 (d,): how a step of training moved the vectors of the same texts.

    In the unit of the rows; 0 where nothing moved, or where the rows moved apart. Give the rows that are searched with:
    unit rows where cosines are.

    Args:
        before: vectors (n, d) of n queries by the model before the step.
        after: of the same queries, by the model after it.

    Raises:
        TypeError, ValueError: rows as refused by `as_rows`, or shapes that differ.

    Reference: Goswami et al. 2025 (query drift compensation).
    """
    return _drifts(before, after).mean(dim=0).float().numpy()


def common_drift(before: np.ndarray | Tensor, after: np.ndarray | Tensor) -> np.ndarray:
    """What each row adds to the share of the drift's energy that lies in its mean, float64 (n,).

    Their mean is |mean drift|^2 / mean |drift|^2, in [0, 1]: 1 where all rows moved by one vector, about 1 / n where
    they moved independently. A single number may be negative: that row moved against the mean.

    Args:
        before: vectors (n, d).
        after: of the same texts.

    Raises:
        TypeError, ValueError: as `mean_drift`, or no row moved.
    """
    drifts = _drifts(before, after)
    energy = drifts.square().sum(dim=1).mean()
    if energy == 0:
        raise ValueError(f"a share of the drift needs rows that moved, all {len(drifts)} are where they were")
    return (drifts @ drifts.mean(dim=0) / energy).numpy()


def compensated(queries: np.ndarray | Tensor, drifts: Sequence[np.ndarray]) -> np.ndarray:
    """`queries` (m, d) less all `drifts`, float32 (m, d): back in the space of an index made before those steps.

    Rows are not scaled anew: the order of cosines does not depend on their length.

    Args:
        queries: vectors by the model of now.
        drifts: `mean_drift` of every step that came after the index was made, and of no other; none leaves rows alone.

    Raises:
        TypeError, ValueError: rows as refused by `as_rows`, or a drift that is not d finite numbers.
    """
    rows = as_rows(queries, name="queries").detach().cpu().double().numpy().copy()
    for number, drift in enumerate(drifts):
        if np.shape(drift) != rows.shape[1:] or not np.isfinite(drift).all():
            raise ValueError(f"drift {number} must be {rows.shape[1]} finite numbers, got shape {np.shape(drift)}")
        rows -= drift
    return rows.astype(np.float32)


def _drifts(before: np.ndarray | Tensor, after: np.ndarray | Tensor) -> Tensor:
    old, new = (as_rows(x, name=name).detach().cpu() for x, name in ((before, "before"), (after, "after")))
    if old.shape != new.shape:
        raise ValueError(f"before and after must be of one shape, got {tuple(old.shape)} and {tuple(new.shape)}")
    return new.to(torch.float64) - old.to(torch.float64)
