"""Whether a map shows the neighbourhoods of the space it was drawn from."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics.cosine import checked_blocks
from workbench.diagnostics.neighbour_lists import (
    NeighbourLists,
    check_directions,
    estimated,
    lists_around,
    prepared,
    sampled,
)
from workbench.diagnostics.spaces import common
from workbench.intervals import Estimate
from workbench.neighbours import Metric
from workbench.tensors import as_rows, row_blocks

__all__ = ["MapReliability", "continuity", "map_reliability", "trustworthiness"]

BLOCK_NUMBERS = 2**24  # comparisons at a time: 128 MiB in float64


@dataclass(frozen=True)
class MapReliability:
    """How far the surroundings of each row on a map can be believed; each array (n,), float64, in [0, 1].

    Attributes:
        shared: share of the row's k nearest on the map that are among its k nearest in the space, 1 is best.
        false: how far in truth those are that the map puts near, by rank; 0 is best, the mean is 1 - trustworthiness.
        missing: how far on the map those are that are truly near, by rank; 0 is best, the mean is 1 - continuity.
    """

    shared: np.ndarray
    false: np.ndarray
    missing: np.ndarray


def trustworthiness(
    x: np.ndarray | Tensor,
    map: np.ndarray | Tensor,
    *,
    k: int = 15,
    metric: Metric | str = "cosine",
    sample: int | None = 20_000,
    seed: int = 0,
    blocks: np.ndarray | None = None,
) -> Estimate:
    """Whether rows near one another on `map` (n, m) are near in `x` (n, d): 1 - scaled sum of the ranks beyond k.

    In [0, 1]: 1 when all k nearest on the map (Euclidean) are truly the k nearest by `metric`, about 0.5 for a map
    that has nothing to do with x. Exact, on `sample` rows drawn by `seed` (None: all), in time quadratic in them;
    rows equally far share the lower rank.

    Interval: halves of the `blocks` (n,) against one another, each half with ranks of its own; open below 5 blocks, or
    where half of the rows is less than 2 k.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: rows refused by `as_rows`, numbers of rows that differ, a zero row for the cosine, an unknown
            metric, `k` outside 1..n / 2, `sample` below 2 or blocks of another length.

    Reference: Venna and Kaski 2001, ICANN.
    """
    near, true = _spaces(map, x, ("euclidean", metric), sample, seed)
    block_of = checked_blocks(blocks, len(x))[sampled(len(x), sample, seed)]
    return _trust(near, true, k=k, metric="euclidean", block_of=block_of, name=f"trustworthiness, {metric}")


def continuity(
    x: np.ndarray | Tensor,
    map: np.ndarray | Tensor,
    *,
    k: int = 15,
    metric: Metric | str = "cosine",
    sample: int | None = 20_000,
    seed: int = 0,
    blocks: np.ndarray | None = None,
) -> Estimate:
    """Whether rows near one another in `x` (n, d) stay near on `map` (n, m): trustworthiness with the spaces changed.

    In [0, 1]: 1 when all k nearest by `metric` are the k nearest on the map (Euclidean), about 0.5 for a map that
    has nothing to do with x. Sample and interval as in `trustworthiness`.

    Raises:
        TypeError, ValueError: as in `trustworthiness`.

    Reference: Venna and Kaski 2001, ICANN.
    """
    true, near = _spaces(x, map, (metric, "euclidean"), sample, seed)
    block_of = checked_blocks(blocks, len(x))[sampled(len(x), sample, seed)]
    return _trust(true, near, k=k, metric=str(metric), block_of=block_of, name="continuity")


def map_reliability(
    x: np.ndarray | Tensor, map: np.ndarray | Tensor, *, k: int = 15, metric: Metric | str = "cosine"
) -> MapReliability:
    """For each row of `x` (n, d), how far its k nearest on `map` (n, m) are its k nearest by `metric`.

    `shared` is about k / (n - 1), `false` and `missing` about 0.5 for a map that has nothing to do with x. All rows,
    in time quadratic in n.

    Raises:
        TypeError, ValueError: as in `trustworthiness`.

    Reference: Venna and Kaski 2001, ICANN; Martins et al. 2014 (false and missing neighbours).
    """
    near, true = _spaces(map, x, ("euclidean", metric), None, 0)
    _check_k(k, len(near))
    whole = np.zeros(len(near), np.int64)
    shown, real = (
        lists_around(rows, k=k, metric=m, block_of=whole, index=np.arange(len(near)))
        for rows, m in ((near, "euclidean"), (true, metric))
    )
    worst = _worst(k, len(near))
    return MapReliability(
        shared=common(shown.nearest()[1], real.nearest()[1]) / k,
        false=_beyond(shown, true, [])[0] / worst,
        missing=_beyond(real, near, [])[0] / worst,
    )


def _spaces(
    a: np.ndarray | Tensor, b: np.ndarray | Tensor, metrics: tuple[str, str], sample: int | None, seed: int
) -> tuple[Tensor, Tensor]:
    """Both spaces as prepared rows of the same sample."""
    first, second = as_rows(a, least=2).detach(), as_rows(b, least=2).detach()
    if len(first) != len(second):
        raise ValueError(f"x and map must have as many rows, got {len(first)} and {len(second)}")
    if "dot" in metrics:
        raise ValueError("metric must be cosine or euclidean, got dot: ranks need a distance")
    for rows, metric in ((first, metrics[0]), (second, metrics[1])):
        check_directions(rows, metric, "x")  # the map is Euclidean
    index = sampled(len(first), sample, seed)
    one, other = prepared(first[index], metrics[0]), prepared(second[index], metrics[1])
    return one, other.to(one.device)


def _check_k(k: int, n: int) -> None:
    if not 1 <= k < n / 2:
        raise ValueError(f"k must be at least 1 and below n / 2 = {n / 2:g}, got {k}")


def _worst(k: int, n: int) -> float:
    """Largest sum of ranks beyond k that one row can have."""
    return k * (2 * n - 3 * k - 1) / 2


def _trust(near: Tensor, true: Tensor, *, k: int, metric: str, block_of: np.ndarray, name: str) -> Estimate:
    n = len(near)
    _check_k(k, n)
    lists = lists_around(near, k=k, metric=metric, block_of=block_of, index=np.arange(n))
    counts = np.bincount(lists.group_of)
    rows = np.concatenate([lists.halves @ counts, ~lists.halves @ counts])
    if len(rows) and k >= rows.min() / 2:
        lists = replace(lists, halves=lists.halves[:0])
    groups = [np.ones(len(counts), bool), *lists.halves, *~lists.halves]
    sums = dict(zip([half.tobytes() for half in groups], _beyond(lists, true, groups)[1], strict=True))

    def value(half: np.ndarray | None) -> list[float]:
        half = groups[0] if half is None else half
        m = int(half @ counts)
        return [1 - sums[half.tobytes()] / (m * _worst(k, m))]

    return estimated(lists, value, [f"{name}, k={k}, n={n}"])[0]


def _beyond(lists: NeighbourLists, true: Tensor, groups: list[np.ndarray]) -> tuple[np.ndarray, list[float]]:
    """Ranks beyond k, by distance in `true`, of the k neighbours of each row, summed: for each row (n,), all rows in.

    And for each of `groups` the sum over the rows within, with neighbours and ranks among those.
    """
    # rows of one group side by side: what is nearer is counted group by group
    order = np.argsort(lists.group_of, kind="stable")
    ends = np.cumsum(np.bincount(lists.group_of)).tolist()
    sorted_rows = true[torch.from_numpy(order).to(true.device)]
    place = np.empty(lists.n, np.int64)
    place[order] = np.arange(lists.n)
    of_row, sums = np.zeros(lists.n), [0.0] * len(groups)
    for rows, indices, _ in lists.pieces:
        for part in row_blocks(len(rows), max(1, BLOCK_NUMBERS // lists.n)):
            asking, found = rows[part], indices[part]
            nearer = _nearer(sorted_rows, place[asking], place[found], list(pairwise([0, *ends])))
            of_row[asking] = _over(nearer.sum(axis=2)[:, : lists.k], lists.k)
            for g, half in enumerate(groups):
                inside = lists.inside(half)
                kept = inside[asking]
                among = inside[found[kept]]
                among &= np.cumsum(among, axis=1) <= lists.k
                ranks = (nearer[kept] @ half.astype(np.int32))[among].reshape(-1, lists.k)
                sums[g] += float(_over(ranks, lists.k).sum())
    return of_row, sums


def _nearer(rows: Tensor, asking: np.ndarray, found: np.ndarray, segments: list[tuple[int, int]]) -> np.ndarray:
    """How many rows of each segment are nearer to each asking row than each of those it found (m, w, segments)."""
    mine = torch.from_numpy(asking).to(rows.device)
    near = 2 * rows[mine] @ rows.T - rows.square().sum(dim=1)
    near[torch.arange(len(mine), device=rows.device), mine] = -torch.inf
    limit = near.gather(1, torch.from_numpy(found).to(rows.device))
    counts = np.empty((*found.shape, len(segments)), np.int32)
    for s, (start, stop) in enumerate(segments):
        for j in range(found.shape[1]):
            counts[:, j, s] = (near[:, start:stop] > limit[:, j, None]).sum(dim=1).cpu().numpy()
    return counts


def _over(nearer: np.ndarray, k: int) -> np.ndarray:
    """Sum over each row of the ranks beyond k."""
    return np.maximum(nearer + 1 - k, 0).sum(axis=1)
