"""Siblings by the names that the corpus was made of."""

from collections import Counter

import pytest

from workbench.corpora import Corpus, sibling_pairs


def corpus(sizes=(7, 4, 2, 1, 30)):
    """A class or module per size, with as many docstrings that name it."""
    rows = [
        (f"Text {i} of parent {p}.", f"package.part{p}.thing{i}") for p, size in enumerate(sizes) for i in range(size)
    ]
    texts, names = zip(*rows, strict=True)
    return Corpus(texts, {"name": names})


def parent_of(text):
    return text.rstrip(".").split()[-1]


def test_true_pairs_share_their_parent_and_wrong_ones_do_not():
    pairs = sibling_pairs(corpus(), n=12, most=20)
    assert len(pairs) == 24
    assert pairs.scores.tolist() == [1, 0] * 12
    for left, right, score, parent in zip(pairs.left, pairs.right, pairs.scores, pairs.columns["parent"], strict=True):
        assert parent == f"package.part{parent_of(left)}"
        assert (parent_of(left) == parent_of(right)) == (score == 1)
        assert left != right
    assert list(pairs.left[::2]) == list(pairs.left[1::2]), "a text is asked with a true and with a wrong partner"


def test_a_text_is_in_one_true_pair():
    pairs = sibling_pairs(corpus(), n=19, most=20)
    used = [*pairs.left[::2], *pairs.right[::2]]
    assert len(set(used)) == len(used) == 38


def test_a_parent_gives_no_more_than_asked_and_uses_what_it_has():
    pairs = sibling_pairs(corpus(), n=7, most=2)
    counts = Counter(parent_of(text) for text in pairs.left[::2])
    assert counts == {"0": 2, "1": 2, "2": 1, "4": 2}


def test_true_pairs_of_a_smaller_draw_are_the_head_of_a_larger_and_the_seed_matters():
    small, large = (sibling_pairs(corpus(), n=n, most=20, seed=3) for n in (8, 15))
    assert list(large.left[:16]) == list(small.left)
    assert list(large.right[:16:2]) == list(small.right[::2])
    assert list(sibling_pairs(corpus(), n=15, most=20, seed=4).left) != list(large.left)


def test_the_wrong_partner_is_the_next_right_text_of_another_parent():
    pairs = sibling_pairs(corpus((4, 4)), n=4)
    rights, parents = list(pairs.right[::2]), list(pairs.columns["parent"][::2])
    for i in range(4):
        wanted = next(j % 4 for j in range(i + 1, i + 4) if parents[j % 4] != parents[i])
        assert pairs.right[2 * i + 1] == rights[wanted]


def test_a_name_without_a_parent_gives_nothing():
    names = ["one", "two", "a.x", "a.y", "b.x", "b.y"]
    pairs = sibling_pairs(Corpus([f"Text {i}" for i in range(6)], {"name": names}), n=2)
    assert {*pairs.left, *pairs.right} == {"Text 2", "Text 3", "Text 4", "Text 5"}


@pytest.mark.parametrize(
    ("docs", "change", "words"),
    [
        (Corpus(["A text."]), {}, "no column 'name'"),
        (corpus(), {"n": 0}, "at least 1, got 0 and 6"),
        (corpus(), {"most": 0}, "at least 1, got 2 and 0"),
        (corpus(), {"n": 30}, "44 docstrings make 12 pairs, n=30 wanted"),
        (corpus((1, 1)), {}, "2 docstrings make 0 pairs"),
        (corpus((8,)), {}, "all 2 pairs are of package.part0"),
    ],
)
def test_refusals(docs, change, words):
    with pytest.raises(ValueError, match=words):
        sibling_pairs(docs, **({"n": 2} | change))
