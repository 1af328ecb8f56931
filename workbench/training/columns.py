"""Columns of training data, checked once: texts, arrays and tensors of one length."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.tensors import row_blocks

__all__ = ["checked_columns", "integer_codes", "taken"]

Column = list[str] | np.ndarray | Tensor
BLOCK_NUMBERS = 2**22  # numbers of a column looked at together


def checked_columns(columns: Mapping[str, Sequence | np.ndarray | Tensor]) -> dict[str, Column]:
    """`columns` by name, each a list of str, an array or a tensor; arrays and tensors stay where they are.

    An array of texts becomes a list. Numbers are given as an array or a tensor, whatever their further axes.

    Raises:
        TypeError: `columns` is no mapping, a name is no str, or a column is none of the three; a list names its first
            item that is no text.
        ValueError: no columns, no rows, unequal lengths, an array of objects, or a number that is not finite; names the
            column and the row.
    """
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns must map a name to its values, got {type(columns).__name__}")
    if not columns:
        raise ValueError("columns must name at least 1 column, got an empty mapping")
    checked = {name: _checked(name, column) for name, column in columns.items()}
    lengths = {name: len(column) for name, column in checked.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns must be of equal length, got {lengths}")
    if 0 in lengths.values():
        raise ValueError(f"columns must have at least 1 row, got none in {', '.join(map(repr, lengths))}")
    return checked


def _checked(name: str, column: Sequence | np.ndarray | Tensor) -> Column:
    if not isinstance(name, str):
        raise TypeError(f"the name of a column must be a str, got {name!r}")
    if isinstance(column, np.ndarray | Tensor):
        return _numbers(name, column)
    if isinstance(column, str) or not isinstance(column, Sequence):
        raise TypeError(f"column {name!r} must be a sequence of str, an array or a tensor, got {type(column).__name__}")
    texts = list(column)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"column {name!r}: row {row} must be a str as in a list of texts, got {type(text).__name__}; "
                "give numbers as an array or a tensor"
            )
    return texts


def _numbers(name: str, column: np.ndarray | Tensor) -> Column:
    if column.ndim == 0:
        raise ValueError(f"column {name!r} must have a row per item, got a single number")
    if isinstance(column, np.ndarray):
        if column.dtype.kind == "U" and column.ndim == 1:
            return column.tolist()
        if column.dtype.kind not in "biuf":
            raise ValueError(f"column {name!r} must hold numbers, booleans or texts, got an array of {column.dtype}")
        if column.dtype.kind != "f":
            return column
    elif not column.is_floating_point():
        return column
    for block in row_blocks(len(column), max(1, BLOCK_NUMBERS // max(1, int(np.prod(column.shape[1:]))))):
        part = column[block]
        finite = np.isfinite(part) if isinstance(part, np.ndarray) else torch.isfinite(part).cpu().numpy()
        if not finite.all():
            row = int(np.argmin(finite.reshape(len(finite), -1).all(axis=1)))
            raise ValueError(f"column {name!r}: row {block.start + row} is not finite")
    return column


def taken(columns: Mapping[str, Column], rows: np.ndarray) -> dict[str, Column]:
    """The `rows` of each column, in their order, each of the kind that its column is of."""
    numbers = rows.tolist()
    return {
        name: [column[i] for i in numbers]
        if isinstance(column, list)
        else column[rows]
        if isinstance(column, np.ndarray)
        else column[torch.from_numpy(rows).to(column.device)]
        for name, column in columns.items()
    }


def integer_codes(columns: Mapping[str, Column], names: Iterable[str]) -> np.ndarray:
    """Values of the named columns as numbers (n, names): equal numbers, equal values, whatever the column.

    Raises:
        ValueError: a name that is no column, or a column that holds neither texts nor integers in one axis.
    """
    known: dict[str | int, int] = {}
    codes = []
    for name in names:
        if name not in columns:
            raise ValueError(f"there is no column {name!r}; the columns are {', '.join(map(repr, columns))}")
        codes.append([known.setdefault(value, len(known)) for value in discrete_values(name, columns[name])])
    return np.array(codes, dtype=np.int64).T


def discrete_values(name: str, column: Column) -> list[str] | list[int]:
    """A column of texts, or of integers in one axis, as a list.

    Raises:
        ValueError: the column holds something else.
    """
    if isinstance(column, list):
        return column
    whole = (
        column.dtype.kind in "iu"
        if isinstance(column, np.ndarray)
        else not (column.is_floating_point() or column.is_complex() or column.dtype == torch.bool)
    )
    if not whole or column.ndim != 1:
        raise ValueError(
            f"column {name!r} must hold texts or integers in one axis to be told apart, "
            f"got {column.dtype} of shape {tuple(column.shape)}"
        )
    return column.tolist()
