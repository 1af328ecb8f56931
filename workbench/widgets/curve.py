"""A number over the steps of a training, thinned so that it never grows beyond a few hundred points."""

import math
from array import array

__all__ = ["Curve"]


class Curve:
    """One number over the steps: every 2^k-th point, and always the first and the last.

    Attributes:
        count: How many numbers were added, finite or not.
        last: The newest number.
        lowest: The smallest finite number of all that were added, and its step; None before there is one.
        highest: The largest, likewise.
        odd: How many numbers were NaN or infinite.
        odd_at: Step of the first of them; None where all were finite.
    """

    def __init__(self, *, limit: int = 240) -> None:
        """A curve of at most `limit` points (and the last one)."""
        if limit < 4:
            raise ValueError(f"limit must be 4 or more, got {limit}")
        self._limit, self._stride = limit, 1
        self._steps, self._values = array("d"), array("d")
        self._last_step = 0
        self.count, self.odd = 0, 0
        self.last = math.nan
        self.lowest: tuple[float, int] | None = None
        self.highest: tuple[float, int] | None = None
        self.odd_at: int | None = None

    def add(self, step: int, value: float) -> None:
        """Adds the number of a step; steps are expected in rising order."""
        if self.count % self._stride == 0:
            self._steps.append(step)
            self._values.append(value)
            if len(self._steps) > self._limit:
                self._steps, self._values = self._steps[::2], self._values[::2]
                self._stride *= 2
        self.count += 1
        self.last, self._last_step = value, step
        if not math.isfinite(value):
            self.odd += 1
            self.odd_at = step if self.odd_at is None else self.odd_at
            return
        if self.lowest is None or value < self.lowest[0]:
            self.lowest = (value, step)
        if self.highest is None or value > self.highest[0]:
            self.highest = (value, step)

    def points(self) -> tuple[array, array]:
        """Steps and numbers of the kept points, the newest among them: two arrays of doubles of equal length."""
        steps, values = self._steps[:], self._values[:]
        if self.count and steps[-1] != self._last_step:
            steps.append(self._last_step)
            values.append(self.last)
        return steps, values

    def bytes(self) -> bytes:
        """The kept points as little-endian doubles: all steps, then all numbers."""
        steps, values = self.points()
        return steps.tobytes() + values.tobytes()
