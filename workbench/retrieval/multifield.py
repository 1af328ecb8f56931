"""Scores of several runs added up as they are: BM25 over several fields, and fusion without a common scale."""

from collections.abc import Mapping, Sequence

import numpy as np

from workbench.retrieval.bm25 import BM25
from workbench.retrieval.hits import Hits

__all__ = ["search_fields", "sum_scores"]


def search_fields(
    fields: Sequence[BM25], queries: Mapping[str, str], k: int, *, weights: Sequence[float] | None = None
) -> Hits:
    """The `k` best documents of each query (id -> text) by the weighted sum of their BM25 scores in several fields.

    Each field is an index of the same documents with its own mean length and document frequencies, as in Anserini's
    multifield runs; summing the fields of one shared index is another model. `weights` are one number per field, None
    for 1 each. A document without a word of the query in any field is no hit.

    Raises:
        ValueError: no fields, fields of other documents, `k` outside 1..n documents, or weights that are not one
            finite number per field and not negative.
    """
    if not fields:
        raise ValueError("search_fields needs at least 1 field, got none")
    # every document with a score: a list cut at k could miss one that is middling in both fields
    runs = [field.search(queries, len(field.documents)) for field in fields]
    return sum_scores(runs, weights=weights, k=k)


def sum_scores(runs: Sequence[Hits], *, weights: Sequence[float] | None = None, k: int | None = None) -> Hits:
    """One ranking by the weighted sum of the runs' own scores, whatever the scale of each.

    A run without the document gives 0, which is BM25's score of a document without a word of the query; documents of
    no run are no hits. `weights` are one number per run, None for 1 each; `k` is how many are kept, None for as many
    as the deepest run. Equal sums stand in the order of the corpus.

    Raises:
        ValueError: no runs, other queries or documents than in the first run, weights that are not one finite number
            per run and not negative, `k` outside 1..n documents, or a score that is infinite.
    """
    if not runs:
        raise ValueError("sum_scores needs at least 1 run, got none")
    first = runs[0]
    for number, run in enumerate(runs):
        if (run.queries, run.documents) != (first.queries, first.documents):
            raise ValueError(f"run {number} has other queries or documents, or in another order, than run 0")
        if (np.isinf(run.scores) & (run.indices >= 0)).any():
            raise ValueError(f"run {number} has an infinite score")
    shares = np.ones(len(runs)) if weights is None else np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(runs),) or not np.isfinite(shares).all() or (shares < 0).any():
        raise ValueError(f"weights must be {len(runs)} finite numbers, not negative, got {weights}")
    depth = max(run.k for run in runs) if k is None else k
    if not 1 <= depth <= len(first.documents):
        raise ValueError(f"k must be at least 1 and at most n={len(first.documents)}, got {depth}")
    indices = np.full((len(first.queries), depth), -1, np.int64)
    scores = np.full((len(first.queries), depth), -np.inf, np.float32)
    for row in range(len(first.queries)):
        found, sums = _summed(runs, shares, row)
        order = np.argsort(-sums, kind="stable")[:depth]
        indices[row, : len(order)], scores[row, : len(order)] = found[order], sums[order]
    return Hits(first.queries, first.documents, indices, scores)


def _summed(runs: Sequence[Hits], shares: np.ndarray, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Documents that any run has, in the order of the corpus, and their sums in float32."""
    sums = np.zeros(len(runs[0].documents))
    there = np.zeros(len(sums), dtype=bool)
    for run, share in zip(runs, shares, strict=True):
        places = run.indices[row][run.indices[row] >= 0]
        sums[places] += share * run.scores[row][: len(places)].astype(np.float64)
        there[places] = True
    found = np.flatnonzero(there)
    return found, sums[found].astype(np.float32)
