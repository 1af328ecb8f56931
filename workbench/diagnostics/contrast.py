"""Alignment and uniformity: how close positive pairs lie, and how evenly rows cover the sphere."""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics.cosine import ROWS_AT_ONCE, checked_blocks, units_of
from workbench.diagnostics.partition import block_estimate, drawn, without_each
from workbench.intervals import Estimate, mean_interval
from workbench.tensors import as_rows, row_blocks, unit

__all__ = ["alignment", "uniformity"]

TILE = 2048  # rows and columns compared at a time: 32 MiB of float64


def alignment(
    x: np.ndarray | Tensor,
    y: np.ndarray | Tensor,
    *,
    power: float = 2,
    blocks: np.ndarray | None = None,
) -> Estimate:
    """Mean distance between the unit rows of positive pairs, row i of `x` with row i of `y` (n, d), to a power.

    In [0, 2^power], smaller is closer: 0 when every pair points one way; 2 on average for unrelated isotropic rows and
    power 2, where it is 2 - 2 mean cosine. Scaling rows and rotating both sides alike leave it. Pairs a model was
    trained on look closer than new ones. Items are pairs (t interval of their mean); with `blocks` (n,) as in
    `mean_cosine`, where pairs share texts or sources, whole blocks are left out.

    Raises:
        TypeError, ValueError: rows as refused by `as_rows` and `unit`, shapes that differ, fewer than 2 pairs, `power`
            not above 0 and finite, or blocks of another length.

    Reference: Wang and Isola 2020, section 4.1.
    """
    left, right = as_rows(x, least=2).detach(), as_rows(y, least=2, name="y").detach()
    if left.shape != right.shape:
        raise ValueError(f"x and y must pair row by row, got shapes {tuple(left.shape)} and {tuple(right.shape)}")
    if not (power > 0 and math.isfinite(power)):
        raise ValueError(f"power must be above 0 and finite, got {power}")
    block_of = None if blocks is None else checked_blocks(blocks, len(left))
    items = np.empty(len(left))
    for part in row_blocks(len(left), ROWS_AT_ONCE):
        apart = units_of(left, part, "x") - units_of(right, part, "y").to(left.device)
        items[part] = torch.linalg.vector_norm(apart, dim=1).pow(power).cpu().numpy()
    definition = f"mean of |u_i - v_i|^{power:g} over {len(left)} positive pairs"
    if block_of is None:
        return mean_interval(items, definition=definition)
    sums, counts = np.bincount(block_of, weights=items), np.bincount(block_of)
    rest = len(items) - counts
    left_out = np.divide(sums.sum() - sums, rest, out=np.full(len(sums), np.nan), where=rest > 0)
    return block_estimate(float(items.mean()), left_out, n=len(items), definition=definition)


def uniformity(
    x: np.ndarray | Tensor,
    *,
    t: float = 2,
    blocks: np.ndarray | None = None,
    sample: int | None = 20_000,
    seed: int = 0,
) -> Estimate:
    """Logarithm of the mean of exp(-t |u_i - u_j|^2) over all pairs of distinct unit rows of `x` (n, d).

    In [-4t, 0], lower is more even: 0 when every row points one way; an isotropic Gaussian gives about -2t + 2t^2 / d
    (-4 + 8/d for t = 2). Scaling rows and rotating leave it, shifting and duplicating move it. All pairs, exactly, in
    float64 and logarithms, in time quadratic in n: more than `sample` rows are drawn down
    to it by `seed`, and `definition` says from how many (None: all rows). Rows of one source belong in one block:
    `blocks` (n,) as in `mean_cosine`.

    Raises:
        TypeError, ValueError: rows as refused by `as_rows` and `unit`, fewer than 2, `t` not above 0 and finite,
            `blocks` of another length, or `sample` below 2.

    Reference: Wang and Isola 2020, section 4.2 (pairs of distinct rows here, as in their code).
    """
    rows = as_rows(x, least=2).detach()
    if not (t > 0 and math.isfinite(t)):
        raise ValueError(f"t must be above 0 and finite, got {t}")
    block_of = checked_blocks(blocks, len(rows))
    for part in row_blocks(len(rows), ROWS_AT_ONCE):
        units_of(rows, part, "x")  # a zero row is refused by its own number, drawn or not
    kept = drawn(len(rows), sample, seed)
    names, inner = np.unique(block_of[kept], return_inverse=True)
    starts = np.searchsorted(np.sort(inner), np.arange(len(names)))
    logs = _log_sums(rows, kept[np.argsort(inner, kind="stable")], starts, t)
    of = f"{len(kept)} rows" + (f" drawn from {len(rows)}" if len(kept) < len(rows) else "")
    definition = f"ln of the mean of exp(-{t:g} |u_i - u_j|^2) over all pairs of distinct rows of {of}"
    value = _log_means(np.logaddexp.reduce(logs, axis=None, keepdims=True), np.array([[len(kept)]])).item()
    left_out = _log_means(_without_each_block(logs), len(kept) - np.bincount(inner))
    return block_estimate(value, left_out, n=len(kept), definition=definition)


def _log_sums(rows: Tensor, order: np.ndarray, starts: np.ndarray, t: float) -> np.ndarray:
    """Logarithm of the sum of exp(-t |u_i - u_j|^2) over i in block a and j in block b, i != j (blocks, blocks).

    Rows are taken in `order`, block by block; block a begins at `starts[a]`.
    """
    logs = np.full((len(starts), len(starts)), -np.inf)
    units = unit(rows[torch.from_numpy(order).to(rows.device)].double())
    for a, (low, high) in enumerate(pairwise([*starts.tolist(), len(order)])):
        columns = np.full(len(order) - low, -np.inf)  # the blocks before a are the mirror of earlier turns
        for left in row_blocks(high - low, TILE):
            for right in row_blocks(len(columns), TILE):
                exponent = units[low:high][left] @ units[low:][right].T
                exponent.clamp_(-1, 1).sub_(1).mul_(2 * t)
                if right.start < left.stop and left.start < right.stop:
                    exponent.diagonal(left.start - right.start).fill_(-torch.inf)
                columns[right] = np.logaddexp(columns[right], exponent.logsumexp(dim=0).cpu().numpy())
        logs[a, a:] = logs[a:, a] = np.logaddexp.reduceat(columns, starts[a:] - low)
    return logs


def _without_each_block(logs: np.ndarray) -> np.ndarray:
    """Log sum over the pairs without one block, each block in turn (blocks,), from `_log_sums`."""
    rest = without_each(logs.T)
    np.fill_diagonal(rest, -np.inf)
    return np.logaddexp.reduce(rest, axis=1)


def _log_means(log_sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Logarithm of the mean over n (n - 1) ordered pairs; NaN where there is none."""
    pairs = np.where(n > 1, n * (n - 1.0), np.nan)
    return log_sums - np.log(pairs)
