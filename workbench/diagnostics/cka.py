"""Likeness of two spaces over the same rows: centred kernel alignment with linear kernels."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics.cosine import checked_blocks
from workbench.diagnostics.scales import jackknife_on_scale
from workbench.intervals import Estimate, jackknife_replicates
from workbench.tensors import as_rows, row_blocks

__all__ = ["PairSums", "block_estimate", "left_out", "linear_cka", "pair_sums", "paired_rows"]

ROWS_AT_ONCE = 8192
MOST_NUMBERS = 2**26  # numbers in the cross products of the blocks held at a time: 512 MiB
GROUPS = 20  # groups of minibatches left out in turn


@dataclass(frozen=True)
class PairSums:
    """Sums over n pairs of rows x (d,) and y (e,), from which moments and kernels follow; float64.

    Attributes:
        n: number of pairs.
        cross: sum of the outer products of x and y (d, e).
        x: sum of x (d,).
        y: sum of y (e,).
        xx: sum of the squared lengths of x.
        yy: sum of the squared lengths of y.
        xx_yy: sum of their products.
        xx_y: sum of y, each times the squared length of its x (e,).
        yy_x: sum of x, each times the squared length of its y (d,).
    """

    n: int
    cross: Tensor
    x: Tensor
    y: Tensor
    xx: Tensor
    yy: Tensor
    xx_yy: Tensor
    xx_y: Tensor
    yy_x: Tensor

    def __add__(self, other: "PairSums") -> "PairSums":
        return PairSums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, other: "PairSums") -> "PairSums":
        return PairSums(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))

    @property
    def centred(self) -> Tensor:
        """Sum of the outer products of x and y about their means (d, e)."""
        return self.cross - torch.outer(self.x, self.y) / self.n

    @property
    def biased_hsic(self) -> float:
        """Squared Frobenius norm of the cross-covariance, over n - 1."""
        return float(self.centred.square().sum()) / (self.n - 1) ** 2

    @property
    def hsic(self) -> float:
        """Unbiased HSIC of the linear kernels, the diagonal left out.

        Reference: Song et al. 2012, JMLR 13, Eq. 5.
        """
        n = self.n
        trace = self.cross.square().sum() - self.xx_yy
        totals = (self.x @ self.x - self.xx) * (self.y @ self.y - self.yy)
        # row sums of either kernel without its diagonal are x_i.X - |x_i|^2
        mixed = self.x @ self.cross @ self.y - self.xx_y @ self.y - self.yy_x @ self.x + self.xx_yy
        return float(trace + totals / ((n - 1) * (n - 2)) - 2 * mixed / (n - 2)) / (n * (n - 3))


def linear_cka(
    x: np.ndarray | Tensor,
    y: np.ndarray | Tensor,
    *,
    unbiased: bool = True,
    minibatch: int | None = None,
    seed: int = 0,
    blocks: np.ndarray | None = None,
) -> Estimate:
    """Linear centred kernel alignment of `x` (n, d) and `y` (n, e), two spaces over the same rows.

    HSIC(x, y) over the root of HSIC(x, x) HSIC(y, y). In [-1, 1], 1 for spaces that differ by rotation, shift and one
    scale; not unmoved by other linear maps. Independent Gaussians: 0 on average. `unbiased=False` gives the form
    usually printed, in [0, 1], of about d / (n + d) for independent spaces of d = e: compare it at one n and d only.

    `minibatch` averages HSIC over whole batches of that many rows in an order drawn by `seed`; rows left over are not
    used. It changes nothing in the mean, and is slower: for numbers published that way.

    Interval: jackknife over `blocks` (n,), or over groups of minibatches, on Fisher's scale (arctanh). It covers 93 to
    97 % in simulations of 100 and 200 rows, clusters among them; for unrelated spaces it is 1.5 times too wide: 99 %.
    Time n d e, memory a few d x e.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: rows refused by `as_rows`, fewer than 4 rows or a minibatch outside 4..n, numbers of rows that
            differ, a space whose rows are all equal, blocks of another length or with minibatches.

    Reference: Kornblith et al. 2019, ICML, Eq. 3; Nguyen, Raghu and Kornblith 2021, ICLR, section 3.1 (minibatches).
    """
    first, second = paired_rows(x, y, least=4)
    n = len(first)
    name = f"{'unbiased' if unbiased else 'biased'} linear CKA"

    def statistic(sums: PairSums) -> float:
        return sums.hsic if unbiased else sums.biased_hsic

    if minibatch is not None:
        if not 4 <= minibatch <= n or blocks is not None:
            raise ValueError(f"minibatch must lie in 4..n={n} and goes without blocks, got {minibatch}")
        return _minibatched(first, second, minibatch, np.random.default_rng(seed), statistic, name)
    block_of = checked_blocks(blocks, n)
    hsics = [
        left_out(a, b, block_of, statistic, least=4) for a, b in ((first, second), (first, first), (second, second))
    ]
    whole, *without = [_ratio(*h) for h in zip(*hsics, strict=True)]
    return _estimate(whole, np.array(without), f"{name}, n={n}, d={first.shape[1]} and {second.shape[1]}")


def paired_rows(x: np.ndarray | Tensor, y: np.ndarray | Tensor, *, least: int = 2) -> tuple[Tensor, Tensor]:
    """Both spaces as tensors of as many rows, on one device.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: rows refused by `as_rows`, or numbers of rows that differ.
    """
    first, second = as_rows(x, least=least).detach(), as_rows(y, least=least, name="y").detach()
    if len(first) != len(second):
        raise ValueError(f"x and y must have as many rows, got {len(first)} and {len(second)}")
    return first, second.to(first.device)


def left_out(
    x: Tensor, y: Tensor, block_of: np.ndarray, statistic: Callable[[PairSums], float], *, least: int
) -> list[float]:
    """`statistic` of all pairs of rows, and then of all without each block in turn.

    Only the first where there are fewer than 5 blocks, or fewer than `least` rows without some block.
    """
    counts = np.bincount(block_of)
    if len(counts) < 5 or len(x) - counts.max() < least:
        return [statistic(pair_sums(x, y, np.zeros(len(x), np.int64))[0])]
    at_once = max(1, MOST_NUMBERS // (x.shape[1] * y.shape[1]))
    if at_once >= len(counts):
        parts = pair_sums(x, y, block_of)
        total = sum(parts[1:], parts[0])
        return [statistic(total), *(statistic(total - part) for part in parts)]
    total = pair_sums(x, y, np.zeros(len(x), np.int64))[0]
    found = [statistic(total)]
    for blocks in row_blocks(len(counts), at_once):
        wanted = (block_of >= blocks.start) & (block_of < blocks.stop)
        # the parts not asked for are gathered in one more, so that all are centred alike
        parts = pair_sums(x, y, np.where(wanted, block_of - blocks.start, blocks.stop - blocks.start))
        found += [statistic(total - part) for part in parts[: blocks.stop - blocks.start]]
    return found


def pair_sums(x: Tensor, y: Tensor, block_of: np.ndarray) -> list[PairSums]:
    """The sums of each block, about the means of all rows: a shift of a million costs no digits."""
    mean_x, mean_y = (sum(a[p].double().sum(dim=0) for p in row_blocks(len(a), ROWS_AT_ONCE)) / len(a) for a in (x, y))
    sums: dict[int, PairSums] = {}
    for part in row_blocks(len(x), ROWS_AT_ONCE):
        first, second = x[part].double() - mean_x, y[part].double() - mean_y
        for block in np.unique(block_of[part]).tolist():
            members = torch.from_numpy(np.flatnonzero(block_of[part] == block)).to(x.device)
            more = _sums(first[members], second[members])
            sums[block] = sums[block] + more if block in sums else more
    return [sums[block] for block in sorted(sums)]


def _sums(x: Tensor, y: Tensor) -> PairSums:
    xx, yy = x.square().sum(dim=1), y.square().sum(dim=1)
    return PairSums(len(x), x.T @ y, x.sum(dim=0), y.sum(dim=0), xx.sum(), yy.sum(), xx @ yy, xx @ y, yy @ x)


def block_estimate(value: float, replicates: np.ndarray, definition: str) -> Estimate:
    """The jackknife's Estimate, or an open interval where there are no replicates."""
    if len(replicates) == 0:
        method = "no interval: fewer than 5 blocks, or too few rows left without one"
        return Estimate(value, -math.inf, math.inf, 1, "block", method, definition)
    return jackknife_replicates(value, replicates, definition=definition)


