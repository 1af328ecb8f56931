"""Batches of similar length, and pooling against plain loops."""

import numpy as np
import pytest
import torch

from workbench.encoders.pooling import pool
from workbench.encoders.tokens import pad
from workbench.models.passes import token_batches


def test_batches_hold_every_index_once_longest_first_within_the_budget():
    lengths = np.random.default_rng(0).integers(1, 60, size=200).tolist()
    batches = list(token_batches(lengths, budget=100))
    assert sorted(i for batch in batches for i in batch) == list(range(200))
    assert all(len(b) * max(lengths[i] for i in b) <= 100 for b in batches)
    assert [lengths[i] for b in batches for i in b] == sorted(lengths, reverse=True)
    assert list(token_batches([500, 3], budget=100)) == [[0], [1]]


@pytest.mark.parametrize("how", ["mean", "cls", "last", "max"])
def test_pooling_is_what_loops_give_and_padding_has_no_part_in_it(how):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(3, 5, 4)) - 5  # negative, so that a padded 0 would win a maximum
    lengths = [5, 2, 1]
    mask = torch.tensor([[t < n for t in range(5)] for n in lengths])
    hand = {
        "mean": lambda x: x.mean(axis=0),
        "cls": lambda x: x[0],
        "last": lambda x: x[-1],
        "max": lambda x: x.max(axis=0),
    }[how]
    expected = np.stack([hand(hidden[row, :n]) for row, n in enumerate(lengths)])
    got = pool(torch.tensor(hidden), mask, how=how)
    assert got.dtype == torch.float32
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-6)


def test_pooling_refuses_a_text_without_tokens_and_an_unknown_way():
    with pytest.raises(ValueError, match="row 1 has no tokens"):
        pool(torch.ones(2, 2, 3), torch.tensor([[True, True], [False, False]]), how="mean")
    with pytest.raises(ValueError, match="got 'median'"):
        pool(torch.ones(1, 2, 3), torch.ones(1, 2, dtype=torch.bool), how="median")


def test_padding_is_on_the_right_and_marked():
    ids, mask = pad([[5, 6, 7], [8]], pad_id=9, device=torch.device("cpu"))
    assert ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert mask.tolist() == [[True, True, True], [True, False, False]]
