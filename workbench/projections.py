"""Maps of an embedding space in few dimensions: PCA keeps variance, UMAP keeps neighbourhoods."""

import numpy as np
import torch
from torch import Tensor

from workbench.tensors import as_rows, row_blocks

__all__ = ["pca", "umap_map"]

BLOCK_ROWS = 4096


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
    axes = axes[:, :dimensions]
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
    axes = axes * largest.sign()
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
    import umap  # compiles on import, which takes seconds

    # one thread: with a seed the library would fall back to it, with a warning
    mapper = umap.UMAP(n_neighbors=n_neighbors, min_dist=min_dist, metric=metric, random_state=seed, n_jobs=1)
    return np.asarray(mapper.fit_transform(rows.float().cpu().numpy()), dtype=np.float32)
