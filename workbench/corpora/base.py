"""What every record carries: its source, its further columns, and three ways to take fewer rows."""

import dataclasses
import hashlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, no_type_check

import numpy as np

__all__ = ["MADE_HERE", "Record", "Source", "as_sequence", "check_texts"]


Kind = TypeVar("Kind", bound="Record")  # the same record type; `Self` is not understood by run-time checkers


@dataclass(frozen=True)
class Source:
    """Where the rows of a record come from: name, kind, licence, origin, fingerprint, split.

    `kind` is 'built-in', 'local' (a folder under WORKBENCH_DATA), 'table' (a file of the user), 'hub',
    or 'made' for a record built by hand. `fingerprint` is the hexadecimal SHA-256 that
    `workbench.corpora.fingerprint` gives, '' for a made record. `split` names the split that was taken
    (None: all rows), `scope` the scope of a built-in set or the subset of a local one (None: the whole).
    """

    name: str
    kind: str
    licence: str
    origin: str
    fingerprint: str
    split: str | None = None
    scope: str | None = None


MADE_HERE = Source("made here", "made", "not stated", "made in memory", "")


@no_type_check  # a record checks its own rows, and says which one is wrong
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Record:
    """Rows with their source; the base of every record type.

    Attributes:
        tables: further tables of the set, as name -> column -> values; never filtered.
        source: where the rows come from. `where`, `sample` and `take` leave it as it is.
    """

    _rows: ClassVar[tuple[str, ...]] = ()  # the fields that run row by row
    _texts: ClassVar[tuple[str, ...]] = ()  # those of them that must be texts
    tables: Mapping[str, Mapping[str, Sequence[Any]]] = dataclasses.field(default_factory=dict)
    source: Source = MADE_HERE

    if TYPE_CHECKING:  # every record type declares this field itself, after its rows, so that it can be positional

        @property
        def columns(self) -> Mapping[str, Sequence[Any]]:
            """Further columns, row by row."""
            ...

    def __post_init__(self) -> None:
        for field in self._texts:
            object.__setattr__(self, field, check_texts(getattr(self, field), field, self.source.name))
        object.__setattr__(self, "columns", {str(k): as_sequence(v, k) for k, v in self.columns.items()})
        lengths = {field: len(values) for field, values in self._by_name().items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{self.source.name}: every column holds one value per row, got lengths {lengths}")

    def __len__(self) -> int:
        """Number of rows; a `Retrieval` counts its queries."""
        return next((len(values) for values in self._by_name().values()), 0)

    def __repr__(self) -> str:
        """One line: type, set, split, rows, columns; never the texts."""
        part = "".join(f", {key} {v}" for key in ("split", "scope") if (v := getattr(self.source, key)))
        return f"{type(self).__name__}({self.source.name}{part}: {len(self):,} rows; columns {list(self._by_name())})"

    def take(self: Kind, indices: Iterable[int]) -> Kind:
        """The rows at `indices`, in that order, with their columns.

        Raises:
            TypeError: an index is no integer.
            IndexError: an index is not in [0, n).
        """
        wanted = [operator.index(i) for i in indices]
        for i in wanted:
            if not 0 <= i < len(self):
                raise IndexError(f"{self.source.name}: index {i} is not in [0, n={len(self)})")
        return self._picked(wanted)

    def where(self: Kind, /, **wanted: object) -> Kind:
        """The rows whose columns hold these values, in the record's order: `where(package="torch")`.

        A list, tuple or set stands for any of its members. Fields that run row by row count as columns.

        Raises:
            ValueError: no such column, or no row holds the value (the message names some that are there).
        """
        keep = set(range(len(self)))
        for name, value in wanted.items():
            values = self._by_name().get(name)
            if values is None:
                raise ValueError(f"{self.source.name} has no column {name!r}; it has {sorted(self._by_name())}")
            accepted = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
            found = {i for i, held in enumerate(values) if held in accepted}
            if not found:
                some = sorted({str(held)[:40] for held in values})[:12]
                raise ValueError(f"{self.source.name}: no row has {name} {value!r}; there are {some}")
            keep &= found
        if not keep:
            raise ValueError(f"{self.source.name}: no row has all of {wanted}")
        return self._picked(sorted(keep))

    def sample(self: Kind, n: int, seed: int = 0) -> Kind:
        """`n` rows drawn without replacement, in the order of a seeded hash of their own text.

        A row's place depends on `seed` and on the text of that row alone, not on its position: the smaller
        sample is the head of the larger one, and rows added to the set do not reshuffle the others.

        Raises:
            ValueError: `n` is not in [1, number of rows].
        """
        if not 1 <= operator.index(n) <= len(self):
            raise ValueError(f"{self.source.name}: a sample takes 1 to n={len(self)} rows, got {n}")
        key = str(operator.index(seed)).encode()
        seen: dict[bytes, int] = {}
        drawn = []
        for i, text in enumerate(self._row_keys()):
            again = seen[text] = seen.get(text, -1) + 1  # equal rows are spread, not drawn side by side
            drawn.append((hashlib.blake2b(text + b"\x00%d" % again, key=key, digest_size=16).digest(), i))
        return self._picked([i for _, i in sorted(drawn)[:n]])

    def _by_name(self) -> dict[str, Sequence[Any]]:
        return {**{field: getattr(self, field) for field in self._rows}, **self.columns}

    def _row_keys(self) -> Iterable[bytes]:
        fields = [getattr(self, field) for field in self._texts] or list(self.columns.values())
        return ("\x1f".join(map(str, row)).encode("utf-8", "surrogatepass") for row in zip(*fields, strict=True))

    def _picked(self: Kind, indices: list[int]) -> Kind:
        rows = {field: _pick(getattr(self, field), indices) for field in self._rows}
        columns = {name: _pick(values, indices) for name, values in self.columns.items()}
        return dataclasses.replace(self, **rows, columns=columns)


def check_texts(values: object, field: str, name: str) -> tuple[str, ...]:
    """`values` as a tuple of texts.

    Raises:
        TypeError: one str instead of a sequence, or a row that is no str; the message names the row.
    """
    texts = as_sequence(values, field)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{name}: {field} must hold texts (str), row {i} is {type(text).__name__} {text!r}")
    return tuple(texts)


def as_sequence(values: object, field: str) -> Sequence[Any] | np.ndarray:
    """`values` as a tuple; an array stays an array.

    Raises:
        TypeError: one text, a mapping, or nothing to iterate over.
    """
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise TypeError(f"{field} must be a sequence with one value per row, got {type(values).__name__}")
    return tuple(values)


def _pick(values: Sequence[Any] | np.ndarray, indices: list[int]) -> Sequence[Any] | np.ndarray:
    if isinstance(values, np.ndarray):
        return values[indices]
    return tuple(values[i] for i in indices)
