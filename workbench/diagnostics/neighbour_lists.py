"""Neighbour lists that stay exact when half of the rows is left out: what every interval of a neighbour number needs.

Leaving one block out in turn, as elsewhere, makes these intervals twice too wide, for a list of neighbours is no smooth
function of the rows; blocks left out as askers only make them too narrow. So the two halves of the blocks are compared,
each with a graph of its own, for 19 balanced ways to halve them: where the number is a mean over rows this is the
jackknife itself.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics.cosine import ROWS_AT_ONCE, checked_blocks
from workbench.intervals import Estimate
from workbench.intervals.estimate import t_estimate
from workbench.neighbours import KnnGraph, Metric, knn_graph
from workbench.tensors import as_rows, row_blocks, unit

__all__ = [
    "NeighbourLists",
    "Piece",
    "check_directions",
    "estimated",
    "first_inside",
    "lists_around",
    "lists_of",
    "neighbour_lists",
    "prepared",
    "sampled",
]

BLOCK_NUMBERS = 2**22  # numbers gathered at a time: 32 MiB in float64
GROUPS = 20  # groups of blocks that are halved
MARGIN = 20  # neighbours kept beyond 4 k, so that few rows must be asked a second time

Piece = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class NeighbourLists:
    """The `k` nearest of `n` rows for every row, with enough spare ones that half of the rows can be left out.

    `pieces` hold rows (m,), their neighbours (m, w), nearest first, and their distances (m, w). `group_of` (n,) is the
    group of blocks of each row, -1 for a row that takes no part. `halves` (splits, groups) marks one half of each
    split; there is none where no interval can be had. `index` (n,) is the number of each row in the input.
    """

    pieces: list[Piece]
    group_of: np.ndarray
    halves: np.ndarray
    k: int
    n: int
    metric: str
    index: np.ndarray

    def nearest(self, *, within: np.ndarray | None = None) -> Piece:
        """Rows (m,) of the groups marked in `within`, their k nearest among themselves (m, k), the distances (m, k)."""
        inside = self.inside(within)
        found = [first_inside(piece, inside, self.k) for piece in self.pieces]
        rows, indices, distances = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.argsort(rows, kind="stable")
        return rows[order], indices[order], distances[order]

    def inside(self, within: np.ndarray | None) -> np.ndarray:
        """Whether each row takes part and belongs to a group marked in `within`, or to any."""
        groups = int(self.group_of.max()) + 1
        return np.append(np.ones(groups, bool) if within is None else within, False)[self.group_of]

    def says(self, number: str) -> str:
        """Definition of a number made from these lists, with what it depends on."""
        return f"{number}, k={self.k}, n={self.n}, {self.metric}"


def neighbour_lists(
    x: np.ndarray | Tensor | KnnGraph,
    *,
    k: int,
    metric: str,
    sample: int | None,
    seed: int,
    blocks: np.ndarray | None,
    name: str = "x",
) -> NeighbourLists:
    """Lists of a seeded sample of the rows of `x`, or those of a graph, whose own metric then counts.

    `name` is what errors call the rows.

    Raises:
        TypeError: neither an array, a tensor nor a graph.
        ValueError: rows, k, metric, sample or blocks refused, or a graph too narrow.
    """
    if isinstance(x, KnnGraph):
        return lists_of(x, k=k, blocks=blocks)
    rows = as_rows(x, least=2).detach()
    index, block_of = sampled(len(rows), sample, seed), checked_blocks(blocks, len(rows))
    check_directions(rows, metric, name)
    return lists_around(prepared(rows[index], metric), k=k, metric=metric, block_of=block_of[index], index=index)


def sampled(n: int, sample: int | None, seed: int) -> np.ndarray:
    """Rising numbers of `sample` of n rows, drawn by `seed`; of all rows for None or where there are no more.

    Raises:
        ValueError: `sample` below 2.
    """
    if sample is not None and sample < 2:
        raise ValueError(f"sample must be at least 2, or None for all rows, got {sample}")
    if sample is None or sample >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, sample, replace=False))


def check_directions(rows: Tensor, metric: str, name: str) -> None:
    """Refuse a zero row for the cosine by its number among all rows, whether it would be drawn or not.

    Raises:
        ValueError: there is one.
    """
    for part in row_blocks(len(rows), ROWS_AT_ONCE) if metric == "cosine" else ():
        zero = (rows[part] == 0).all(dim=1)
        if zero.any():
            raise ValueError(f"{name}: row {part.start + int(zero.int().argmax())} is zero and has no direction")


def prepared(rows: Tensor, metric: str) -> Tensor:
    """Rows in which nearer means nearer by `metric`: float64, unit for the cosine, centred (as they are for dot).

    Euclidean distances of unit rows order as cosines do, and stay exact where float32 cosines all round to 1.

    Raises:
        ValueError: an unknown metric, or a zero row for the cosine.
    """
    if metric not in get_args(Metric):
        raise ValueError(f"metric must be one of {get_args(Metric)}, got {metric!r}")
    if metric == "dot":
        return rows
    rows = unit(rows.double()) if metric == "cosine" else rows.double()
    return rows - rows.mean(dim=0)


def lists_around(rows: Tensor, *, k: int, metric: str, block_of: np.ndarray, index: np.ndarray) -> NeighbourLists:
    """Lists of `prepared` rows, exact for every half: rows with too few spare neighbours are asked again.

    Raises:
        ValueError: `k` outside 1..n - 1.
    """
    n, group_of = len(rows), _groups(block_of)
    if not 1 <= k < n:
        raise ValueError(f"k must be at least 1 and below n={n}, got {k}")
    halves = _halves(group_of, k)
    measured = "dot" if metric == "dot" else "euclidean"
    pieces, narrow, width = [], np.arange(n), min(n - 1, 4 * k + MARGIN) if len(halves) else k
    while len(narrow) > 0:
        again = []
        for part in row_blocks(len(narrow), max(1, BLOCK_NUMBERS // width)):
            asking = narrow[part]
            indices, near = _asked(rows, asking, width, measured)
            enough = ~_narrow(asking, indices, group_of, halves, k)
            if enough.any():
                pieces.append(_piece(rows, asking[enough], indices[enough], near[enough], metric))
            again.append(asking[~enough])
        narrow, width = np.concatenate(again), min(n - 1, 4 * width)
    return NeighbourLists(pieces, group_of, halves, k, n, metric, index)


def lists_of(graph: KnnGraph, *, k: int, blocks: np.ndarray | None, dead: np.ndarray | None = None) -> NeighbourLists:
    """Lists of a graph of rows about one another; rows marked in `dead` (n,) take no part.

    Raises:
        ValueError: a graph of queries, or one that leaves a row fewer than k neighbours.
    """
    itself = np.arange(len(graph.indices))
    if len(graph.indices) != graph.n or (graph.indices == itself[:, None]).any():
        raise ValueError(f"the graph must be of its {graph.n} rows about one another, not of queries")
    if not 1 <= k <= graph.k:
        raise ValueError(f"k must be at least 1 and at most the graph's {graph.k}, got {k}")
    group_of = _groups(checked_blocks(blocks, graph.n))
    if dead is not None:
        group_of = np.where(dead, -1, group_of)
    whole = np.empty((0, int(group_of.max()) + 1), bool)
    narrow = _narrow(itself, graph.indices, group_of, whole, k)
    if narrow.any():
        rule = f"fewer than k={k} neighbours that are no copies: give rows, or a graph with more than {graph.k}"
        raise ValueError(f"row {int(np.argmax(narrow))} has {rule}")
    halves = _halves(group_of[group_of >= 0], k)
    if _narrow(itself, graph.indices, group_of, halves, k).any():
        halves = whole
    piece = (itself, graph.indices, -graph.similarities.astype(np.float64))
    return NeighbourLists([piece], group_of, halves, k, int((group_of >= 0).sum()), graph.metric, itself)


def first_inside(piece: Piece, inside: np.ndarray, k: int) -> Piece:
    """The rows of a piece that are `inside` (n,), and the first k of their neighbours that are."""
    rows, indices, distances = piece
    asking = inside[rows]
    rows, indices, distances = rows[asking], indices[asking], distances[asking]
    kept = inside[indices]
    kept &= np.cumsum(kept, axis=1) <= k
    return rows, indices[kept].reshape(-1, k), distances[kept].reshape(-1, k)


def estimated(
    lists: NeighbourLists, statistics: Callable[[np.ndarray | None], Sequence[float]], definitions: Sequence[str]
) -> list[Estimate]:
    """Estimates of `statistics`, which takes the groups to work within (None: all) and gives one number a definition.

    Var = mean over splits of (a - b)^2 p q, for the numbers a and b of the two halves, of shares p and q of the rows.

    Reference: McCarthy 1969, Review of the International Statistical Institute 37(3) (balanced half-samples).
    """
    values = [float(value) for value in statistics(None)]
    if len(lists.halves) == 0:
        method = "no interval: fewer than 5 blocks, too few rows in half of them, or a graph with too few to spare"
        return [
            Estimate(v, -math.inf, math.inf, 1, "block", method, d) for v, d in zip(values, definitions, strict=True)
        ]
    counts = np.bincount(lists.group_of[lists.group_of >= 0])
    shares = lists.halves @ counts / counts.sum()
    apart = np.array([np.subtract(statistics(half), statistics(~half)) for half in lists.halves])
    variances = (apart**2 * (shares * (1 - shares))[:, None]).mean(axis=0)
    method, freedom = "balanced half-samples of blocks, t", len(counts) - 1
    return [
        t_estimate(v, [(float(variance), freedom)], n=len(counts), unit="block", method=method, definition=d)
        for v, variance, d in zip(values, variances, definitions, strict=True)
    ]


def _groups(block_of: np.ndarray) -> np.ndarray:
    """Blocks dealt out to at most 20 groups."""
    return np.unique(block_of, return_inverse=True)[1] % GROUPS


def _halves(group_of: np.ndarray, k: int) -> np.ndarray:
    """One half of each balanced split of the groups; none for fewer than 5, or where a half has under k + 2 rows.

    Columns of the Hadamard matrix of order 20 by Paley's construction: any two splits are orthogonal.
    """
    groups = int(group_of.max()) + 1
    squares = np.unique(np.arange(1, 19) ** 2 % 19)
    cyclic = np.isin((np.arange(19)[None] - np.arange(19)[:, None]) % 19, squares)
    splits = np.vstack([np.ones(19, bool), cyclic]).T[:, :groups]  # ten groups of twenty in each
    counts = np.bincount(group_of)
    within = splits.sum(axis=1)
    splits = splits[(within >= 2) & (groups - within >= 2)]
    rows = splits @ counts
    if groups < 5 or len(splits) == 0 or min(rows.min(), counts.sum() - rows.max()) < k + 2:
        return np.empty((0, groups), bool)
    return splits


def _asked(rows: Tensor, asking: np.ndarray, width: int, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours (m, width) of some rows, themselves left out, and their similarities."""
    if len(asking) == len(rows):
        graph = knn_graph(rows, k=width, metric=metric)
        return graph.indices, graph.similarities
    graph = knn_graph(rows, k=width + 1, queries=rows[torch.from_numpy(asking).to(rows.device)], metric=metric)
    others = graph.indices != asking[:, None]
    others[others.all(axis=1), -1] = False  # more copies of it come first
    return graph.indices[others].reshape(-1, width), graph.similarities[others].reshape(-1, width)


