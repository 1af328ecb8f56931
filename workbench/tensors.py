"""Rows of vectors: checked once, scaled to length 1, multiplied in blocks. Rows are texts, columns are dimensions."""

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

__all__ = ["as_rows", "cosines", "row_blocks", "unit"]

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
BLOCK_NUMBERS = 2**24  # numbers handled at a time: 64 MiB in float32


def as_rows(x: np.ndarray | Tensor, *, least: int = 1, name: str = "x") -> Tensor:
    """`x` (n, d) as a tensor of finite floats, in its own dtype and, where strides allow, in its own memory.

    Arrays, memory maps and tensors on any device; read in blocks, so a map larger than memory passes. The tensor of a
    read-only array must not be written to.

    Raises:
        TypeError: neither an array nor a tensor, or a masked array.
        ValueError: not 2-D, not float16, bfloat16, float32 or float64, sparse, no columns, fewer than `least` rows, or
            a number that is not finite: the message names the first such row.
    """
    rows = _shared(x, name) if isinstance(x, np.ndarray) else x
    if not isinstance(rows, Tensor):
        raise TypeError(f"{name} must be a numpy array or a torch tensor, got {type(x).__name__}")
    if rows.dtype not in FLOATS or rows.layout != torch.strided:
        raise ValueError(f"{name} must be dense and of a floating dtype, got {rows.dtype}, {rows.layout}")
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"{name} must be 2-D, one row per text, one column or more, got shape {tuple(rows.shape)}")
    if len(rows) < least:
        raise ValueError(f"{name} needs at least {least} rows, got {len(rows)}")
    for block in row_blocks(len(rows), max(1, BLOCK_NUMBERS // rows.shape[1])):
        fine = torch.isfinite(rows[block]).all(dim=1)
        if not fine.all():
            raise ValueError(f"{name}: row {block.start + int(torch.argmin(fine.int()))} is not finite")
    return rows


def unit(x: np.ndarray | Tensor) -> Tensor:
    """Rows of `x` (..., d) scaled to Euclidean length 1.

    Half precision is raised to float32, float64 stays. Differentiable. Rows are divided by their largest entry first,
    so neither tiny nor huge rows lose their length to underflow or overflow.

    Raises:
        TypeError: neither an array nor a tensor.
        ValueError: not of a floating dtype, fewer than 2 axes, or a row that is zero or not finite, by its number.
    """
    rows = _shared(x, "x") if isinstance(x, np.ndarray) else x
    if not isinstance(rows, Tensor):
        raise TypeError(f"x must be a numpy array or a torch tensor, got {type(x).__name__}")
    if rows.dtype not in FLOATS or rows.ndim < 2 or rows.shape[-1] == 0:
        raise ValueError(f"x must hold rows of floats, got {rows.dtype} of shape {tuple(rows.shape)}")
    return _scaled(rows, "x")


def row_blocks(n: int, size: int) -> Iterator[slice]:
    """Slices that cut rows 0..n - 1 into runs of `size`, in order; the last may be shorter, none for n = 0.

    Raises:
        ValueError: `n` is negative or `size` is below 1.
    """
    if n < 0 or size < 1:
        raise ValueError(f"n must not be negative and size must be at least 1, got n={n}, size={size}")
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def cosines(a: np.ndarray | Tensor, b: np.ndarray | Tensor) -> Tensor:
    """Cosine of every row of `a` (n, d) with every row of `b` (m, d), as (n, m).

    In [-1, 1] up to rounding, 1 for the same direction; float32, or float64 where an input is.

    Raises:
        TypeError, ValueError: as in `as_rows` and `unit`, or the widths differ.
    """
    left, right = as_rows(a, name="a"), as_rows(b, name="b")
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"a and b must have as many columns, got {left.shape[1]} and {right.shape[1]}")
    dtype = torch.float64 if torch.float64 in (left.dtype, right.dtype) else torch.float32
    columns, out = _scaled(right, "b").to(dtype).T, left.new_empty(len(left), len(right), dtype=dtype)
    for block in row_blocks(len(left), max(1, BLOCK_NUMBERS // left.shape[1])):
        out[block] = _scaled(left[block], "a", first=block.start).to(dtype) @ columns
    return out


def _scaled(x: Tensor, name: str, *, first: int = 0) -> Tensor:
    rows = x if x.dtype == torch.float64 else x.float()
    largest = rows.detach().abs().amax(dim=-1, keepdim=True)
    fine = torch.isfinite(largest) & (largest > 0)
    if not fine.all():
        where = torch.nonzero(~fine[..., 0])[0].tolist()
        rule = "is zero and has no direction" if largest[(*where, 0)] == 0 else "is not finite"
        raise ValueError(f"{name}: row {first + where[0] if len(where) == 1 else tuple(where)} {rule}")
    scaled = rows / largest
    return scaled / torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)


def _shared(array: np.ndarray, name: str) -> Tensor:
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array: a masked entry has no value")
    if array.dtype not in (np.float16, np.float32, np.float64):
        raise ValueError(f"{name} must be of a floating dtype (16, 32 or 64 bits), got {array.dtype}")
    if any(stride < 0 for stride in array.strides):
        array = array.copy()  # torch has no negative strides, which numpy takes for contiguous in a single row
    with warnings.catch_warnings():
        # read-only maps are only read here; torch warns in case somebody writes
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
