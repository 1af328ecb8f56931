"""Eigenvalues of the covariance, how fast they decay, and how many of them count."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from workbench.diagnostics.moments import Rows, as_moments
from workbench.diagnostics.moments_record import Pool, jackknifed
from workbench.intervals import Estimate

__all__ = ["Of", "Spectrum", "effective_rank", "spectrum"]

Of = Literal["singular values", "eigenvalues"]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Spectrum of a covariance.

    Attributes:
        eigenvalues: of the covariance (n - 1), falling (d,); exactly 0 where the rows span no direction.
        shares: of the total variance (d,), sum 1.
        rank: number of eigenvalues above 0.
        condition: largest over least eigenvalue, 1 or more, infinite where the rank is below d.
        decay: exponent alpha in eigenvalue = c rank^-alpha, with its jackknife interval.
        window: first and last rank of the fit, counted from 1.
    """

    eigenvalues: np.ndarray
    shares: np.ndarray
    rank: int
    condition: float
    decay: Estimate
    window: tuple[int, int]

    @property
    def explained(self) -> np.ndarray:
        """Share of the variance in the first 1, 2, ... directions (d,), rising to 1."""
        return np.cumsum(self.shares)


def spectrum(x: Rows, *, window: tuple[int, int] | None = None, blocks: np.ndarray | None = None) -> Spectrum:
    """Eigenvalues of the covariance of rows (n, d) or their `Moments`, falling, and their power-law decay.

    In squared units of `x`. The decay exponent is minus the least-squares slope of ln eigenvalue on ln rank over the
    ranks of `window`, both ends included; the window decides the answer, so it is kept and printed. Without it: from
    the 20th part of the rank of the matrix to its half. Higher is steeper; an isotropic Gaussian gives 0 in the limit,
    and more at finite n, because sample eigenvalues spread: the interval is about the mean at this n (95-96 %
    of simulations, all where the spectrum is flat). Rotation and
    shift leave the eigenvalues as they are, scale multiplies them.

    Raises:
        ValueError: all rows equal, a window of fewer than 2 ranks or past the rank, rows that `moments` refuses, or
            `blocks` beside a record.

    Reference: Agrawal et al. 2022, alpha-ReQ, section 3; Stringer et al. 2019 (the window).
    """
    record = as_moments(x, blocks)
    values = eigenvalues(record.pool(), centred=True)
    rank = int(np.count_nonzero(values))
    if rank == 0:
        raise ValueError(f"all {record.n} rows are equal: their covariance has no spectrum")
    low, high = window or (max(1, rank // 20), max(min(rank, 2), rank // 2))
    if not 1 <= low < high <= rank:
        raise ValueError(f"window must hold 2 ranks or more within 1..{rank}, got ({low}, {high})")
    words = f"decay exponent of the eigenvalues, ranks {low} to {high}, least squares on ln-ln"
    decay = jackknifed(record, lambda p: _exponent(p, low, high), definition=words, least=high + 1)
    condition = float(values[0] / values[-1]) if rank == record.d else float("inf")
    return Spectrum(values, values / values.sum(), rank, condition, decay, (low, high))


def effective_rank(
    x: Rows, *, of: str = "singular values", centred: bool = False, blocks: np.ndarray | None = None
) -> Estimate:
    """Effective rank exp(H(p)), H the entropy of p = s / sum(s): how many directions count.

    In [1, min(n, d)], no unit, higher is more even; an isotropic Gaussian gives d as n grows, and less at few rows.
    s: singular values of the rows or their squares (`of="eigenvalues"`), with the mean (as RankMe) or `centred`. The
    four choices differ widely on one data set, so the definition names the one taken; the default is RankMe, without
    its 1e-7. Singular values below about 1e-8 of the largest are lost, as they come from second moments: centre rows
    with a large common mean. Rotation and scale leave it as it is; a shift moves it unless `centred`.

    The jackknife interval is about the mean at this n, not the limit; it holds it in 95-98 % of simulations, and in all
    where the spectrum is flat.

    Raises:
        ValueError: another word for `of`, nothing but zeros, rows that `moments` refuses, or `blocks` beside a record.

    Reference: Roy and Vetterli 2007, The effective rank; Garrido et al. 2023, RankMe, Eq. 1.
    """
    if of not in get_args(Of):
        raise ValueError(f"of must be one of {get_args(Of)}, got {of!r}")
    name = " (RankMe)" if of == "singular values" and not centred else ""
    words = f"effective rank: exp entropy of the {of} of {'centred' if centred else 'uncentred'} rows{name}"
    return jackknifed(as_moments(x, blocks), lambda p: _rank(p, of, centred), definition=words)


def eigenvalues(pool: Pool, *, centred: bool) -> np.ndarray:
    """Eigenvalues of the scatter over n - 1 (or of sum x x' / n when not centred), falling (d,).

    What rounding alone could leave is exactly 0: no more than n - 1 (n) are kept, none below d eps of the largest.
    """
    n, d = pool.n, len(pool.mean)
    matrix = pool.covariance if centred else pool.scatter / n + np.outer(pool.mean, pool.mean)
    values = np.linalg.eigvalsh(matrix)[::-1].copy()
    values[n - 1 if centred else n :] = 0
    values[values < d * np.finfo(np.float64).eps * values[0]] = 0
    return values


def _exponent(pool: Pool, low: int, high: int) -> float:
    values = eigenvalues(pool, centred=True)[low - 1 : high]
    if not (values > 0).all():
        raise ValueError(f"{pool.n} rows leave fewer than {high} eigenvalues above 0 for the window")
    ranks = np.log(np.arange(low, high + 1))
    ranks -= ranks.mean()
    return -float(ranks @ np.log(values)) / float(ranks @ ranks)


def _rank(pool: Pool, of: str, centred: bool) -> float:
    values = eigenvalues(pool, centred=centred)
    s = values[values > 0]
    if len(s) == 0:
        raise ValueError(f"the {pool.n} rows have no singular value above 0, so no rank")
    s = np.sqrt(s) if of == "singular values" else s
    p = s / s.sum()
    return float(np.exp(-(p * np.log(p)).sum()))
