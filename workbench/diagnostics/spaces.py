"""Two spaces over the same rows: how far one is from the other, and which rows moved."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics.cka import PairSums, block_estimate, left_out, paired_rows
from workbench.diagnostics.cosine import checked_blocks
from workbench.diagnostics.neighbour_lists import NeighbourLists, estimated, neighbour_lists
from workbench.intervals import Estimate
from workbench.neighbours import KnnGraph, Metric

__all__ = ["Drift", "common", "drift", "mutual_knn", "procrustes"]


@dataclass(frozen=True)
class Drift:
    """How far each row moved between two spaces, most moved first in `order`.

    Attributes:
        movement: distance from each row's place before to its place after (n,), float64, in units of the root mean
            square distance of the rows before from their mean; 0 for no movement.
        neighbour_change: share of each row's k nearest before that are no longer among them (n,), in [0, 1].
        order: rows by movement, largest first (n,), int64; equal ones in the order of rows.
        mean_movement: mean of `movement`.
        mean_neighbour_change: mean of `neighbour_change`; 1 - k / (n - 1) for unrelated spaces.
    """

    movement: np.ndarray
    neighbour_change: np.ndarray
    order: np.ndarray
    mean_movement: Estimate
    mean_neighbour_change: Estimate


def procrustes(
    x: np.ndarray | Tensor, y: np.ndarray | Tensor, *, scale: bool = True, blocks: np.ndarray | None = None
) -> Estimate:
    """What is left between `x` (n, d) and `y` (n, e) after the best shift, rotation or reflection, and scale.

    With `scale`: squared distance as a share of the squared spread, in [0, 1], 0 for the same shape; symmetric.
    Without: mean squared distance between a row of x and its counterpart, in the squared unit of x and y, 0 and up.
    The narrower space is padded with zeros. No correction for chance: the best rotation also fits noise, so that
    independent isotropic Gaussians reach 1 only for n far above d (0.98 at n = 2,000 and
    d = 64, 0.59 at n = 100): compare at one n and d only.

    Interval: jackknife over `blocks` (n,), of which each costs a singular value decomposition of d x e. It is about the
    mean at this n and too wide: 97-99 % held in simulations of 200 rows, and all where spaces are unrelated, where it
    is 2.5 times too wide.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: rows refused by `as_rows`, fewer than 2 rows, numbers of rows that differ, with `scale` a space
            whose rows are all equal, or blocks of another length.

    Reference: Gower 1975, Psychometrika 40(1); Schönemann 1966, Psychometrika 31(1).
    """
    first, second = paired_rows(x, y)
    n = len(first)

    def shape(sums: PairSums) -> float:
        spread_x, spread_y = float(sums.xx - sums.x @ sums.x / sums.n), float(sums.yy - sums.y @ sums.y / sums.n)
        fit = float(torch.linalg.svdvals(sums.centred).sum())
        if not scale:
            return max(0.0, spread_x + spread_y - 2 * fit) / sums.n
        for name, spread in (("x", spread_x), ("y", spread_y)):
            if spread <= 0:
                raise ValueError(f"all rows of {name} are equal, or all but a block of them: there is no shape")
        return max(0.0, 1 - fit**2 / (spread_x * spread_y))

    whole, *without = left_out(first, second, checked_blocks(blocks, n), shape, least=2)
    name = "Procrustes disparity" if scale else "mean squared Procrustes distance of a row"
    return block_estimate(whole, np.array(without), f"{name}, n={n}, d={first.shape[1]} and {second.shape[1]}")


def mutual_knn(
    x: np.ndarray | Tensor | KnnGraph,
    y: np.ndarray | Tensor | KnnGraph,
    *,
    k: int = 10,
    metric: Metric | str = "cosine",
    sample: int | None = 20_000,
    seed: int = 0,
    blocks: np.ndarray | None = None,
) -> Estimate:
    """Mean share of the k nearest of a row in `x` (n, d) that are among its k nearest in `y` (n, e).

    In [0, 1], 1 for the same neighbours everywhere; k / (n - 1) for unrelated spaces, so comparable at one n and k
    only. Exact, on the same `sample` rows of both drawn by `seed` (None: all), or on two graphs, with their metrics.

    Interval: halves of the `blocks` (n,) against one another, each half with graphs of its own;
    open below 5 blocks. Half as many rows share more neighbours at the same k, so it is 1.25 times too wide
    (98-99 % in simulations), 1.6 times where spaces are nearly unrelated.

    Raises:
        TypeError: neither an array, a tensor nor a graph.
        ValueError: rows or graphs refused as in `hubness`, or numbers of rows that differ.

    Reference: Huh, Cheung, Wang and Isola 2024, ICML, appendix A.
    """
    a, b = (
        neighbour_lists(z, k=k, metric=metric, sample=sample, seed=seed, blocks=blocks, name=name)
        for z, name in ((x, "x"), (y, "y"))
    )
    if len(a.index) != len(b.index) or (a.index != b.index).any():
        raise ValueError(f"x and y must have as many rows, got {len(a.index)} and {len(b.index)} to compare")
    metrics = a.metric if a.metric == b.metric else f"{a.metric} and {b.metric}"
    return _mean_common(a, b, f"mean share of common neighbours, k={k}, n={a.n}, {metrics}")


def drift(
    before: np.ndarray | Tensor,
    after: np.ndarray | Tensor,
    *,
    k: int = 10,
    aligned: bool = True,
    metric: Metric | str = "cosine",
    blocks: np.ndarray | None = None,
) -> Drift:
    """Which rows moved between `before` (n, d) and `after` (n, e): two checkpoints, two layers, two models.

    `aligned` takes the shift and the rotation or reflection that bring the spaces closest out first, not a scale; the
    narrower is padded with zeros. Without, rows are compared as they stand. The k nearest by `metric`, of all rows:
    time quadratic in n. The rotation also fits noise where n is not far above d.

    Intervals: of the movement, jackknife over `blocks` (n,), each aligned anew; of the change as in `mutual_knn`.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: rows refused by `as_rows`, numbers of rows that differ, without `aligned` widths that differ, rows
            before that are all equal, a zero row for the cosine, an unknown metric, `k` outside 1..n - 1, or blocks
            of another length.

    Reference: Schönemann 1966, Psychometrika 31(1).
    """
    first, second = paired_rows(before, after)
    block_of = checked_blocks(blocks, len(first))
    first, second = first.double(), second.double()
    movement = _movement(first, second, aligned)
    a, b = (
        neighbour_lists(z, k=k, metric=metric, sample=None, seed=0, blocks=block_of, name=name)
        for z, name in ((first, "before"), (second, "after"))
    )
    change = 1 - common(a.nearest()[1], b.nearest()[1]) / k
    kept = _mean_common(a, b, f"mean share of neighbours that changed, k={k}, n={a.n}, {metric}", changed=True)
    without = []
    if len(a.halves):
        kept_rows = [torch.from_numpy(block_of != block).to(first.device) for block in np.unique(block_of)]
        without = [_movement(first[rows], second[rows], aligned).mean() for rows in kept_rows]
    definition = (
        f"mean movement of a row over the spread before, {'after the best rotation' if aligned else 'as they stand'}"
    )
    mean = block_estimate(float(movement.mean()), np.array(without), definition)
    return Drift(movement, change, np.argsort(-movement, kind="stable"), mean, kept)


def common(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How many numbers each row of `a` (n, k) shares with the row of `b` (n, k); none stands twice in a row."""
    both = np.sort(np.concatenate([a, b], axis=1), axis=1)
    return (both[:, 1:] == both[:, :-1]).sum(axis=1)


