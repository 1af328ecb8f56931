"""Metrics with ties against the mean over every order that they could stand in."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from workbench.evaluation.score_matrices import expected_ndcg, expected_precision, likeness


def precision_of(order, relevant):
    found, total = 0, 0.0
    for place, document in enumerate(order, start=1):
        if relevant[document]:
            found += 1
            total += found / place
    return total / sum(relevant)


def gain_of(order, relevant, k):
    gained = sum(1 / np.log2(place + 2) for place, d in enumerate(order[:k]) if relevant[d])
    return gained / sum(1 / np.log2(place + 2) for place in range(min(k, sum(relevant))))


def over_all_orders(measure, scores, relevant):
    """Mean over the permutations that put larger scores first; minus infinity is left out."""
    ranked = [d for d in range(len(scores)) if scores[d] > -np.inf]
    orders = [o for o in permutations(ranked) if all(scores[a] >= scores[b] for a, b in pairwise(o))]
    return np.mean([measure(order, relevant) for order in orders])


@pytest.mark.parametrize("levels", [1, 2, 3, 7])
def test_it_is_the_mean_over_all_orders(levels):
    rng = np.random.default_rng(levels)
    scores, relevant = rng.integers(levels, size=(12, 6)).astype(float), rng.random((12, 6)) < 0.4
    relevant[:, 0] |= ~relevant.any(axis=1)
    scores[::3, 1] = -np.inf
    expected = [over_all_orders(precision_of, *row) for row in zip(scores, relevant, strict=True)]
    assert expected_precision(scores, relevant) == pytest.approx(expected, abs=1e-12)
    for k in (1, 3, 6, 50):
        gains = [over_all_orders(lambda o, r: gain_of(o, r, k), *row) for row in zip(scores, relevant, strict=True)]  # noqa: B023
        assert expected_ndcg(scores, relevant, k=k) == pytest.approx(gains, abs=1e-12)


def test_without_ties_it_is_scikit_learns():
    rng = np.random.default_rng(0)
    scores, relevant = rng.normal(size=(9, 40)), rng.random((9, 40)) < 0.2
    relevant[:, 0] |= ~relevant.any(axis=1)
    expected = [average_precision_score(r, s) for r, s in zip(relevant, scores, strict=True)]
    assert expected_precision(scores, relevant) == pytest.approx(expected, abs=1e-12)
    gains = [ndcg_score(r[None].astype(int), s[None], k=10) for r, s in zip(relevant, scores, strict=True)]
    assert expected_ndcg(scores, relevant) == pytest.approx(gains, abs=1e-12)


def test_the_order_of_documents_plays_no_part():
    rng = np.random.default_rng(1)
    scores, relevant, order = rng.integers(3, size=(5, 30)), rng.random((5, 30)) < 0.3, rng.permutation(30)
    relevant[:, 0] = True
    for measure in (expected_precision, expected_ndcg):
        assert measure(scores[:, order], relevant[:, order]) == pytest.approx(measure(scores, relevant), abs=1e-12)


def test_a_relevant_document_that_is_not_ranked_is_missed():
    scores, relevant = np.array([[2.0, 1.0, -np.inf]]), np.array([[True, False, True]])
    assert expected_precision(scores, relevant).tolist() == [0.5]
    assert expected_precision(np.full((1, 3), -np.inf), relevant).tolist() == [0]
    assert expected_ndcg(np.full((1, 3), -np.inf), relevant).tolist() == [0]


def test_likeness_of_bits_is_their_hamming_distance_and_of_vectors_the_cosine():
    rng = np.random.default_rng(0)
    bits, rows = rng.random((6, 9)) < 0.5, rng.normal(size=(6, 4)).astype(np.float32)
    for i, j in np.ndindex(6, 6):
        far = (bits[i] != bits[j]).sum()
        cosine = rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j])
        assert likeness(bits)[i, j] == (-np.inf if i == j else 9 - 2 * far)
        assert likeness(rows)[i, j] == pytest.approx(-np.inf if i == j else cosine, abs=1e-6)


FINE, YES = np.zeros((2, 3)), np.ones((2, 3), dtype=bool)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: likeness(np.ones((2, 2), dtype=int)), "bools or floats"),
        (lambda: likeness(np.ones(2)), r"shape \(2,\)"),
        (lambda: likeness(np.array([[1.0, 0.0], [0.0, 0.0]])), "row 1 is zero or not finite"),
        (lambda: likeness(np.array([[np.nan, 0.0], [1.0, 0.0]])), "row 0 is zero or not finite"),
        (lambda: expected_precision(FINE, YES[:1]), r"got \(2, 3\) and bool \(1, 3\)"),
        (lambda: expected_precision(FINE[0], YES[0]), r"shape \(m, n\)"),
        (lambda: expected_precision(FINE, FINE), "float64"),
        (lambda: expected_precision(FINE * np.nan, YES), "minus infinity"),
        (lambda: expected_ndcg(FINE + np.inf, YES), "minus infinity"),
        (lambda: expected_ndcg(FINE, YES & np.array([[True], [False]])), "query 1 has no relevant document"),
        (lambda: expected_ndcg(FINE, YES, k=0), "k must be 1 or more, got 0"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
