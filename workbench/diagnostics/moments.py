"""Pass A: the moments of a cloud of rows, of any size and from any source, in one read."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from torch import Tensor

from workbench.diagnostics.cosine import BLOCKS, index_hash
from workbench.diagnostics.moments_io import read_rows
from workbench.diagnostics.moments_pass import Group, read_block
from workbench.diagnostics.moments_record import FEWEST_BLOCKS, Moments, merge
from workbench.tensors import as_rows, row_blocks

__all__ = ["GroupedMoments", "Moments", "Rows", "as_moments", "merge", "moments"]

Rows = np.ndarray | Tensor | Moments
Source = np.ndarray | Tensor | str | Path | Iterable

ROWS_AT_ONCE = 8192
NUMBERS_AT_ONCE = 2**22
BLOCK_BYTES = 10**9  # the second moments of all blocks together
MOST_BLOCKS = 200


@dataclass(frozen=True, eq=False)
class GroupedMoments(Mapping):
    """Moments of each group of rows: a mapping from the group's label to its `Moments`.

    `a + b` pools two of them, group by group.
    """

    parts: dict[object, Moments]

    def __getitem__(self, label: object) -> Moments:
        return self.parts[label]

    def __iter__(self) -> Iterator:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __add__(self, other: "GroupedMoments") -> "GroupedMoments":
        labels = [*self.parts, *(label for label in other.parts if label not in self.parts)]
        return GroupedMoments({g: merge([m.parts[g] for m in (self, other) if g in m.parts]) for g in labels})


@overload
def moments(
    x: Source, *, groups: None = None, blocks: np.ndarray | None = None, start: int = 0, unit_rows: bool = True
) -> Moments: ...


@overload
def moments(
    x: Source, *, groups: np.ndarray, blocks: np.ndarray | None = None, start: int = 0, unit_rows: bool = True
) -> GroupedMoments: ...


def moments(
    x: Source,
    *,
    groups: np.ndarray | None = None,
    blocks: np.ndarray | None = None,
    start: int = 0,
    unit_rows: bool = True,
) -> Moments | GroupedMoments:
    """Mergeable moments of rows, by jackknife block: one read of `x`, in float64, memory independent of n.

    `x` is an array or memory map (n, d), a tensor on any device, an iterable of such batches, or the path of a .npy or
    of a .parquet with a column `embedding`. `groups` (n,) labels the rows (layer, length bin, class): one record each.

    The block of a row is the hash of its number, modulo 20, where the first row has the number `start`: a part taken
    alone and merged later gives what all rows give at once, whatever the partition. `blocks` (n,) gives whole numbers
    instead: texts of one source in one block. Blocks are joined by a hash of their number down to as many as keep
    their second moments within 1 GB (20 up to d = 2500, 7 at d = 4096, never under 5) and to 200 at most: the
    jackknife then leaves out these larger blocks and has fewer degrees of freedom. Each group takes as much again.

    Raises:
        TypeError: `x` or a batch is neither an array nor a tensor.
        ValueError: no rows, a batch of another width or that `as_rows` refuses, a zero row while `unit_rows`, groups
            or blocks that are not one for each row, a negative `start`, a file that `read_rows` refuses, or numbers
            whose fourth power passes float64.

    Reference: Chan, Golub and LeVeque 1983; Pébay 2008 (merging).
    """
    if start < 0:
        raise ValueError(f"start must not be negative, got {start}")
    for name, labels, kinds in (("groups", groups, "iuU"), ("blocks", blocks, "iu")):
        if labels is not None and (np.ndim(labels) != 1 or np.asarray(labels).dtype.kind not in kinds):
            kind = np.asarray(labels).dtype
            raise ValueError(f"{name} must hold a whole number for each row (groups: or a string), got {kind}")
    found: dict[object, Group] = {}
    n = width = 0
    for i, batch in enumerate(_batches(x)):
        rows = as_rows(batch, name="x" if isinstance(x, np.ndarray | Tensor) else f"batch {i} of x")
        if width not in (0, rows.shape[1]):
            raise ValueError(f"batch {i} of x must have {width} columns as those before, got {rows.shape[1]}")
        width = rows.shape[1]
        for part in row_blocks(len(rows), max(1024, min(ROWS_AT_ONCE, NUMBERS_AT_ONCE // width))):
            rule = slice(n + part.start, n + part.stop)
            labels = _labels(blocks, rule, start, width)
            read_block(rows[part], labels, _slice(groups, rule, "groups"), found, unit_rows, rule.start)
        n += len(rows)
    for name, labels in (("groups", groups), ("blocks", blocks)):
        if labels is not None and len(labels) != n:
            raise ValueError(f"{name} must hold one label for each of the {n} rows, got {len(labels)}")
    if n == 0:
        raise ValueError("x needs at least 1 row, got none")
    done = {label: group.record() for label, group in found.items()}
    return done[None] if groups is None else GroupedMoments(done)


def as_moments(x: Rows, blocks: np.ndarray | None, *, unit_rows: bool = False) -> Moments:
    """`x` itself where it is a record already, else the moments of its rows.

    Raises:
        ValueError: `blocks` beside a record, or as in `moments`.
    """
    if not isinstance(x, Moments):
        return moments(as_rows(x, least=2), blocks=blocks, unit_rows=unit_rows)
    if blocks is not None:
        raise ValueError("moments hold their blocks already: give blocks with rows only")
    return x


def _batches(x: Source) -> Iterator:
    if isinstance(x, str | Path):
        return read_rows(Path(x))
    if isinstance(x, np.ndarray | Tensor):
        return iter((x,))
    if not isinstance(x, Iterable) or isinstance(x, Mapping | bytes):
        raise TypeError(f"x must be an array, a tensor, a path or an iterable of arrays, got {type(x).__name__}")
    return iter(x)


def _slice(labels: np.ndarray | None, part: slice, name: str) -> np.ndarray | None:
    if labels is None:
        return None
    if len(labels) < part.stop:
        raise ValueError(f"{name} must hold one label for each row, got {len(labels)} for {part.stop} rows or more")
    return np.asarray(labels)[part]


def _labels(blocks: np.ndarray | None, part: slice, start: int, width: int) -> np.ndarray:
    """Block number of each row: a function of the row's number or label alone, so that parts merge."""
    given = _slice(blocks, part, "blocks")
    if given is None:
        given = index_hash(np.arange(start + part.start, start + part.stop, dtype=np.uint64)) % np.uint64(BLOCKS)
    given = given.astype(np.int64)
    most = min(MOST_BLOCKS, max(FEWEST_BLOCKS, BLOCK_BYTES // (8 * width**2)))
    fits = (given >= 0) & (given < most)
    return np.where(fits, given, (index_hash(given.astype(np.uint64)) % np.uint64(most)).astype(np.int64))
