"""Ranks of the right document against a count by hand."""

import numpy as np
import pytest
import torch

from workbench.evaluation import answer_ranks

RNG = np.random.default_rng(0)
Q, D = RNG.integers(-3, 4, (9, 4)).astype("f4"), RNG.integers(-3, 4, (30, 4)).astype("f4")  # whole numbers tie
ANSWERS = RNG.integers(0, 30, 9)


def by_hand(inside=None):
    found = []
    for i, answer in enumerate(ANSWERS):
        scores = [float(np.dot(Q[i], d)) for d in D]
        others = [j for j in range(30) if j != answer]
        if inside is not None:
            others = [j for j in inside[i] if j != answer] if answer in inside[i] else None
        found.append(29 if others is None else sum(scores[j] >= scores[answer] for j in others))
    return found


def test_ranks_are_a_count_of_what_scores_as_high(monkeypatch):
    assert answer_ranks(Q, D, ANSWERS).tolist() == by_hand()
    assert len(set(by_hand())) > 3
    monkeypatch.setattr("workbench.evaluation.answers.BLOCK_NUMBERS", 60)
    assert answer_ranks(torch.from_numpy(Q), torch.from_numpy(D), torch.from_numpy(ANSWERS)).tolist() == by_hand()


def test_a_shortlist_ranks_its_own_documents_alone():
    inside = np.stack([RNG.permutation(30)[:6] for _ in range(9)])
    inside[::2, 0] = ANSWERS[::2]
    inside = np.array([list(dict.fromkeys([*row, *range(30)]))[:6] for row in inside.tolist()])
    assert answer_ranks(Q, D, ANSWERS, inside=inside).tolist() == by_hand(inside)
    assert 29 in by_hand(inside)
    assert min(by_hand(inside)) < 6


def test_vectors_that_are_all_alike_come_last():
    assert answer_ranks(np.ones((2, 3)), np.ones((5, 3)), np.array([0, 4])).tolist() == [4, 4]


@pytest.mark.parametrize(
    ("change", "kind", "rule"),
    [
        ({"queries": [[1.0]]}, TypeError, "queries"),
        ({"queries": Q[:, :3]}, ValueError, "columns"),
        ({"documents": D[:0]}, ValueError, "documents"),
        ({"answers": ANSWERS[:3]}, ValueError, "answers"),
        ({"answers": ANSWERS.astype(float)}, ValueError, "answers"),
        ({"answers": ANSWERS + 30}, ValueError, r"0\.\.29"),
        ({"inside": ANSWERS}, ValueError, "inside"),
        ({"inside": -np.ones((9, 2), dtype=int)}, ValueError, r"0\.\.29"),
    ],
)
def test_what_cannot_be_ranked_is_refused(change, kind, rule):
    given = {"queries": Q, "documents": D, "answers": ANSWERS} | change
    with pytest.raises(kind, match=rule):
        answer_ranks(given.pop("queries"), given.pop("documents"), given.pop("answers"), **given)
