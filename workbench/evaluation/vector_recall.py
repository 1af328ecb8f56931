"""Recall of vectors as they are, without an encoder or texts."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from workbench.retrieval import search

__all__ = ["vector_recall"]


def vector_recall(
    queries: np.ndarray | Tensor, documents: np.ndarray | Tensor, relevant: np.ndarray, *, ks: Sequence[int]
) -> np.ndarray:
    """Share of each query's relevant documents among its `k` nearest by cosine, float64 (len(ks), m).

    In [0, 1], larger is better; equal cosines go to the document that comes first. A `k` above n counts as n.

    Args:
        queries: vectors (m, d).
        documents: vectors (n, d).
        relevant: bool (m, n), the documents of each query.
        ks: ranks from 1.

    Raises:
        ValueError: `relevant` is not (m, n) of bools, a query without a relevant document (by its number), no ks or one
            below 1, or vectors that `search` refuses.
    """
    asked, shape = np.asarray(relevant), (len(queries), len(documents))
    if asked.dtype != bool or asked.shape != shape:
        raise ValueError(f"relevant must be bools of shape {shape}, got {asked.dtype} of {asked.shape}")
    if (without := ~asked.any(axis=1)).any():
        raise ValueError(f"query {int(without.argmax())} has no relevant document")
    if not ks or min(ks) < 1:
        raise ValueError(f"ks must be ranks from 1, got {tuple(ks)}")
    near, _ = search(queries, documents, min(max(ks), len(documents)))
    right = np.take_along_axis(asked, near, axis=1)
    return np.stack([right[:, :k].sum(axis=1) for k in ks]) / asked.sum(axis=1)
