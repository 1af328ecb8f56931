"""The nearest rows of every row, exactly: one kernel for hubness, intrinsic dimension, retrieval and maps."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from workbench.tensors import as_rows, row_blocks, unit

__all__ = ["KnnGraph", "Metric", "knn_graph"]

Metric = Literal["cosine", "euclidean", "dot"]

BLOCK_NUMBERS = 2**25  # similarities held at a time: 128 MiB in float32
LEAST_DEPTH = 4  # numbers in a group, below which groups save nothing


@dataclass(frozen=True)
class KnnGraph:
    """The `k` nearest of `n` rows for every asking row, nearest first.

    `indices` (rows, k) int64 and `similarities` (rows, k), larger is nearer: the cosine, the inner product, or minus
    the Euclidean distance. Rows ask about one another, or queries ask about them.
    """

    indices: np.ndarray
    similarities: np.ndarray
    metric: str
    k: int
    n: int


def knn_graph(
    x: np.ndarray | Tensor,
    *,
    k: int,
    queries: np.ndarray | Tensor | None = None,
    metric: Metric | str = "cosine",
    block: int | None = None,
) -> KnnGraph:
    """Exact nearest rows of `x` (n, d) for each of `queries` (m, d), or for each row of `x`, itself left out.

    Equal similarities go to the lower index. Cosines and inner products are computed in float32; distances in float64,
    because they are small differences of large squares. `block` rows at a time; None keeps a block at 128 MiB or less,
    256 MiB for distances.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: rows as refused by `as_rows` (and a zero row, for the cosine), unequal widths, an unknown metric,
            `block` below 1, or `k` outside 1..n - 1 (1..n with queries).
    """
    if metric not in get_args(Metric):
        raise ValueError(f"metric must be one of {get_args(Metric)}, got {metric!r}")
    rows = as_rows(x).detach()
    asking = rows if queries is None else as_rows(queries, name="queries").detach()
    if asking.shape[1] != rows.shape[1]:
        raise ValueError(f"queries must have {rows.shape[1]} columns as x has, got {asking.shape[1]}")
    n = len(rows)
    if not 1 <= k <= n - (queries is None):
        rule = f"below n={n}" if queries is None else f"at most n={n}"
        raise ValueError(f"k must be at least 1 and {rule}, got {k}")
    base = _prepared(rows, metric)
    asking = base if queries is None else _prepared(asking, metric).to(base.device)
    columns = base.T.contiguous()  # products with it are faster than with a transposed view
    lengths = base.square().sum(dim=1) if metric == "euclidean" else None
    indices, similarities = np.empty((len(asking), k), np.int64), np.empty((len(asking), k), np.float32)
    size = max(1, BLOCK_NUMBERS // n) if block is None else block
    parts = row_blocks(len(asking), size)
    space = base.new_empty(min(size, len(asking)), n)  # taken once: fresh pages cost a tenth of the time
    for part in parts:
        near = _similarities(asking[part], columns, lengths, space)
        if queries is None:
            near[torch.arange(len(near)), torch.arange(part.start, part.stop)] = -torch.inf
        found = _top(near, k)
        values = _values(near.gather(1, found), asking[part], base, found, metric).float()
        values, order = values.sort(dim=1, descending=True, stable=True)  # found is in order of index: so are ties
        indices[part], similarities[part] = found.gather(1, order).cpu().numpy(), values.cpu().numpy()
    return KnnGraph(indices, similarities, metric, k, n)


def _prepared(rows: Tensor, metric: str) -> Tensor:
    if metric == "cosine":
        return unit(rows).float()
    if metric == "euclidean":
        return rows.double()
    longest = float(torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).max())
    if longest > 1e19:
        raise ValueError(f"inner products of rows of length {longest:g} overflow float32: scale them below 1e19")
    return rows.float()


def _similarities(asking: Tensor, columns: Tensor, lengths: Tensor | None, space: Tensor) -> Tensor:
    product = torch.mm(asking, columns, out=space[: len(asking)])
    if lengths is None:
        return product
    # minus the squared distance, less the asking row's own square, which does not change its order
    return product.mul_(2).sub_(lengths)


def _top(near: Tensor, k: int) -> Tensor:
    """Columns of the k largest, in order of column; of equal ones the first."""
    values, found = _largest(near, min(k + 1, near.shape[1]))
    found = found[:, :k].contiguous()
    # any of the equal ones was kept: where the k-th equals the next, the whole row is sorted, stably
    tied = torch.nonzero(values[:, k - 1] == values[:, k])[:, 0] if values.shape[1] > k else found.new_empty(0)
    if len(tied) > 0:
        found[tied] = near[tied].sort(dim=1, descending=True, stable=True).indices[:, :k]
    return found.sort(dim=1).values


def _largest(near: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest numbers of each row and their columns, as topk, in less time for long rows.

    Columns j, j + width, j + 2 width, ... are one group. The k largest lie in the k groups of the largest maxima: a
    group left out has k groups before it with a number as large each. So two short selections replace a long one.
    """
    n = near.shape[1]
    deep = math.isqrt(n // k)
    if deep < LEAST_DEPTH:
        return near.topk(k, dim=1)
    width = n // deep
    tall = near[:, : deep * width].view(len(near), deep, width)
    groups = tall.amax(dim=1).topk(k, dim=1, sorted=False).indices
    columns = (groups[:, None] + width * torch.arange(deep, device=near.device)[:, None]).flatten(1)
    rest = torch.arange(deep * width, n, device=near.device).expand(len(near), -1)
    columns = torch.cat([columns, rest], dim=1)
    values, place = near.gather(1, columns).topk(k, dim=1)
    return values, columns.gather(1, place)


def _values(near: Tensor, asking: Tensor, base: Tensor, found: Tensor, metric: str) -> Tensor:
    if metric != "euclidean":
        return near
    # the difference itself: equal rows are at distance 0 exactly
    return -torch.stack([(base[found[:, j]] - asking).norm(dim=1) for j in range(found.shape[1])], dim=1)
