"""Who likes what, against what the texts themselves say."""

import re
from collections import Counter

import numpy as np
import pytest

from workbench.corpora.likes import relevance_pairs, who_likes

PATTERNS = ("dense", "random", "cycle", "disjoint")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pairs_are_of_two_different_documents_and_none_comes_twice(pattern):
    pairs = relevance_pairs(pattern, n_queries=40, n_documents=90, seed=0)
    assert pairs.shape == (40, 2)
    assert len({frozenset(pair) for pair in pairs.tolist()}) == 40
    assert all(len(set(pair)) == 2 and max(pair) < 90 and min(pair) >= 0 for pair in pairs.tolist())
    assert (pairs == relevance_pairs(pattern, n_queries=40, n_documents=90, seed=0)).all()
    assert (pairs != relevance_pairs(pattern, n_queries=40, n_documents=90, seed=1)).any()


def test_each_pattern_has_its_degrees():
    found = {p: relevance_pairs(p, n_queries=36, n_documents=90, seed=2) for p in PATTERNS}
    degrees = {p: Counter(pairs.ravel().tolist()) for p, pairs in found.items()}
    assert sorted(degrees["dense"].values()) == [8] * 9  # all 36 pairs of 9 documents
    assert sorted(degrees["cycle"].values()) == [2] * 36
    assert sorted(degrees["disjoint"].values()) == [1] * 72
    assert len(degrees["random"]) > 36
    near, after = {}, None
    for a, b in found["cycle"].tolist():
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    start = last = next(iter(near))
    walked = [start]
    while (after := next((x for x in near[last] if x not in walked), None)) is not None:
        walked.append(after)
        last = after
    assert len(walked) == 36, "one ring, not several"
    assert start in near[last]


def test_a_dense_pattern_leaves_pairs_out_when_there_are_fewer_queries():
    pairs = relevance_pairs("dense", n_queries=30, n_documents=50, seed=0)
    assert len(set(pairs.ravel().tolist())) == 9  # 28 pairs of 8 are too few
    counts = Counter(relevance_pairs("random", n_queries=1, n_documents=4, seed=s)[0].tolist()[0] for s in range(400))
    assert min(counts.get(d, 0) for d in range(4)) > 50, "random pairs reach every document"


def attributes_of(text):
    """The attributes that a text lists, cut at its commas."""
    return re.split(", | and ", re.fullmatch(r"\w+ \w+ likes (.*)\.", text).group(1))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_two_answers_alone_like_what_is_asked_for(pattern):
    pairs = relevance_pairs(pattern, n_queries=36, n_documents=80, seed=0)
    data = who_likes(pairs, n_people=80, n_likes=9, seed=5)
    likes = {name: attributes_of(text) for name, text in data.documents.items()}
    assert len(likes) == 80
    for name, text in data.documents.items():
        assert text.startswith(f"{name} likes ")
        assert len(set(likes[name])) == 9
    names = list(data.documents)
    for (query, text), pair in zip(data.queries.items(), pairs.tolist(), strict=True):
        attribute = re.fullmatch(r"Who likes (.*)\?", text).group(1)
        holders = {name for name, own in likes.items() if attribute in own}
        assert holders == {names[p] for p in pair} == set(data.qrels[query])
        words = set(attribute.lower().split())
        touched = {n for n, t in data.documents.items() if words & set(re.findall(r"\w+", t.lower()))}
        assert touched == holders, "no other text holds a word of the attribute"


def test_what_is_asked_comes_at_no_fixed_place():
    pairs = relevance_pairs("disjoint", n_queries=40, n_documents=80, seed=0)
    data = who_likes(pairs, n_people=80, n_likes=8, seed=0)
    asked = [text.removeprefix("Who likes ").removesuffix("?") for text in data.queries.values()]
    places = [attributes_of(t).index(a) for t in data.documents.values() for a in asked if a in attributes_of(t)]
    assert len(places) == 80
    assert set(places) == set(range(8))


def test_sets_that_begin_far_enough_apart_ask_for_different_things():
    pairs = relevance_pairs("dense", n_queries=36, n_documents=9, seed=0)
    train, test, again = (who_likes(pairs, n_people=9, n_likes=8, seed=1, first=first) for first in (0, 36, 36))
    assert not set(train.queries.values()) & set(test.queries.values())
    assert test.documents == again.documents
    other = who_likes(pairs, n_people=9, n_likes=8, seed=2, first=36)
    assert set(other.queries.values()) != set(test.queries.values())
    assert train.source.fingerprint != test.source.fingerprint == again.source.fingerprint


ONE = np.array([[0, 1]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: relevance_pairs("star", n_queries=3, n_documents=9, seed=0), "pattern must be one of dense"),
        (lambda: relevance_pairs("dense", n_queries=0, n_documents=9, seed=0), "need"),
        (lambda: relevance_pairs("cycle", n_queries=2, n_documents=9, seed=0), "cycle"),
        (lambda: relevance_pairs("disjoint", n_queries=5, n_documents=9, seed=0), "need 10 documents"),
        (lambda: relevance_pairs("dense", n_queries=37, n_documents=9, seed=0), "need 10 documents"),
        (lambda: who_likes(ONE.astype(float), n_people=3, n_likes=4, seed=0), "integers of shape"),
        (lambda: who_likes(ONE[0], n_people=3, n_likes=4, seed=0), "integers of shape"),
        (lambda: who_likes(ONE, n_people=1, n_likes=4, seed=0), "people 0..0, got 0..1"),
        (lambda: who_likes(np.array([[0, 1], [2, 2]]), n_people=3, n_likes=4, seed=0), "query 1 must have two"),
        (lambda: who_likes(np.array([[0, 1], [0, 2], [0, 3]]), n_people=4, n_likes=2, seed=0), "the 3 queries"),
        (lambda: who_likes(ONE, n_people=3, n_likes=2000, seed=0), "that nobody asks for"),
        (lambda: who_likes(ONE, n_people=3, n_likes=4, seed=0, first=5000), "there are"),
        (lambda: who_likes(ONE, n_people=10**6, n_likes=2, seed=0), "names for"),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
