"""Pooled corpora against small ones worked out by hand, and orders against scipy."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from workbench.corpora import Retrieval
from workbench.encoders.counted import hashed_encoder
from workbench.evaluation.pooling import order_agreement, pooled_corpus, runs_of
from workbench.retrieval import BM25

DATA = Retrieval(
    documents={name: f"text of {name}" for name in "abcdefgh"},
    queries={"p": "first", "q": "second"},
    qrels={"p": {"h": 1, "a": 0}, "q": {"g": 2}},
)
RUNS = [
    {"p": {"a": 0.1, "b": 0.9, "c": 0.5}, "q": {"c": 1.0, "d": 0.5}},
    {"p": {"e": 3.0, "b": 2.0}, "q": {"f": 1.0, "e": 1.0}},
]


def test_the_pool_is_the_heads_of_the_runs_and_the_relevant_documents():
    assert list(pooled_corpus(DATA, RUNS, depth=1).documents) == list("bcefgh")
    assert list(pooled_corpus(DATA, RUNS, depth=2).documents) == list("bcdefgh")
    assert list(pooled_corpus(DATA, RUNS[:1], depth=1).documents) == list("bcgh")


def test_of_equal_scores_the_first_named_is_pooled():
    assert list(pooled_corpus(DATA, [{"q": {"f": 1.0, "e": 1.0}}], depth=1).documents) == list("fgh")


def test_hits_of_a_search_are_a_run():
    hits = BM25.build(DATA.documents, stopwords=None).search({"q": "text"}, 3)
    assert list(pooled_corpus(DATA, [hits], depth=3).documents) == list("abcgh")


@pytest.mark.parametrize(
    ("runs", "depth", "words"),
    [
        ([], 1, "0 runs"),
        (RUNS, 0, "depth 0"),
        ([{"x": {"a": 1.0}}], 1, "query 'x'"),
        ([RUNS[0], {"p": {"z": 1.0}}], 1, "run 1 names no document of .*'z'"),
    ],
)
def test_a_bad_pool_is_refused_by_name(runs, depth, words):
    with pytest.raises(ValueError, match=words):
        pooled_corpus(DATA, runs, depth=depth)


def test_a_pool_of_nothing_is_refused():
    bare = Retrieval({"a": "text"}, {"q": "text"}, {"q": {"a": 0}})
    with pytest.raises(ValueError, match="none is chosen"):
        pooled_corpus(bare, [{}], depth=1)


def test_runs_are_bm25s_and_the_nearest_by_cosine():
    texts = {f"d{i}": f"alpha beta{i} gamma{i % 3}" for i in range(9)}
    data = Retrieval(texts, {"q": "beta4 gamma1", "r": "beta7"}, {"q": {"d4": 1}})
    encoder = hashed_encoder("words", dimensions=64)
    words, dense = (run.as_run() for run in runs_of([encoder], data, depth=3))
    assert next(iter(words["q"])) == "d4"
    x, y = encoder.encode(list(texts.values())), encoder.encode(["beta4 gamma1", "beta7"])
    cosine = (y / np.linalg.norm(y, axis=1, keepdims=True)) @ (x / np.linalg.norm(x, axis=1, keepdims=True)).T
    for row, query in enumerate(("q", "r")):
        np.testing.assert_allclose(list(dense[query].values()), np.sort(cosine[row])[:-4:-1], atol=1e-6)


def test_agreement_is_scipys_correlation_of_means_with_the_jackknife_over_queries():
    rng = np.random.default_rng(0)
    whole = rng.random((7, 40)) + np.arange(7)[:, None] / 7
    hard, *others = (whole + rng.normal(scale=0.4, size=whole.shape) for _ in range(4))
    rho, lead = order_agreement(whole, hard, others)

    def agree(table, kept):
        return spearmanr(whole[:, kept].mean(axis=1), table[:, kept].mean(axis=1)).statistic

    everything = np.arange(40)
    kept = [np.flatnonzero(everything % 20 != block) for block in range(20)]
    leads = [agree(hard, k) - np.mean([agree(table, k) for table in others]) for k in (everything, *kept)]
    assert rho.value == pytest.approx(agree(hard, everything))
    assert lead.value == pytest.approx(leads[0])
    assert lead.standard_error == pytest.approx(np.sqrt(19 / 20 * np.sum((np.array(leads[1:]) - leads[0]) ** 2)))


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ([np.ones((4, 9)), np.ones((4, 8)), [np.ones((4, 9))]], "one shape"),
        ([np.ones((4, 9)), np.ones((4, 9)), []], "one shape"),
        ([np.ones((2, 9)), np.ones((2, 9)), [np.ones((2, 9))]], "3 models"),
        ([np.ones((4, 9)), np.ones((4, 9)), [np.ones((4, 9))]], "finite"),
    ],
)
def test_scores_without_an_order_are_refused(tables, words):
    with pytest.raises(ValueError, match=words):
        order_agreement(*tables)
