"""How evenly a cloud fills its dimensions: participation ratio, IsoScore and IsoScore*, without an eigenvalue."""

import numpy as np

from workbench.diagnostics.moments import Rows, as_moments
from workbench.diagnostics.moments_record import Moments, Pool, jackknifed
from workbench.intervals import Estimate

__all__ = ["isoscore", "isoscore_star", "participation_ratio", "trace_squares"]

FEWEST = {False: 2, True: 4}  # rows that the raw and the unbiased estimators need


def participation_ratio(x: Rows, *, debias: bool = True, blocks: np.ndarray | None = None) -> Estimate:
    """Participation ratio tr(C)^2 / tr(C^2) of the covariance C: how many dimensions the cloud fills evenly.

    Between 1 (a line) and d (all directions alike), no unit, higher is more even; an isotropic Gaussian gives d. Rows
    (n, d) or their `Moments`. The raw ratio reads too low, about 1 / (1/PR + 1/n); by default tr(C)^2 and tr(C^2) are
    each replaced by their unbiased estimate for any distribution with finite fourth moments, so on few rows a value
    may pass d. The ratio itself keeps a bias under 0.1 % (isotropic, 100 rows and more), where one draw strays by 2 %.
    `debias=False` is the raw one. Rotation, scale and shift leave it as it is.

    Jackknife interval over blocks (`blocks` as in `moments`): 95-96 % in simulations; up to 1.3 times too wide, 99 %,
    on a cloud that is nearly isotropic.

    Raises:
        ValueError: fewer than 4 rows (2 raw), rows that `moments` refuses, all rows equal, `blocks` beside a record, or
            too few rows to tell tr(C^2) from 0.

    Reference: Gao et al. 2017, A theory of multineuronal dimensionality; Himeno and Yamada 2014, Journal of
        Multivariate Analysis 130 (the unbiased estimates); Zhou and Guo 2017, Statistics and Probability Letters 129
        (the same in three equivalent forms).
    """
    words = "participation ratio tr(C)^2 / tr(C^2)" + (", each term unbiased" if debias else ", raw")
    return jackknifed(as_moments(x, blocks), lambda p: _ratio(p, debias), definition=words, least=FEWEST[debias])


def isoscore(x: Rows, *, debias: bool = True, blocks: np.ndarray | None = None) -> Estimate:
    """IsoScore, (PR - 1) / (d - 1) with the participation ratio PR: the share of dimensions filled evenly.

    In [0, 1] raw, no unit: 0 for a line, 1 for an isotropic Gaussian. Debiased by default as in
    `participation_ratio`, and then around these ends on few rows: raw, an isotropic Gaussian of 384 columns reads 0.20
    at 100 rows and 0.93 at 5000. `debias=False` is the published number, to rounding. Rotation, scale and shift leave
    it as it is. Jackknife interval over blocks: 95-96 % in simulations, 99 % on a cloud that is nearly isotropic.

    Raises:
        ValueError: one column, or as in `participation_ratio`.

    Reference: Rudman et al. 2022, IsoScore, Algorithm 1, of which this is the closed form.
    """
    record = as_moments(x, blocks)
    _check_width(record.d)
    words = "IsoScore (PR - 1)/(d - 1)" + (", PR of unbiased tr(C)^2 and tr(C^2)" if debias else ", raw")
    return jackknifed(record, lambda p: _score(_ratio(p, debias), p), definition=words, least=FEWEST[debias])


def isoscore_star(
    x: Rows,
    *,
    zeta: float,
    shrink_to: np.ndarray | Moments,
    debias: bool = True,
    blocks: np.ndarray | None = None,
) -> Estimate:
    """IsoScore* : the IsoScore of the shrunk covariance (1 - zeta) C + zeta C0, for small samples.

    In [0, 1] raw, no unit, higher is more even; `zeta` 0 is `isoscore`, 1 is that of C0 alone. `shrink_to` is C0: a
    covariance (d, d), taken as known without error, or the `Moments` of a larger sample. Both covariances divide by
    n - 1. The terms in C alone are unbiased by default. Rotation of both, common scale and shift leave it as it is.

    Raises:
        ValueError: `zeta` outside [0, 1], C0 that is not symmetric, finite and (d, d), or as in `isoscore`.

    Reference: Rudman and Eickhoff 2024, Stable Anisotropic Regularization, Eq. 5.
    """
    record = as_moments(x, blocks)
    _check_width(record.d)
    if not 0 <= zeta <= 1:
        raise ValueError(f"zeta must lie in [0, 1], got {zeta}")
    goal = shrink_to.pool().covariance if isinstance(shrink_to, Moments) else np.asarray(shrink_to, dtype=np.float64)
    if goal.shape != (record.d, record.d) or not np.isfinite(goal).all() or not np.allclose(goal, goal.T):
        raise ValueError(f"shrink_to must be a finite symmetric matrix ({record.d}, {record.d}), got {goal.shape}")
    goal_trace, goal_square = float(np.trace(goal)), float(np.vdot(goal, goal))

    def score(p: Pool) -> float:
        squared, square = trace_squares(p, debias=debias)
        keep, c = 1 - zeta, p.covariance
        trace = keep**2 * squared + 2 * keep * zeta * float(np.trace(c)) * goal_trace + zeta**2 * goal_trace**2
        second = keep**2 * square + 2 * keep * zeta * float(np.vdot(c, goal)) + zeta**2 * goal_square
        return _score(_quotient(trace, second, p), p)

    words = f"IsoScore* of (1 - {zeta:g}) C + {zeta:g} C0" + (", terms in C unbiased" if debias else ", raw")
    return jackknifed(record, score, definition=words, least=FEWEST[debias])


def trace_squares(pool: Pool, *, debias: bool) -> tuple[float, float]:
    """tr(C)^2 and tr(C^2) of the covariance C (divided by n - 1), raw or each without bias.

    Unbiased for any distribution with finite fourth moments; needs 4 rows then, 2 raw.

    Reference: Himeno and Yamada 2014, Journal of Multivariate Analysis 130; Zhou and Guo 2017, Statistics and
        Probability Letters 129.
    """
    n, c = pool.n, pool.covariance
    squared, square = float(np.trace(c)) ** 2, float(np.vdot(c, c))
    if not debias:
        return squared, square
    fourth = n * float(pool.sums.radial) / (n - 1)
    factor = (n - 1) / (n * (n - 2) * (n - 3))
    return (
        factor * ((n * n - 3 * n + 1) * squared + 2 * square - fourth),
        factor * ((n - 1) * (n - 2) * square + squared - fourth),
    )


def _ratio(pool: Pool, debias: bool) -> float:
    return _quotient(*trace_squares(pool, debias=debias), pool)


def _quotient(squared: float, square: float, pool: Pool) -> float:
    if not pool.scatter.any():
        raise ValueError(f"all {pool.n} rows are equal: they have no covariance")
    if not square > 0:
        raise ValueError(f"{pool.n} rows are too few to tell tr(C^2) from 0, its unbiased estimate is {square:.3g}")
    return squared / square


def _score(ratio: float, pool: Pool) -> float:
    d = len(pool.mean)
    return (ratio - 1) / (d - 1)


def _check_width(d: int) -> None:
    if d < 2:
        raise ValueError(f"IsoScore needs 2 columns or more, got {d}")
