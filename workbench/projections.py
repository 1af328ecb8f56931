"""Maps of an embedding space in few dimensions: PCA keeps variance, UMAP keeps neighbourhoods."""

import importlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.tensors import as_rows, row_blocks

__all__ = ["aligned_maps", "movement", "pca", "robust_fit", "umap_map"]

BLOCK_ROWS = 4096
FITTED_ROWS = 5000  # rows that an alignment is fitted on
AXES = 384  # axes of a space in which it is turned


def pca(x: np.ndarray | Tensor, *, dimensions: int = 2) -> np.ndarray:
    """Coordinates (n, dimensions) of the rows of `x` (n, d) on their principal axes, float64, largest variance first.

    In the unit of `x`, centred. The sign is fixed: the largest loading of every axis is positive.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: rows as refused by `as_rows`, or `dimensions` outside 1..min(n - 1, d).

    Reference: Jolliffe 2002, Principal Component Analysis, chapter 1.
    """
    rows = as_rows(x, least=2).detach()
    n, d = rows.shape
    if not 1 <= dimensions <= min(n - 1, d):
        raise ValueError(f"dimensions must lie in 1..min(n - 1, d) = 1..{min(n - 1, d)}, got {dimensions}")
    blocks = list(row_blocks(n, BLOCK_ROWS))
    mean = sum((rows[block].double().sum(dim=0) for block in blocks), rows.new_zeros(d, dtype=torch.float64)) / n
    axes = _axes_of_few(rows.double() - mean) if n < d else _axes_of_many(rows, mean, blocks)
    axes = _signed(axes[:, :dimensions])
    return torch.cat([(rows[block].double() - mean) @ axes for block in blocks]).cpu().numpy()


def _axes_of_few(centred: Tensor) -> Tensor:
    return torch.linalg.svd(centred, full_matrices=False).Vh.T


def _axes_of_many(rows: Tensor, mean: Tensor, blocks: list[slice]) -> Tensor:
    scatter = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=rows.device)
    for block in blocks:
        centred = rows[block].double() - mean
        scatter += centred.T @ centred
    return torch.linalg.eigh(scatter).eigenvectors.flip(dims=[1])


def umap_map(
    x: np.ndarray | Tensor, *, seed: int, n_neighbors: int = 15, min_dist: float | int = 0.1, metric: str = "cosine"
) -> np.ndarray:
    """Coordinates (n, 2) of the rows of `x` (n, d) that keep near rows near, float32, in no unit.

    Distances between far groups carry no meaning. The same seed repeats the map on the same machine only.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: rows as refused by `as_rows`, or `n_neighbors` outside 2..n - 1.

    Reference: McInnes, Healy and Melville 2018, arXiv 1802.03426.
    """
    rows = as_rows(x, least=4).detach()
    if not 2 <= n_neighbors < len(rows):
        raise ValueError(f"n_neighbors must be at least 2 and below n={len(rows)}, got {n_neighbors}")
    umap: Any = importlib.import_module("umap")  # compiles on import; without types of its own

    # one thread: with a seed the library would fall back to it, with a warning
    mapper = umap.UMAP(n_neighbors=n_neighbors, min_dist=min_dist, metric=metric, random_state=seed, n_jobs=1)
    return np.asarray(mapper.fit_transform(rows.float().cpu().numpy()), dtype=np.float32)


