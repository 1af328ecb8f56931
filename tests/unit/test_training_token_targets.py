"""Targets over tokens, against dictionaries of counts."""

import math
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from workbench.training.token_targets import inverse_frequencies, token_targets

TEXTS = [[3, 1, 3, 2], [1, 4], [4, 4, 4, 1, 2, 2], [1]]
V = 6


def by_hand(text, weights, top):
    """(token, share) of the heaviest tokens."""
    weight = {token: count * weights[token] for token, count in Counter(text).items() if weights[token] > 0}
    kept = sorted(weight.items(), key=lambda pair: (-pair[1], pair[0]))[:top]
    total = sum(w for _, w in kept)
    return [(token, w / total) for token, w in kept]


def test_inverse_frequencies_count_texts_not_tokens():
    expected = [math.log(4)] * V  # tokens 0 and 5 are in no text, 3 is in one
    expected[1], expected[2], expected[4] = 0.0, math.log(2), math.log(2)
    assert inverse_frequencies(TEXTS, vocabulary=V) == pytest.approx(expected, abs=1e-12)


def test_scikit_learn_has_the_same_frequencies():
    words = [" ".join(f"w{token}" for token in text) for text in TEXTS]
    peer = TfidfVectorizer(smooth_idf=False, vocabulary=[f"w{v}" for v in (1, 2, 3, 4)]).fit(words)
    assert inverse_frequencies(TEXTS, vocabulary=V)[1:5] == pytest.approx(peer.idf_ - 1, abs=1e-12)


@pytest.mark.parametrize("top", [1, 2, 5])
@pytest.mark.parametrize("weights", [[1.0] * V, [1, 0, 0.5, 2, 0.3, 1], [0, 1e-9, 0, 0, 7, 0]])
def test_targets_are_the_heaviest_tokens(weights, top):
    weights = np.array(weights, dtype=float)
    texts = [text for text in TEXTS if by_hand(text, weights, top)]
    assert len(texts) >= 2
    tokens, shares = token_targets(texts, weights, top=top)
    assert tokens.shape == shares.shape == (len(texts), top)
    assert (tokens.dtype, shares.dtype) == (np.int64, np.float32)
    for text, found, share in zip(texts, tokens, shares, strict=True):
        expected = by_hand(text, weights, top)
        assert found.tolist() == [token for token, _ in expected] + [0] * (top - len(expected))
        assert share.tolist() == pytest.approx([s for _, s in expected] + [0] * (top - len(expected)), abs=1e-6)


def test_a_scale_of_the_weights_and_the_order_of_tokens_do_not_matter():
    weights = np.array([1, 2, 0.5, 3, 0.3, 1])
    one, other = token_targets(TEXTS, weights, top=3), token_targets([t[::-1] for t in TEXTS], 4 * weights, top=3)
    assert (one[0] == other[0]).all()
    assert (one[1] == other[1]).all()


def test_refused():
    with pytest.raises(ValueError, match="one text or more"):
        inverse_frequencies([], vocabulary=V)
    with pytest.raises(ValueError, match=r"text 1: tokens must lie in 0\.\.5, got 1 to 6"):
        inverse_frequencies([[1], [6, 1]], vocabulary=V)
    with pytest.raises(ValueError, match="text 0: tokens must lie"):
        token_targets([[-1, 2]], np.ones(V), top=2)
    with pytest.raises(ValueError, match="top must be 1 or more, got 0"):
        token_targets(TEXTS, np.ones(V), top=0)
    for weights in (np.ones((2, 3)), np.array([1.0, -1.0]), np.array([1.0, np.nan])):
        with pytest.raises(ValueError, match="weights must be"):
            token_targets(TEXTS, weights, top=2)
    with pytest.raises(ValueError, match="text 1 has no token"):
        token_targets([[3], [1, 1], []], np.array([0, 0, 1, 1, 1, 1.0]), top=2)
    with pytest.raises(ValueError, match="text 1 has no token"):
        token_targets([[3], []], np.ones(V), top=2)
