"""Counted words against counts made by hand and numpy's singular value decomposition."""

import numpy as np
import pytest

from workbench.encoders.counted import hashed_encoder, tfidf_encoder

TEXTS = ["red green", "red red blue", "green blue yellow", "black white", "white white red"]


def test_latent_dimensions_are_the_largest_of_the_tfidf_table():
    vocabulary = sorted({word for text in TEXTS for word in text.split()})
    counts = np.array([[text.split().count(word) for word in vocabulary] for text in TEXTS], dtype=float)
    idf = np.log((1 + len(TEXTS)) / (1 + (counts > 0).sum(axis=0))) + 1
    table = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * idf
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    u, s, _ = np.linalg.svd(table, full_matrices=False)
    expected = u[:, :3] * s[:3]
    rows = tfidf_encoder(TEXTS, dimensions=3, seed=0).encode(TEXTS)
    assert rows.shape == (5, 4)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[:, :3] @ rows[:, :3].T, expected @ expected.T, atol=1e-6)


def test_hashed_words_keep_inner_products_and_order_plays_no_part():
    wide = hashed_encoder("words", dimensions=2**16)
    x = wide.encode(["Red green", "green red", "red blue", "yellow"]).astype(float)[:, :-1]
    np.testing.assert_allclose(x @ x.T, [[1, 1, 0.5, 0], [1, 1, 0.5, 0], [0.5, 0.5, 1, 0], [0, 0, 0, 1]], atol=1e-6)


def test_hashed_characters_see_what_words_share():
    x = hashed_encoder("characters", dimensions=2**16).encode(["colour", "colours", "xyz"]).astype(float)[:, :-1]
    assert x[0] @ x[1] > 0.7
    assert abs(x[0] @ x[2]) < 1e-9


@pytest.mark.parametrize("encoder", [tfidf_encoder(TEXTS, dimensions=2, seed=0), hashed_encoder("words", dimensions=8)])
def test_a_text_without_a_known_word_has_a_vector_and_an_empty_list_none(encoder):
    rows = encoder.encode(["", "!?"])
    np.testing.assert_array_equal(rows[0], rows[1])
    assert np.linalg.norm(rows[0]) > 0
    assert encoder.encode([]).shape == (0, rows.shape[1])


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="below 5, got 5"):
        tfidf_encoder(TEXTS, dimensions=5, seed=0)
    with pytest.raises(ValueError, match="got 0"):
        tfidf_encoder(TEXTS, dimensions=0, seed=0)
    with pytest.raises(ValueError, match="'letters'"):
        hashed_encoder("letters", dimensions=8)
    with pytest.raises(ValueError, match="0"):
        hashed_encoder("words", dimensions=0)
