"""Checks of exercises: what is not done, or not right yet, fails with a hint."""

import numpy as np

__all__ = ["expect", "expect_close"]


def expect(condition: object, hint: str) -> None:
    """Nothing where `condition` is True; anything else is an exercise not done yet, and the hint says how to go on.

    Not done is also None, the `...` of a stub, and an array of truth values: ask for `.all()`.

    Raises:
        AssertionError: with `hint` as its message.
    """
    if not (isinstance(condition, bool | np.bool_) and condition):
        raise AssertionError(hint)


def expect_close(value: object, expected: object, hint: str, *, within: float = 1e-6) -> None:
    """Nothing where `value` has the shape of `expected` and each of its numbers lies `within` that distance of it.

    Numbers, arrays, tensors and estimates. The message is the hint; where something was tried it goes on with what is
    wrong, and never tells the expected number.

    Raises:
        AssertionError: no value (None or the `...` of a stub), no numbers, another shape, or a number too far away;
            NaN is too far from everything.
        ValueError: `within` is not above 0, or `expected` holds a number that is not finite: the check is at fault.
    """
    right = np.asarray(expected, dtype=np.float64)
    if not within > 0 or not np.isfinite(right).all():
        raise ValueError(f"within must be above 0, got {within}, and every expected number finite")
    if value is None or value is ...:
        raise AssertionError(hint)
    try:
        tried = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        raise AssertionError(f"{hint} (yours is no number and no array of numbers: {type(value).__name__})") from None
    if tried.shape != right.shape:
        raise AssertionError(f"{hint} (yours has shape {tried.shape}, it should be {right.shape})")
    far = ~(np.abs(tried - right) <= within)
    if far.any():
        yours = f"{tried.item():.4g}" if tried.ndim == 0 else f"{int(far.sum())} of {far.size} numbers are not right"
        raise AssertionError(f"{hint} (yours: {yours})")
