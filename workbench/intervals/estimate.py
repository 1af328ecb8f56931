"""The record of a number with its interval, and the two checks and sums that every interval shares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

__all__ = ["Estimate", "Unit"]

Unit = Literal["item", "block", "seed x item", "seed x block"]
Numbers = np.ndarray | Sequence  # checked by hand, so that a wrong shape is a ValueError that names the rule
Term = tuple[float, float]  # a variance and its degrees of freedom

LEVEL = 0.975  # upper quantile of a two-sided 95 % interval


@dataclass(frozen=True)
class Estimate:
    """A number with its two-sided 95 % interval, in the unit that `definition` states.

    `n` counts what was resampled: items, or blocks for the block units (`n_seeds` counts seeds, 0 when nothing was
    trained). `seed_variance` is the variance between seed means; NaN marks an unknown error or degrees of freedom.

    Raises:
        ValueError: `value` is not finite, `low` is above `high` or NaN, `n` is below 1, or `unit` is unknown.
    """

    value: float | int
    low: float | int
    high: float | int
    n: int
    unit: str
    method: str
    definition: str
    standard_error: float | int = math.nan
    degrees_of_freedom: float | int = math.nan
    n_seeds: int = 0
    seed_variance: float | int = 0.0

    def __post_init__(self) -> None:
        for name in ("value", "low", "high", "standard_error", "degrees_of_freedom", "seed_variance"):
            object.__setattr__(self, name, float(getattr(self, name)))  # plain floats go into JSON records
        if not math.isfinite(self.value):
            raise ValueError(f"value must be finite, got {self.value}")
        if not self.low <= self.high:
            raise ValueError(f"low must not be above high, got [{self.low}, {self.high}]")
        if self.n < 1:
            raise ValueError(f"n must be at least 1, got {self.n}")
        if self.unit not in get_args(Unit):
            raise ValueError(f"unit must be one of {get_args(Unit)}, got {self.unit!r}")

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def checked(numbers: Numbers, name: str, *, least: tuple[int, ...]) -> np.ndarray:
    """`numbers` as float64 with `len(least)` axes, at least `least` long each, all finite.

    Raises:
        ValueError: another shape, too short an axis, no numbers, or one that is not finite.
    """
    array = np.asarray(numbers)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got {array.dtype}")
    if array.ndim != len(least) or any(have < need for have, need in zip(array.shape, least, strict=True)):
        rule = " x ".join(map(str, least))
        raise ValueError(f"{name} must have {len(least)} axes, at least {rule} long, got shape {array.shape}")
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(f"{name} must be finite, got {array[tuple(where)]} at {where}")
    return array.astype(np.float64)


def pooled(terms: Sequence[Term]) -> Term:
    """Sum of independent variances, with Satterthwaite's degrees of freedom; their least where the sum is 0.

    Reference: Satterthwaite 1946, Biometrics Bulletin 2(6).
    """
    total = sum(variance for variance, _ in terms)
    shares = [(variance / total) ** 2 / freedom for variance, freedom in terms] if total > 0 else [0.0]
    return total, 1 / sum(shares) if sum(shares) > 0 else min(freedom for _, freedom in terms)


def t_quantile(freedom: float | np.ndarray, level: float) -> np.ndarray:
    """Quantile of Student's t at `level` in (0, 1)."""
    from scipy.special import stdtrit  # 0.35 s of CPU to load, and a list of papers needs no quantile

    return np.asarray(stdtrit(freedom, level))


def t_estimate(
    value: float,
    terms: Sequence[Term],
    *,
    n: int,
    unit: Unit,
    method: str,
    definition: str,
    seeds: tuple[int, float] = (0, 0.0),
) -> Estimate:
    """Estimate of `value` whose error variance is the sum of `terms`; `seeds` is their number and their variance."""
    variance, freedom = pooled(terms)
    error = math.sqrt(variance)
    half = float(t_quantile(freedom, LEVEL)) * error
    return Estimate(value, value - half, value + half, n, unit, method, definition, error, freedom, *seeds)
