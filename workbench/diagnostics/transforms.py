"""Maps fitted on moments and applied to any rows: fit them on training rows only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from workbench.diagnostics.moments_record import Moments, Pool
from workbench.tensors import as_rows, row_blocks

__all__ = ["AllButTheTop", "Kind", "Whitening", "all_but_the_top", "whitening"]

Kind = Literal["pca", "zca"]
ROWS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class AllButTheTop:
    """Removal of a mean and of the directions of largest variance.

    Attributes:
        mean: of the rows fitted on (d,).
        directions: orthonormal, by falling variance (remove, d).
    """

    mean: np.ndarray
    directions: np.ndarray

    def apply(self, x: np.ndarray | Tensor) -> np.ndarray | Tensor:
        """Rows of `x` (n, d) without the mean and the directions, an array for an array, in at least float32.

        Raises:
            ValueError: another width, or rows that `as_rows` refuses.
        """
        return _mapped(x, self.mean, lambda y, d: y - (y @ d.T) @ d, self.directions)


@dataclass(frozen=True, eq=False)
class Whitening:
    """An affine map to unit covariance.

    Attributes:
        mean: of the rows fitted on (d,).
        matrix: (d, d), applied on the right of centred rows.
        shrinkage: share of the mean variance put in place of the covariance before it was inverted.
    """

    mean: np.ndarray
    matrix: np.ndarray
    shrinkage: float

    def apply(self, x: np.ndarray | Tensor) -> np.ndarray | Tensor:
        """Rows of `x` (n, d), centred and times the matrix, an array for an array, in at least float32.

        Raises:
            ValueError: another width, or rows that `as_rows` refuses.
        """
        return _mapped(x, self.mean, lambda y, m: y @ m, self.matrix)


def all_but_the_top(moments: Moments, *, remove: int) -> AllButTheTop:
    """The map that takes away the mean and the `remove` directions of largest variance (about d/100 is usual).

    Raises:
        ValueError: `remove` is not in 0..d - 1, or fewer than 2 rows.

    Reference: Mu and Viswanath 2018, All-but-the-Top, Algorithm 1.
    """
    if not 0 <= remove < moments.d:
        raise ValueError(f"remove must lie in 0..{moments.d - 1}, got {remove}")
    pool = _fit_on(moments)
    vectors = np.linalg.eigh(pool.covariance)[1]
    return AllButTheTop(pool.mean, vectors[:, ::-1][:, :remove].T.copy())


def whitening(moments: Moments, *, kind: str = "zca", shrinkage: float) -> Whitening:
    """The map W to unit covariance: W W' = ((1 - s) C + s tr(C)/d I)^-1 with `shrinkage` s in [0, 1].

    "pca" turns rows to the principal directions, by falling variance; "zca" keeps them nearest to where they were.
    s = 0 whitens the rows fitted on exactly and needs a C of full rank; s = 1 only centres and rescales.

    Raises:
        ValueError: another kind, `shrinkage` outside [0, 1], fewer than 2 rows, or a covariance without full rank.

    Reference: Kessy, Lewin and Strimmer 2018, The American Statistician 72(4); Ledoit and Wolf 2004 (the target).
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {get_args(Kind)}, got {kind!r}")
    if not 0 <= shrinkage <= 1:
        raise ValueError(f"shrinkage must lie in [0, 1], got {shrinkage}")
    pool = _fit_on(moments)
    values, vectors = np.linalg.eigh(pool.covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    shrunk = (1 - shrinkage) * values + shrinkage * values.mean()
    if not shrunk[-1] > moments.d * np.finfo(np.float64).eps * shrunk[0]:
        raise ValueError(f"the covariance of {moments.n} rows has no full rank {moments.d}: state a larger shrinkage")
    matrix = vectors / np.sqrt(shrunk)
    return Whitening(pool.mean, matrix @ vectors.T if kind == "zca" else matrix, float(shrinkage))


def _fit_on(moments: Moments) -> Pool:
    if moments.n < 2:
        raise ValueError(f"a map needs at least 2 rows to be fitted on, got {moments.n}")
    return moments.pool()


def _mapped(
    x: np.ndarray | Tensor, mean: np.ndarray, apply: Callable[[Tensor, Tensor], Tensor], matrix: np.ndarray
) -> np.ndarray | Tensor:
    rows = as_rows(x)
    if rows.shape[1] != len(mean):
        raise ValueError(f"x must have {len(mean)} columns as the rows fitted on, got {rows.shape[1]}")
    work = torch.float32 if rows.device.type == "mps" else torch.float64  # mps has no float64
    centre, m = (torch.from_numpy(np.ascontiguousarray(a)).to(rows.device, work) for a in (mean, matrix))
    out = torch.empty(rows.shape, dtype=torch.promote_types(rows.dtype, torch.float32), device=rows.device)
    for part in row_blocks(len(rows), ROWS_AT_ONCE):
        out[part] = apply(rows[part].to(work) - centre, m).to(out.dtype)
    return out if isinstance(x, Tensor) else out.numpy()
