"""The nearest rows of every row, exactly: one kernel for hubness, intrinsic dimension, retrieval and maps."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from workbench.tensors import as_rows, row_blocks, unit

__all__ = ["KnnGraph", "Metric", "knn_graph"]

Metric = Literal["cosine", "euclidean", "dot"]

BLOCK_NUMBERS = 2**25  # similarities held at a time: 128 MiB in float32


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
    because they are small differences of large squares. `block` rows at a time; None keeps a block at 128 MiB or less.

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
    indices, similarities = np.empty((len(asking), k), np.int64), np.empty((len(asking), k), np.float32)
    for part in row_blocks(len(asking), max(1, BLOCK_NUMBERS // n) if block is None else block):
        near = _similarities(asking[part], base, metric)
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


def _similarities(asking: Tensor, base: Tensor, metric: str) -> Tensor:
    product = asking @ base.T
    if metric != "euclidean":
        return product
    # minus the squared distance, less the asking row's own square, which does not change its order
    return product.mul_(2).sub_(base.square().sum(dim=1))


def _top(near: Tensor, k: int) -> Tensor:
    """Columns of the k largest, in order of column; of equal ones the first."""
    values, found = near.topk(min(k + 1, near.shape[1]), dim=1)
    found = found[:, :k].contiguous()
    # topk keeps any of the equal ones: where the k-th equals the next, the whole row is sorted, stably
    tied = torch.nonzero(values[:, k - 1] == values[:, k])[:, 0] if values.shape[1] > k else found.new_empty(0)
    if len(tied) > 0:
        found[tied] = near[tied].sort(dim=1, descending=True, stable=True).indices[:, :k]
    return found.sort(dim=1).values


def _values(near: Tensor, asking: Tensor, base: Tensor, found: Tensor, metric: str) -> Tensor:
    if metric != "euclidean":
        return near
    # the difference itself: equal rows are at distance 0 exactly
    return -torch.stack([(base[found[:, j]] - asking).norm(dim=1) for j in range(found.shape[1])], dim=1)
