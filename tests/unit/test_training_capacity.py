"""Free vectors against loops written here, autograd with torch's Adam, and small cases with a known answer."""

import itertools
import math

import numpy as np
import pytest
import torch

from workbench.training import capacity as module
from workbench.training.capacity import all_pairs, free_vectors, moment_curve, separations, size_search


def loop_margin(queries, documents, sets):
    """Smallest gap of any query, counted one by one."""
    gaps = []
    for query, own in zip(queries, sets, strict=True):
        scores = [math.fsum(q * d for q, d in zip(query, document, strict=True)) for document in documents]
        others = [score for place, score in enumerate(scores) if place not in own]
        gaps.append(min(scores[place] for place in own) - max(others))
    return min(gaps)


def test_every_set_of_k_documents_has_its_query():
    relevant = all_pairs(5, k=3)
    assert [tuple(np.flatnonzero(row)) for row in relevant] == list(itertools.combinations(range(5), 3))


@pytest.mark.parametrize(("n", "k"), [(4, 2), (11, 2), (30, 2), (3, 1), (9, 3), (8, 4)])
def test_the_moment_curve_solves_every_set_in_2k_dimensions(n, k):
    queries, documents = moment_curve(n, k=k)
    assert queries.shape == (math.comb(n, k), 2 * k)
    assert documents.shape == (n, 2 * k)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(documents, axis=1), 1, atol=1e-12)
    sets = list(itertools.combinations(range(n), k))
    margin = loop_margin(queries.tolist(), documents.tolist(), sets)
    assert margin > 1e-9
    assert float(separations(queries, documents, all_pairs(n, k=k)).min()) == pytest.approx(margin, abs=1e-14)


def test_the_query_of_a_pair_is_the_closed_form():
    """For documents a and b: (cos a + cos b, sin a + sin b, -cos(a + b) / 2, -sin(a + b) / 2), up to its length."""
    queries, _ = moment_curve(7)
    angles = 2 * np.pi * np.arange(7) / 7
    for query, (i, j) in zip(queries, itertools.combinations(range(7), 2), strict=True):
        a, b = angles[i], angles[j]
        by_hand = [np.cos(a) + np.cos(b), np.sin(a) + np.sin(b), -np.cos(a + b) / 2, -np.sin(a + b) / 2]
        np.testing.assert_allclose(query, by_hand / np.linalg.norm(by_hand), atol=1e-12)


def test_a_precision_that_cannot_tell_documents_apart_has_no_margin():
    queries, documents = (torch.from_numpy(x) for x in moment_curve(100))
    assert float(separations(queries, documents, all_pairs(100)).min()) > 0
    assert float(separations(queries.bfloat16(), documents.bfloat16(), all_pairs(100)).min()) <= 0


def test_equal_scores_are_not_solved():
    assert separations(np.eye(2), np.ones((3, 2)), np.eye(2, 3, dtype=bool)).tolist() == [0, 0]


def test_every_query_has_its_own_gap():
    """Scores by hand: the first query 3, 1 | 2, the second 0 | -1, 5."""
    documents, relevant = np.array([[3.0, 0], [1, -1], [2, 5]]), np.array([[True, True, False], [True, False, False]])
    assert separations(np.eye(2), documents, relevant).tolist() == [-1, -5]
    assert separations(np.stack([np.eye(2), -np.eye(2)]), documents, relevant).tolist() == [[-1, -5], [-1, -1]]


def by_autograd(relevant, width, seed, steps, lr=0.01, temperature=0.1):
    """The recipe with torch's own Adam: rows, and the loss before each update."""
    m, n = relevant.shape
    drawn = torch.randn(m + n, width, generator=torch.Generator().manual_seed(seed))
    rows = (drawn / drawn.norm(dim=1, keepdim=True)).requires_grad_()
    adam = torch.optim.Adam([rows], lr=lr)
    for _ in range(steps):
        terms = []
        for i, j in zip(*np.nonzero(relevant), strict=True):
            scores = rows[m:] @ rows[i] / temperature
            terms.append(torch.log(torch.exp(scores).sum()) - scores[j])
        adam.zero_grad()
        torch.stack(terms).mean().backward()
        adam.step()
        with torch.no_grad():
            rows /= rows.norm(dim=1, keepdim=True)
    return rows.detach()