def _estimate(value: float, replicates: np.ndarray, definition: str) -> Estimate:
    """The jackknife on Fisher's scale, which keeps its ends within [-1, 1]; as it stands where one is 1 or beyond."""
    if len(replicates) == 0 or max(abs(value), np.abs(replicates).max()) >= 1:
        return block_estimate(value, replicates, definition)
    return jackknife_on_scale(
        value, replicates, there=np.arctanh, back=np.tanh, scale="on Fisher's scale", definition=definition
    )


def _ratio(xy: float, xx: float, yy: float) -> float:
    for name, own in (("x", xx), ("y", yy)):
        if own <= 0:
            raise ValueError(f"all rows of {name} are equal, or all but a block of them: CKA is not defined")
    return xy / math.sqrt(xx * yy)


def _minibatched(
    x: Tensor, y: Tensor, size: int, rng: np.random.Generator, statistic: Callable[[PairSums], float], name: str
) -> Estimate:
    """CKA of the mean HSICs of whole batches, with groups of batches left out in turn."""
    count = len(x) // size
    batches = torch.from_numpy(rng.permutation(len(x))[: count * size].reshape(count, size)).to(x.device)
    one = np.zeros(size, np.int64)
    hsics = np.array(
        [[statistic(pair_sums(a[batch], b[batch], one)[0]) for a, b in ((x, y), (x, x), (y, y))] for batch in batches]
    )
    group = np.arange(count) % GROUPS
    without = [hsics[group != g].mean(axis=0) for g in np.unique(group)] if count >= 5 else []
    definition = f"{name}, mean of {count} batches of {size}, d={x.shape[1]} and {y.shape[1]}"
    return _estimate(_ratio(*hsics.mean(axis=0)), np.array([_ratio(*h) for h in without]), definition)
