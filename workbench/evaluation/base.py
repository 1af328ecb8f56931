"""The one form of every evaluation: what each item contributed, the scores with their intervals, and the recipe."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np

from workbench.evaluation.tables import Table
from workbench.intervals import Estimate, blocks_of, jackknife_replicates, mean_interval

__all__ = ["Evaluation", "Sentences"]

EMPTY: Mapping = MappingProxyType({})
Statistic = Callable[[np.ndarray], float]  # indices of the items kept -> the number


@runtime_checkable
class Sentences(Protocol):
    """An encoder: whatever turns texts into rows."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors (n, d) of n texts."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Table, Mapping[str, Estimate]):
    """Scores by metric name, as in `result["ndcg@10"]`, with what each item contributed to them.

    A metric is either the mean of an array, with Student's t over the items, or a statistic of all items together
    (a correlation, a V-measure), with the jackknife over blocks of items.

    Attributes:
        task: kind of the evaluation: "sts", "retrieval", ...
        main: the metric that leaderboards show.
        scores: an estimate for each metric.
        arrays: name -> one number per item: each metric that is a mean, and what the statistics are made of.
        ids: id of each item, in the order of the arrays.
        blocks: block of each item, for the jackknife.
        replicates: for each metric that is a statistic, its value without each block in turn.
        columns: what is known of each item ("length" and the columns of the data), for `by`.
        source: fingerprint of the data.
        recipe: how the numbers came about: encoder, pooling, prompts, length, dtype, split.
        statistics: metric -> the function of kept items; empty in an evaluation that was read from a file.
    """

    task: str
    main: str
    scores: dict[str, Estimate]
    arrays: dict[str, np.ndarray]
    ids: tuple[str, ...]
    blocks: np.ndarray
    replicates: dict[str, np.ndarray] = field(default_factory=dict)
    columns: dict[str, tuple] = field(default_factory=dict)
    source: str = ""
    recipe: dict[str, object] = field(default_factory=dict)
    statistics: dict[str, Statistic] = field(default_factory=dict)

    heads = ("metric", "value [95 %]", "n", "unit")

    def __repr__(self) -> str:
        best = f"{self.main} {self.scores[self.main]}, " if self.main in self.scores else ""
        return f"Evaluation({self.task}: {best}{len(self.scores)} metrics of {len(self.ids):,} items)"

    def cells(self) -> list[tuple[str, ...]]:
        """The table's cells as texts, a row for each metric, the main one first; not multiplied."""
        names = sorted(self.scores, key=lambda name: name != self.main)
        return [(name, str(self.scores[name]), f"{self.scores[name].n:,}", self.scores[name].unit) for name in names]

    def records(self) -> list[dict[str, object]]:
        """The metrics as plain numbers, with their definitions."""
        return [{"metric": name, **asdict(self.scores[name])} for name, *_ in self.cells()]

    def __getitem__(self, metric: str) -> Estimate:
        return self.scores[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def per_item(self) -> np.ndarray:
        """What each item contributed to the main metric, (items,); of a statistic, its first array."""
        return self.arrays[self.main] if self.main in self.arrays else next(iter(self.arrays.values()))

    def take(self, rows: Sequence[int] | np.ndarray) -> "Evaluation":
        """The same evaluation on the items at `rows` alone.

        Raises:
            ValueError: no rows, or a metric that needs its function, which a saved file does not hold.
        """
        kept = np.asarray(rows, dtype=np.int64)
        if kept.ndim != 1 or len(kept) == 0:
            raise ValueError(f"rows must be a 1-D list of one item or more, got shape {kept.shape}")
        if missing := self.replicates.keys() - self.statistics.keys():
            raise ValueError(f"{sorted(missing)[0]} is a statistic of all items, and its function is not in the file")
        means = {name: e.definition for name, e in self.scores.items() if name not in self.statistics}
        statistics = {
            name: (_of_part(function, kept), self.scores[name].definition)
            for name, function in self.statistics.items()
            if name in self.scores
        }
        return evaluation_of(
            self.task,
            main=self.main,
            arrays={name: values[kept] for name, values in self.arrays.items()},
            ids=[self.ids[i] for i in kept],
            means=means,
            statistics=statistics,
            blocks=self.blocks[kept],
            columns={name: [values[i] for i in kept] for name, values in self.columns.items()},
            source=self.source,
            recipe=self.recipe,
        )

    def by(self, column: str, *, bins: int = 4) -> dict[str, "Evaluation"]:
        """The same evaluation for each value of a column, or for `bins` equally full ranges of many numbers.

        Raises:
            ValueError: no such column, or `bins` below 1.
        """
        if column not in self.columns:
            raise ValueError(f"no column {column!r}; there are {sorted(self.columns)}")
        if bins < 1:
            raise ValueError(f"bins must be at least 1, got {bins}")
        names = buckets(self.columns[column], bins=bins)
        return {str(name): self.take(np.flatnonzero(names == name)) for name in np.unique(names)}


def evaluation_of(
    task: str,
    *,
    main: str,
    arrays: Mapping[str, np.ndarray],
    ids: Sequence[str],
    means: Mapping[str, str] = EMPTY,
    statistics: Mapping[str, tuple[Statistic, str]] = EMPTY,
    blocks: np.ndarray | None = None,
    columns: Mapping[str, Sequence] = EMPTY,
    source: str = "",
    recipe: Mapping[str, object] = EMPTY,
) -> Evaluation:
    """An evaluation with its scores: `means` of the arrays of those names, `statistics` of all items together.

    Both map a metric to its definition. `blocks` (items,) keeps together what the jackknife must not part; None makes
    20 of whole items by the hash of their ids. A statistic that is not finite is left out of the scores; one of
    fewer than 5 blocks, and the mean of a single item, have an unbounded interval.
    """
    block = blocks_of(list(ids)) if blocks is None else np.asarray(blocks)
    scores = {name: _mean(arrays[name], definition) for name, definition in means.items()}
    replicates = {}
    for name, (function, definition) in statistics.items():
        value = float(function(np.arange(len(ids))))
        if math.isfinite(value):
            names = np.unique(block)
            kept = [np.flatnonzero(block != name) for name in names] if len(names) > 1 else []
            parts = np.array([float(function(rows)) for rows in kept])
            scores[name], replicates[name] = _statistic(value, parts, definition), parts
    return Evaluation(
        task,
        main,
        scores,
        {name: np.asarray(values) for name, values in arrays.items()},
        tuple(ids),
        block,
        replicates,
        {name: tuple(values) for name, values in columns.items()},
        source,
        dict(recipe),
        {name: function for name, (function, _) in statistics.items()},
    )


def recipe_of(encoder: object, **more: object) -> dict[str, object]:
    """What must be equal for two results to be comparable: what the encoder says of itself, and `more`."""
    own = getattr(encoder, "recipe", None) or {"model": getattr(encoder, "name", type(encoder).__name__)}
    return {**own, **more}


def lengths_of(encoder: object, texts: Sequence[str]) -> np.ndarray:
    """Length of each text, int64 (n,): in tokens where the encoder counts them, else in characters."""
    counted = getattr(encoder, "count_tokens", None)
    return np.asarray(counted(texts) if counted else [len(text) for text in texts], dtype=np.int64)


def ids_of(*columns: Sequence[str]) -> list[str]:
    """An id for each row made of its texts: equal rows in different subsets of a set are known again by it.

    The first 16 hexadecimal digits of their SHA-256; rows that come more than once are counted.
    """
    ids, seen = [], Counter()
    for row in zip(*columns, strict=True):
        name = hashlib.sha256("\x1f".join(row).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        ids.append(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return ids


def buckets(values: Sequence, *, bins: int) -> np.ndarray:
    """Name of each value's group: the value itself, or one of `bins` equally full ranges where many are numbers."""
    column = np.asarray(values)
    if column.dtype.kind not in "iuf" or len(np.unique(column)) <= bins:
        return column.astype(str)
    edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1], method="higher"))
    place = np.unique(np.searchsorted(edges, column, side="right"), return_inverse=True)[1]
    parts = [column[place == i] for i in range(place.max() + 1)]
    return np.array([f"{i + 1}: {part.min():g} to {part.max():g}" for i, part in enumerate(parts)])[place]


def _mean(values: np.ndarray, definition: str) -> Estimate:
    if len(values) > 1:
        return mean_interval(values, definition=definition)
    return _unbounded(float(values[0]), 1, "item", definition)


def _statistic(value: float, parts: np.ndarray, definition: str) -> Estimate:
    if len(parts) >= 5 and np.isfinite(parts).all():
        return jackknife_replicates(value, parts, definition=definition)
    return _unbounded(value, max(1, len(parts)), "block", definition)


def _unbounded(value: float, n: int, unit: str, definition: str) -> Estimate:
    return Estimate(value, -math.inf, math.inf, n, unit, "too few units for an interval", definition)


def _of_part(function: Statistic, kept: np.ndarray) -> Statistic:
    return lambda rows: function(kept[rows])
