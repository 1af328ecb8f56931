"""Negatives of queries: chosen from candidates, less the likely false ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from workbench.training.batches import checked_seed

__all__ = ["Negatives", "denoise"]

Fill = Literal["random", "leave"]


@dataclass(frozen=True, eq=False)
class Negatives:
    """Negatives of each query, in the order in which they were taken: nearest first, or as drawn.

    Attributes:
        indices: int64 (n, count), places in the corpus, none twice in a row; -1 where there is none (fill "leave").
        scores: float32 (n, count), by what they were found or denoised with; NaN where there is none, or where it was
            drawn at random.
        filtered: share, 0..1, of all candidates that was left out as likely false negatives.
    """

    indices: np.ndarray
    scores: np.ndarray
    filtered: float

    def false_negatives(self, relevant: Sequence) -> float:
        """Share, 0..1, of the negatives that are among the `relevant` places of their query; 0 is clean.

        Give for each query everything that is truly relevant, more than was known when mining.

        Raises:
            TypeError: a place is no integer.
            ValueError: not one list for each query, or no negatives.
        """
        known = checked_places(relevant, len(self.indices), None, "relevant")
        there = self.indices >= 0
        if not there.any():
            raise ValueError("there are no negatives, of which none can be false")
        return float((listed_places(self.indices, known) & there).sum() / there.sum())


def denoise(
    candidates: np.ndarray,
    scores: np.ndarray,
    positive_scores: np.ndarray,
    *,
    count: int,
    margin: float | None = 0.0,
    relative: float | None = None,
    sample: bool = False,
    fill: Fill | str | None = None,
    seed: int = 0,
) -> Negatives:
    """`count` of each query's `candidates` that a guide does not hold for likely false negatives.

    A guide is another encoder, or a cross-encoder. Bounds, `sample` and `seed` as in `mine_negatives`; the candidates
    stay in their order, which need not be that of the guide.

    Args:
        candidates: integers (n, k), places in the corpus, -1 for none, such as the indices of `Negatives`.
        scores: (n, k), the guide's score of each; what stands beside -1 does not matter.
        positive_scores: (n,), the guide's score of each query's positive, of several the lowest.
        count: negatives of a query, 1 to k.
        margin: as in `mine_negatives`; 0 leaves out what scores above the positive.
        relative: as in `mine_negatives`.
        sample: as in `mine_negatives`.
        fill: for a query with too few candidates left: None refuses, "leave" leaves -1.
        seed: as in `mine_negatives`.

    Raises:
        TypeError: `candidates` that are no integers.
        ValueError: shapes that do not fit, a candidate below -1 or twice in a row, a score that is not finite, `count`
            outside 1..k, another `fill`, bounds as in `mine_negatives`, or a query with too few candidates left, named.

    Reference: Qu et al. 2021 (denoised negatives by a cross-encoder), Solatorio 2024 (a guide's own threshold).
    """
    window = np.asarray(candidates)
    if window.dtype.kind not in "iu":
        raise TypeError(f"candidates must be integers, got {window.dtype}")
    near, own = np.asarray(scores, dtype=np.float32), np.asarray(positive_scores, dtype=np.float32)
    if window.ndim != 2 or near.shape != window.shape or own.shape != window.shape[:1]:
        raise ValueError(
            f"candidates and scores must be (n, k) and positive_scores (n,), "
            f"got {window.shape}, {near.shape} and {own.shape}"
        )
    if not 1 <= count <= window.shape[1]:
        raise ValueError(f"count must be at least 1 and at most the {window.shape[1]} candidates, got {count}")
    if fill not in (None, "leave"):
        raise ValueError(f"fill must be None or 'leave', got {fill!r}")
    check_bounds(margin, relative)
    checked_seed(seed)
    ordered = np.sort(window, axis=1)
    wrong = (ordered < -1).any(axis=1) | ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if wrong.any():
        raise ValueError(f"query {int(np.argmax(wrong))}: a candidate must be at least -1 and there once")
    wrong = ~np.isfinite(own) | (~np.isfinite(near) & (window >= 0)).any(axis=1)
    if wrong.any():
        raise ValueError(f"query {int(np.argmax(wrong))} has a score that is not finite")
    bound = bounds(own, margin, relative)
    return chosen(window.astype(np.int64), near, bound, count, sample, seed, Filler(fill, 0, [], None))


@dataclass(frozen=True)
class Filler:
    """What happens to a query with too few candidates."""

    fill: str | None
    size: int
    known: list[np.ndarray]
    listed: np.ndarray | None

    def __call__(self, query: int, there: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """Places of `count` - `there` documents for one query."""
        missing = max(0, count - there)
        if self.fill == "leave" or missing == 0:
            return np.full(missing, -1)
        advice = "mine more candidates, a smaller margin or count, or set fill"
        if self.fill is None or self.listed is None:
            raise ValueError(f"query {query} has {there} candidates of count={count}: {advice}")
        taboo = np.union1d(self.known[query], self.listed[query])
        taboo = taboo[taboo >= 0]
        left = self.size - len(taboo)
        if left < missing:
            raise ValueError(f"query {query}: {left} documents are left to draw {missing} from: {advice}")
        # the k-th document that is not taboo, without a list of them all
        places = np.sort(rng.choice(left, size=missing, replace=False))
        return rng.permutation(places + np.searchsorted(taboo - np.arange(len(taboo)), places, side="right"))


def chosen(
    window: np.ndarray, scores: np.ndarray, bound: np.ndarray, count: int, sample: bool, seed: int, filler: Filler
) -> Negatives:
    """The first `count` of each row of `window` (n, k; -1 is none) whose score is not above the row's bound.

    With `sample` a seeded draw of them instead; where they are too few, `filler` gives the rest.
    """
    there = window >= 0
    kept = there & ~(scores > bound[:, None].astype(scores.dtype))
    filtered = 1 - kept.sum() / max(1, there.sum()) if there.any() else 0.0
    indices = np.full((len(window), count), -1, dtype=np.int64)
    values = np.full((len(window), count), np.nan, dtype=np.float32)
    for query, row in enumerate(kept):
        places = np.flatnonzero(row)
        if sample or len(places) < count:
            rng = np.random.default_rng((seed, query))
            places = rng.permutation(places) if sample else places
            indices[query, len(places) :] = filler(query, len(places), count, rng)
        places = places[:count]
        indices[query, : len(places)], values[query, : len(places)] = window[query, places], scores[query, places]
    return Negatives(indices, values, float(filtered))


def listed_places(found: np.ndarray, known: list[np.ndarray]) -> np.ndarray:
    """Where a place of a row is one of the known places of that row."""
    span = 1 + max([int(found.max(initial=0)), *(int(places.max(initial=0)) for places in known)])
    keys = [row * span + places for row, places in enumerate(known)]
    own = found + span * np.arange(len(found))[:, None]
    return np.isin(own, np.concatenate(keys)) & (found >= 0) if keys else np.zeros(found.shape, dtype=bool)


def bounds(positive: np.ndarray, margin: float | None, relative: float | None) -> np.ndarray:
    """The highest score (n,) that a negative may have beside `positive` (n,); inf where nothing is asked."""
    bound = np.full(len(positive), np.inf)
    if margin is not None:
        bound = positive.astype(np.float64) - margin
    if relative is not None:
        bound = np.minimum(bound, positive - np.abs(positive.astype(np.float64)) * (1 - relative))
    return bound


def checked_places(places: Sequence | np.ndarray, n: int, size: int | None, name: str) -> list[np.ndarray]:
    """Each query's places, rising and once each, int64.

    Raises:
        TypeError: places that are not integers in one axis; names the query.
        ValueError: lists of another number than `n`, or a place outside 0..size - 1; names the query.
    """
    if len(places) != n:
        raise ValueError(f"{name} must have a list for each of {n} queries, got {len(places)}")
    checked = []
    for query, row in enumerate(places):
        own = np.atleast_1d(np.asarray(row))
        if own.ndim != 1 or (own.size > 0 and own.dtype.kind not in "iu"):
            raise TypeError(f"{name} of query {query} must be integers in one axis, got {row!r}")
        own = np.unique(own.astype(np.int64))
        wrong = own[(own < 0) | (own >= size)] if size is not None else own[own < 0]
        if wrong.size > 0:
            where = "at least 0" if size is None else f"in 0..{size - 1}"
            raise ValueError(f"{name} of query {query} must be {where}, got {wrong[0]}")
        checked.append(own)
    return checked


def check_bounds(margin: float | None, relative: float | None) -> None:
    """Refuse bounds that are none.

    Raises:
        ValueError: a margin that is not finite, or a relative bound outside (0, 1].
    """
    if margin is not None and not np.isfinite(margin):
        raise ValueError(f"margin must be finite, got {margin}")
    if relative is not None and not 0 < relative <= 1:
        raise ValueError(f"relative must be above 0 and at most 1, got {relative}")
