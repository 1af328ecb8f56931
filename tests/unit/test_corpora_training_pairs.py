"""Pairs to train on, against rows written by hand."""

import pytest

from workbench.corpora import Pairs, Retrieval
from workbench.corpora.training_pairs import answered_pairs, joined_pairs

ONE = Pairs(["a", "b", "c"], ["x", "y", "z"], [5.0, 4.0, 4.5])
TWO = Pairs(["d", "e"], ["a", "w"], [1.0, 1.0])


def rows(pairs):
    return list(zip(pairs.left, pairs.right, pairs.scores.tolist(), strict=True))


def test_sets_follow_one_another():
    assert rows(joined_pairs([TWO, ONE])) == [*rows(TWO), *rows(ONE)]
    assert joined_pairs([TWO, ONE]).columns["set"] == (TWO.source.name,) * 5


def test_a_row_with_a_held_text_on_either_side_goes():
    held = Pairs(["y", "no such text"], ["a", "e "], [0.0, 0.0])
    assert rows(joined_pairs([ONE, TWO], without=[held])) == [("c", "z", 4.5), ("e", "w", 1.0)]


def test_the_fingerprint_follows_the_rows():
    whole = joined_pairs([ONE, TWO])
    assert whole.source.fingerprint == joined_pairs([ONE, TWO]).source.fingerprint
    assert whole.source.fingerprint != joined_pairs([TWO, ONE]).source.fingerprint
    assert whole.source.kind == "made"


def test_each_query_stands_beside_each_relevant_document():
    data = Retrieval(
        {"d1": "first", "d2": "second", "d3": "third"},
        {"q1": "one?", "q2": "two?", "q3": "three?"},
        {"q1": {"d2": 2, "d3": 0}, "q3": {"d1": 1, "d3": 1}},
    )
    pairs = answered_pairs(data)
    assert rows(pairs) == [("one?", "second", 2.0), ("three?", "first", 1.0), ("three?", "third", 1.0)]
    assert pairs.columns == {"query": ("q1", "q3", "q3"), "document": ("d2", "d1", "d3")}


def test_refusals():
    with pytest.raises(ValueError, match="no row of 1 sets is left after 6 texts"):
        joined_pairs([ONE], without=[ONE])
    with pytest.raises(ValueError, match="no row of 0 sets"):
        joined_pairs([])
    with pytest.raises(ValueError, match="none of 1 queries has a relevant document"):
        answered_pairs(Retrieval({"d": "text"}, {"q": "text?"}, {"q": {"d": 0}}))
