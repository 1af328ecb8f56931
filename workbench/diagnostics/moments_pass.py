"""The sums of pass A while rows come in, on the device where the rows are."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.linalg import get_blas_funcs
from torch import Tensor

from workbench.diagnostics.moments_record import Moments, Pool, Sums, moved
from workbench.tensors import unit

__all__ = ["Group", "read_block"]

SYRK, SYMV = get_blas_funcs(("syrk", "symv"), dtype=np.float64)
FAIR = (1e-140, 1e140)  # lengths whose squares float64 holds


def read_block(
    rows: Tensor,
    labels: np.ndarray,
    groups: np.ndarray | None,
    found: dict,
    unit_rows: bool,
    first: int,
) -> None:
    """Add `rows`, the first of which is row `first` of all, to the records `found`, by group.

    Raises:
        ValueError: a row is zero while `unit_rows`.
    """
    rows = rows.cpu() if rows.device.type == "mps" else rows  # mps has no float64
    if unit_rows and not (some := (rows != 0).any(dim=1)).all():
        row = first + int(torch.argmin(some.int()))
        raise ValueError(f"x: row {row} is zero and has no direction: drop it, or take unit_rows=False")
    one = groups is None
    names, codes = (np.array([None]), np.zeros(len(rows), int)) if one else np.unique(groups, return_inverse=True)
    with _one_thread():
        for code, name in enumerate(names.tolist()):
            members = np.flatnonzero(codes == code)
            if name not in found:
                found[name] = _empty_group(rows, unit_rows=unit_rows)
            for label in np.unique(labels[members]).tolist():
                chosen = members[labels[members] == label]
                found[name].add(rows[torch.from_numpy(chosen).to(rows.device)].double(), label)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch's small steps on one thread: its pool and that of LAPACK's products otherwise wait for each other.

    Measured on 2 idle cores, 20,000 x 384: 0.31 s like this, 2.3 s with two threads in both pools.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class Block:
    """Running moments of one jackknife block, about its own mean, on the device of the rows."""

    mean: Tensor
    scatter: Tensor  # on the CPU one triangle only, until the end
    sums: Sums
    unit_sum: Any  # Tensor, or None where unit rows are not kept
    norms: Tensor

    def add(self, x: Tensor, lengths: Tensor) -> None:
        count, old = len(x), self.sums.count
        mean = x.mean(dim=0)
        y = x - mean
        y2 = y * y
        r = y2.sum(dim=1)
        own = Sums(count, y2.sum(dim=0), (y2 * y).sum(dim=0), (y2 * y2).sum(dim=0), r @ y, r @ r)
        gap = mean - self.mean
        left, right = gap * (count / (old + count)), gap * (-old / (old + count))
        if old:
            kept = moved(self.sums, left, _times(self.scatter, left))
            self.sums = kept + moved(own, right, y.T @ (y @ right))
        else:
            self.sums = own
        # the row for the distance between the two means makes the product the scatter of both
        _add_gram(self.scatter, torch.cat([y, gap[None] * (old * count / (old + count)) ** 0.5]))
        self.mean = self.mean + left
        s, q, low, high = self.norms
        ends = torch.minimum(low, lengths.min()), torch.maximum(high, lengths.max())
        self.norms = torch.stack([s + lengths.sum(), q + lengths @ lengths, *ends])

    def result(self) -> tuple[Pool, np.ndarray, np.ndarray | None]:
        count, *rest, radial = self.sums
        sums = Sums._make([count, *(s.cpu().numpy() for s in rest), float(radial)])
        pool = Pool(self.mean.cpu().numpy(), _full(self.scatter), sums)
        return pool, self.norms.cpu().numpy(), None if self.unit_sum is None else self.unit_sum.cpu().numpy()


@dataclass
class Group:
    """Sums of one group of rows by block, and its unit second moment where that is kept."""

    blocks: dict[int, Block]
    unit_second: Tensor | None

    def add(self, x: Tensor, label: int) -> None:
        """Add rows of one block."""
        if label not in self.blocks:
            self.blocks[label] = _empty_block(x, units=self.unit_second is not None)
        lengths = torch.linalg.vector_norm(x, dim=1)
        self.blocks[label].add(x, lengths)
        if self.unit_second is not None:
            u = _unit(x, lengths)
            self.blocks[label].unit_sum += u.sum(dim=0)
            _add_gram(self.unit_second, u)

    def record(self) -> Moments:
        """The moments of the rows so far, on the CPU.

        Raises:
            ValueError: a sum of fourth powers is not finite.
        """
        blocks = {label: block.result() for label, block in self.blocks.items()}
        for pool, _, _ in blocks.values():
            if not np.isfinite(pool.sums.radial):
                raise ValueError("x holds numbers whose fourth power passes float64: scale it down")
        return Moments.of_blocks(blocks, None if self.unit_second is None else _full(self.unit_second))


def _empty_group(rows: Tensor, *, unit_rows: bool) -> Group:
    width = rows.shape[1]
    return Group({}, rows.new_zeros(width, width, dtype=torch.float64) if unit_rows else None)


def _empty_block(x: Tensor, *, units: bool) -> Block:
    zero = x.new_zeros(x.shape[1])
    norms = x.new_tensor([0, 0, float("inf"), 0])
    scatter = x.new_zeros(x.shape[1], x.shape[1])
    return Block(
        zero, scatter, Sums(0, zero, zero, zero, zero, x.new_zeros(())), zero.clone() if units else None, norms
    )


def _unit(x: Tensor, lengths: Tensor) -> Tensor:
    if FAIR[0] < lengths.min() and lengths.max() < FAIR[1]:
        return x / lengths[:, None]
    return unit(x)  # slower, and safe where squares leave the range of float64


def _add_gram(target: Tensor, y: Tensor) -> None:
    if y.device.type != "cpu":
        target.addmm_(y.T, y)
    else:  # half the work of a full product: LAPACK's lower triangle is numpy's upper one
        SYRK(1.0, y.numpy().T, beta=1.0, c=target.numpy().T, lower=1, overwrite_c=1)


def _times(scatter: Tensor, v: Tensor) -> Tensor:
    if scatter.device.type != "cpu":
        return scatter @ v
    return torch.from_numpy(SYMV(1.0, scatter.numpy().T, v.numpy(), lower=1))


def _full(scatter: Tensor) -> np.ndarray:
    if scatter.device.type != "cpu":
        return scatter.cpu().numpy()
    return (torch.triu(scatter) + torch.triu(scatter, 1).T).numpy()
