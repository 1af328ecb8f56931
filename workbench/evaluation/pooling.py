"""Pooled hard negatives: a small corpus that holds what several systems rank first."""

from collections.abc import Sequence

import numpy as np

from workbench.corpora import Retrieval
from workbench.corpora.smaller import relevant_documents, with_documents
from workbench.evaluation.base import Sentences
from workbench.evaluation.rankings import Run
from workbench.evaluation.retrieval import Ranked, vectors
from workbench.intervals import Estimate, jackknife
from workbench.retrieval import BM25, DenseIndex

__all__ = ["order_agreement", "pooled_corpus", "runs_of"]


def pooled_corpus(data: Retrieval, runs: Sequence[Ranked | Run], *, depth: int) -> Retrieval:
    """`data` with the documents that some run ranks among the first `depth` of a query, and all relevant ones.

    `runs` are hits of a search, or query id -> document id -> score; of equal scores the document named first counts
    as the better. Queries stay, judgements of documents that are gone go. A system that helped to fill the pool meets
    its own hardest documents there, another one may not: scores of the two are not on a par.

    Raises:
        ValueError: no runs, `depth` below 1, a run that names a query or document that the data does not have, or
            nothing left.

    Reference: Enevoldsen et al. 2025, MMTEB, on hard negatives (the first 250 of three systems).
    """
    if not runs or depth < 1:
        raise ValueError(f"a pool needs 1 run and depth 1 or more, got {len(runs)} runs and depth {depth}")
    pool = relevant_documents(data)
    for number, run in enumerate(runs):
        given = run.as_run() if isinstance(run, Ranked) else run
        for query, scores in given.items():
            if query not in data.queries:
                raise ValueError(f"run {number} names query {query!r}, which is not in {data.source.name}")
            if unknown := [document for document in scores if document not in data.documents]:
                raise ValueError(f"run {number} names no document of {data.source.name}: {unknown[0]!r}")
            pool |= set(sorted(scores, key=lambda document: -scores[document])[:depth])
    return with_documents(data, pool)


def runs_of(encoders: Sequence[Sentences], data: Retrieval, *, depth: int) -> list[Ranked]:
    """The first `depth` documents of every query by BM25, and by the cosine of each encoder's vectors.

    Raises:
        ValueError: `depth` is not in 1..documents, or vectors that are not one finite row for each text.
    """
    documents, queries = data.documents, data.queries
    found: list[Ranked] = [BM25.build(documents).search(queries, depth)]
    for encoder in encoders:
        index = DenseIndex(tuple(documents), vectors(encoder, list(documents.values()), "documents"))
        asked = vectors(encoder, list(queries.values()), "queries")
        found.append(index.search(asked, depth, ids=list(queries)))
    return found


def order_agreement(whole: np.ndarray, smaller: np.ndarray, others: Sequence[np.ndarray]) -> tuple[Estimate, Estimate]:
    """Whether models keep their order on a smaller corpus: Spearman correlation, and its lead over other corpora.

    `whole`, `smaller` and each of `others` hold scores per query, (models, queries), the queries in the same order.
    The correlation, in [-1, 1], is that of the models' means; the lead subtracts the mean correlation of `others`.
    Intervals by jackknife over 20 blocks of queries.

    Raises:
        ValueError: arrays of unequal shape or not 2-D, fewer than 3 models or 5 queries, no others, or means that are
            all equal.
    """
    tables = [np.asarray(table, dtype=np.float64) for table in (whole, smaller, *others)]
    if tables[0].ndim != 2 or any(table.shape != tables[0].shape for table in tables) or len(tables) < 3:
        raise ValueError(f"scores must be 2 + others of one shape (models, queries), got {[t.shape for t in tables]}")
    if tables[0].shape[0] < 3 or tables[0].shape[1] < 5:
        raise ValueError(f"an order needs 3 models and 5 queries or more, got shape {tables[0].shape}")
    from scipy.stats import rankdata

    def agreement(table: np.ndarray, kept: np.ndarray) -> float:
        ranks = [rankdata(t[:, kept].mean(axis=1)) for t in (tables[0], table)]
        return float(np.corrcoef(*ranks)[0, 1]) if min(map(np.ptp, ranks)) > 0 else float("nan")

    def lead(kept: np.ndarray) -> float:
        return agreement(tables[1], kept) - float(np.mean([agreement(table, kept) for table in tables[2:]]))

    blocks = np.arange(tables[0].shape[1]) % 20
    rho = jackknife(lambda kept: agreement(tables[1], kept), blocks, definition="Spearman correlation of the models")
    return rho, jackknife(lead, blocks, definition="Spearman correlation minus that of other corpora")
