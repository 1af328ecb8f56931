"""Jackknife intervals on the scale on which a number's error is even, carried back to the number itself."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from workbench.intervals import Estimate, jackknife_replicates

__all__ = ["jackknife_on_scale"]


def jackknife_on_scale(
    value: float,
    replicates: np.ndarray,
    *,
    there: Callable,
    back: Callable,
    scale: str,
    definition: str,
) -> Estimate:
    """The Estimate of `jackknife_replicates` with its ends worked out after `there` and carried `back`.

    In the unit of `value`, as is the standard error; the interval is not symmetric and stays where `back` leads.
    `replicates` (B,); `there` rises, and takes arrays as `back` does; `scale` names it in the method.

    Raises:
        ValueError: fewer than 5 blocks, or a number that is not finite, on either scale.

    Reference: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 12.6 (transformations).
    """
    even = jackknife_replicates(float(there(value)), there(replicates), definition=definition)
    plain = jackknife_replicates(value, replicates, definition=definition)
    low, high = (float(back(end)) for end in (even.low, even.high))
    # there and back can lose the last digit where the interval has no width
    return replace(plain, low=min(low, value), high=max(high, value), method=f"{plain.method}, {scale}")