def aligned_maps(spaces: np.ndarray | Sequence[np.ndarray | Tensor], *, dimensions: int = 2) -> np.ndarray:
    """Maps (steps, n, dimensions) of several spaces over the same n rows, float32, on which unchanged rows stay.

    `spaces` are (steps, n, d), or one (n, d_i) for each step: layers, checkpoints, widths. Each space is brought onto
    the step before it, as that was brought, by `robust_fit`: a chain of Procrustes fits in all dimensions, in which
    rows that moved far weigh little. So while more than half of the rows keep their places among one another, these do
    not move. All steps are then seen in one plane: the first principal axes of their mean, the consensus.

    In the unit of the first space; one space alone gives its `pca`. Growth or shrinkage of a whole cloud is not shown,
    nor are directions that only a step or two fill. Fits and axes come from 5,000 rows at most, the same ones each
    time, and where n or d is above 384, from the first 384 principal axes. A rotation also fits noise where n is not
    far above d: there the steps look more alike than they are.

    Raises:
        TypeError: a space that is neither an array nor a tensor.
        ValueError: no space, rows as refused by `as_rows` (fewer than 2 among them), numbers of rows that differ, or
            `dimensions` outside 1..384.

    Reference: Gower 1975, Psychometrika 40(1), of which this is the chained form; its consensus is the mean here, too.
    """
    if not 1 <= dimensions <= AXES:
        raise ValueError(f"dimensions must lie in 1..{AXES}, got {dimensions}")
    steps = [as_rows(space, least=2, name=f"space {k}").detach() for k, space in enumerate(spaces)]
    if not steps:
        raise ValueError("spaces must hold one space at least, got none")
    for k, rows in enumerate(steps):
        if len(rows) != len(steps[0]):
            raise ValueError(f"spaces must have as many rows, got {len(steps[0])} in space 0 and {len(rows)} in {k}")
    drawn = _drawn(len(steps[0]))
    width = max(dimensions, min(AXES, len(drawn) - 1, max(rows.shape[1] for rows in steps)))
    last, total, ways = None, torch.zeros(len(drawn), width, dtype=torch.float64), []
    for rows in steps:
        mean, axes, seen = _on_axes(rows[drawn.to(rows.device)], width)
        scale, shift, turn = (1.0, seen.new_zeros(width), None) if last is None else robust_fit(seen, last)
        last = scale * (seen if turn is None else seen @ turn) + shift
        total += last
        ways.append((mean, scale * (axes if turn is None else axes @ turn), shift))
    centred = total / len(steps) - total.mean(dim=0) / len(steps)
    plane = _signed(torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(dims=[1])[:, :dimensions])
    return np.stack(
        [_placed(rows, mean, way @ plane, shift @ plane) for rows, (mean, way, shift) in zip(steps, ways, strict=True)]
    )


def robust_fit(x: Tensor, y: Tensor) -> tuple[float, Tensor, Tensor]:
    """Scale, shift (d,) and rotation or reflection (d, d): scale * x @ turn + shift lies on `y` (n, d), x (n, d) too.

    Orthogonal Procrustes, reweighted: a row at distance r from its counterpart weighs 1 / (1 + (r / median r)^2)
    (Cauchy weights), so the rows that moved do not carry the others along. The scale is the ratio of the spreads: the
    least-squares one would shrink a cloud that does not fit well. float64 on the CPU.

    Raises:
        ValueError: shapes that differ.

    Reference: Schönemann 1966, Psychometrika 31(1); Verboon and Heiser 1992, Journal of Classification 9(1) (weights).
    """
    if x.ndim != 2 or x.shape != y.shape:
        raise ValueError(f"x and y must have one shape (n, d), got {tuple(x.shape)} and {tuple(y.shape)}")
    weights = x.new_ones(len(x), 1)
    spread = float((y - y.mean(dim=0)).square().sum(dim=1).mean().sqrt())
    middle = math.inf
    while True:
        scale, shift, turn = _weighted_fit(x, y, weights)
        far = torch.linalg.vector_norm(scale * x @ turn + shift - y, dim=1, keepdim=True)
        before, middle = middle, float(far.median())
        # it falls fast while rows that moved lose their weight, then no more
        if middle <= 1e-9 * spread or middle > 0.95 * before:
            return scale, shift, turn
        weights = 1 / (1 + (far / middle).square())


