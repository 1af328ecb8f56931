"""Lists to rerank, made of a search: some of what is relevant, and what a run takes for it."""

import dataclasses

import numpy as np

from workbench.corpora import Retrieval
from workbench.evaluation.rankings import Run
from workbench.evaluation.retrieval import Ranked

__all__ = ["with_candidates"]


def with_candidates(
    data: Retrieval, run: Ranked | Run | None, *, positives: int, ratio: int = 3, seed: int = 0
) -> Retrieval:
    """`data` with candidates: for each query `positives` relevant documents, drawn, and `ratio` times as many others.

    The others are those that `run` (hits of a search, or query id -> document id -> score) ranks first, equal scores
    in its order; where it names too few, or is None, documents drawn at random fill up. Queries with fewer relevant
    documents, or for which too few others are there, are left out, and of a query's judgements the drawn ones stay.
    The candidates stand in a drawn order.

    Raises:
        ValueError: `positives` or `ratio` below 1, a run that names an unknown query or document, or no query left.

    Reference: Shahinmoghadam and Motamedi 2024 (7 positives and the 21 most similar of the others).
    """
    if min(positives, ratio) < 1:
        raise ValueError(f"positives and ratio must be 1 or more, got {positives} and {ratio}")
    given = {} if run is None else run.as_run() if isinstance(run, Ranked) else run
    for query, scores in given.items():
        if query not in data.queries or any(document not in data.documents for document in scores):
            raise ValueError(f"the run of query {query!r} names what is not in {data.source.name}")
    names, rng = np.array(list(data.documents), dtype=object), np.random.default_rng(seed)
    lists, judged = {}, {}
    for query in data.queries:
        right = [document for document, grade in data.qrels.get(query, {}).items() if grade > 0]
        scores = given.get(query, {})
        best = [*sorted(scores, key=lambda document: -scores[document]), *rng.permutation(names)]
        others = [document for document in dict.fromkeys(best) if document not in right][: ratio * positives]
        if len(right) < positives or len(others) < ratio * positives:
            continue
        kept = [right[i] for i in rng.permutation(len(right))[:positives]]
        lists[query] = [[*kept, *others][i] for i in rng.permutation(len(kept) + len(others))]
        judged[query] = {document: data.qrels[query][document] for document in kept}
    if not lists:
        raise ValueError(f"{data.source.name}: no query has {positives} relevant and {ratio * positives} others")
    rows = [row for row, query in enumerate(data.queries) if query in lists]
    return dataclasses.replace(data.take(rows), qrels=judged, candidates=lists)
