"""Ranked documents of several queries: what every search, fusion and reranking hands on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Hits"]


@dataclass(frozen=True, eq=False)
class Hits:
    """For each query its documents, best first: row i belongs to `queries[i]`.

    Scores never rise along a row. Equal scores stand in the order of the corpus (the lower place in `documents`
    first), unless whoever made the hits says otherwise. A row with fewer than k documents ends in index -1 with score
    -inf.

    Attributes:
        queries: query ids (q,), each once.
        documents: document ids (n,) of the whole corpus, each once.
        indices: int64 (q, k), places in `documents`, none twice in a row; -1 where there is no document.
        scores: float32 (q, k), larger is nearer; -inf where there is no document.

    Raises:
        ValueError: an id given twice, shapes that do not fit, an index that is not in `documents` or twice in its row,
            a score that is NaN, rises along its row, or is not -inf where there is no document; the message names it.
    """

    queries: tuple[str, ...]
    documents: tuple[str, ...]
    indices: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "queries", unique_ids(self.queries, "queries"))
        object.__setattr__(self, "documents", unique_ids(self.documents, "documents"))
        indices, scores = np.array(self.indices, dtype=np.int64), np.array(self.scores, dtype=np.float32)
        if indices.ndim != 2 or indices.shape != scores.shape or len(indices) != len(self.queries):
            raise ValueError(
                f"indices and scores must be (queries, k) with {len(self.queries)} queries, "
                f"got {indices.shape} and {scores.shape}"
            )
        self._check(indices, scores)
        for name, values in (("indices", indices), ("scores", scores)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @property
    def k(self) -> int:
        """Documents per query, places without one included."""
        return self.indices.shape[1]

    def as_run(self) -> dict[str, dict[str, float]]:
        """Query id -> document id -> score, as pytrec_eval takes it; {} for a query without documents."""
        return {
            query: {self.documents[i]: s for i, s in zip(row, scores, strict=True) if i >= 0}
            for query, row, scores in zip(self.queries, self.indices.tolist(), self.scores.tolist(), strict=True)
        }

    def ranked(self, query: str) -> list[str]:
        """Ids of the documents of one query, best first.

        Raises:
            ValueError: no such query.
        """
        if query not in self.queries:
            raise ValueError(f"there is no query {query!r} among the {len(self.queries)} queries")
        return [self.documents[i] for i in self.indices[self.queries.index(query)] if i >= 0]

    def _check(self, indices: np.ndarray, scores: np.ndarray) -> None:
        if indices.size == 0:
            return
        self._refuse(np.isnan(scores), scores, "score {0} is NaN")
        self._refuse((indices < -1) | (indices >= len(self.documents)), indices, "index {0} is not in the documents")
        self._refuse((indices < 0) & (scores != -np.inf), scores, "score {0} belongs to no document")
        ordered = np.sort(indices, axis=1)
        twice = (np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] >= 0)
        self._refuse(twice, ordered[:, 1:], "document {0} is there twice")
        rising = (scores[:, 1:] > scores[:, :-1]) | ((indices[:, :-1] < 0) & (indices[:, 1:] >= 0))
        self._refuse(rising, scores[:, 1:], "score {0} follows a lower one")

    def _refuse(self, wrong: np.ndarray, values: np.ndarray, rule: str) -> None:
        if wrong.any():
            row, place = np.argwhere(wrong)[0]
            raise ValueError(f"query {self.queries[row]!r}: " + rule.format(values[row, place]))


def unique_ids(ids: Sequence[str] | Mapping[str, object], name: str) -> tuple[str, ...]:
    """`ids` as a tuple.

    Raises:
        ValueError: an id is no text or is given twice.
    """
    kept = tuple(ids)
    if wrong := [i for i in kept if not isinstance(i, str)]:
        raise ValueError(f"{name}: an id is a text, got {wrong[0]!r}")
    if len(set(kept)) < len(kept):
        seen: set[str] = set()
        twice = next(i for i in kept if i in seen or seen.add(i))
        raise ValueError(f"{name}: id {twice!r} is given twice")
    return kept
