"""Average cosine between rows, exactly and in linear time."""

import math

import numpy as np
from torch import Tensor

from workbench.diagnostics.moments_record import Moments
from workbench.intervals import Estimate, jackknife_replicates
from workbench.tensors import as_rows, row_blocks, unit

__all__ = ["mean_cosine"]

BLOCKS = 20
ROWS_AT_ONCE = 8192


def mean_cosine(x: np.ndarray | Tensor | Moments, *, blocks: np.ndarray | None = None) -> Estimate:
    """Average cosine over all pairs of distinct rows of `x` (n, d), with a jackknife interval.

    In [-1/(n-1), 1]: 0 for an isotropic cloud, 1 when every row points one way. All pairs, not a sample:
    they sum to |sum of unit rows|^2 - n, in float64, in time linear in n.

    `blocks` (n,) numbers the jackknife block of each row; texts of one source belong in one block. Without
    it a row's block is a hash of its index, modulo 20. With fewer than 5 blocks the interval is unbounded. `x` may be
    the `Moments` of the rows, taken with unit rows: they hold their blocks.

    Raises:
        ValueError: fewer than 2 rows, a row that is not finite or has length zero, blocks of another length, `blocks`
            beside moments, or moments without unit rows.

    Reference: Ethayarajh 2019, section 3 (a sample of pairs there).
    """
    sums, counts = _sums_of(x, blocks)
    n = int(counts.sum())
    value = pair_mean(sums.sum(axis=0), n)
    definition = "mean cosine over all pairs of distinct rows"
    if len(counts) < 5 or n - counts.max() < 2:
        return Estimate(value, -math.inf, math.inf, n, "item", "no interval: fewer than 5 blocks", definition)
    rest = sums.sum(axis=0) - sums
    replicates = np.array([pair_mean(s, n - int(c)) for s, c in zip(rest, counts, strict=True)])
    return jackknife_replicates(value, replicates, definition=definition)


def _sums_of(x: np.ndarray | Tensor | Moments, blocks: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(x, Moments):
        rows = as_rows(x, least=2)
        return block_sums(rows, checked_blocks(blocks, len(rows)))
    if blocks is not None or x.n < 2:
        raise ValueError(f"moments need 2 rows or more, got {x.n}, and hold their blocks already: give none")
    return x.units(), x.counts


def pair_mean(total: np.ndarray, n: int) -> float:
    """Mean cosine over the pairs of n unit rows whose sum is `total` (d,)."""
    return float((total @ total - n) / (n * (n - 1)))


def checked_blocks(blocks: np.ndarray | None, n: int) -> np.ndarray:
    """Block number of each row, 0, 1, ... without gaps; a hash of the row's index where none are given.

    Raises:
        ValueError: not one whole number for each row.
    """
    if blocks is None:
        blocks = index_hash(np.arange(n, dtype=np.uint64)) % BLOCKS
    blocks = np.asarray(blocks)
    if blocks.shape != (n,) or blocks.dtype.kind not in "iu":
        raise ValueError(f"blocks must hold a whole number for each of the {n} rows, got {blocks.dtype} {blocks.shape}")
    return np.unique(blocks, return_inverse=True)[1]


def block_sums(rows: Tensor, block_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the unit rows of each block (blocks, d) in float64, and the number of rows in each (blocks,)."""
    counts = np.bincount(block_of)
    sums = np.zeros((len(counts), rows.shape[1]))
    for part in row_blocks(len(rows), ROWS_AT_ONCE):
        np.add.at(sums, block_of[part], units_of(rows, part, "x").cpu().numpy())
    return sums, counts


def units_of(rows: Tensor, part: slice, name: str) -> Tensor:
    """Unit rows of a block in float64; a zero row is refused by its number in the whole."""
    largest = rows[part].abs().amax(dim=1)
    if not (largest > 0).all():
        raise ValueError(f"{name}: row {part.start + int((largest > 0).int().argmin())} is zero and has no direction")
    return unit(rows[part].double())


def index_hash(index: np.ndarray) -> np.ndarray:
    """64-bit hash of row numbers (splitmix64), so that a row's block does not depend on how rows are cut up."""
    with np.errstate(over="ignore"):
        z = index.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