def _narrow(asking: np.ndarray, indices: np.ndarray, group_of: np.ndarray, halves: np.ndarray, k: int) -> np.ndarray:
    """Rows that have fewer than k neighbours in some half they belong to, or in all."""
    narrow = np.zeros(len(asking), bool)
    for half in [np.ones(halves.shape[1], bool), *halves, *~halves]:
        inside = np.append(half, False)[group_of]
        narrow |= inside[asking] & (inside[indices].sum(axis=1) < k)
    return narrow


def _piece(rows: Tensor, asking: np.ndarray, indices: np.ndarray, near: np.ndarray, metric: str) -> Piece:
    """A piece in the order of float64 distances: the graph's own are rounded to float32."""
    if metric == "dot":
        return asking, indices, -near.astype(np.float64)
    distances, width = np.empty(indices.shape), indices.shape[1]
    for part in row_blocks(len(asking), max(1, BLOCK_NUMBERS // (width * rows.shape[1]))):
        ends = rows[torch.from_numpy(indices[part]).to(rows.device)]
        starts = rows[torch.from_numpy(asking[part]).to(rows.device)]
        distances[part] = torch.linalg.vector_norm(ends - starts[:, None], dim=2).cpu().numpy()
    order = np.argsort(distances, axis=1, kind="stable")
    return asking, np.take_along_axis(indices, order, axis=1), np.take_along_axis(distances, order, axis=1)
