"""Metrics of whole matrices of scores, with equal scores averaged over the orders that they could stand in."""

import numpy as np

__all__ = ["expected_ndcg", "expected_precision", "likeness"]


def expected_precision(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Average precision of each query over its whole ranking, float64 (m,), as expected of equal scores in any order.

    In [0, 1], larger is better. Short codes give few different distances, and then the order of the corpus would decide
    instead of the codes. A score of minus infinity is not ranked; a relevant document that is not ranked counts as
    missed. Where no scores are equal this is plain average precision.

    Args:
        scores: (m, n), of n documents for m queries, larger is better.
        relevant: bool (m, n).

    Raises:
        ValueError: not two matrices of one shape, a score that is NaN or plus infinity, or a query without a relevant
            document (by its number).

    Reference: McSherry and Najork 2008, ECIR.
    """
    ranked, place, before, size, right = _ties(scores, relevant)
    others = _within(ranked) * (right - 1) / np.maximum(size - 1, 1)
    terms = right / size * (before + 1 + others) / (place + 1)
    return np.where(np.isfinite(ranked), terms, 0).sum(axis=1) / np.asarray(relevant).sum(axis=1)


def expected_ndcg(scores: np.ndarray, relevant: np.ndarray, *, k: int = 10) -> np.ndarray:
    """Discounted gain at `k` over the best possible one (nDCG) of each query, float64 (m,).

    In [0, 1], larger is better; relevance 0 or 1, as expected of equal scores in any order. Scores and relevant
    documents as in `expected_precision`. A `k` above n counts as n.

    Raises:
        ValueError: as `expected_precision`, or `k` below 1.
    """
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")
    ranked, place, _, size, right = _ties(scores, relevant)
    discounts = np.where(place < k, 1 / np.log2(place + 2), 0)
    gained = np.where(np.isfinite(ranked), right / size * discounts, 0).sum(axis=1)
    best = np.cumsum(1 / np.log2(np.arange(min(k, ranked.shape[1])) + 2))
    return gained / best[np.minimum(np.asarray(relevant).sum(axis=1), len(best)) - 1]


def likeness(rows: np.ndarray) -> np.ndarray:
    """How alike rows (n, d) are, float64 (n, n): cosines of vectors; of bits (bool) equal ones minus unequal ones.

    In [-1, 1], and in -d..d, d - 2 Hamming distance, for bits; larger is more alike. The diagonal is minus infinity: a
    row does not find itself.

    Raises:
        ValueError: not (n, d) of bools or floats, or a row that is zero or not finite (by its number).
    """
    x = np.asarray(rows)
    if x.ndim != 2 or x.dtype.kind not in "bf":
        raise ValueError(f"rows must be bools or floats (n, d), got {x.dtype} of shape {x.shape}")
    signs = 2.0 * x - 1 if x.dtype == bool else x.astype(np.float64)
    if x.dtype != bool:
        lengths = np.linalg.norm(signs, axis=1, keepdims=True)
        if (wrong := ~(np.isfinite(lengths) & (lengths > 0))[:, 0]).any():
            raise ValueError(f"row {int(wrong.argmax())} is zero or not finite")
        signs = signs / lengths
    scores = signs @ signs.T
    np.fill_diagonal(scores, -np.inf)
    return scores


def _ties(scores: np.ndarray, relevant: np.ndarray) -> tuple[np.ndarray, ...]:
    """Best first: scores, places, and of each group of equal scores: relevant before it, its size, relevant in it."""
    x, asked = np.asarray(scores, dtype=np.float64), np.asarray(relevant)
    if x.ndim != 2 or x.shape != asked.shape or asked.dtype != bool:
        raise ValueError(f"scores and bools must be of one shape (m, n), got {x.shape} and {asked.dtype} {asked.shape}")
    if np.isnan(x).any() or (x == np.inf).any():
        raise ValueError("a score must be finite, or minus infinity for a document that is not ranked")
    if (without := ~asked.any(axis=1)).any():
        raise ValueError(f"query {int(without.argmax())} has no relevant document")
    order = np.argsort(-x, axis=1, kind="stable")
    ranked, right = np.take_along_axis(x, order, axis=1), np.take_along_axis(asked, order, axis=1)
    place = np.broadcast_to(np.arange(x.shape[1]), x.shape)
    first = place - _within(ranked)
    last = x.shape[1] - 1 - (place - _within(ranked[:, ::-1]))[:, ::-1]
    total = np.concatenate([np.zeros((len(x), 1), dtype=np.int64), np.cumsum(right, axis=1)], axis=1)
    before = np.take_along_axis(total, first, axis=1)
    return ranked, place, before, last - first + 1, np.take_along_axis(total, last + 1, axis=1) - before


def _within(ranked: np.ndarray) -> np.ndarray:
    """Place of each score among those equal to it, from 0, in rows that are sorted."""
    place = np.broadcast_to(np.arange(ranked.shape[1]), ranked.shape)
    new = np.ones(ranked.shape, dtype=bool)
    new[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    return place - np.maximum.accumulate(np.where(new, place, 0), axis=1)
