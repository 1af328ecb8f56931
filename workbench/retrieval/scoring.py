"""Rows of queries and documents made ready for products, and the one exact score of a pair."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from workbench.tensors import as_rows, row_blocks

__all__ = ["Metric", "Rows", "best_of", "check_metric", "checked_shape", "pair_scores", "prepared", "prepared_blocks"]

Metric = Literal["cosine", "dot", "euclidean"]

PAIR_NUMBERS = 2**21  # numbers of candidate pairs held at a time
LONGEST = 1e18  # rows longer than this could overflow float32 in an inner product


def check_metric(metric: str) -> None:
    """Refuses an unknown metric.

    Raises:
        ValueError: `metric` is none of `Metric`.
    """
    if metric not in get_args(Metric):
        raise ValueError(f"metric must be one of {get_args(Metric)}, got {metric!r}")


def checked_shape(x: np.ndarray | Tensor, name: str) -> tuple[int, int]:
    """Rows and columns of `x`, without a look at more than its first row.

    Raises:
        TypeError, ValueError: as in `as_rows`.
    """
    dense = isinstance(x, np.ndarray) or (isinstance(x, Tensor) and x.layout == torch.strided)
    as_rows(x[:1] if dense and x.ndim == 2 else x, name=name)
    return x.shape[0], x.shape[1]


@dataclass(frozen=True)
class Rows:
    """Rows from number `start` on: as float32, as the products want them, and their lengths in float64."""

    start: int
    rows: Tensor
    ready: Tensor
    lengths: Tensor


def prepared_blocks(x: np.ndarray | Tensor, size: int, metric: str, device: torch.device) -> Iterator[Rows]:
    """The rows of `x` as float32 on `device`, `size` at a time; a block's rows are valid until the next is asked for.

    Raises:
        ValueError: as in `prepared`.
    """
    space = torch.empty(size if metric == "cosine" else 0, x.shape[1], device=device)  # fresh pages cost time
    return (prepared(x[p], p.start, metric, "documents", device, space) for p in row_blocks(len(x), size))


def prepared(
    x: np.ndarray | Tensor, start: int, metric: str, name: str, device: torch.device, space: Tensor | None = None
) -> Rows:
    """A block of rows ready for products: unit rows for the cosine, float64 for the distance, else as they are.

    `start` is the number of its first row; `space` takes unit rows, where given.

    Raises:
        ValueError: a row that is not finite in float32, is zero (cosine) or longer than 1e18 (dot), by its number.
    """
    rows = _float32(x, device)
    lengths = torch.linalg.vector_norm(rows, dim=1)
    # the squares of tiny and huge rows leave the range of float32; distances want every digit
    if metric == "euclidean" or not bool(((lengths > 1e-15) & (lengths < LONGEST)).all()):
        lengths = _sums(rows, rows).sqrt()
    wrong = {"is not finite in float32": ~torch.isfinite(lengths)}
    if metric == "cosine":
        wrong["is zero and has no direction"] = lengths == 0
    if metric == "dot":
        wrong[f"is longer than {LONGEST:g}: inner products could overflow float32"] = lengths > LONGEST
    for rule, where in wrong.items():
        if where.any():
            raise ValueError(f"{name}: row {start + int(where.nonzero()[0])} {rule}")
    if metric == "cosine":
        room = space[: len(rows)] if space is not None and lengths.dtype == torch.float32 else None
        ready = torch.div(rows, lengths[:, None], out=room).float()
    else:
        ready = rows
    # lower settings let a GPU round the factors to 10 bits; distances are small differences of large squares
    rough = device.type != "cpu" and torch.get_float32_matmul_precision() != "highest"
    return Rows(start, rows, ready.double() if rough or metric == "euclidean" else ready, lengths.double())


def _float32(x: np.ndarray | Tensor, device: torch.device) -> Tensor:
    if isinstance(x, Tensor):
        return x.detach().to(device, torch.float32).contiguous()
    with warnings.catch_warnings(), np.errstate(over="ignore"):
        # read-only maps are only read here; torch warns in case somebody writes
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)).to(device)


def best_of(scores: Tensor, found: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best scores of each row of candidates and their documents; of equal ones the lower document first."""
    found, order = found.sort(dim=1)
    scores, best = scores.gather(1, order).sort(dim=1, descending=True, stable=True)
    return scores[:, :k], found.gather(1, best)[:, :k]


def pair_scores(asked: Rows, documents: np.ndarray | Tensor, found: Tensor, metric: str) -> Tensor:
    """Similarities (m, candidates) of the documents `found`, summed in float64, as float32."""
    values = torch.empty(found.shape, device=found.device)
    lengths, width = _sums(asked.rows, asked.rows).sqrt(), asked.rows.shape[1]
    for columns in row_blocks(found.shape[1], max(1, PAIR_NUMBERS // width)):
        many = columns.stop - columns.start
        for part in row_blocks(len(found), max(1, PAIR_NUMBERS // (width * many))):
            near = _float32(_at(documents, found[part, columns].flatten()), found.device).view(-1, many, width)
            if metric == "euclidean":
                apart = near.double().sub_(asked.rows[part, None])
                values[part, columns] = -_sums(apart, apart).sqrt().float()
                continue
            exact = _sums(asked.rows[part, None], near)
            if metric == "cosine":
                exact /= lengths[part, None] * _sums(near, near).sqrt()
            values[part, columns] = exact.float()
    return values


def _at(x: np.ndarray | Tensor, rows: Tensor) -> np.ndarray | Tensor:
    return x.index_select(0, rows) if isinstance(x, Tensor) else x[rows.numpy()]


def _sums(a: Tensor, b: Tensor) -> Tensor:
    """Inner products along the last axis, in float64."""
    if a.device.type == "cpu":
        return torch.from_numpy(np.einsum("...d,...d->...", a.numpy(), b.numpy(), dtype=np.float64))
    return (a.double() * b.double()).sum(dim=-1)
