import math

import numpy as np
import pytest

from workbench.retrieval import BM25, Hits
from workbench.retrieval.fusion import fuse
from workbench.retrieval.multifield import search_fields

TITLES = {"a": "red fox", "b": "fox", "c": "blue whale", "d": ""}
BODIES = {"a": "runs over snow", "b": "fox hides fox", "c": "red krill", "d": "red red snow storm"}
QUERIES = {"1": "red fox", "2": "snow", "3": "nothing here"}


def plain(texts):
    return BM25.build(texts, stemmer=None, stopwords=None)


def bm25_by_hand(field, query, k1=0.9, b=0.4):
    """Lucene's BM25 of one field by the formula, document -> score, documents without a word left out."""
    words = {key: text.split() for key, text in field.items()}
    mean = sum(map(len, words.values())) / len(words)
    scores = {}
    for key, there in words.items():
        for word in query.split():
            df = sum(word in other for other in words.values())
            tf = there.count(word)
            if tf:
                idf = math.log(1 + (len(words) - df + 0.5) / (df + 0.5))
                share = idf * tf / (tf + k1 * (1 - b + b * len(there) / mean))
                scores[key] = scores.get(key, 0.0) + share
    return scores


@pytest.mark.parametrize("weights", [None, (1.0, 1.0), (2.5, 1.0), (0.0, 1.0)])
def test_fields_have_their_own_statistics_and_are_added(weights):
    fields = [plain(texts) for texts in (TITLES, BODIES)]
    run = search_fields(fields, QUERIES, 4, weights=weights).as_run()
    first, second = weights or (1.0, 1.0)
    for key, query in QUERIES.items():
        title, body = (bm25_by_hand(field, query) for field in (TITLES, BODIES))
        wanted = {d: first * title.get(d, 0.0) + second * body.get(d, 0.0) for d in title.keys() | body.keys()}
        assert run[key] == pytest.approx(wanted, rel=1e-6)


def test_it_is_another_model_than_one_shared_index():
    flat = plain({key: f"{TITLES[key]} {BODIES[key]}" for key in TITLES}).search(QUERIES, 4).as_run()
    fields = search_fields([plain(texts) for texts in (TITLES, BODIES)], QUERIES, 4).as_run()
    assert abs(flat["1"]["a"] - fields["1"]["a"]) > 0.05


def test_the_cut_comes_after_the_sum():
    """A document second in both fields beats those that are first in one."""
    one = plain({"x": "kk kk kk kk", "y": "kk zz", "z": "zz zz"})
    other = plain({"x": "zz zz", "y": "kk zz", "z": "kk kk kk kk"})
    found = search_fields([one, other], {"q": "kk"}, 1)
    assert found.ranked("q") == ["y"]


def hits(*rows, documents=("a", "b", "c", "d"), k=3):
    indices, scores = np.full((len(rows), k), -1), np.full((len(rows), k), -np.inf)
    for i, row in enumerate(rows):
        for j, (document, score) in enumerate(row.items()):
            indices[i, j], scores[i, j] = documents.index(document), score
    return Hits(tuple(str(i) for i in range(len(rows))), documents, indices, scores)


def test_sums_against_dictionaries():
    rng = np.random.default_rng(0)
    documents = tuple(f"d{i}" for i in range(12))
    runs, rows = [], []
    for _ in range(3):
        found = [
            dict(sorted(((documents[i], float(rng.normal())) for i in rng.permutation(12)[: rng.integers(0, 8)]),
                        key=lambda pair: -pair[1])) for _ in range(5)
        ]  # fmt: skip
        rows.append(found)
        runs.append(hits(*found, documents=documents, k=8))
    summed = fuse(runs, how="raw", weights=(0.5, 2, 0.25), k=12)
    for i in range(5):
        wanted: dict[str, float] = {}
        for found, weight in zip(rows, (0.5, 2, 0.25), strict=True):
            for document, score in found[i].items():
                wanted[document] = wanted.get(document, 0.0) + weight * score
        assert summed.as_run()[str(i)] == pytest.approx(wanted, rel=1e-5, abs=1e-6)
        assert summed.ranked(str(i)) == sorted(wanted, key=lambda d: -wanted[d])


def test_a_large_scale_drowns_a_small_one():
    words, vectors = hits({"a": 30.0, "b": 20.0, "c": 10.0}), hits({"c": 0.9, "b": 0.5, "a": 0.1})
    assert fuse([words, vectors], how="raw").ranked("0") == ["a", "b", "c"]


def test_equal_sums_stand_in_the_order_of_the_corpus():
    assert fuse([hits({"d": 2.0, "b": 1.0}), hits({"b": 1.0, "c": 0.5})], how="raw", k=2).ranked("0") == ["b", "d"]


def test_what_a_sum_refuses():
    run = hits({"a": 1.0})
    with pytest.raises(ValueError, match="at least 1 run"):
        fuse([], how="raw")
    with pytest.raises(ValueError, match="at least 1 field"):
        search_fields([], QUERIES, 1)
    with pytest.raises(ValueError, match="run 1 has other"):
        fuse([run, hits({"a": 1.0}, {"b": 1.0})], how="raw")
    with pytest.raises(ValueError, match="run 1 has other"):
        fuse([run, hits({"a": 1.0}, documents=("a", "c", "b", "d"))], how="raw")
    with pytest.raises(ValueError, match="query '0' has an infinite score"):
        fuse([run, hits({"a": np.inf})], how="raw")
    for weights in [(1.0,), (1.0, -1.0), (1.0, np.nan)]:
        with pytest.raises(ValueError, match="weights must be 2 finite numbers"):
            fuse([run, run], how="raw", weights=weights)
    for k in (0, 5):
        with pytest.raises(ValueError, match=f"at most n=4, got {k}"):
            fuse([run, run], how="raw", k=k)
