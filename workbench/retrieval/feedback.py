"""Pseudo-relevance feedback: a second query made of the first one's best documents."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from torch import Tensor

from workbench.retrieval.bm25 import BM25
from workbench.retrieval.hits import Hits
from workbench.retrieval.scoring import checked_shape
from workbench.tensors import as_rows

__all__ = ["expand_terms", "rocchio"]


def rocchio(
    queries: np.ndarray | Tensor,
    hits: Hits,
    vectors: np.ndarray | Tensor,
    *,
    n_feedback: int = 3,
    alpha: float = 1.0,
    beta: float = 0.75,
    gamma: float = 0.0,
) -> np.ndarray:
    """New query vectors, float32 (m, d): alpha q + beta mean(first documents) - gamma mean(last documents).

    Row i of `queries` is the query of row i of `hits`; `vectors` (n, d) are the documents in the order of
    `hits.documents`. The first `n_feedback` of a query count as relevant, its last `n_feedback` as not, a document
    never as both: the first ones take it. A query without documents stays alpha q. For cosines give unit rows. With
    alpha = beta / n_feedback this is the average of query and documents of ANCE-PRF's baseline (Li et al. 2022).

    Raises:
        TypeError, ValueError: rows as refused by `as_rows`, unequal widths, another number of rows than of queries or
            documents, `n_feedback` below 1, or a weight that is negative or not finite.

    Reference: Rocchio 1971; the defaults alpha 1 and beta 0.75 are those of Manning et al. 2008, section 9.1.1.
    """
    asked = np.array(as_rows(queries, name="queries").detach().cpu().float().numpy(), dtype=np.float64)
    n, width = checked_shape(vectors, "vectors")
    if asked.shape[1] != width:
        raise ValueError(f"queries must have {width} columns as the vectors have, got {asked.shape[1]}")
    if (len(asked), n) != (len(hits.queries), len(hits.documents)):
        raise ValueError(
            f"queries and vectors must have a row for each of {len(hits.queries)} queries and {len(hits.documents)} "
            f"documents, got {len(asked)} and {n}"
        )
    if n_feedback < 1:
        raise ValueError(f"n_feedback must be at least 1, got {n_feedback}")
    if not all(0 <= weight < np.inf for weight in (alpha, beta, gamma)):
        raise ValueError(f"weights must be finite and not negative, got {alpha=}, {beta=}, {gamma=}")
    moved = alpha * asked
    for row, places in enumerate(hits.indices):
        there = places[places >= 0]
        first, last = there[:n_feedback], there[n_feedback:][-n_feedback:]
        if beta > 0 and len(first) > 0:
            moved[row] += beta * _mean(vectors, first)
        if gamma > 0 and len(last) > 0:
            moved[row] -= gamma * _mean(vectors, last)
    return moved.astype(np.float32)


def expand_terms(
    queries: Mapping[str, str],
    hits: Hits,
    documents: Mapping[str, str],
    index: BM25,
    *,
    n_feedback: int = 10,
    n_terms: int = 10,
    original: float = 0.5,
) -> dict[str, dict[str, float]]:
    """Each query's words with weights, for `index.search_words`: its own, and those of its best documents (RM3).

    A word of the `n_feedback` first documents weighs the sum over them of (score / sum of their scores) x (mentions /
    words of the document); the `n_terms` heaviest are kept (of equal ones the first in the alphabet) and scaled to sum
    1 - `original`. The query's own words sum to `original`. A query without hits, or whose documents have no words,
    keeps its own words alone, summing to 1.

    Raises:
        ValueError: `n_feedback` or `n_terms` below 1, `original` outside 0..1, an id without a text, or a score that
            is not above 0.

    Reference: Lavrenko and Croft 2001 (RM1), Abdul-Jaleel et al. 2004 (RM3); defaults as Anserini's.
    """
    if n_feedback < 1 or n_terms < 1 or not 0 <= original <= 1:
        raise ValueError(
            f"n_feedback and n_terms must be at least 1, original in 0..1, got {n_feedback}, {n_terms}, {original}"
        )
    if missing := [query for query in hits.queries if query not in queries]:
        raise ValueError(f"no text for query {missing[0]!r}")
    first = {hits.documents[i] for i in np.unique(hits.indices[:, :n_feedback]) if i >= 0}
    if missing := [document for document in sorted(first) if document not in documents]:
        raise ValueError(f"no text for document {missing[0]!r}")
    read = index.words({document: documents[document] for document in sorted(first)})
    own = index.words({query: queries[query] for query in hits.queries})
    expanded = {}
    for query, scored in hits.as_run().items():
        best = dict(list(scored.items())[:n_feedback])
        if wrong := [s for s in best.values() if not 0 < s < np.inf]:
            raise ValueError(f"query {query!r}: scores must be above 0 to weigh documents, got {wrong[0]}")
        heavy = _heaviest({document: read[document] for document in best}, best, n_terms)
        kept = original if heavy else 1.0
        words = {word: kept * n / len(own[query]) for word, n in Counter(own[query]).items()}
        for word, weight in heavy.items():
            words[word] = words.get(word, 0.0) + (1 - original) * weight
        expanded[query] = words
    return expanded


def _heaviest(read: Mapping[str, list[str]], scores: Mapping[str, float], n_terms: int) -> dict[str, float]:
    total = sum(scores.values())
    weights: dict[str, float] = {}
    for document, words in read.items():
        for word, n in Counter(words).items():
            weights[word] = weights.get(word, 0.0) + scores[document] / total * n / len(words)
    kept = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:n_terms]
    mass = sum(weight for _, weight in kept)
    return {word: weight / mass for word, weight in kept}


def _mean(vectors: np.ndarray | Tensor, places: np.ndarray) -> np.ndarray:
    rows = as_rows(vectors[places] if isinstance(vectors, np.ndarray) else vectors[list(map(int, places))])
    return rows.detach().cpu().double().numpy().mean(axis=0)
