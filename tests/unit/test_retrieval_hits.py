"""Hits, fusion, feedback and reranking against values worked out by hand."""

import numpy as np
import pytest
import torch

from workbench.retrieval import BM25, Hits, Reranker, expand_terms, fuse, rerank, rocchio

INF = np.inf


def hits(indices, scores, queries=("q",), n=4):
    return Hits(queries, tuple("abcd"[:n]), np.array(indices), np.array(scores))


def test_a_run_is_what_pytrec_eval_takes():
    made = hits([[2, 0, -1], [-1, -1, -1]], [[0.5, 0.25, -INF], [-INF] * 3], ("q", "r"))
    assert made.as_run() == {"q": {"c": 0.5, "a": 0.25}, "r": {}}
    assert (made.ranked("q"), made.ranked("r"), made.k) == (["c", "a"], [], 3)
    with pytest.raises(ValueError, match="there is no query 'z'"):
        made.ranked("z")
    with pytest.raises(ValueError, match="read-only"):
        made.scores[0, 0] = 1


@pytest.mark.parametrize(
    ("indices", "scores", "queries", "message"),
    [
        ([[0, 1]], [[1.0, np.nan]], ("q",), "query 'q': score nan is NaN"),
        ([[0, 1]], [[1.0, 2.0]], ("q",), "query 'q': score 2.0 follows a lower one"),
        ([[1, 1]], [[1.0, 1.0]], ("q",), "query 'q': document 1 is there twice"),
        ([[1, 4]], [[1.0, 1.0]], ("q",), "query 'q': index 4 is not in the documents"),
        ([[1, -2]], [[1.0, -INF]], ("q",), "index -2 is not in the documents"),
        ([[1, -1]], [[1.0, 0.5]], ("q",), "score 0.5 belongs to no document"),
        ([[-1, 1]], [[-INF, -INF]], ("q",), "follows a lower one"),
        ([[0], [1]], [[1.0], [1.0]], ("q", "q"), "queries: id 'q' is given twice"),
        ([[0]], [[1.0]], ("q", "r"), "must be \\(queries, k\\) with 2 queries"),
        ([0], [1.0], ("q",), "must be \\(queries, k\\)"),
    ],
)
def test_wrong_hits_are_refused_by_name(indices, scores, queries, message):
    with pytest.raises(ValueError, match=message):
        hits(indices, scores, queries)


def test_document_ids_are_texts_and_each_once():
    with pytest.raises(ValueError, match="documents: id 'a' is given twice"):
        Hits(("q",), ("a", "a"), np.array([[0]]), np.array([[1.0]]))


LEFT = hits([[0, 1, 2]], [[9.0, 5.0, 1.0]])
RIGHT = hits([[3, 0, -1]], [[0.8, 0.2, -INF]])


def test_reciprocal_ranks_are_cormacks_sum():
    run = fuse([LEFT, RIGHT], how="rrf", k=4).as_run()["q"]
    wanted = {"a": 1 / 61 + 1 / 62, "d": 1 / 61, "b": 1 / 62, "c": 1 / 63}
    assert run == pytest.approx(wanted, rel=1e-6)
    assert list(run) == ["a", "d", "b", "c"]
    weighted = fuse([LEFT, RIGHT], how="rrf", k=4, weights=[1, 3], rrf_k=0).as_run()["q"]
    assert weighted == pytest.approx({"d": 3.0, "a": 2.5, "b": 0.5, "c": 1 / 3}, rel=1e-6)


def test_minmax_gives_a_missing_document_zero():
    assert fuse([LEFT, RIGHT], how="minmax", k=4).as_run()["q"] == pytest.approx(
        {"a": 1.0, "d": 1.0, "b": 0.5, "c": 0.0}
    )
    assert fuse([LEFT, RIGHT], how="minmax").ranked("q") == ["a", "d", "b"]  # a and d tie: order of the corpus


