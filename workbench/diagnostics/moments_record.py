"""The record of moments: what pass A keeps of a cloud of rows, by jackknife block, and how two records become one."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workbench.intervals import Estimate, jackknife_replicates

__all__ = ["Moments", "Pool", "Sums", "jackknifed", "merge", "moved"]

FEWEST_BLOCKS = 5  # below this a jackknife is refused
AT_ONCE = 24  # blocks pooled in one go


class Sums(NamedTuple):
    """Sums over n rows of powers of y = x - centre; two about one centre just add."""

    count: Any
    squares: Any  # sum y_j^2 (d,)
    cubes: Any
    fourths: Any
    vector: Any  # sum |y|^2 y (d,)
    radial: Any  # sum |y|^4

    def __add__(self, other: "Sums") -> "Sums":  # pyright: ignore[reportIncompatibleMethodOverride]
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))


def moved(sums: Sums, step: Any, scatter_step: Any) -> Sums:  # noqa: ANN401 (numpy here, torch in the pass)
    """`sums` about their mean, taken about mean + `step` (..., d) instead; `scatter_step` is the scatter times `step`.

    Count and radial are numbers, or (..., 1).

    Reference: Pébay 2008, Formulas for robust, one-pass parallel computation of covariances, Eq. 2.1.
    """
    n, length, trace = sums.count, _dot(step, step), sums.squares.sum(-1, keepdims=True)
    return Sums(
        n,
        sums.squares + n * step**2,
        sums.cubes - 3 * step * sums.squares - n * step**3,
        sums.fourths - 4 * step * sums.cubes + 6 * step**2 * sums.squares + n * step**4,
        sums.vector - 2 * scatter_step - (trace + n * length) * step,
        sums.radial + 4 * _dot(step, scatter_step) + n * length**2 - 4 * _dot(step, sums.vector) + 2 * length * trace,
    )


def _dot(a: Any, b: Any) -> Any:  # noqa: ANN401 (numpy here, torch in the pass)
    return (a * b).sum(-1, keepdims=True)


@dataclass(frozen=True)
class Pool:
    """Central sums of some rows: `mean` (d,), `scatter` (d, d) = sum of (x - mean)(x - mean)', `sums` about the mean.

    `a + b` is the pool of both: only terms that are not negative are added to a scatter, so a common mean of any
    size costs no digits.

    Reference: Chan, Golub and LeVeque 1983, The American Statistician 37(3).
    """

    mean: np.ndarray
    scatter: np.ndarray
    sums: Sums

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.sums.count)

    @property
    def covariance(self) -> np.ndarray:
        """Scatter over n - 1, (d, d)."""
        return self.scatter / (self.n - 1)

    def __add__(self, other: "Pool") -> "Pool":
        return _total([self, other])


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of n rows of d columns, float64 on the CPU, kept apart by jackknife block: B blocks that hold rows.

    `a + b` pools two records of different rows; the order plays no part beyond rounding.

    Attributes:
        labels: number of each block, rising (B,).
        counts: rows in each (B,).
        means: (B, d).
        scatters: sums of (x - mean)(x - mean)' about the block's own mean (B, d, d).
        cubes: sums of (x - mean)^3 for each column (B, d).
        fourths: sums of (x - mean)^4 for each column (B, d).
        vectors: sums of |x - mean|^2 (x - mean) (B, d).
        radials: sums of |x - mean|^4 (B,).
        norms: of the lengths |x|: sum, sum of squares, least, largest (B, 4).
        unit_sums: sums of the rows scaled to length 1 (B, d), or None when they were not asked for.
        unit_second: sum of u u' over all unit rows u (d, d), not by block, or None.
    """

    labels: np.ndarray
    counts: np.ndarray
    means: np.ndarray
    scatters: np.ndarray
    cubes: np.ndarray
    fourths: np.ndarray
    vectors: np.ndarray
    radials: np.ndarray
    norms: np.ndarray
    unit_sums: np.ndarray | None
    unit_second: np.ndarray | None

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.counts.sum())

    @property
    def d(self) -> int:
        """Number of columns."""
        return self.means.shape[1]

    def pool(self) -> Pool:
        """All rows as one."""
        return _total(self._pools())

    def left_out(self) -> Iterator[Pool]:
        """All rows without those of block 0, 1, ... in turn, pooled afresh: nothing is subtracted."""
        yield from _others(self._pools(), [])

    def units(self) -> np.ndarray:
        """Sums of the unit rows of each block (B, d).

        Raises:
            ValueError: they were not kept.
        """
        if self.unit_sums is None:
            raise ValueError("these moments hold no unit rows: take them with unit_rows=True")
        return self.unit_sums

    def __add__(self, other: "Moments") -> "Moments":
        return merge([self, other])

    def save(self, path: str | Path) -> None:
        """Write one .safetensors file, whole or not at all.

        Raises:
            ValueError: `path` does not end in .safetensors.
        """
        from workbench.diagnostics.moments_io import save_record

        save_record({f.name: getattr(self, f.name) for f in fields(self)}, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> "Moments":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is torn, was changed, or is no record of moments.
        """
        from workbench.diagnostics.moments_io import load_record

        return cls(**load_record(Path(path), [f.name for f in fields(cls)]))

    def _pools(self) -> list[Pool]:
        rows = zip(self.counts, self.means, self.scatters, self.cubes, self.fourths, strict=True)
        rest = zip(self.vectors, self.radials, strict=True)
        return [
            Pool(mean, scatter, Sums(int(n), np.diagonal(scatter), cubes, fourths, vector, float(radial)))
            for (n, mean, scatter, cubes, fourths), (vector, radial) in zip(rows, rest, strict=True)
        ]

    @classmethod
    def of_blocks(cls, blocks: dict[int, tuple[Pool, np.ndarray, np.ndarray | None]], second: Any) -> "Moments":  # noqa: ANN401
        """From a pool, the lengths' numbers and the sum of unit rows for each block number, and the unit `second`."""
        labels = sorted(blocks)
        pools = [blocks[label][0] for label in labels]
        sums = [p.sums for p in pools]
        return cls(
            labels=np.array(labels, dtype=np.int64),
            counts=np.array([p.n for p in pools], dtype=np.int64),
            means=np.stack([p.mean for p in pools]),
            scatters=np.stack([p.scatter for p in pools]),
            cubes=np.stack([s.cubes for s in sums]),
            fourths=np.stack([s.fourths for s in sums]),
            vectors=np.stack([s.vector for s in sums]),
            radials=np.array([s.radial for s in sums], dtype=np.float64),
            norms=np.stack([blocks[label][1] for label in labels]),
            unit_sums=None if second is None else np.stack([np.asarray(blocks[label][2]) for label in labels]),
            unit_second=second,
        )


def merge(parts: Iterable[Moments]) -> Moments:
    """One record of the rows of all `parts`, which must not share rows; blocks of one number become one.

    Unit rows are kept where every part has them.

    Raises:
        ValueError: no parts, or parts of different widths.
    """
    records = list(parts)
    if not records or len({m.d for m in records}) > 1:
        raise ValueError(f"merge needs 1 record or more, all of one width, got widths {[m.d for m in records]}")
    units = all(m.unit_second is not None for m in records)
    blocks: dict[int, tuple[Pool, np.ndarray, np.ndarray | None]] = {}
    for m in records:
        for i, (label, pool) in enumerate(zip(m.labels.tolist(), m._pools(), strict=True)):
            unit_sum = m.units()[i] if units else None
            blocks[label] = (
                _joined(blocks[label], (pool, m.norms[i], unit_sum))
                if label in blocks
                else (pool, m.norms[i], unit_sum)
            )
    return Moments.of_blocks(
        blocks, sum(m.unit_second for m in records if m.unit_second is not None) if units else None
    )


def jackknifed(moments: Moments, statistic: Callable[[Pool], float], *, definition: str, least: int = 2) -> Estimate:
    """`statistic` of all rows with the jackknife interval over the blocks; unbounded where there are too few rows.

    `least` is the number of rows that the statistic needs.

    Raises:
        ValueError: fewer than `least` rows, or the statistic refuses all rows.
    """
    if moments.n < least:
        raise ValueError(f"{definition} needs at least {least} rows, got {moments.n}")
    value = float(statistic(moments.pool()))
    reason = f"no interval: fewer than {FEWEST_BLOCKS} blocks"
    if len(moments.labels) >= FEWEST_BLOCKS and moments.n - moments.counts.max() >= least:
        try:
            replicates = np.array([statistic(pool) for pool in moments.left_out()])
            return jackknife_replicates(value, replicates, definition=definition)
        except ValueError as error:
            reason = f"no interval: without one block {error}"
    return Estimate(value, -math.inf, math.inf, moments.n, "item", reason, definition)


def _joined(a: tuple, b: tuple) -> tuple[Pool, np.ndarray, np.ndarray | None]:
    norms = np.array([a[1][0] + b[1][0], a[1][1] + b[1][1], min(a[1][2], b[1][2]), max(a[1][3], b[1][3])])
    return a[0] + b[0], norms, None if a[2] is None else a[2] + b[2]


def _total(pools: Sequence[Pool]) -> Pool:
    return pools[0] if len(pools) == 1 else _pooled(*_stacked(pools))


def _stacked(pools: Sequence[Pool]) -> tuple[Sums, np.ndarray, list[np.ndarray]]:
    columns = [np.array(column) for column in zip(*(p.sums for p in pools), strict=True)]
    sums = Sums(*(c[:, None] if c.ndim == 1 else c for c in columns))
    return sums, np.array([p.mean for p in pools]), [p.scatter for p in pools]


def _pooled(own: Sums, means: np.ndarray, scatters: Sequence[np.ndarray]) -> Pool:
    """One pool, about the common mean, of pools given as columns."""
    weights = own.count / own.count.sum()
    mean = means[0] + (weights * (means - means[0])).sum(axis=0)  # from a mean nearby, so that digits are kept
    step = mean - means
    sums = moved(own, step, np.array([s @ e for s, e in zip(scatters, step, strict=True)]))
    scatter = (own.count * step).T @ step
    for part in scatters:
        scatter += part
    count, *rest, radial = (s.sum(axis=0) for s in sums)
    return Pool(mean, scatter, Sums._make([int(count[0]), *rest, float(radial[0])]))


def _others(pools: Sequence[Pool], outside: Sequence[Pool]) -> Iterator[Pool]:
    """For each of `pools` in turn, all the others with `outside`; by halves where there are many."""
    if len(pools) + len(outside) == 1:
        return
    if len(pools) <= AT_ONCE:
        sums, means, scatters = _stacked([*pools, *outside])
        for i in range(len(pools)):
            kept = np.arange(len(means)) != i
            rest = [*scatters[:i], *scatters[i + 1 :]]
            yield _pooled(Sums(*(s[kept] for s in sums)), means[kept], rest)
        return
    middle = len(pools) // 2
    for here, there in ((pools[:middle], pools[middle:]), (pools[middle:], pools[:middle])):
        yield from _others(here, [_total([*there, *outside])])
