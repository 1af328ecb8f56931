"""Reranking: are the set's own candidates put in a better order?"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from workbench.corpora import Retrieval
from workbench.evaluation.base import Evaluation, Sentences, lengths_of, recipe_of
from workbench.evaluation.rankings import RANKS
from workbench.evaluation.retrieval import both_recipes, judged_queries, scored, two_sides, vectors
from workbench.tensors import unit

__all__ = ["PairScores", "evaluate_reranking"]

Lists = dict[str, list[str]]


@runtime_checkable
class PairScores(Protocol):
    """A cross-encoder: whatever scores pairs of query and document."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Scores (n,) of n pairs, larger is better."""
        ...


def evaluate_reranking(
    model: Sentences | PairScores, data: Retrieval, *, queries: Sentences | None = None, depth: int | None = None
) -> Evaluation:
    """Rank metrics of the set's candidates in the order of `model`: "map@1000" (mteb's), "ndcg@10", "mrr@10", ...

    Each in [0, 1], larger is better; metrics, items and columns as in `evaluate_retrieval`. Relevant documents that
    are not among the candidates count as missed. Equal scores go by document id, as in `rank_metrics`.

    Args:
        model: an encoder (order by cosine), or a cross-encoder with `score(pairs)`.
        data: a set with candidates, best first.
        queries: another encoder for the queries, as in `evaluate_retrieval`; not for a cross-encoder.
        depth: candidates taken of each query; None: all.

    Raises:
        ValueError: the set has no candidates, or a judged query has none or one twice; `depth` below 1; `queries`
            beside a cross-encoder; or not one number that is not NaN for each pair.
    """
    if not data.candidates:
        raise ValueError(f"{data.source.name} has no candidates to rerank")
    if depth is not None and depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    ids, split = judged_queries(data)
    lists = {query: data.candidates.get(query, [])[:depth] for query in ids}
    for query, documents in lists.items():
        if len(set(documents)) < max(1, len(documents)):
            rule = "has a candidate twice" if documents else "is judged and has no candidates"
            raise ValueError(f"{data.source.name}: query {query!r} {rule}")
    about = {"data": data.source.name, "split": split, "depth": depth}
    asked = [data.queries[query] for query in ids]
    if isinstance(model, PairScores):
        if queries is not None:
            raise ValueError("a cross-encoder reads both texts of a pair: queries must be None")
        scores, lengths, recipe = _pair_scores(model, lists, data), lengths_of(model, asked), recipe_of(model, **about)
    else:
        documents, asking = two_sides(model, queries)
        scores, lengths = _cosine_scores(documents, asking, lists, data), lengths_of(asking, asked)
        recipe = both_recipes(documents, asking, **about)
    ends = np.cumsum([len(documents) for documents in lists.values()])[:-1]
    parts = np.split(scores, ends)
    run = {query: dict(zip(lists[query], part.tolist(), strict=True)) for query, part in zip(ids, parts, strict=True)}
    return scored(run, data, ks=(*RANKS, 1000), lengths=lengths, recipe=recipe, task="reranking", main="map@1000")


def _pair_scores(model: PairScores, lists: Lists, data: Retrieval) -> np.ndarray:
    pairs = [(data.queries[query], data.documents[d]) for query, documents in lists.items() for d in documents]
    scores = np.asarray(model.score(pairs), dtype=np.float64)
    if scores.shape != (len(pairs),):
        raise ValueError(f"a cross-encoder gives one score for each of {len(pairs)} pairs, got shape {scores.shape}")
    return scores


def _cosine_scores(documents: Sentences, asking: Sentences, lists: Lists, data: Retrieval) -> np.ndarray:
    names = list(dict.fromkeys(d for found in lists.values() for d in found))
    place = {name: row for row, name in enumerate(names)}
    left = unit(vectors(asking, [data.queries[query] for query in lists], "queries"))
    right = unit(vectors(documents, [data.documents[name] for name in names], "documents"))
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"queries have {left.shape[1]} columns and documents {right.shape[1]}")
    parts = [right[[place[d] for d in found]] @ left[row] for row, found in enumerate(lists.values())]
    return torch.cat(parts).double().numpy()
