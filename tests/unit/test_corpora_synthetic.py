"""Synthetic texts against what a trigram model and a replacement by frequency may and may not make."""

from collections import Counter

import numpy as np
import pytest

from workbench.corpora import infill_words, trigram_texts

SOURCE = ["a b c d", "a b e", "x b c", "", "solo"]


def test_a_trigram_text_is_made_of_runs_of_three_that_the_source_holds():
    seen = set()
    for words in (["", "", *text.split(), ""] for text in SOURCE if text):
        seen |= set(zip(words, words[1:], words[2:], strict=False))
    drawn = trigram_texts(SOURCE, n=400, seed=0)
    assert len(drawn) == 400
    for text in drawn:
        words = ["", "", *text.split(), ""]
        assert set(zip(words, words[1:], words[2:], strict=False)) <= seen
    # three of the four texts that hold words begin with a, a and x: the model goes by their shares
    first = Counter(text.split()[0] for text in drawn)
    assert first["a"] / 400 == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 400))
    # after "a b" the source goes on with c or e alike; after "x b" only with c
    after = Counter(text.split()[2] for text in drawn if text.startswith("a b"))
    assert after["c"] / sum(after.values()) == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / sum(after.values())))


def test_trigram_texts_follow_their_seed_and_their_length():
    assert trigram_texts(SOURCE, n=20, seed=1) == trigram_texts(SOURCE, n=20, seed=1)
    assert trigram_texts(SOURCE, n=20, seed=1) != trigram_texts(SOURCE, n=20, seed=2)
    assert max(len(text.split()) for text in trigram_texts(["o o o o o o o o"], n=30, seed=0, longest=5)) == 5


def test_infilling_replaces_its_share_with_the_sources_frequencies():
    texts = ["w " * 50] * 80
    filled = infill_words(texts, rate=0.3, seed=0, source=["p p p q"])
    words = Counter(" ".join(filled).split())
    total = 80 * 50
    assert (words["p"] + words["q"]) / total == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / total))
    assert words["p"] / (words["p"] + words["q"]) == pytest.approx(0.75, abs=0.06)
    assert all(new.endswith(" ") and len(new.split()) == 50 for new in filled)


def test_infilling_nothing_changes_nothing_and_all_leaves_no_word():
    assert infill_words(["one  two\n", ""], rate=0, seed=0) == ["one  two\n", ""]
    assert infill_words(["one  two\n"], rate=1, seed=0, source=["z"]) == ["z  z\n"]
    assert infill_words(["a b c"] * 2, rate=0.5, seed=3)[0] == infill_words(["a b c"], rate=0.5, seed=3)[0]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: trigram_texts(["", " "], n=2, seed=0), ValueError, "holds a word"),
        (lambda: trigram_texts(["a"], n=0, seed=0), ValueError, "at least 1"),
        (lambda: trigram_texts(["a"], n=2, seed=0, longest=0), ValueError, "at least 1"),
        (lambda: trigram_texts("abc", n=2, seed=0), TypeError, "texts"),
        (lambda: trigram_texts(["a"], n=2.5, seed=0), TypeError, "n must be an int"),
        (lambda: trigram_texts(["a"], n=2, seed=True), TypeError, "seed must be an int"),
        (lambda: infill_words(["a"], rate=2, seed=0), ValueError, "rate must be in"),
        (lambda: infill_words(["a"], rate="x", seed=0), TypeError, "rate must be a number"),
        (lambda: infill_words(["a"], rate=0.1, seed=0, source=[" "]), ValueError, "no word"),
        (lambda: infill_words([3], rate=0.1, seed=0), TypeError, "infill_words"),
    ],
)
def test_synthetic_texts_refuse(call, error, words):
    with pytest.raises(error, match=words):
        call()
