"""Batches of columns: shuffled passes, no text twice in a batch, batches of one source."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from torch import Tensor

from workbench.training.columns import Column, checked_columns, discrete_values, integer_codes, taken

__all__ = ["Batches"]

PASS, DRAW = 0, 1  # what is drawn, so that equal seeds draw other numbers for other things


class Batches:
    """Shuffled passes over columns of equal length; each batch is a dict of the same columns, `size` rows of each.

    Every iteration is one pass: the order follows from `seed` and the epoch alone (`set_epoch`), so a pass can be
    repeated, and the same pass less its first k batches is the rest after k batches. Rows that fill no batch are left
    out of that pass; they are others in the next.

    With `unique`, no value stands in two rows of a batch, in whichever of those columns; equality is exact, and one row
    may hold a value in several columns. Rows are taken in the shuffled order, each into the first batch that has room
    and none of its values: rows that collide go to a later batch. Time is about linear in rows times columns (each row
    skips full batches, and those that hold its values, through links), also where a value is very frequent. But a value
    in f rows needs f batches: of more than there are batches, the surplus is left out of the pass, and the number of
    batches may differ between epochs.

    With `by`, all rows of a batch have the same value in that column (or the same of the n labels given, which are no
    column of the batches); each source's batches are spread at random over the pass, as many as its rows fill.

    Args:
        columns: texts (sequences of str), arrays and tensors, n rows each. An array of texts becomes a list.
        size: rows of a batch, 1 to n.
        seed: of the order; not negative.
        unique: names of columns of texts or of integers, such as ("anchor", "positive").
        by: the column that names each row's source, or the n names (str or integers) themselves.

    Raises:
        TypeError: as `checked_columns`, or `unique` is one str.
        ValueError: as `checked_columns`; `size` outside 1..n, a negative seed, an unknown column, one that cannot be
            told apart (neither texts nor integers), labels of another length, a source that fills no batch, or so many
            collisions that no batch is full.
    """

    def __init__(
        self,
        columns: Mapping[str, Sequence | np.ndarray | Tensor],
        *,
        size: int,
        seed: int = 0,
        unique: Sequence[str] = (),
        by: str | Sequence | np.ndarray | None = None,
    ) -> None:
        self.columns: dict[str, Column] = checked_columns(columns)
        self.n_rows = len(next(iter(self.columns.values())))
        self.size, self.seed = checked_size(size, self.n_rows), checked_seed(seed)
        self.epoch = 0
        self._values = repeated_values(self.columns, unique)
        self._sources = {"": np.arange(self.n_rows)} if by is None else self._by_source(by)
        self._plan: tuple[int, np.ndarray] | None = None
        if self._values is not None:
            self.indices()  # collisions are found before training, not after

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of a batch."""
        return tuple(self.columns)

    def __len__(self) -> int:
        """Batches of the pass of this epoch."""
        if self._values is None:
            return sum(len(rows) // self.size for rows in self._sources.values())
        return len(self.indices())

    def set_epoch(self, epoch: int) -> None:
        """Which pass the next iteration makes; passes under way go on as they were.

        Raises:
            ValueError: `epoch` is negative.
        """
        self.epoch = checked_epoch(epoch)

    def indices(self) -> np.ndarray:
        """Row numbers of every batch of this epoch's pass, int64 (batches, size).

        Raises:
            ValueError: collisions leave no full batch, of the rows or of a source; names it.
        """
        if self._plan is None or self._plan[0] != self.epoch:
            rng = np.random.default_rng((self.seed, self.epoch, PASS))
            parts = [self._packed(source, rng.permutation(rows)) for source, rows in self._sources.items()]
            plan = np.concatenate(parts) if len(parts) == 1 else rng.permutation(np.concatenate(parts))
            self._plan = self.epoch, plan
        return self._plan[1]

    def rest(self, done: int) -> Iterator[dict[str, Column]]:
        """This epoch's pass less its first `done` batches, which are not made.

        Raises:
            ValueError: `done` outside 0..batches of the pass.
        """
        plan = self.indices()
        return (taken(self.columns, rows) for rows in plan[checked_done(done, len(plan)) :])

    def __iter__(self) -> Iterator[dict[str, Column]]:
        """One pass, that of the epoch set now."""
        return self.rest(0)

    def _packed(self, source: str | int, order: np.ndarray) -> np.ndarray:
        if self._values is None:
            return order[: len(order) // self.size * self.size].reshape(-1, self.size)
        full = first_fit(order.tolist(), self._values, self.size)
        if not full:
            where = f" of source {source!r}" if len(self._sources) > 1 else ""
            raise ValueError(
                f"no batch{where} can be filled: unique leaves fewer than size={self.size} of {len(order)} rows "
                "that share no value"
            )
        return np.array(full, dtype=np.int64)

    def _by_source(self, by: str | Sequence | np.ndarray) -> dict[str | int, np.ndarray]:
        if isinstance(by, str) and by not in self.columns:
            raise ValueError(f"there is no column {by!r}; the columns are {', '.join(map(repr, self.columns))}")
        name, given = (by, self.columns[by]) if isinstance(by, str) else ("by", checked_columns({"by": by})["by"])
        if len(given) != self.n_rows:
            raise ValueError(f"by must have a label for each of {self.n_rows} rows, got {len(given)}")
        rows: dict[str | int, list[int]] = {}
        for row, label in enumerate(discrete_values(name, given)):
            rows.setdefault(label, []).append(row)
        for label, found in rows.items():
            if len(found) < self.size:
                raise ValueError(f"source {label!r} has {len(found)} rows and fills no batch of size={self.size}")
        return {label: np.array(found) for label, found in rows.items()}


def first_fit(order: Sequence[int], values: Mapping[int, Sequence[int]], size: int) -> list[list[int]]:
    """The full ones of the batches into which the rows of `order` fall: each into the first that takes it.

    `values` are those of a row that other rows have too. A link leads from a batch that is full, or that holds a value,
    towards the next that may not; links are shortened whenever they are followed (Tarjan 1975).
    """
    batches: list[list[int]] = []
    full: dict[int, int] = {}
    holding: dict[int, dict[int, int]] = {}
    for row in order:
        links = [full, *(holding.setdefault(value, {}) for value in values.get(row, ()))]
        batch, before = 0, -1
        while batch != before:
            before = batch
            for link in links:
                batch = _next(link, batch)
        if batch == len(batches):
            batches.append([])
        batches[batch].append(row)
        for link in links[1:]:
            link[batch] = batch + 1
        if len(batches[batch]) == size:
            full[batch] = batch + 1
    return [rows for rows in batches if len(rows) == size]


def _next(links: dict[int, int], start: int) -> int:
    end = start
    while end in links:
        end = links[end]
    while start != end:
        links[start], start = end, links[start]
    return end


def repeated_values(columns: Mapping[str, Column], unique: Sequence[str]) -> dict[int, list[int]] | None:
    """For each row that shares a value of the `unique` columns with another, those values as numbers; None if unasked.

    Raises:
        TypeError: `unique` is one str.
        ValueError: an unknown column, or one whose values cannot be told apart.
    """
    if isinstance(unique, str):
        raise TypeError(f"unique must be a sequence of column names, such as ({unique!r},), got one str")
    if not unique:
        return None
    codes = integer_codes(columns, unique)
    ordered = np.sort(codes, axis=1)
    first = np.ones_like(ordered, dtype=bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]  # a value that a row holds twice counts once
    shared = first & (np.bincount(ordered[first])[ordered] > 1)
    rows = np.flatnonzero(shared.any(axis=1))
    pairs = zip(ordered[rows].tolist(), shared[rows].tolist(), strict=True)
    return {
        row: [value for value, kept in zip(*pair, strict=True) if kept]
        for row, pair in zip(rows.tolist(), pairs, strict=True)
    }


def checked_size(size: int, n: int) -> int:
    """`size`, where a batch of it can be made of `n` rows.

    Raises:
        TypeError: not an integer.
        ValueError: outside 1..n.
    """
    if isinstance(size, bool) or not isinstance(size, int | np.integer):
        raise TypeError(f"size must be an integer, got {size!r}")
    if not 1 <= size <= n:
        raise ValueError(f"size must be at least 1 and at most the n={n} rows, got {size}")
    return int(size)


def checked_seed(seed: int) -> int:
    """`seed`, where it is one.

    Raises:
        TypeError: not an integer.
        ValueError: negative.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be an integer, got {seed!r}")
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    return int(seed)


def checked_epoch(epoch: int) -> int:
    """`epoch`, where it is one.

    Raises:
        ValueError: negative.
    """
    if epoch < 0:
        raise ValueError(f"epoch must not be negative, got {epoch}")
    return int(epoch)


def checked_done(done: int, n: int) -> int:
    """`done`, where so many of `n` batches can have been made.

    Raises:
        ValueError: outside 0..n.
    """
    if not 0 <= done <= n:
        raise ValueError(f"done must be at least 0 and at most the {n} batches of a pass, got {done}")
    return int(done)
