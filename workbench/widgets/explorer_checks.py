"""What an Explorer refuses before it begins."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from workbench.tensors import row_blocks
from workbench.widgets.map_columns import as_colouring

__all__ = ["check_directions", "checked_columns"]


def check_directions(rows: Tensor) -> None:
    """Refuses a zero row, by its number.

    Raises:
        ValueError: there is one.
    """
    for part in row_blocks(len(rows), 8192):
        gone = (rows[part] == 0).all(dim=1)
        if gone.any():
            row = part.start + int(gone.int().argmax())
            raise ValueError(f"x: row {row} is zero and has no direction; metric='euclidean' takes it")


def checked_columns(columns: Mapping, n: int) -> dict[str, Any]:
    """The columns, each as an array or a list of n entries.

    Raises:
        TypeError: a name that is no str, or a column of neither numbers nor labels.
        ValueError: a column of another length, or with an infinite number.
    """
    kept = {}
    for name, values in columns.items():
        if not isinstance(name, str) or not name:
            raise TypeError(f"columns must have names, got {name!r}")
        column = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
        column = column.copy() if isinstance(column, np.ndarray) else list(column)
        try:
            as_colouring(column, n, name=name)
        except (TypeError, ValueError) as error:
            raise type(error)(f"column {name!r}: {error}") from None
        kept[name] = column
    return kept
