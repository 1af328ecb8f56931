"""What a map keeps and says of its points, and which of them are moved."""

from collections.abc import Sequence

import numpy as np

from workbench.widgets.map_columns import Colouring, as_ids, as_points

__all__ = ["as_bytes", "as_moves", "kept", "note"]

LONGEST = 1000  # characters of a text that are shown beside a point


def as_bytes(array: np.ndarray | None) -> bytes:
    """The numbers as they travel to the page; nothing for None."""
    return b"" if array is None else np.ascontiguousarray(array).tobytes()


def kept(values: np.ndarray | Sequence | None) -> np.ndarray | list | None:
    """A copy of a column, which its owner may write to later."""
    return values.copy() if isinstance(values, np.ndarray) else None if values is None else list(values)


def as_moves(ids: np.ndarray | Sequence, points: np.ndarray | Sequence, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids as int64 (k,), in the order given, and where they go, float64 (k, 2).

    Raises:
        TypeError: ids that are not whole numbers, points that are not real numbers.
        ValueError: an id outside 0..n - 1 or given twice, or not one finite point for each.
    """
    which, array = np.asarray(ids), as_points(points)
    if len(as_ids(which, n)) != which.size or which.size != len(array):
        raise ValueError(f"ids must be distinct, one for each of the {len(array)} points, got {which.tolist()[:10]}")
    return which.reshape(-1).astype(np.int64), array


def note(point: int, texts: list[str] | None, values: np.ndarray | list | None, colouring: Colouring) -> dict[str, str]:
    """The text of a point, cut, and its value in the column that colours the map, where there are such."""
    words = {"text": texts[point][:LONGEST]} if texts is not None else {}
    if values is not None:
        gone = colouring.codes[point] == 255
        shown = "no value" if gone else _shown(values[point])
        words["value"] = f"{colouring.name}: {shown}" if colouring.name else shown
    return words


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)[:LONGEST]