def test_zscore_gives_a_missing_document_the_least_of_the_run():
    spread = np.std([9, 5, 1])
    wanted = {"a": 4 / spread - 1, "d": -4 / spread + 1, "b": 0 - 1.0, "c": -4 / spread - 1}
    assert fuse([LEFT, RIGHT], how="zscore", k=4).as_run()["q"] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("how", ["rrf", "minmax", "zscore"])
def test_equal_scores_and_empty_lists_are_fused(how):
    flat, empty = hits([[1, 2]], [[3.0, 3.0]]), hits([[-1, -1]], [[-INF, -INF]])
    assert fuse([flat, empty], how=how).ranked("q") == ["b", "c"]
    assert fuse([empty, empty], how=how).ranked("q") == []


@pytest.mark.parametrize("how", ["rrf", "minmax", "zscore"])
def test_one_run_keeps_its_order(how):
    assert fuse([LEFT], how=how).ranked("q") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        ([], {}, "at least 1 run"),
        ([LEFT], {"how": "borda"}, "how must be one of"),
        ([LEFT, hits([[0]], [[1.0]], ("r",))], {}, "run 1 has other queries"),
        ([LEFT, hits([[0]], [[1.0]], n=3)], {}, "run 1 has other documents"),
        ([LEFT], {"weights": [1, 2]}, "weights must be 1 finite numbers"),
        ([LEFT], {"weights": [-1]}, "not negative"),
        ([LEFT], {"weights": [np.nan]}, "finite"),
        ([LEFT], {"k": 5}, "at most n=4, got 5"),
        ([LEFT], {"rrf_k": -1}, "rrf_k must not be negative"),
        ([hits([[0]], [[INF]])], {"how": "minmax"}, "run 0: query 'q' has an infinite score"),
    ],
)
def test_wrong_fusions_are_refused(runs, options, message):
    with pytest.raises(ValueError, match=message):
        fuse(runs, **options)


def test_rocchio_is_its_formula():
    q, x = np.array([[1.0, 0.0]], "f4"), np.array([[2.0, 2.0], [4.0, 0.0], [0.0, 6.0], [1.0, 1.0]], "f4")
    found = hits([[1, 0, 3, 2]], [[4.0, 3.0, 2.0, 1.0]])
    plain = rocchio(q, found, x, n_feedback=2, alpha=1, beta=0.5)
    np.testing.assert_allclose(plain, [[1 + 0.5 * 3, 0 + 0.5 * 1]])
    away = rocchio(q, found, torch.from_numpy(x), n_feedback=2, alpha=1, beta=0.5, gamma=2)
    np.testing.assert_allclose(away, [[2.5 - 2 * 0.5, 0.5 - 2 * 3.5]])
    # the 3 first take three documents: one is left to move away from
    np.testing.assert_allclose(rocchio(q, found, x, n_feedback=3, alpha=1, beta=0, gamma=1), [[1.0, -6.0]])
    nothing = hits([[-1]], [[-INF]])
    np.testing.assert_allclose(rocchio(q, nothing, x, alpha=2), [[2.0, 0.0]])


@pytest.mark.parametrize(
    ("q", "x", "options", "message"),
    [
        (np.ones((1, 3)), np.ones((4, 2)), {}, "queries must have 2 columns"),
        (np.ones((2, 2)), np.ones((4, 2)), {}, "a row for each of 1 queries and 4 documents, got 2 and 4"),
        (np.ones((1, 2)), np.ones((4, 2)), {"n_feedback": 0}, "n_feedback must be at least 1"),
        (np.ones((1, 2)), np.ones((4, 2)), {"alpha": -1.0}, "weights must be finite and not negative"),
        (np.full((1, 2), np.nan), np.ones((4, 2)), {}, "queries: row 0 is not finite"),
    ],
)
def test_wrong_feedback_is_refused(q, x, options, message):
    with pytest.raises(ValueError, match=message):
        rocchio(q, LEFT, x, **options)


TEXTS = {"a": "apple apple pear", "b": "pear plum", "c": "fig", "d": "kiwi"}


