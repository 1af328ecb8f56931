"""Candidates in a new order, by a model that reads query and document together."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from workbench.retrieval.hits import Hits

__all__ = ["Reranker", "rerank"]


@runtime_checkable
class Reranker(Protocol):
    """A cross-encoder: whatever scores pairs of query and document."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """One number (n,) per pair (query, document); larger is nearer."""
        ...


def rerank(
    hits: Hits,
    queries: Mapping[str, str],
    documents: Mapping[str, str],
    reranker: Reranker,
    *,
    depth: int = 100,
    batch: int = 64,
) -> Hits:
    """The first `depth` documents of each query in the order of the reranker; the others behind them, as they were.

    Equal scores stand in the order of the corpus. Scores within `depth` are the reranker's; behind it each document has
    1 less than the one before it (where float32 has no such number, the next lower one), so that none of them ties.
    `batch` pairs are scored at a time, in the order of the hits.

    Raises:
        ValueError: `depth` or `batch` below 1, an id without a text, or scores that are not one finite number per pair;
            the message names the query and the document.
    """
    if depth < 1 or batch < 1:
        raise ValueError(f"depth and batch must be at least 1, got depth={depth}, batch={batch}")
    rows, places = np.nonzero(hits.indices[:, :depth] >= 0)
    pairs = [(hits.queries[i], hits.documents[hits.indices[i, j]]) for i, j in zip(rows, places, strict=True)]
    for query, document in pairs:
        if query not in queries or document not in documents:
            raise ValueError(f"no text for {'query' if query not in queries else 'document'} of {(query, document)}")
    given = np.full(hits.indices.shape, -np.inf, np.float32)
    for start in range(0, len(pairs), batch):
        few = pairs[start : start + batch]
        values = np.asarray(reranker.score([(queries[q], documents[d]) for q, d in few]), dtype=np.float32)
        if values.shape != (len(few),):
            raise ValueError(f"a reranker must give one score per pair, got shape {values.shape} for {len(few)} pairs")
        if not np.isfinite(values).all():
            raise ValueError(f"the score of {few[int(np.argmin(np.isfinite(values)))]} is not a finite number")
        given[rows[start : start + batch], places[start : start + batch]] = values
    return Hits(hits.queries, hits.documents, *_ordered(hits.indices, given, depth))


def _ordered(indices: np.ndarray, given: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    scores = given.copy()
    new = indices.copy()
    for row in range(len(indices)):
        there = int((indices[row] >= 0).sum())
        head = min(there, depth)
        order = np.lexsort((indices[row, :head], -given[row, :head]))
        new[row, :head], scores[row, :head] = indices[row, order], given[row, order]
        if there > head:
            scores[row, head:there] = _falling(scores[row, head - 1], there - head)
    return new, scores


def _falling(last: np.float32, many: int) -> np.ndarray:
    """`many` numbers below `last`, each 1 below the one before, or the next lower number of float32."""
    falling = np.empty(many, np.float32)
    for i in range(many):
        last = min(last - np.float32(1), np.nextafter(last, np.float32(-np.inf)))
        falling[i] = last
    return falling
