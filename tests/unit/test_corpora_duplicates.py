import random

import pytest
from sklearn.feature_extraction.text import CountVectorizer

from workbench.corpora.duplicates import distinct_rows


def distinct_by_all_pairs(texts: list[str], threshold: float) -> list[int]:
    """The rule of `distinct_rows` on scikit-learn's word 4-grams, every pair compared."""
    grams = CountVectorizer(ngram_range=(4, 4), token_pattern=r"\w+", binary=True).fit_transform(texts).toarray() > 0
    kept: list[int] = []
    for row, own in enumerate(grams):
        if all((own & grams[k]).sum() / (own | grams[k]).sum() < threshold for k in kept):
            kept.append(row)
    return kept


def versions_of_texts(seed: int) -> list[str]:
    """40 texts of 60 words; every second one again with one word changed, every third with twelve."""
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(300)]
    texts = []
    for i in range(40):
        text = rng.choices(words, k=60)
        texts.append(text)
        for changes in ((1,) if i % 2 == 0 else ()) + ((12,) if i % 3 == 0 else ()):
            other = list(text)
            for place in range(0, 60, 60 // changes):
                other[place] = "changed"
            texts.append(other)
    rng.shuffle(texts)
    return [" ".join(text) for text in texts]


@pytest.mark.parametrize("seed", range(3))
def test_near_duplicates_are_those_of_all_pairs(seed):
    # one word changed in 60: resemblance 0.86 to 0.97; twelve, five apart: 0.05; so none is near the threshold
    texts = versions_of_texts(seed)
    expected = distinct_by_all_pairs(texts, 0.7)
    assert distinct_rows(texts) == expected
    assert len(expected) == len(texts) - 20


def test_the_first_of_equal_texts_is_kept():
    assert distinct_rows(["a b c d e", "x", "A b, c  d e!", "x", "y", "..."]) == [0, 1, 4, 5]


def test_texts_under_four_words_are_compared_as_a_whole():
    assert distinct_rows(["a b c", "a b", "a b d", "b a c", "A b c."]) == [0, 1, 2, 3]


def test_the_threshold_decides():
    # 4-grams: 5 of the first, 6 of the second, 5 shared: resemblance 5/6
    texts = ["a b c d e f g h", "a b c d e f g h i"]
    assert distinct_rows(texts, threshold=0.83) == [0]
    assert distinct_rows(texts, threshold=0.84) == [0, 1]


def test_no_texts_give_no_rows():
    assert distinct_rows([]) == []


@pytest.mark.parametrize("threshold", [0.0, 1.1, float("nan")])
def test_a_threshold_outside_its_range_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold must be in"):
        distinct_rows(["a"], threshold=threshold)
