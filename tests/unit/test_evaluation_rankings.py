"""Metrics of rankings against pytrec_eval, scikit-learn, mteb and their formulas."""

import math

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from workbench.evaluation.rankings import rank_metrics

KS = (1, 2, 3, 10)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def by_formula(judged, scores, k):
    """The metrics of one query in plain Python."""
    order = sorted(scores, key=lambda d: (np.float32(scores[d]), d), reverse=True)[:k]
    gains = [judged.get(d, 0) for d in order]
    best = sorted((g for g in judged.values() if g > 0), reverse=True)
    relevant, hits = len(best), [g > 0 for g in gains]
    ideal = sum(g / math.log2(i + 2) for i, g in enumerate(best[:k]))
    found = [i for i, hit in enumerate(hits) if hit]
    return {
        "ndcg": sum(g / math.log2(i + 2) for i, g in enumerate(gains)) / ideal if relevant else 0.0,
        "map": sum((n + 1) / (i + 1) for n, i in enumerate(found)) / relevant if relevant else 0.0,
        "mrr": 1 / (found[0] + 1) if found else 0.0,
        "recall": len(found) / relevant if relevant else 0.0,
        "precision": len(found) / k,
        "success": float(len(found) > 0),
    }


# 1 to 9 documents, some judged 0 to 3, scores from few values so that ties abound; a single document, no relevant
# one and nothing but relevant ones are among them
RANKINGS = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from([None, 0, 1, 2, 3]), min_size=n, max_size=n).filter(lambda r: r.count(None) < len(r)),
        st.lists(st.sampled_from([-2.0, 0.0, 0.5, 1.0, 7.0]), min_size=n, max_size=n),
        st.integers(0, n),
    )
)


@settings(deadline=None, max_examples=150)
@given(st.lists(RANKINGS, min_size=1, max_size=4))
def test_every_metric_is_its_formula_and_pytrec_evals(rankings):
    qrels, run = {}, {}
    for number, (grades, scores, answered) in enumerate(rankings):
        names = [f"d{i}" for i in range(len(grades))]
        qrels[f"q{number}"] = {d: g for d, g in zip(names, grades, strict=True) if g is not None}
        run[f"q{number}"] = dict(list(zip(names, scores, strict=True))[:answered])
    arrays, ids = rank_metrics(qrels, run, ks=KS)
    assert list(ids) == list(qrels)
    for k in KS:
        for row, query in enumerate(ids):
            expected = by_formula(qrels[query], run[query], k)
            assert {name: arrays[f"{name}@{k}"][row] for name in expected} == pytest.approx(expected, abs=1e-12)
        for name, measure in {"ndcg": "ndcg_cut", "map": "map_cut", "recall": "recall", "precision": "P"}.items():
            theirs = pytrec_eval.RelevanceEvaluator(qrels, {f"{measure}.{k}"}).evaluate(run)
            assert arrays[f"{name}@{k}"].tolist() == [theirs[query][f"{measure}_{k}"] for query in ids]


@pytest.mark.parametrize("grades", [(0, 1), (0, 1, 2, 3), (1,)])
def test_ndcg_and_average_precision_are_scikit_learns(rng, grades):
    qrels, run, ndcg, ap = {}, {}, [], []
    for query in range(40):
        truth, scores = rng.choice(grades, size=30), rng.permutation(30) / 7.0
        truth[0] = max(grades)
        qrels[f"q{query}"] = {f"d{i}": int(t) for i, t in enumerate(truth)}
        run[f"q{query}"] = {f"d{i}": s for i, s in enumerate(scores)}
        ndcg.append([ndcg_score([truth], [scores], k=k) for k in (1, 5, 10)])
        ap.append(average_precision_score(truth > 0, scores))
    arrays, _ = rank_metrics(qrels, run, ks=(1, 5, 10, 30))
    assert np.stack([arrays[f"ndcg@{k}"] for k in (1, 5, 10)], axis=1) == pytest.approx(np.array(ndcg))
    assert arrays["map@30"] == pytest.approx(np.array(ap))


