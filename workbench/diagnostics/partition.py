"""Partition isotropy: how evenly the rows of a space spread over its principal directions, both ways along each."""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics.cosine import ROWS_AT_ONCE, checked_blocks
from workbench.intervals import Estimate, jackknife_replicates
from workbench.tensors import as_rows, row_blocks

__all__ = ["partition_isotropy"]

GROUPS = 20  # groups of blocks left out in turn
FEWEST_BLOCKS = 5


def partition_isotropy(
    x: np.ndarray | Tensor,
    *,
    blocks: np.ndarray | None = None,
    sample: int | None = None,
    seed: int = 0,
) -> Estimate:
    """Smallest over largest partition function Z(c) = sum_i exp(c . x_i) over the principal directions of `x` (n, d).

    In [0, 1]: 1 when all directions weigh the same, 0 when one outweighs another beyond float64. c runs over both signs
    of every eigenvector of X^T X, because a solver's choice of sign is arbitrary. Sums are kept as logarithms, so long
    rows do not overflow; but exp weighs lengths heavily, and the number of raw and of unit rows differ. Rotation and
    duplication leave it, scale and shift move it. Where eigenvalues are equal the directions are the solver's.

    Time about 20 n d^2: the jackknife leaves out each of the `blocks` (n,) as in `mean_cosine`, dealt out to 20 groups
    where there are more, and finds the directions anew without it, on the scale of logarithms. `sample` draws that many
    rows by `seed` where there are more.

    The interval is about the mean at this n and holds it in 95-98 % of simulations. The number of a far larger sample
    it holds in 94-98 % for raw rows, in 91 % for unit rows without a mean: both signs tie there, extremes of noisy sums
    lie apart, and the number reads low. Where all directions tie it says little: 1000 isotropic Gaussian rows in 64
    dimensions read 0.57, and 0.98 once scaled to length 1, and the interval holds the truth, 1, in no more than half of
    the samples. Compare with a Gaussian cloud of the same n, d and lengths.

    Raises:
        TypeError, ValueError: rows as refused by `as_rows`, fewer than 2, a row longer than 1e150, `blocks` of another
            length, or `sample` below 2.

    Reference: Mu and Viswanath 2018, All-but-the-Top, section 2 (Arora et al. 2016 for Z).
    """
    rows = as_rows(x, least=2).detach()
    kept = drawn(len(rows), sample, seed)
    block_of = checked_blocks(blocks, len(rows))[kept]
    scale = _largest_length(rows, kept)
    product = _product(rows, kept, scale)
    whole = _log_ratio(rows, kept, product)
    definition = f"least over largest partition function, both signs of {rows.shape[1]} directions, n={len(kept)}"
    group = np.unique(block_of, return_inverse=True)[1] % GROUPS
    if np.count_nonzero(np.bincount(group)) < FEWEST_BLOCKS:
        return block_estimate(math.exp(whole), np.empty(0), n=len(kept), definition=definition)
    left_out = [
        _log_ratio(rows, kept[group != g], product - _product(rows, kept[group == g], scale))
        for g in range(group.max() + 1)
    ]
    return _estimate(whole, np.array(left_out), definition)


def drawn(n: int, sample: int | None, seed: int) -> np.ndarray:
    """Row numbers in rising order: all of n, or `sample` of them without replacement where n is larger.

    Raises:
        ValueError: `sample` below 2.
    """
    if sample is not None and sample < 2:
        raise ValueError(f"sample must be None or at least 2 rows, got {sample}")
    if sample is None or n <= sample:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, sample, replace=False))


def block_estimate(value: float, left_out: np.ndarray, *, n: int, definition: str) -> Estimate:
    """The delete-block jackknife of `jackknife_replicates`; an unbounded interval below 5 blocks or undefined parts."""
    if len(left_out) < 5 or not np.isfinite(left_out).all():
        method = "no interval: fewer than 5 blocks, or too few rows without one of them"
        return Estimate(value, -math.inf, math.inf, n, "item", method, definition)
    return jackknife_replicates(value, left_out, definition=definition)


def without_each(logs: np.ndarray) -> np.ndarray:
    """Logarithm of the sum of exp(logs) over the first axis, with one entry left out in turn: added, not subtracted."""
    edge = np.full((1, *logs.shape[1:]), -np.inf)
    before = np.logaddexp.accumulate(np.concatenate([edge, logs[:-1]]), axis=0)
    after = np.logaddexp.accumulate(np.concatenate([edge, logs[:0:-1]]), axis=0)[::-1]
    return np.logaddexp(before, after)


def _largest_length(rows: Tensor, kept: np.ndarray) -> float:
    """Length of the longest row, by which all are divided before they are squared; 1 where all are zero."""
    longest = 0.0
    for part in row_blocks(len(kept), ROWS_AT_ONCE):
        lengths = torch.linalg.vector_norm(_gathered(rows, kept[part]), dim=1)
        if not float(lengths.max()) <= 1e150:
            row = int(kept[part][int(lengths.argmax())])
            raise ValueError(f"x: row {row} is longer than 1e150, its square overflows float64: scale the rows down")
        longest = max(longest, float(lengths.max()))
    return longest or 1.0


def _product(rows: Tensor, kept: np.ndarray, scale: float) -> Tensor:
    """X^T X (d, d) of the rows kept, float64, each over `scale`."""
    product = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64, device=rows.device)
    for part in row_blocks(len(kept), ROWS_AT_ONCE):
        block = _gathered(rows, kept[part]) / scale
        product += block.T @ block
    return product


def _log_ratio(rows: Tensor, kept: np.ndarray, product: Tensor) -> float:
    """Logarithm of least over largest Z, both signs of every eigenvector of `product`, over the rows kept."""
    directions = torch.linalg.eigh(product)[1]
    logs = torch.full((2 * len(product),), -torch.inf, dtype=torch.float64, device=rows.device)
    for part in row_blocks(len(kept), ROWS_AT_ONCE):
        along = _gathered(rows, kept[part]) @ directions
        logs = torch.logaddexp(logs, torch.cat([along.logsumexp(dim=0), (-along).logsumexp(dim=0)]))
    return float(logs.min() - logs.max())


def _estimate(whole: float, left_out: np.ndarray, definition: str) -> Estimate:
    """Interval of exp(whole) worked out in logarithms, which do not underflow."""
    even = jackknife_replicates(whole, left_out, definition=definition)
    value, low, high = (math.exp(end) for end in (whole, even.low, min(0.0, even.high)))
    method = f"{even.method}, on the scale of logarithms"
    return replace(even, value=value, low=low, high=high, standard_error=value * even.standard_error, method=method)


def _gathered(rows: Tensor, index: np.ndarray) -> Tensor:
    if len(index) == index[-1] - index[0] + 1:  # a run of rows needs no copy of a map
        return rows[int(index[0]) : int(index[-1]) + 1].double()
    return rows[torch.from_numpy(index).to(rows.device)].double()