@pytest.mark.parametrize("ragged", [False, True])
def test_the_updates_are_those_of_torchs_adam(ragged):
    relevant = all_pairs(5)
    if ragged:  # one query with three relevant documents, one with one: every pair counts the same
        relevant[0, 4], relevant[1] = True, [False, True, False, False, False]
    rows = by_autograd(relevant, width=3, seed=4, steps=50)
    fitted = free_vectors(relevant, width=3, seeds=[4], steps=50)
    np.testing.assert_allclose(torch.cat([fitted.queries[0], fitted.documents[0]]), rows, atol=2e-4)
    assert fitted.steps.tolist() == [50]


def test_what_is_known_to_be_possible_is_found_and_what_is_not_is_not():
    """A simplex of d + 1 documents has all its pairs; on a circle four documents cannot (Radon's theorem)."""
    easy = free_vectors(all_pairs(5), width=4, seeds=[0, 1, 2], steps=600)
    assert (easy.margins > 0.1).all()
    sets = list(itertools.combinations(range(5), 2))
    for seed in range(3):
        margin = loop_margin(easy.queries[seed].tolist(), easy.documents[seed].tolist(), sets)
        assert float(easy.margins[seed]) == pytest.approx(margin, abs=1e-5)
    assert (free_vectors(all_pairs(5), width=2, seeds=[0, 1, 2], steps=600).margins <= 0).all()


def test_a_seed_gives_the_same_whatever_the_others_are_and_ends_by_itself():
    together = free_vectors(all_pairs(5), width=2, seeds=[1, 0], steps=4000)
    alone = free_vectors(all_pairs(5), width=2, seeds=[0], steps=4000)
    np.testing.assert_allclose(together.margins[1:], alone.margins, atol=1e-3)
    assert together.steps[1] == alone.steps[0]
    assert (together.steps < 4000).all(), "a loss that stands still ends the fit"
    assert (together.steps >= 1000).all(), "it is given 1,000 updates to fall"
    assert (together.queries[0] - together.queries[1]).abs().max() > 0.1


def test_the_search_goes_up_until_nothing_was_solved(monkeypatch):
    asked = []

    def fit(relevant, *, width, seeds, steps):
        n = relevant.shape[1]
        asked.append(n)
        margins = torch.tensor([1.0 if n <= limit else -1.0 for limit in (6, 8)])
        return module.FreeVectors(torch.zeros(2, 1, width), torch.zeros(2, n, width), margins, torch.zeros(2))

    monkeypatch.setattr(module, "free_vectors", fit)
    found = size_search(3, seeds=[0, 1], steps=7, misses=2)
    assert asked == list(found.margins) == [4, 5, 6, 7, 8, 9, 10]
    assert [(m > 0).tolist() for m in found.margins.values()] == [[True, True]] * 3 + [[False, True]] * 2 + [
        [False, False]
    ] * 2
    assert found.critical.tolist() == [6, 8]
    assert list(size_search(3, seeds=[0, 1], steps=7, misses=1, stride=0.5).margins) == [4, 6, 9]
    assert size_search(8, seeds=[0, 1], steps=7, misses=1).critical.tolist() == [8, 8], (
        "none was solved: 9 was the first"
    )


EYE = np.eye(2, 3, dtype=bool)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: free_vectors(np.eye(3), width=2, seeds=[0]), "must be bools"),
        (lambda: free_vectors(EYE[0], width=2, seeds=[0]), "must be bools"),
        (lambda: free_vectors(np.zeros((2, 3), dtype=bool), width=2, seeds=[0]), "query 0 must have a relevant"),
        (lambda: free_vectors(np.array([[True, False], [True, True]]), width=2, seeds=[0]), "query 1 must have"),
        (lambda: free_vectors(EYE, width=0, seeds=[0]), "must be 1 or more"),
        (lambda: free_vectors(EYE, width=2, seeds=[]), "0 seeds"),
        (lambda: free_vectors(EYE, width=2, seeds=[0], steps=0), "must be 1 or more"),
        (lambda: free_vectors(EYE, width=2, seeds=[0], lr=0.0), "above 0, got 0.0"),
        (lambda: free_vectors(EYE, width=2, seeds=[0], temperature=float("nan")), "above 0"),
        (lambda: separations(np.eye(3), np.eye(3), EYE), r"must be \(3, 3\), got \(2, 3\)"),
        (lambda: all_pairs(3, k=3), "below n=3, got 3"),
        (lambda: moment_curve(2), "below n=2, got 2"),
        (lambda: size_search(2, seeds=[0], misses=0), "misses must be 1 or more"),
        (lambda: size_search(2, seeds=[0], stride=-0.1), "stride not negative"),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