def test_means_are_mtebs_of_the_same_run(rng):
    metrics = pytest.importorskip("mteb._evaluators.retrieval_metrics")
    qrels, run = {}, {}
    for query in range(30):
        qrels[f"q{query}"] = {f"d{i}": int(g) for i, g in enumerate(rng.integers(0, 3 if query % 5 else 1, size=20))}
        run[f"q{query}"] = {f"d{i}": float(s) for i, s in enumerate(rng.integers(0, 12, size=40))}  # with ties
    assert any(max(judged.values()) == 0 for judged in qrels.values())  # a query without a relevant document
    theirs = metrics.calculate_retrieval_scores(run, qrels, [1, 3, 10, 100])
    arrays, _ = rank_metrics(qrels, run, ks=(1, 3, 10, 100))
    for k in (1, 3, 10, 100):
        for name, found in {
            "ndcg": theirs.ndcg[f"NDCG@{k}"],
            "map": theirs.map[f"MAP@{k}"],
            "recall": theirs.recall[f"Recall@{k}"],
            "precision": theirs.precision[f"P@{k}"],
            "success": theirs.hit_rate[f"HitRate@{k}"],
            "mrr": theirs.mrr[f"MRR@{k}"],
        }.items():
            assert arrays[f"{name}@{k}"].mean() == pytest.approx(found, abs=6e-6)  # mteb rounds to 5 places


def test_equal_scores_go_by_document_id_from_the_end_and_are_compared_in_single_precision():
    qrels = {"q": {"b": 1}}
    assert rank_metrics(qrels, {"q": {"a": 1.0, "b": 1.0}}, ks=(1,))[0]["mrr@1"] == [1]
    assert rank_metrics(qrels, {"q": {"c": 1.0, "b": 1.0}}, ks=(1,))[0]["mrr@1"] == [0]
    assert rank_metrics(qrels, {"q": {"a": 1 + 1e-9, "b": 1.0}}, ks=(1,))[0]["mrr@1"] == [1]
    assert rank_metrics(qrels, {"q": {"a": 1 + 1e-6, "b": 1.0}}, ks=(1,))[0]["mrr@1"] == [0]


def test_the_document_of_the_querys_id_leaves_the_ranking_unless_told():
    qrels, run = {"x": {"x": 1, "y": 1}}, {"x": {"x": 3.0, "z": 2.0, "y": 1.0}}
    without, _ = rank_metrics(qrels, run, ks=(1, 2))
    assert without["mrr@2"] == [0.5]
    assert without["recall@2"] == [0.5]  # its judgement stays
    assert rank_metrics(qrels, run, ks=(1, 2), drop_self=False)[0]["mrr@2"] == [1]


def test_unanswered_and_barren_queries_count_as_0_and_unjudged_ones_are_left_out():
    qrels = {"answered": {"a": 1}, "unanswered": {"a": 1}, "empty": {"a": 2}, "barren": {"a": 0}, "unjudged": {}}
    run = {"answered": {"a": 1.0}, "empty": {}, "barren": {"a": 1.0}, "unjudged": {"a": 1.0}}
    arrays, ids = rank_metrics(qrels, run, ks=(1,))
    assert ids == ("answered", "unanswered", "empty", "barren")
    for values in arrays.values():
        assert values.tolist() == [1, 0, 0, 0]


def test_numpy_numbers_are_numbers():
    arrays, _ = rank_metrics({"q": {"a": np.int64(2)}}, {"q": {"a": np.float32(1)}}, ks=(1,))
    assert arrays["ndcg@1"] == [1]


@pytest.mark.parametrize(
    ("qrels", "run", "ks", "words"),
    [
        ({}, {}, (1,), "none of the 0 queries"),
        ({"q": {}}, {}, (1,), "none of the 1 queries"),
        ({"q": {"a": 1}}, {"p": {"a": 1.0}}, (1,), "query 'p'"),
        ({"q": {"a": 1}}, {"q": {"a": 1.0, "b": math.nan}}, (1,), "document 'b' for query 'q' is NaN"),
        ({"q": {"a": 1}}, {}, (), "ks must be distinct"),
        ({"q": {"a": 1}}, {}, (0, 1), "ks must be distinct"),
        ({"q": {"a": 1}}, {}, (5, 5), "ks must be distinct"),
    ],
)
def test_refuses(qrels, run, ks, words):
    with pytest.raises(ValueError, match=words):
        rank_metrics(qrels, run, ks=ks)
