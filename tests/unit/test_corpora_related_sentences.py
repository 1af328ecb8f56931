"""Graded pairs from docstrings, against docstrings written here."""

import pytest

from workbench.corpora import Corpus
from workbench.corpora.related_sentences import related_sentences

MODULES = ("ape", "bee", "cat", "dog", "eel")
PLACES = [(module, number) for module in MODULES for number in range(12)]


def doc(module, number):
    return f"First words of {module} number {number}.\n\nx : int\n\nLater words of {module} number {number}."


def corpus(texts=None):
    texts = [doc(*place) for place in PLACES] if texts is None else texts
    modules = [place[0] for place in PLACES] if len(texts) == len(PLACES) else ["ape"] * len(texts)
    return Corpus(texts, {"module": modules})


def owner(sentence):
    """Module and number that a sentence written above names."""
    words = sentence.rstrip(".").split()
    return words[3], words[5]


def test_scores_say_where_the_two_sentences_stand():
    pairs = related_sentences(corpus(), n=30)
    assert pairs.scores.tolist() == [2, 1, 0] * 10
    for left, right, score, module in zip(pairs.left, pairs.right, pairs.scores, pairs.columns["module"], strict=True):
        one, other = owner(left), owner(right)
        assert left.startswith("First")
        assert right.startswith("Later"), "the list of parameters is no sentence"
        assert module == one[0]
        assert score == (2 if one == other else 1 if one[0] == other[0] else 0)


def test_no_sentence_comes_twice_and_a_smaller_draw_is_the_head_of_a_larger():
    large, small = related_sentences(corpus(), n=30, seed=3), related_sentences(corpus(), n=7, seed=3)
    assert len(set(large.left)) == len(set(large.right)) == 30
    assert list(large.left[:7]) == list(small.left)
    assert list(large.right[:7]) == list(small.right)
    assert list(large.left) != list(related_sentences(corpus(), n=30, seed=4).left)


@pytest.mark.parametrize(
    "text",
    [
        "Only one sentence here.",
        "Two words.\n\nA later sentence of six words.",
        "The same words here again.\n\nThe same words here again.",
        "A first sentence of words.\n\nx : int, the number of them",
        "A first sentence of words.\n\n" + "many " * 41 + "words.",
    ],
)
def test_docstrings_without_two_sentences_give_none(text):
    with pytest.raises(ValueError, match="0 docstrings make 0 pairs, n=1 wanted"):
        related_sentences(corpus([text]), n=1)


def test_refusals():
    with pytest.raises(ValueError, match=r"60 docstrings make .* pairs, n=60 wanted"):
        related_sentences(corpus(), n=60)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        related_sentences(corpus(), n=0)
    with pytest.raises(ValueError, match="no column 'module'"):
        related_sentences(Corpus(["A text."]), n=1)
