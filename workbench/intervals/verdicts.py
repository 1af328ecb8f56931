"""The one rule that turns an interval into a verdict, and what a run could have shown."""

import math
from typing import Literal

import numpy as np

from workbench.intervals.estimate import LEVEL, Estimate, t_quantile

__all__ = ["Verdict", "detectable_effect", "judge_bound", "judge_effect", "seeds_needed"]

Verdict = Literal["reproduced", "weaker", "absent", "contradicted", "inconclusive"]

MOST_SEEDS = 10_000  # seeds_needed looks no further


def judge_effect(estimate: Estimate, *, at_least: float | int) -> Verdict:
    """Verdict on a claimed effect, positive as claimed; `at_least` is in the unit of the estimate.

    Interval below 0: contradicted. Above 0: reproduced from `at_least` on, else weaker. Otherwise absent when the
    interval lies below `at_least`, else inconclusive.

    Raises:
        ValueError: `at_least` is not above 0, or not finite.
    """
    _check_effect(at_least)
    if estimate.high < 0:
        return "contradicted"
    if estimate.low > 0:
        return "reproduced" if estimate.value >= at_least else "weaker"
    return "absent" if estimate.high < at_least else "inconclusive"


def judge_bound(estimate: Estimate, *, low: float | int | None, high: float | int | None) -> Verdict:
    """Verdict on the claim that a number lies in [low, high], limits included; None leaves a side open.

    Whole interval inside: reproduced. Wholly outside: contradicted. Else inconclusive.

    Raises:
        ValueError: both sides are open, a limit is NaN, or `low` is above `high`.
    """
    if low is None and high is None:
        raise ValueError("a bound needs low, high or both, got neither")
    floor, ceiling = -math.inf if low is None else low, math.inf if high is None else high
    if not floor <= ceiling:
        raise ValueError(f"low must not be above high, got [{low}, {high}]")
    if floor <= estimate.low and estimate.high <= ceiling:
        return "reproduced"
    return "contradicted" if estimate.high < floor or estimate.low > ceiling else "inconclusive"


def detectable_effect(estimate: Estimate, *, power: float = 0.8) -> float:
    """Smallest true effect whose interval would exclude 0 with probability `power`, in the unit of the estimate.

    (t_.975 + t_power) standard errors at the estimate's degrees of freedom; 0 when the error is 0.

    Raises:
        ValueError: `power` is not between 0.5 and 1, or the estimate carries no standard error or degrees of freedom.
    """
    _check_power(estimate, power)
    return float(_quantiles(estimate.degrees_of_freedom, power)) * estimate.standard_error


def seeds_needed(estimate: Estimate, *, at_least: float | int, power: float = 0.8) -> int | None:
    """Number of seeds with which a true effect of `at_least` would be detectable, 3 or more.

    None when nothing was trained, or when the texts alone forbid it: then more texts are needed, not more seeds. The
    texts' share of the error is held at its present size, so the number is an upper one.

    Raises:
        ValueError: `at_least` is not above 0, or as in `detectable_effect`.
    """
    _check_effect(at_least)
    _check_power(estimate, power)
    if estimate.n_seeds == 0:
        return None
    have, variance = estimate.n_seeds, estimate.standard_error**2
    items = variance - estimate.seed_variance / have
    # Satterthwaite's sum for the present run, solved for the texts' part: items^2 / their degrees of freedom
    share = variance**2 / estimate.degrees_of_freedom - (estimate.seed_variance / have) ** 2 / (have - 1)
    if items <= 1e-6 * variance or share <= 0:  # what is left after the seeds' part is rounding
        items = share = 0.0
    elif float(_quantiles(items**2 / share, power)) * math.sqrt(items) >= at_least:
        return None
    seeds = np.arange(3, MOST_SEEDS + 1)
    term = estimate.seed_variance / seeds
    parts = term**2 / (seeds - 1) + share
    freedom = np.divide((term + items) ** 2, parts, out=np.full(len(seeds), np.inf), where=parts > 0)
    reach = _quantiles(np.minimum(freedom, 1e9), power) * np.sqrt(term + items)
    return int(seeds[np.argmax(reach <= at_least)]) if (reach <= at_least).any() else None


def _quantiles(freedom: float | np.ndarray, power: float) -> np.ndarray:
    return np.asarray(t_quantile(freedom, LEVEL) + t_quantile(freedom, power))


def _check_effect(at_least: float | int) -> None:
    if not 0 < at_least < math.inf:
        raise ValueError(f"at_least must be above 0 and finite, got {at_least}")


def _check_power(estimate: Estimate, power: float) -> None:
    if not 0.5 < power < 1:
        raise ValueError(f"power must lie between 0.5 and 1, got {power}")
    if not (math.isfinite(estimate.standard_error) and estimate.degrees_of_freedom > 0):
        raise ValueError("the estimate carries no standard error or degrees of freedom")
