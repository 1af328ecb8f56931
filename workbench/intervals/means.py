"""The interval of a mean over items."""

from workbench.intervals.estimate import Estimate, Numbers, checked, t_estimate

__all__ = ["mean_interval"]


def mean_interval(items: Numbers, *, definition: str) -> Estimate:
    """Mean of `items` (n,) with Student's t interval, n - 1 degrees of freedom.

    In the unit of the items; zero width when all items are equal.

    Raises:
        ValueError: not 1-D, fewer than 2 items, or an item that is not finite.
    """
    values = checked(items, "items", least=(2,))
    n = len(values)
    # equal items: the mean of n copies differs from the copy in the last bit, and so would the variance from 0
    variance = 0.0 if values.min() == values.max() else float(values.var(ddof=1)) / n
    value = float(values[0] if variance == 0 else values.mean())
    method = "t interval of the mean"
    return t_estimate(value, [(variance, n - 1)], n=n, unit="item", method=method, definition=definition)
