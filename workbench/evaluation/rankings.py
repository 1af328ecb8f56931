"""Metrics of rankings, query by query, as trec_eval computes them."""

from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np

__all__ = ["RANKS", "rank_metrics"]

Qrels = Mapping[str, Mapping[str, int | np.integer]]
Run = Mapping[str, Mapping[str, float | np.floating]]

RANKS = (1, 3, 5, 10, 20, 100)
MEASURES = {"ndcg": "ndcg_cut", "map": "map_cut", "recall": "recall", "precision": "P", "success": "success"}


def rank_metrics(
    qrels: Qrels, run: Run, *, ks: Sequence[int] = RANKS, drop_self: bool = True
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Metrics at each rank k for every judged query, each in [0, 1], larger is better: arrays (q,) by name, query ids.

    - "ndcg@k": discounted gain, the gain being the relevance itself, over that of the best possible order.
    - "map@k": average precision of the first k, over all relevant documents.
    - "mrr@k": 1 over the rank of the first relevant document, 0 where none is among the first k.
    - "recall@k", "precision@k": relevant documents among the first k, over all relevant ones, over k.
    - "success@k": 1 where a relevant document is among the first k.

    Relevance above 0 is relevant. `run` maps a query to the scores of its documents, larger is better; scores are
    compared in float32 and equal ones go by document id, the last in the alphabet first, as trec_eval and mteb have it.
    With `drop_self` a document that carries the query's own id is taken out of the ranking, as BEIR does (its
    judgement stays). A query whose judgements are all 0 counts as 0, as in BEIR and mteb, one without any judgement
    is left out, and one that the run does not answer counts as 0.

    Raises:
        ValueError: no judgements, `ks` that are not distinct ranks from 1, a query in `run` that is not in `qrels`,
            or a score that is NaN.

    Reference: Van Gysel and de Rijke 2018, Pytrec_eval, SIGIR; Thakur et al. 2021, BEIR.
    """
    judged = {query: {d: int(r) for d, r in documents.items()} for query, documents in qrels.items() if documents}
    _check(qrels, judged, run, ks)
    import pytrec_eval

    depths = ",".join(str(k) for k in ks)
    evaluator = pytrec_eval.RelevanceEvaluator(judged, {f"{m}.{depths}" for m in MEASURES.values()} | {"recip_rank"})
    found = evaluator.evaluate(_answers(judged, run, drop_self=drop_self))
    names = {f"{name}@{k}": f"{measure}_{k}" for name, measure in MEASURES.items() for k in ks}
    picked, table = itemgetter(*names.values(), "recip_rank"), np.zeros((len(judged), len(names) + 1))
    for row, query in enumerate(judged):
        if query in found:
            table[row] = picked(found[query])
    arrays = dict(zip(names, table.T[:-1].copy(), strict=True))
    first = table[:, -1]
    arrays |= {f"mrr@{k}": np.where(first > 1 / (k + 0.5), first, 0.0) for k in ks}
    return arrays, tuple(judged)


def _answers(judged: Qrels, run: Run, *, drop_self: bool) -> dict[str, dict[str, float]]:
    """The run of the judged queries that have documents, its scores in plain floats: pytrec_eval takes nothing else."""
    answers = {}
    for query in judged:
        documents = run.get(query, {})
        scores = np.fromiter(documents.values(), dtype=np.float64, count=len(documents))
        if (missing := np.isnan(scores)).any():
            document = list(documents)[int(missing.argmax())]
            raise ValueError(f"the score of document {document!r} for query {query!r} is NaN")
        kept = dict(zip(documents, scores.tolist(), strict=True))
        if drop_self:
            kept.pop(query, None)
        if kept:
            answers[query] = kept
    return answers


def _check(qrels: Qrels, judged: Qrels, run: Run, ks: Sequence[int]) -> None:
    if not judged:
        raise ValueError(f"none of the {len(qrels)} queries has a judgement")
    if not ks or len(set(ks)) < len(ks) or any(k < 1 for k in ks):
        raise ValueError(f"ks must be distinct ranks from 1, got {tuple(ks)}")
    for query in run:
        if query not in qrels:
            raise ValueError(f"the run names query {query!r}, which has no judgements")
