"""Smaller corpora against small ones worked out by hand."""

import itertools

import pytest

from workbench.corpora import Retrieval
from workbench.corpora.smaller import relevant_documents, sampled_corpus, with_documents

DATA = Retrieval(
    documents={name: f"text of {name}" for name in "abcdefgh"},
    queries={"p": "first", "q": "second"},
    qrels={"p": {"h": 1, "a": 0}, "q": {"g": 2}},
    candidates={"p": ["a", "c", "h"]},
    document_columns={"place": tuple(range(8))},
)


def test_queries_stay_and_what_names_a_missing_document_goes():
    small = with_documents(DATA, ["h", "b", "g"])
    assert small.documents == {"b": "text of b", "g": "text of g", "h": "text of h"}
    assert small.queries == DATA.queries
    assert small.qrels == {"p": {"h": 1}, "q": {"g": 2}}
    assert small.candidates == {"p": ["h"]}
    assert small.document_columns == {"place": (1, 6, 7)}
    assert relevant_documents(DATA) == {"g", "h"}


def test_sampled_documents_are_the_relevant_ones_and_n_in_all_and_nest():
    corpora = [sampled_corpus(DATA, n=n, seed=0) for n in range(2, 9)]
    for n, corpus in enumerate(corpora, start=2):
        assert len(corpus.documents) == n
        assert {"g", "h"} <= set(corpus.documents)
    assert all(set(a.documents) < set(b.documents) for a, b in itertools.pairwise(corpora))
    assert list(corpora[-1].documents) == list(DATA.documents)
    drawn = {tuple(sampled_corpus(DATA, n=4, seed=seed).documents) for seed in range(300)}
    assert len(drawn) == 15, "every pair of the six others is drawn by some seed"


@pytest.mark.parametrize("n", [1, 9])
def test_a_sample_that_cannot_be_is_refused(n):
    with pytest.raises(ValueError, match="between 2 relevant and 8 documents"):
        sampled_corpus(DATA, n=n, seed=0)


@pytest.mark.parametrize(("chosen", "words"), [(["a", "z"], "no document 'z'"), ([], "none is chosen")])
def test_documents_that_are_not_there_are_refused(chosen, words):
    with pytest.raises(ValueError, match=words):
        with_documents(DATA, chosen)