def movement(before: np.ndarray | Tensor, after: np.ndarray | Tensor) -> np.ndarray:
    """Distance (n,) of each row of `after` (n, e) from its place in `before` (n, d), the two aligned.

    float64, in units of the root mean square distance of the rows before from their mean; 0 for no movement. Aligned
    by `robust_fit`, the narrower space padded with zeros. Fitted, and measured, as in `aligned_maps`: in 384
    dimensions at most.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: rows as refused by `as_rows`, fewer than 2, numbers of rows that differ, or rows before that are all
            equal.
    """
    pair = [as_rows(z, least=2, name=name).detach() for z, name in ((before, "before"), (after, "after"))]
    if len(pair[0]) != len(pair[1]):
        raise ValueError(f"before and after must have as many rows, got {len(pair[0])} and {len(pair[1])}")
    drawn = _drawn(len(pair[0]))
    width = min(AXES, len(drawn) - 1, max(rows.shape[1] for rows in pair))
    (mean_x, axes_x, x), (mean_y, axes_y, y) = (_on_axes(rows[drawn.to(rows.device)], width) for rows in pair)
    spread = float(x.square().sum(dim=1).mean().sqrt())
    if spread == 0:
        raise ValueError("all rows before are equal: there is no spread to measure a movement by")
    scale, shift, turn = robust_fit(y, x)
    onto = scale * axes_y @ turn
    far = [
        torch.linalg.vector_norm(
            (pair[1][part].cpu().double() - mean_y) @ onto + shift - (pair[0][part].cpu().double() - mean_x) @ axes_x,
            dim=1,
        )
        for part in row_blocks(len(pair[0]), BLOCK_ROWS)
    ]
    return (torch.cat(far) / spread).numpy()


def _weighted_fit(x: Tensor, y: Tensor, weights: Tensor) -> tuple[float, Tensor, Tensor]:
    mean_x, mean_y = ((weights * z).sum(dim=0) / weights.sum() for z in (x, y))
    a, b = x - mean_x, y - mean_y
    spread_a, spread_b = (float((weights * z.square()).sum()) for z in (a, b))
    scale = (spread_b / spread_a) ** 0.5 if spread_a > 0 and spread_b > 0 else 1.0
    cross = (weights * a).T @ b
    # directions that the rows do not fill stay as they are
    cross += 1e-12 * float(torch.linalg.matrix_norm(cross)) * torch.eye(len(cross), dtype=x.dtype)
    left, _, right = torch.linalg.svd(cross)
    turn = left @ right
    return scale, mean_y - scale * mean_x @ turn, turn


def _drawn(n: int) -> Tensor:
    """Rising numbers of the rows that a fit is made on: all, or 5,000 of them."""
    if n <= FITTED_ROWS:
        return torch.arange(n)
    return torch.from_numpy(np.sort(np.random.default_rng(0).permutation(n)[:FITTED_ROWS]))


def _on_axes(rows: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (d,), orthonormal axes (d, width), some of them zero where there are too few, and the rows on them."""
    rows = rows.cpu().double()
    n, d = rows.shape
    mean = rows.mean(dim=0)
    if d <= width:
        axes = torch.eye(d, dtype=torch.float64)  # all of the space: its own axes do
    elif n < d:
        axes = _axes_of_few(rows - mean)[:, :width]
    else:
        axes = _axes_of_many(rows, mean, list(row_blocks(n, BLOCK_ROWS)))[:, :width]
    axes = torch.nn.functional.pad(axes, (0, width - axes.shape[1]))
    return mean, axes, (rows - mean) @ axes


def _placed(rows: Tensor, mean: Tensor, onto: Tensor, base: Tensor) -> np.ndarray:
    """The rows on the plane, float32: centred in double precision first, so that a large mean costs no digits."""
    mean, onto = mean.to(rows.device), onto.to(rows.device)
    parts = [((rows[block].double() - mean) @ onto).cpu() for block in row_blocks(len(rows), BLOCK_ROWS)]
    return (torch.cat(parts) + base).float().numpy()


def _signed(axes: Tensor) -> Tensor:
    """The axes, each turned so that its largest loading is positive."""
    return axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
