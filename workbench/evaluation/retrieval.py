"""Retrieval: does the nearest document answer the query?"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from workbench.corpora import Retrieval
from workbench.evaluation.base import EMPTY, Evaluation, Sentences, evaluation_of, lengths_of, recipe_of
from workbench.evaluation.rankings import RANKS, Run, rank_metrics
from workbench.neighbours import knn_graph
from workbench.tensors import as_rows

__all__ = ["evaluate_retrieval", "evaluate_run"]

QUERY_PROMPTS = ("query",)
DOCUMENT_PROMPTS = ("document", "passage", "corpus")  # the names that sentence-transformers tries, in its order
NAMES = {
    "ndcg": "nDCG@{k}, gain = relevance",
    "map": "average precision of the first {k}",
    "mrr": "reciprocal rank of the first relevant document within {k}",
    "recall": "share of the relevant documents among the first {k}",
    "precision": "share of relevant documents among the first {k}",
    "success": "share of queries with a relevant document among the first {k}",
}


@runtime_checkable
class Ranked(Protocol):
    """Hits of a search, which say themselves what their run is."""

    def as_run(self) -> dict[str, dict[str, float]]:
        """Query id -> document id -> score."""
        ...


def evaluate_retrieval(
    encoder: Sentences, data: Retrieval, *, queries: Sentences | None = None, k: int = 100, metric: str = "cosine"
) -> Evaluation:
    """Rank metrics of exact search with `encoder`'s vectors: "ndcg@10" and those of `rank_metrics` up to rank `k`.

    Each in [0, 1], larger is better; one item per judged query, with columns "length" (of the query, in tokens),
    "relevant" (how many documents are) and the data's own. The test queries count where the data has a column "split"
    with any, else all; the recipe says which. Equal similarities at rank `k` go to the document that comes first,
    those above it as in `rank_metrics`. A corpus smaller than `k` is ranked whole. A document that has its query's id
    and holds the query's text is the query itself and is left out; ids alone meet by accident.

    Args:
        encoder: encodes documents, with its prompt "document", "passage" or "corpus" where it names one, and queries.
        data: documents as they stand (title, one space, text), queries and judgements.
        queries: encodes the queries; None: `encoder`, with its prompt "query" where it names one.
        k: documents kept for each query, 10 or more.
        metric: "cosine", "dot" or "euclidean".

    Raises:
        ValueError: no documents, no judged queries, `k` below 10, an unknown metric, or vectors that are not one
            finite row for each text, of one width for both.
    """
    if not data.documents or k < 10:
        raise ValueError(f"a search needs documents and k of 10 or more, got {len(data.documents)} and k={k}")
    ids, split = judged_queries(data)
    documents, asking = two_sides(encoder, queries)
    corpus = vectors(documents, list(data.documents.values()), "documents")
    texts = [data.queries[query] for query in ids]
    # one more, in case the query itself is among them
    near = knn_graph(corpus, k=min(k + 1, len(corpus)), queries=vectors(asking, texts, "queries"), metric=metric)
    names = list(data.documents)
    run = {
        query: dict(zip(map(names.__getitem__, places), scores, strict=True))
        for query, places, scores in zip(ids, near.indices.tolist(), near.similarities.tolist(), strict=True)
    }
    recipe = both_recipes(documents, asking, data=data.source.name, split=split, metric=metric, k=k)
    lengths = lengths_of(asking, texts)
    return scored(_first(run, data, k), data, ks=[r for r in RANKS if r <= k], lengths=lengths, recipe=recipe)


def evaluate_run(
    run: Ranked | Run, data: Retrieval, *, ks: Sequence[int] = RANKS, recipe: Mapping[str, object] = EMPTY
) -> Evaluation:
    """Rank metrics of any ranking (BM25, fused, reranked): hits of a search, or query id -> document id -> score.

    Each in [0, 1], larger is better; "ndcg@10" is the main one. Queries are chosen, and the query itself is left out,
    as in `evaluate_retrieval`; other queries of the data are ignored, and a judged one that the run does not answer
    counts as 0. Column "length" is the query's, in characters. `recipe` says how the ranking came about.

    Raises:
        ValueError: the run names a query or a document that the data does not have, a score is NaN, `ks` are not
            distinct ranks from 1 with 10 among them, or the data has no judged queries.
    """
    given = run.as_run() if isinstance(run, Ranked) else run
    if 10 not in ks:
        raise ValueError(f"ks must hold 10, the rank of the main metric, got {tuple(ks)}")
    for query, documents in given.items():
        if query not in data.queries:
            raise ValueError(f"the run names query {query!r}, which is not in {data.source.name}")
        if unknown := [document for document in documents if document not in data.documents]:
            raise ValueError(f"the run of query {query!r} names no document of {data.source.name}: {unknown[0]!r}")
    ids, split = judged_queries(data)
    lengths = lengths_of(None, [data.queries[query] for query in ids])
    about = {"data": data.source.name, "split": split, **recipe}
    return scored(_first(given, data, None), data, ks=ks, lengths=lengths, recipe=about)


def judged_queries(data: Retrieval) -> tuple[list[str], str]:
    """Ids of the queries that count, in the data's order, and the name of their split.

    Raises:
        ValueError: none of them has a judgement.
    """
    splits = data.columns.get("split", ())
    test = "test" in splits
    asked = [q for q, s in zip(data.queries, splits, strict=True) if s == "test"] if test else list(data.queries)
    ids = [query for query in asked if data.qrels.get(query)]
    if not ids:
        raise ValueError(f"{data.source.name}: none of the {len(asked)} queries has a judgement")
    return ids, "test" if test else data.source.split or "all"


def two_sides(encoder: Sentences, queries: Sentences | None) -> tuple[Sentences, Sentences]:
    """The encoder of the documents and that of the queries, each with the prompt that the model names for it."""
    return _prompted(encoder, DOCUMENT_PROMPTS), queries or _prompted(encoder, QUERY_PROMPTS)


def both_recipes(documents: Sentences, queries: Sentences, **more: object) -> dict[str, object]:
    """Recipe of the documents' encoder, what differs in that of the queries' as "query ...", and `more`."""
    base = recipe_of(documents)
    other = base if queries is documents else recipe_of(queries)
    return {**base, **{f"query {name}": value for name, value in other.items() if base.get(name) != value}, **more}


def vectors(encoder: Sentences, texts: Sequence[str], name: str) -> Tensor:
    """Rows of the texts, checked.

    Raises:
        ValueError: not one finite row for each text; the message names the row.
    """
    rows = as_rows(encoder.encode(texts), name=name)
    if len(rows) != len(texts):
        raise ValueError(f"{name}: the encoder gave {len(rows)} rows for {len(texts)} texts")
    return rows


def scored(
    run: Run,
    data: Retrieval,
    *,
    ks: Sequence[int],
    lengths: np.ndarray,
    recipe: Mapping[str, object],
    task: str = "retrieval",
    main: str = "ndcg@10",
) -> Evaluation:
    """The evaluation of a ranking: `lengths` (q,) are those of the judged queries; others in the run are ignored."""
    ids, _ = judged_queries(data)
    qrels = {query: data.qrels[query] for query in ids}
    answers = {query: run[query] for query in ids if query in run}
    arrays, kept = rank_metrics(qrels, answers, ks=ks, drop_self=False)
    place = {query: row for row, query in enumerate(data.queries)}
    columns = {name: [values[place[query]] for query in kept] for name, values in data.columns.items()}
    relevant = [sum(grade > 0 for grade in qrels[query].values()) for query in kept]
    return evaluation_of(
        task,
        main=main,
        arrays=arrays,
        ids=kept,
        means={name: _definition(name) for name in arrays},
        columns={**columns, "length": lengths.tolist(), "relevant": relevant},
        source=data.source.fingerprint,
        recipe=recipe,
    )


def _first(run: Run, data: Retrieval, k: int | None) -> Run:
    """The first k documents of each query, in the order of the run, without the query itself."""
    own = {query for query in run if data.queries[query].strip() in data.documents.get(query, "")}
    others = {query: ((d, s) for d, s in run[query].items() if d != query) for query in own}
    return {query: dict(islice(others.get(query, documents.items()), k)) for query, documents in run.items()}


def _prompted(encoder: Sentences, names: Sequence[str]) -> Sentences:
    known = getattr(encoder, "prompts", {})
    name = next((name for name in names if name in known), None)
    return encoder if name is None else encoder.with_settings(prompt=name)  # pyright: ignore


def _definition(metric: str) -> str:
    name, k = metric.split("@")
    return f"mean over queries of {NAMES[name].format(k=k)}"
