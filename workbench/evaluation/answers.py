"""Where the one right document of each query stands among vectors as they are."""

import numpy as np
import torch
from torch import Tensor

from workbench.tensors import as_rows, row_blocks

__all__ = ["answer_ranks"]

BLOCK_NUMBERS = 2**24  # products held at a time


def answer_ranks(
    queries: np.ndarray | Tensor,
    documents: np.ndarray | Tensor,
    answers: np.ndarray | Tensor,
    *,
    inside: np.ndarray | Tensor | None = None,
) -> np.ndarray:
    """Number of documents before the answer of each query, by inner product, int64 (m,); 0 is the first place.

    A document that scores as high as the answer counts as before it, so vectors that are all alike come last. Rows of
    length 1 give the order of the cosine. The answer is among the first k where the rank is below k.

    Args:
        queries: (m, d).
        documents: (n, d).
        answers: integers (m,), the place of each query's right document.
        inside: integers (m, s), a shortlist of each query; only its documents are ranked, and an answer that is not
            among them has rank n - 1. None: all documents.

    Raises:
        TypeError: neither arrays nor tensors.
        ValueError: vectors that `as_rows` refuses, unequal widths, or answers or shortlists that are not one row of
            integers in 0..n - 1 for each query.
    """
    rows, columns = as_rows(queries, name="queries"), as_rows(documents, name="documents")
    if rows.shape[1] != columns.shape[1]:
        raise ValueError(f"queries must have {columns.shape[1]} columns as the documents have, got {rows.shape[1]}")
    right = _places(answers, "answers", 1, rows, columns)[:, None]
    kept = None if inside is None else _places(inside, "inside", 2, rows, columns)
    ranks = []
    for block in row_blocks(len(rows), max(1, BLOCK_NUMBERS // len(columns))):
        scores = rows[block] @ columns.T
        if kept is not None:
            scores = torch.full_like(scores, -torch.inf).scatter(1, kept[block], scores.gather(1, kept[block]))
        ranks.append((scores >= scores.gather(1, right[block])).sum(dim=1) - 1)
    return torch.cat(ranks).cpu().numpy()


def _places(given: np.ndarray | Tensor, name: str, axes: int, rows: Tensor, columns: Tensor) -> Tensor:
    places = torch.as_tensor(given)
    if places.dtype not in (torch.int32, torch.int64) or places.ndim != axes or len(places) != len(rows):
        shape = f"({len(rows)},)" if axes == 1 else f"({len(rows)}, s)"
        raise ValueError(f"{name} must be integers of shape {shape}, got {places.dtype} of {tuple(places.shape)}")
    if places.numel() and not 0 <= int(places.min()) <= int(places.max()) < len(columns):
        raise ValueError(f"{name} must lie in 0..{len(columns) - 1}, got {int(places.min())}..{int(places.max())}")
    return places.long().to(rows.device)