def _mean_common(a: NeighbourLists, b: NeighbourLists, definition: str, *, changed: bool = False) -> Estimate:
    def share(half: np.ndarray | None) -> list[float]:
        kept = float(common(a.nearest(within=half)[1], b.nearest(within=half)[1]).mean()) / a.k
        return [1 - kept if changed else kept]

    if len(b.halves) < len(a.halves):  # a graph may have too few neighbours to spare
        a = replace(a, halves=b.halves)
    return estimated(a, share, [definition])[0]


def _movement(before: Tensor, after: Tensor, aligned: bool) -> np.ndarray:
    """Distance of each row from its place before, over the spread before."""
    centre = before.mean(dim=0)
    spread = (before - centre).square().sum(dim=1).mean().sqrt()
    if spread == 0:
        raise ValueError("all rows before are equal: there is no spread to measure a movement by")
    if aligned:
        before, after = before - centre, after - after.mean(dim=0)
        width = max(before.shape[1], after.shape[1])
        before, after = (torch.nn.functional.pad(z, (0, width - z.shape[1])) for z in (before, after))
        left, _, right = torch.linalg.svd(after.T @ before)
        after = after @ (left @ right)
    elif before.shape[1] != after.shape[1]:
        rule = "must have as many columns where they are not aligned"
        raise ValueError(f"before and after {rule}, got {before.shape[1]} and {after.shape[1]}")
    return (torch.linalg.vector_norm(after - before, dim=1) / spread).cpu().numpy()