def test_terms_are_weighted_as_in_rm3():
    index = BM25.build(TEXTS, stemmer=None, stopwords=None)
    found = hits([[0, 1]], [[3.0, 1.0]])
    got = expand_terms({"q": "apple"}, found, TEXTS, index, n_feedback=2, n_terms=2, original=0.6)
    # apple 3/4 * 2/3 = 1/2, pear 3/4 * 1/3 + 1/4 * 1/2 = 3/8, plum 1/8 is left out: 4/7 and 3/7
    assert got == {"q": pytest.approx({"apple": 0.6 + 0.4 * 4 / 7, "pear": 0.4 * 3 / 7})}
    assert index.search_words(got, 4).ranked("q") == ["a", "b"]
    alone = expand_terms({"q": "apple plum"}, hits([[-1]], [[-INF]]), TEXTS, index)
    assert alone == {"q": {"apple": 0.5, "plum": 0.5}}


@pytest.mark.parametrize(
    ("queries", "found", "texts", "options", "message"),
    [
        ({}, LEFT, TEXTS, {}, "no text for query 'q'"),
        ({"q": "x"}, LEFT, {"a": "x"}, {}, "no text for document 'b'"),
        ({"q": "x"}, LEFT, TEXTS, {"n_terms": 0}, "must be at least 1"),
        ({"q": "x"}, LEFT, TEXTS, {"original": 1.5}, "original in 0..1"),
        ({"q": "x"}, hits([[0]], [[-0.5]]), TEXTS, {}, "query 'q': scores must be above 0"),
    ],
)
def test_wrong_expansions_are_refused(queries, found, texts, options, message):
    with pytest.raises(ValueError, match=message):
        expand_terms(queries, found, texts, BM25.build(TEXTS), **options)


class Lengths:
    """A reranker that likes long documents, and remembers how it was asked."""

    def __init__(self, wrong=None):
        self.batches, self.wrong = [], wrong

    def score(self, pairs):
        self.batches.append(len(pairs))
        return np.array([len(d) for _, d in pairs], dtype=float) if self.wrong is None else self.wrong(len(pairs))


def test_reranking_orders_within_depth_and_keeps_the_rest():
    reranker = Lengths()
    assert isinstance(reranker, Reranker)
    found = hits([[3, 2, 1, 0], [2, 3, -1, -1]], [[4.0, 3.0, 2.0, 1.0], [2.0, 1.0, -INF, -INF]], ("q", "r"))
    again = rerank(found, {"q": "x", "r": "y"}, TEXTS, reranker, depth=3, batch=2)
    assert again.ranked("q") == ["b", "d", "c", "a"]  # 9, 4 and 3 letters; a stays behind
    assert again.scores[0].tolist() == [9.0, 4.0, 3.0, 2.0]
    assert again.ranked("r") == ["d", "c"]
    assert reranker.batches == [2, 2, 1]


def test_equal_scores_of_a_reranker_stand_in_the_order_of_the_corpus():
    found = hits([[3, 2, 1, 0]], [[4.0, 3.0, 2.0, 1.0]])
    same = Lengths(lambda n: np.full(n, 1e12))
    again = rerank(found, {"q": "x"}, TEXTS, same, depth=2)
    assert again.ranked("q") == ["c", "d", "b", "a"]
    assert (np.diff(again.scores[0]) <= 0).all()
    assert again.scores[0, 1] > again.scores[0, 2] > again.scores[0, 3]  # the rest never ties, however large the score


@pytest.mark.parametrize(
    ("queries", "reranker", "options", "message"),
    [
        ({"q": "x"}, Lengths(), {"depth": 0}, "depth and batch must be at least 1"),
        ({}, Lengths(), {}, "no text for query of"),
        ({"q": "x"}, Lengths(lambda n: np.zeros(n + 1)), {}, "one score per pair"),
        ({"q": "x"}, Lengths(lambda n: np.full(n, np.nan)), {}, "the score of \\('q', 'a'\\) is not a finite number"),
    ],
)
def test_wrong_reranking_is_refused(queries, reranker, options, message):
    with pytest.raises(ValueError, match=message):
        rerank(LEFT, queries, TEXTS, reranker, **options)
