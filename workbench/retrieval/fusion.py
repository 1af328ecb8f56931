"""Several rankings of the same queries made into one."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from workbench.retrieval.hits import Hits

__all__ = ["fuse"]

How = Literal["rrf", "minmax", "zscore", "raw"]


def fuse(
    runs: Sequence[Hits],
    *,
    how: How | str = "rrf",
    weights: Sequence[float] | None = None,
    k: int | None = None,
    rrf_k: int = 60,
) -> Hits:
    """One ranking from several: each document's score is the weighted sum of what every run gives it.

    - "rrf": 1 / (rrf_k + rank), rank from 1; a run without the document gives 0 (Cormack, Clarke and Buettcher 2009).
    - "minmax": (s - min) / (max - min) over the run's documents of that query, 1 for all where max = min; a run without
      the document gives 0, the least that a run can give (Fox and Shaw 1994, CombSUM; Lee 1997).
    - "zscore": (s - mean) / deviation over the run's documents of that query, 0 for all where the deviation is 0; a run
      without the document gives the least of its z-scores for that query, 0 where it has no document at all
      (Montague and Aslam 2001, with their rule for what was not retrieved replaced by the least score).
    - "raw": the score itself, whatever its scale; a run without the document gives 0, as BM25 gives a document without
      a word of the query.

    `weights` are one number per run, None for 1 each. The result keeps the `k` best, None for as many as the deepest
    run. Every document of a run is a hit. Equal sums stand in the order of the corpus.

    Raises:
        ValueError: no runs, other queries or other documents than in the first run, an unknown `how`, weights that are
            not one finite number per run and not negative, `k` or `rrf_k` out of range, or a score that is infinite.
    """
    if how not in get_args(How):
        raise ValueError(f"how must be one of {get_args(How)}, got {how!r}")
    if not runs:
        raise ValueError("fuse needs at least 1 run, got none")
    first = runs[0]
    for number, run in enumerate(runs):
        _check(first, run, number)
    shares = np.ones(len(runs)) if weights is None else np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(runs),) or not np.isfinite(shares).all() or (shares < 0).any():
        raise ValueError(f"weights must be {len(runs)} finite numbers, not negative, got {weights}")
    if not 0 <= rrf_k < np.inf:
        raise ValueError(f"rrf_k must not be negative, got {rrf_k}")
    depth = max(run.k for run in runs) if k is None else k
    if not 1 <= depth <= len(first.documents):
        raise ValueError(f"k must be at least 1 and at most n={len(first.documents)}, got {depth}")
    indices = np.full((len(first.queries), depth), -1, np.int64)
    scores = np.full((len(first.queries), depth), -np.inf, np.float32)
    for row in range(len(first.queries)):
        lists = [_listed(run, row) for run in runs]
        found = np.unique(np.concatenate([places for places, _ in lists]))
        sums = np.zeros(len(found))
        for (places, values), share in zip(lists, shares, strict=True):
            given, missing = _given(values, how, rrf_k)
            part = np.full(len(found), missing)
            part[np.searchsorted(found, places)] = given
            sums += share * part
        # float32 first: ties are those of the scores that are kept
        order = np.argsort(-sums.astype(np.float32), kind="stable")[:depth]
        indices[row, : len(order)], scores[row, : len(order)] = found[order], sums[order]
    return Hits(first.queries, first.documents, indices, scores)


def _given(values: np.ndarray, how: str, rrf_k: int) -> tuple[np.ndarray, float]:
    """What a run gives its own documents, best first, and what it gives all others."""
    if len(values) == 0:
        return values, 0.0
    if how == "rrf":
        return 1 / (rrf_k + np.arange(1, len(values) + 1)), 0.0
    if how == "raw":
        return values, 0.0
    if how == "minmax":
        span = values.max() - values.min()
        return (values - values.min()) / span if span > 0 else np.ones(len(values)), 0.0
    # of equal numbers the computed mean may differ in the last digit
    z = (values - values.mean()) / values.std() if values.max() > values.min() else np.zeros(len(values))
    return z, float(z.min())


def _listed(run: Hits, row: int) -> tuple[np.ndarray, np.ndarray]:
    there = run.indices[row] >= 0
    return run.indices[row][there], run.scores[row][there].astype(np.float64)


def _check(first: Hits, run: Hits, number: int) -> None:
    for name in ("queries", "documents"):
        if getattr(run, name) != getattr(first, name):
            raise ValueError(f"run {number} has other {name}, or in another order, than run 0")
    infinite = np.isinf(run.scores) & (run.indices >= 0)
    if infinite.any():
        raise ValueError(f"run {number}: query {run.queries[np.argwhere(infinite)[0, 0]]!r} has an infinite score")
